"""`midclt`: the command line of TrueNAS, with the flags, output and exit statuses that scripts rely on.

It starts fast, because it is often called in loops: this module and what it imports before it knows what to
do stay within the standard library, and `midclt --help` does not even load the client.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence

# As typing has it, without the time that importing typing takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from vmstead.client import Client, ClientError, Credentials
    from vmstead.client.ejson import Json

#: Exit status of a command whose login was refused. Scripts written for TrueNAS 25.10 may count on it.
_LOGIN_REFUSED = 0
_INTERRUPTED = 130
#: Seconds that `waitready` waits if nobody says how long, and between two attempts.
_READY, _PAUSE = 60, 0.2


class _NothingToReadError(Exception):
    """An argument was to come from standard input, and that is a person at a terminal."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="midclt",
        description="Call the API of a TrueNAS or Vmstead server.",
        epilog='Example: midclt call vm.query \'[["status.state", "=", "RUNNING"]]\'',
    )
    top.add_argument(
        "-u", "--uri", help="ws://host:port, wss://host or ws+unix:///path; default: this machine's socket"
    )
    top.add_argument("-U", "--username", help="log in as this user; asks for the password unless given")
    top.add_argument("-P", "--password", help="password of that user")
    top.add_argument("-K", "--api-key", help="API key, or the absolute path of a file that holds it")
    top.add_argument("-t", "--timeout", type=int, help="seconds to wait for the answer to the call")
    top.add_argument("-q", "--quiet", action="store_true", help="print nothing about an error of a call")
    top.add_argument("--insecure", action="store_true", help="accept any TLS certificate")
    top.add_argument("--plain", action="store_true", help="send the API key itself (always done at present)")
    top.add_argument(
        "--no-channel-binding", action="store_true", help="for SCRAM logins; no effect at present"
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    call = commands.add_parser("call", help="call a method and print its result")
    # Left out, it must not hide the one before the command, whose place it shares.
    call.add_argument(
        "-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help="print nothing about an error"
    )
    call.add_argument("-j", "--job", action="store_true", help="wait for the job that the method starts")
    call.add_argument(
        "-jp",
        "--job-print",
        choices=("progressbar", "description"),
        default="progressbar",
        help="how to show the progress of the job, with -j (default: progressbar)",
    )
    call.add_argument("method", metavar="METHOD", help="such as vm.query")
    call.add_argument(
        "arguments",
        nargs="*",
        metavar="ARG",
        help="its arguments, each JSON or else taken as a string; - reads one from standard input",
    )

    commands.add_parser("ping", help="ask the server for a sign of life")
    ready = commands.add_parser("waitready", help="wait until the server answers calls")
    ready.add_argument(
        "-t", "--timeout", type=int, default=argparse.SUPPRESS, help="give up after this many seconds (60)"
    )
    # Older releases of TrueNAS have it. No help: it is only there to say that it is not.
    sql = commands.add_parser("sql")
    sql.add_argument("query", nargs=argparse.REMAINDER)

    subscribe = commands.add_parser("subscribe", help="print events, one JSON object per line")
    subscribe.add_argument("event", metavar="EVENT", help="such as vm.query or core.get_jobs")
    subscribe.add_argument("-n", "--number", type=int, help="end after this many events")
    subscribe.add_argument(
        "-t", "--timeout", type=int, default=argparse.SUPPRESS, help="end after this many seconds"
    )
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments; those of the process when None.

    Returns:
        The exit status: 0; 1 when the call, the connection or the wait for events failed; 130 after Ctrl-C.

    Raises:
        SystemExit: from the parser, for --help (0) and for a wrong command line (2).
    """
    grammar = parser()
    args = grammar.parse_args(argv)
    if args.command is None:
        grammar.print_help()
        return 0
    if args.command == "sql":
        return _complain("The server's database is its own: there is no SQL. Use: midclt call METHOD")
    try:
        if args.command == "waitready":
            status = _wait_ready(args)
        else:
            commands = {"call": _call, "ping": _ping, "subscribe": _subscribe}
            status = _connected(args, commands[args.command])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain once more when it ends, so give it
        # something to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _connected(args: argparse.Namespace, command: "Callable[[argparse.Namespace, Client], int]") -> int:
    from vmstead.client import CertificateError, Client, ClientError, ConnectError

    try:
        with Client(args.uri, _call_timeout(args), not args.insecure) as client:
            return command(args, client)
    except CertificateError as error:
        return _complain(
            "SSL certificate verification failed.",
            error.error,
            "Add the server's certificate to those that this system trusts,",
            "or use --insecure to do without verification (not for production).",
        )
    except ConnectError as error:
        import errno

        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            return _complain("Failed to run middleware call. Daemon not running?")
        return _complain(error.error)
    except ClientError as error:
        return _complain(error.error)


def _wait_ready(args: argparse.Namespace) -> int:
    """Connect and ask, over and over, until there is an answer."""
    from threading import Event
    from time import monotonic

    from vmstead.client import CertificateError, Client, ClientError

    seconds = args.timeout or _READY
    deadline = monotonic() + seconds
    while True:
        left = max(deadline - monotonic(), _PAUSE)
        try:
            with Client(args.uri, left, not args.insecure) as client:
                client.ping(left)
        except CertificateError as error:
            return _complain(error.error)
        except ClientError as error:
            if monotonic() >= deadline:
                return _complain(f"The server was not ready within {seconds} seconds: {error.error}")
        else:
            return 0
        # Nothing tells when a server begins to listen somewhere else.
        Event().wait(_PAUSE)


def _call(args: argparse.Namespace, client: "Client") -> int:
    from vmstead.client import ClientError

    try:
        _log_in(args, client)
    except ClientError as error:
        print("Failed to login: ", error)
        return _LOGIN_REFUSED
    try:
        arguments = list(_arguments(args.arguments))
    except _NothingToReadError:
        return _complain(
            "Error: - stands for standard input, which is a terminal.",
            "Pipe the argument into it, or give the argument itself.",
        )
    try:
        result = _job_result(args, client, arguments) if args.job else client.call(args.method, *arguments)
    except ClientError as error:
        if not args.quiet:
            _print_error(error)
        return 1
    _print_result(result)
    return 0


def _job_result(args: argparse.Namespace, client: "Client", arguments: "list[Json]") -> "Json":
    from vmstead.client.progress import ProgressBar, ProgressLines

    show = (ProgressBar if args.job_print == "progressbar" else ProgressLines)(sys.stderr)
    success = False
    try:
        result = client.call_job(args.method, *arguments).result(show)
        success = True
    finally:
        show.finish(success=success)
    return result


def _ping(args: argparse.Namespace, client: "Client") -> int:
    answer = client.ping()
    if not answer:
        return 1
    print(answer)
    return 0


def _subscribe(args: argparse.Namespace, client: "Client") -> int:
    from math import inf
    from time import monotonic

    from vmstead.client import CallTimeout, ClientError, ejson

    try:
        _log_in(args, client)
    except ClientError as error:
        print("Failed to login: ", error)
        return _LOGIN_REFUSED
    subscription = client.subscribe(args.event)
    deadline = monotonic() + (args.timeout or inf)
    number = 0
    while not args.number or number < args.number:
        try:
            left = deadline - monotonic()
            event = subscription.get(None if left == inf else max(left, 0))
        except CallTimeout:
            return 1
        if event is None:
            break
        print(ejson.dumps(event), flush=True)
        number += 1
    return 0


def _log_in(args: argparse.Namespace, client: "Client") -> None:
    from vmstead.client.login import authenticate

    authenticate(client, _credentials(args))


def _credentials(args: argparse.Namespace) -> "Credentials":
    from vmstead.client import Credentials

    password = args.password
    if args.username and not password and not args.api_key:
        from getpass import getpass

        password = getpass()
    return Credentials(args.username, password, args.api_key)


def _call_timeout(args: argparse.Namespace) -> float:
    if args.timeout and args.command == "call":
        return float(args.timeout)
    try:
        return float(os.environ["CALL_TIMEOUT"])
    except (KeyError, ValueError):
        return 60.0


def _arguments(texts: Sequence[str]) -> "Iterator[Json]":
    """The arguments of a call; standard input is read once, however often it is named."""
    from vmstead.client import ejson

    from_stdin: str | None = None
    for text in texts:
        if text == "-":
            if from_stdin is None:
                if sys.stdin.isatty():
                    raise _NothingToReadError
                from_stdin = sys.stdin.read()
            text = from_stdin
        try:
            yield ejson.loads(text)
        except ValueError:
            yield text


def _print_result(result: "Json") -> None:
    if isinstance(result, (int, str)):
        print(result)
    else:
        from vmstead.client import ejson

        print(ejson.dumps(result))


def _print_error(error: "ClientError") -> None:
    if error.error:
        print(error.error, file=sys.stderr)
    if error.trace:
        print(error.trace.get("formatted"), file=sys.stderr)
    if error.extra:
        from pprint import pprint

        pprint(error.extra, stream=sys.stderr)


def _complain(*lines: str) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
