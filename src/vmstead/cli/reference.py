"""``vmstead reference``."""

import json
from pathlib import Path

import click

from vmstead import __version__


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option(
    "--commands", type=click.Path(dir_okay=False, path_type=Path), help="Write the help of all commands."
)
def reference(folder: Path | None, commands: Path | None) -> None:
    """Write the API reference into FOLDER: Markdown pages, and openrpc.json with JSON Schema."""
    if commands is not None:
        from vmstead.cli.manual import manual

        commands.write_text(manual())
    if folder is not None:
        _write(folder)


def _write(folder: Path) -> None:
    from vmstead.reference import collections, describe, pages
    from vmstead.rpc.registry import table
    from vmstead.surface import EVENT_ROLES, NAMESPACES, SOURCES

    methods = table(NAMESPACES)
    document = describe(methods, __version__, collections(methods, EVENT_ROLES, SOURCES))
    folder.mkdir(parents=True, exist_ok=True)
    texts = pages(document) | {"openrpc.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    click.echo(f"{len(document['methods'])} methods in {folder}")
