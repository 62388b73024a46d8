"""What a verb works with: a server, what is named there, and how to say how it went."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, update_wrapper
from typing import Any, NoReturn, TypeVar

import click

from vmstead.cli.lazy import Commands, LazyGroup
from vmstead.cli.verbs.output import print_json, say
from vmstead.cli.verbs.progress import INTERRUPTED, follow, watch
from vmstead.client import (
    CallTimeout,
    Client,
    ClientError,
    ConnectError,
    ConnectionLostError,
    Credentials,
    LoginError,
    ValidationErrors,
)
from vmstead.client.ejson import Json
from vmstead.client.errors import ENOTAUTHENTICATED
from vmstead.client.login import authenticate

F = TypeVar("F", bound=Callable[..., Any])

#: Exit statuses; 2, a wrong command line, is click's own.
FAILED, NOT_LET_IN, NOT_FOUND, TOO_LATE = 1, 3, 4, 5

#: Seconds that a job gets to end when it is aborted.
_ABORT = 30
#: Names that fit into an error.
_NAMED = 12

STATUSES = """\b
Exit status: 0 done; 1 the server refused or it failed; 2 wrong command line; 3 no
connection, or not let in; 4 what was named does not exist; 5 not in time; 130 Ctrl-C.
"""


class Failure(click.ClickException):
    """The verb ends with one line and an exit status."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.exit_code = status  # type: ignore[misc] # click declares it of the class, and reads it of this


@dataclass
class Server:
    """Which server, and as whom. The password is asked for when it is needed."""

    uri: str | None
    username: str | None
    api_key_file: str | None
    insecure: bool

    def connect(self, timeout: float | None = None) -> Client:
        """A client that is logged in. Raises ClientError.

        Args:
            timeout: seconds that a call may take; None for ever: a copy of a disk takes its time, and who sits
                there can press Ctrl-C.
        """
        client = Client(self.uri, timeout, not self.insecure)
        try:
            authenticate(client, self.credentials)
        except BaseException:
            client.close()
            raise
        return client

    @cached_property
    def credentials(self) -> Credentials:
        """What to log in with; asks for a password if need be, once."""
        if self.api_key_file is not None:
            return Credentials(self.username, api_key=os.path.abspath(self.api_key_file))
        if self.username is None:
            return Credentials()
        return Credentials(self.username, click.prompt("Password", hide_input=True, err=True))

    @property
    def asks(self) -> bool:
        """Whether somebody has to type a password."""
        return self.username is not None and self.api_key_file is None


class Here:
    """The server for one verb.

    Attributes:
        client: connected and logged in.
        as_json: a program reads what is printed.
    """

    def __init__(self, server: Server, *, as_json: bool) -> None:
        self.server = server
        self.client = server.connect()
        self.as_json = as_json

    def reconnect(self) -> None:
        """After Ctrl-C, which may have come in the midst of a message: nothing more goes over that connection."""
        self.client.close()
        self.client = self.server.connect()

    def call(self, method: str, *params: Json) -> Any:  # noqa: ANN401 - the method decides
        """The result of a call."""
        return self.client.call(method, *params)

    def run(self, method: str, *params: Json) -> Any:  # noqa: ANN401 - the method decides
        """The result of a job, with its progress shown."""
        return follow(self.client.call_job(method, *params))

    def run_or_abort(self, method: str, *params: Json) -> Any:  # noqa: ANN401 - the method decides
        """As ``run``, for a job that is of no use by itself: Ctrl-C aborts it, and ends the verb."""
        job = self.client.call_job(method, *params)
        try:
            return watch(job)
        except KeyboardInterrupt:
            self.reconnect()
            again = self.client.job(job.id or 0)
            with suppress(ClientError):  # it may just have ended
                again.abort()
                again.result(timeout=_ABORT)
            say("\nAborted.", err=True)
            sys.exit(INTERRUPTED)

    def vm(self, name: str) -> dict[str, Any]:
        """The VM of that name or id. Raises Failure."""
        rows: list[dict[str, Any]] = self.call("vm.query", [["name", "=", name]])
        # A name that consists of digits is still a name.
        if not rows and name.isdecimal():
            rows = self.call("vm.query", [["id", "=", int(name)]])
        if rows:
            return rows[0]
        names = [row["name"] for row in self.call("vm.query", [], {"select": ["name"], "order_by": ["name"]})]
        if len(names) > _NAMED:
            close = get_close_matches(name, names)
            known = (
                f"perhaps you mean {' or '.join(close)}" if close else "vmstead vm list shows what there is"
            )
        else:
            known = f"there is {', '.join(names) or 'none at all'}"
        raise Failure(f"there is no VM {name}; {known}", NOT_FOUND)

    def look(self, id: int) -> dict[str, Any]:
        """A VM as it is now."""
        row: dict[str, Any] = self.call("vm.get_instance", id)
        return row

    def done(self, text: str, value: Json = None) -> None:
        """Say that it is done; to a program, the value that came of it."""
        if self.as_json:
            print_json(value)
        else:
            say(text)

    def now(self, id: int) -> None:
        """Say how a VM is now, after something was done to it."""
        row = self.look(id)
        shown = {key: row[key] for key in ("id", "name", "status")}
        self.done(f"{row['name']} is {row['status']['state'].lower()}.", shown)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Have somebody agree. Ends the verb when nobody does."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise Failure("nobody is there to be asked; to do it without a question, add --yes")
        if not click.confirm(question, err=True):
            raise Failure("nothing was changed")


