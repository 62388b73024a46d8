"""``vmstead vm console``, ``display``, ``log`` and ``events``."""

import os
import sys
from typing import Any
from urllib.parse import urlsplit

import click

from vmstead.cli.verbs.here import FAILED, NOT_FOUND, Failure, Here, Server, epilog, one_line, verb
from vmstead.cli.verbs.naming import complete_vm, vm_argument
from vmstead.cli.verbs.output import coloured, print_json, print_table, say
from vmstead.client.endpoint import resolve

#: Addresses that mean every address of a host.
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on


@click.command(
    epilog=epilog(["vmstead vm console web01", "echo reboot | vmstead vm console web01 --linger 5"])
)
@vm_argument()
@click.option(
    "--linger",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="When input is no terminal: go on printing for so long after its end, not until the guest is off.",
)
@click.pass_obj
def console(server: Server, name: str, linger: float | None) -> None:
    """Sit at a virtual machine's serial console.

    Ctrl-] leaves it; everything else, Ctrl-C included, goes to the guest. The recent output is shown first.
    Several may sit at one console. A serial line does not tell the guest how large the terminal is: in the
    guest, resize asks for it, and stty cols COLUMNS rows ROWS sets it.
    """
    from vmstead.cli.console import run_console

    with one_line():
        credentials = server.credentials
    sys.exit(run_console(server.uri, name, credentials, verify_tls=not server.insecure, linger=linger))


@verb(examples=["vmstead vm display web01", "vmstead vm display web01 --open"])
@vm_argument()
@click.option("--open", "open_", is_flag=True, help="Open it with remote-viewer.")
def display(here: Here, name: str, open_: bool) -> None:
    """Print where a virtual machine's screen is, or open it.

    One line for each display, for viewers such as remote-viewer, and one for a browser. Passwords are not part of
    an address; the viewer asks.
    """
    row = here.vm(name)
    server = urlsplit(resolve(here.server.uri).server)
    # This machine's socket has no host.
    host = server.hostname if server.scheme in ("ws", "wss") else None
    displays = here.call("vm.get_display_devices", row["id"])
    if not displays:
        way_out = f"vmstead vm devices add {row['name']} display"
        raise Failure(f"{row['name']} has no display; add one: {way_out}", NOT_FOUND)
    found = [address(each, host) for each in displays]
    protocol = {"protocol": "HTTPS" if server.scheme == "wss" else "HTTP"}
    web = here.call("vm.get_display_web_uri", row["id"], server.netloc if host else "", protocol)["uri"]
    if open_:
        if row["status"]["state"] == "STOPPED":
            raise Failure(f"{row['name']} is not running; start it first", FAILED)
        _open(found[0]["uri"])
    if here.as_json:
        print_json([*found, *([{"type": "WEB", "uri": web}] if web else [])])
        return
    rows = [(each["type"], each["uri"], each["note"]) for each in found]
    print_table(("TYPE", "ADDRESS", "NOTE"), [*rows, *([("WEB", web, "for browsers")] if web else [])])


def address(display: dict[str, Any], host: str | None) -> dict[str, str]:
    """Where a display is, for a viewer.

    Args:
        display: as ``vm.get_display_devices`` has it.
        host: the name that the server was reached under; None for this machine.
    """
    attributes = display["attributes"]
    bind, port = attributes["bind"], attributes["port"]
    reached = (host or "localhost") if bind in _EVERYWHERE else bind
    written = f"[{reached}]" if ":" in reached else reached
    asks = display.get("password_configured") or attributes.get("password_configured")
    notes = ["asks for a password"] if asks else []
    is_local = bind == "::1" or bind.startswith("127.")
    if is_local and host not in (None, bind, "localhost"):
        notes.append(f"on {host} only; from elsewhere use the page, or ssh -L {port}:localhost:{port} {host}")
    return {
        "type": attributes["type"],
        "uri": f"{attributes['type'].lower()}://{written}:{port}",
        "note": "; ".join(notes),
    }


def _open(uri: str) -> None:
    """Become the viewer."""
    try:
        os.execvp("remote-viewer", ["remote-viewer", "--", uri])  # noqa: S606, S607 - no shell; the user's own
    except OSError as error:
        text = f"remote-viewer cannot be run ({error.strerror}); install virt-viewer, or open {uri} otherwise"
        raise Failure(text, FAILED) from None


@verb(examples=["vmstead vm log web01", "vmstead vm log web01 --console --previous"])
@vm_argument()
@click.option("--console", "of_console", is_flag=True, help="What the guest wrote to its serial console.")
@click.option("--previous", is_flag=True, help="With --console: in the run before the latest.")
def log(here: Here, name: str, of_console: bool, previous: bool) -> None:
    """Print what QEMU, or the guest at its console, has said.

    The end of the log, at most 64 KiB of it; also when the virtual machine is off.
    """
    if previous and not of_console:
        raise click.UsageError("--previous goes with --console")
    row = here.vm(name)
    if of_console:
        text = here.call("vm.console_log", row["id"], {"previous": previous})
    else:
        text = here.client.call_job("vm.log_file_download", row["id"]).result()
    if here.as_json:
        print_json(text)
    else:
        click.echo(text or "", nl=False)


@verb(examples=["vmstead vm events", "vmstead vm events web01 --json", "vmstead vm events -n 1"])
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_vm)
@click.option("-n", "--number", type=click.IntRange(1), help="End after so many events.")
def events(here: Here, names: tuple[str, ...], number: int | None) -> None:
    """Print what happens to virtual machines, as it happens.

    All of them, or those that are named. Ctrl-C ends it.
    """
    subscription = here.client.subscribe("vm.query")
    wanted = {here.vm(name)["id"] for name in names}
    known = {row["id"]: row for row in here.call("vm.query")}
    seen = 0
    for event in subscription:
        if wanted and event["id"] not in wanted:
            continue
        if here.as_json:
            print_json(event)
        else:
            _tell(event, known)
        sys.stdout.flush()
        seen += 1
        if seen == number:
            return


def _tell(event: dict[str, Any], known: dict[int, dict[str, Any]]) -> None:
    """An event on one line: when, which, what."""
    from datetime import datetime

    id, fields = event["id"], event.get("fields") or {}
    before = known.get(id, {})
    now = {**before, **fields}
    known[id] = now
    if event["msg"] == "removed":
        what = "deleted"
    elif event["msg"] == "added":
        what = "made"
    elif (event.get("extra") or {}).get("state"):
        # Only a change of the state comes with it; on the way down the state is still RUNNING.
        status = now["status"]
        known_state = before.get("status", {}).get("state")
        what = coloured(status["state"]) if status["state"] != known_state else status["domain_state"].lower()
    else:
        changed = sorted(key for key, value in fields.items() if before.get(key) != value)
        what = f"changed: {', '.join(changed)}" if changed else "changed"
    say(f"{datetime.now():%H:%M:%S}  {now.get('name', f'VM {id}')}  {what}")  # noqa: DTZ005 - the reader's own time
