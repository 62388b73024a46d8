"""The help of every command as one document: ``docs/commands.md``."""

from collections.abc import Iterator

import click

from vmstead.cli.main import main

_WIDTH = 100
_INTRODUCTION = """\
<!-- Written by `vmstead reference --commands docs/commands.md`; change the code instead. -->

# Commands

What each command says with `--help`. `vmstead` is for people and their scripts; [`midclt`](#midclt) is TrueNAS's, for
everything else that the API has.

`vmstead vm`, `job`, `image` and `volume` speak to a server by its public API: by default to the one on this machine,
with `--uri` (or `VMSTEAD_URI`) to any other, and with `--username` or `--api-key-file` as somebody. These options stand
before the verb: `vmstead vm --uri wss://vmhost list`.

- Every verb prints JSON with `--json`: what the API answers, in its extended form (a time is `{"$date": milliseconds}`).
- What goes wrong is one line on standard error, and the exit status says what kind it is: 0 done; 1 the server refused
  or it failed; 2 wrong command line; 3 no connection, or not let in; 4 what was named does not exist; 5 not in time;
  130 Ctrl-C.
- What takes long is a job of the server's, with its progress on standard error. Ctrl-C leaves the job alone and says its
  number; `vmstead job wait` takes it up again.
- Colours are for terminals, and not there with `NO_COLOR` set.
- What destroys something says what will be lost and asks; `--yes` answers beforehand.
- `vmstead completion` makes bash, zsh and fish complete commands, options and names of virtual machines.

`vmstead network` changes the network of this machine, as root; `user` and `api-key` work on its accounts. They need no
server.
"""


_MIDCLT = """\
## midclt

`midclt [options] COMMAND`, with the options, output and exit statuses of TrueNAS 25.10 and of the releases after it.

| option | meaning |
| --- | --- |
| `-u`, `--uri URI` | `ws://host:port`, `wss://host` or `ws+unix:///path`; by default this machine's socket |
| `-U`, `--username NAME` | log in as this user; asks for the password unless it is given |
| `-P`, `--password TEXT` | the password |
| `-K`, `--api-key KEY` | an API key, or the absolute path of a file that holds it: alone, as JSON or as INI (`raw_key`) |
| `-t`, `--timeout SECONDS` | how long to wait for the answer to a call; also `CALL_TIMEOUT` in the environment; 60 |
| `-q`, `--quiet` | print nothing about the error of a call |
| `--insecure` | accept any TLS certificate |
| `--plain`, `--no-channel-binding` | taken for what scripts say; a key is always sent as it is |

| command | does |
| --- | --- |
| `call METHOD [ARG]...` | calls a method and prints the result. Each argument is JSON where it can be read as such, and a text otherwise; `-` reads one from standard input. A method that is a job prints the job's number. |
| `call -j`, `--job` | waits for the job and prints its result, with its progress on standard error: as a bar, or with `-jp description` (`--job-print`) each new description on a line |
| `ping` | prints `pong` |
| `waitready [-t SECONDS]` | waits until a server answers, 60 seconds at most; prints nothing |
| `subscribe EVENT [-n NUMBER] [-t SECONDS]` | prints events, one JSON object per line |

Results: numbers and texts as they are, `True` and `False`, everything else as extended JSON on one line. Errors are on
standard error and the exit status is 1; 0 for a login that was refused, as TrueNAS has it; 2 for a wrong command line.
"""


def manual() -> str:
    """The document."""
    parts = [_INTRODUCTION]
    for path, command, text in _helps(["vmstead"], main, None):
        level = 2 if isinstance(command, click.Group) else 3
        parts.append(f"{'#' * level} {' '.join(path)}\n\n{_block(text)}")
    return "\n".join((*parts, _MIDCLT))


def _helps(
    path: list[str], command: click.Command, above: click.Context | None
) -> Iterator[tuple[list[str], click.Command, str]]:
    """The help of a command, and of those below it."""
    settings = {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    context = click.Context(command, parent=above, info_name=path[-1], **settings)
    yield path, command, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _helps([*path, name], below, context)


def _block(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"```text\n{lines}\n```\n"
