"""``vmstead backup`` and ``vmstead restore``: the settings in one file, and back."""

import time
from pathlib import Path

import click

from vmstead.adapters.engine_choice import tpm_folders
from vmstead.cli.audited import note
from vmstead.cli.options import read_settings, settings_options
from vmstead.config import default_config
from vmstead.store.archive import ArchiveError, HalfDone, Manifest
from vmstead.store.backup import back_up
from vmstead.store.db import DatabaseError
from vmstead.store.restore import Restored
from vmstead.store.restore import restore as put_back

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="Take the place of a file of that name.")
@settings_options("state")
def backup(file: Path, replace: bool, config_file: Path | None, **given: object) -> None:
    """Save the settings into FILE: virtual machines and their devices, accounts, groups and API keys, what firmware
    and TPMs remember, the settings file. Not the disks, and not the audit trail.

    The server may run meanwhile. FILE holds everything that logs in here, so only its owner can read it.
    """
    loaded = read_settings(given, config_file)
    state, file = loaded.config.state, file.absolute()
    try:
        manifest = back_up(
            state, file, settings=_settings(config_file), tpms=tpm_folders(state), replace=replace
        )
    except (ArchiveError, DatabaseError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or file}: {error.strerror}") from None
    note(state, "vmstead backup", f"Save settings into {file}")
    size = file.stat().st_size
    click.echo(f"Saved {_contents(manifest)} in {file} ({size / 1e6:.1f} MB).")
    click.echo("It holds keys and passwords, and no disks: keep it safe, and save those by themselves.")


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--check", "check_only", is_flag=True, help="Look whether it could be used, and change nothing."
)
@settings_options("state")
def restore(file: Path, check_only: bool, config_file: Path | None, **given: object) -> None:
    """Put the settings of FILE in place of those that are there. The server must not run.

    What was there stays beside it, with ".before-" and the time in its name. If anything goes wrong, all is as
    it was. A settings file that is there stays, and the saved one is put beside it.
    """
    loaded = read_settings(given, config_file)
    state = loaded.config.state
    stamp = time.strftime("%Y%m%dT%H%M%S")
    try:
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        found = put_back(
            *(state, file.absolute()),
            settings=_settings(config_file),
            tpms=tpm_folders(state),
            stamp=stamp,
            check_only=check_only,
        )
    except BlockingIOError:
        raise click.ClickException(
            f"a server is using {state}: stop it first (systemctl stop vmstead)"
        ) from None
    except HalfDone as error:
        raise click.ClickException(str(error)) from None
    except (ArchiveError, DatabaseError) as error:
        raise click.ClickException(f"{error}. Nothing was changed") from None
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise click.ClickException(f"{text}. Nothing was changed") from None
    _tell(found, file, check_only=check_only)
    if not check_only:
        note(state, "vmstead restore", f"Restore settings of {found.manifest.created} from {file}")


def _tell(found: Restored, file: Path, *, check_only: bool) -> None:
    manifest = found.manifest
    of = f"of {manifest.created} from {manifest.host}, made by {manifest.program}"
    if check_only:
        click.echo(f"{file} is sound: {_contents(manifest)}, {of}.")
        return
    click.echo(f"Restored {_contents(manifest)}, {of}.")
    for kept in found.kept:
        click.echo(f"What was there before is in {kept}")


def _contents(manifest: Manifest) -> str:
    def some(number: int, what: str) -> str:
        return f"{number} {what}{'' if number == 1 else 's'}"

    return f"{some(manifest.machines, 'virtual machine')} and {some(manifest.accounts, 'account')}"


def _settings(config_file: Path | None) -> Path:
    import os

    named = config_file or os.environ.get("VMSTEAD_CONFIG")
    return Path(named).expanduser().absolute() if named else default_config()