def verb(
    name: str | None = None, *, examples: Sequence[str] = ()
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function whose first argument is ``here``. It gets the option ``--json``."""

    def decorate(function: Callable[..., None]) -> click.Command:
        def run(ctx: click.Context, /, *, as_json: bool, **arguments: object) -> None:
            server = ctx.find_object(Server)
            assert server is not None
            with one_line():
                here = Here(server, as_json=as_json)
                try:
                    function(here, **arguments)
                finally:
                    here.client.close()

        update_wrapper(run, function)
        flag = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API has it.")
        make = click.command(name, epilog=epilog(examples))
        return make(flag(click.pass_context(run)))

    return decorate


def epilog(examples: Sequence[str]) -> str | None:
    """The examples at the end of a help text."""
    if not examples:
        return None
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in examples)))


def server_group(sections: Mapping[str, Commands]) -> Callable[[Callable[[], None]], click.Group]:
    """Make a group of verbs of a function that does nothing. It gets the options that name the server."""

    def decorate(function: Callable[[], None]) -> click.Group:
        @click.option(
            "-u",
            "--uri",
            envvar="VMSTEAD_URI",
            help="Server, such as wss://vmhost; by default the one on this machine.",
        )
        @click.option(
            "-U",
            "--username",
            envvar="VMSTEAD_USERNAME",
            help="User to log in as; the password is asked for.",
        )
        @click.option(
            "-K",
            "--api-key-file",
            envvar="VMSTEAD_API_KEY_FILE",
            type=click.Path(exists=True, dir_okay=False),
            help="File with an API key to log in with.",
        )
        @click.option(
            "--insecure", envvar="VMSTEAD_INSECURE", is_flag=True, help="Accept any TLS certificate."
        )
        @click.pass_context
        def group(ctx: click.Context, /, **given: Any) -> None:  # noqa: ANN401
            ctx.obj = Server(**given)

        group.__doc__ = function.__doc__
        settings = {"help_option_names": ["-h", "--help"], "show_default": True}
        made = click.command(
            function.__name__,
            cls=LazyGroup,
            sections=sections,
            epilog=f"{STATUSES}\nEach option is also a variable: VMSTEAD_URI, VMSTEAD_USERNAME and so on.",
            context_settings=settings,
        )(group)
        assert isinstance(made, click.Group)
        return made

    return decorate


@contextmanager
def one_line() -> Iterator[None]:
    """End the command with one line and its exit status when something goes wrong."""
    try:
        yield
    except ClientError as error:
        raise Failure("; ".join(str(error).split("\n")).rstrip("; "), _status(error)) from None
    except BrokenPipeError:
        _end_quietly()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _status(error: ClientError) -> int:
    if isinstance(error, ConnectError | LoginError | ConnectionLostError) or error.errno == ENOTAUTHENTICATED:
        return NOT_LET_IN
    if isinstance(error, CallTimeout):
        return TOO_LATE
    faults = [fault.errno for fault in error.errors] if isinstance(error, ValidationErrors) else [error.errno]
    return NOT_FOUND if set(faults) == {errno.ENOENT} else FAILED


def _end_quietly() -> NoReturn:
    """Whoever read the output has seen enough. Python would complain once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(FAILED)
