"""No text of a client becomes a command: programs get lists of arguments, and no shell is asked."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arch.source import PACKAGE, name_of
from vmstead.adapters.qemu_img import QemuImg
from vmstead.kernel.run import run
from vmstead.ports.images import Image, ImageError
from vmstead.ports.volumes import DiskSource

#: What starts programs, and who may: one module for the server, and two that become other programs themselves.
STARTING = {
    "create_subprocess_exec": {"src/vmstead/kernel/run.py"},
    "create_subprocess_shell": set(),
    "subprocess": set(),
    "system": set(),
    "popen": set(),
    "posix_spawn": set(),
    "execvp": {"src/vmstead/adapters/confined.py", "src/vmstead/adapters/keeper.py"},
    "execv": {"src/vmstead/adapters/keeper.py"},
    "execve": {"src/vmstead/adapters/keeper.py"},
}


def uses(path: Path) -> Iterator[str]:
    """Names of modules and of attributes in a file, as far as they start programs, and ``shell=True``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "", *(alias.name for alias in node.names))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr
            yield from ("system" for keyword in node.keywords if keyword.arg == "shell")


def test_no_shell_is_asked_and_programs_are_started_in_one_place() -> None:
    found = {
        (name, name_of(path))
        for path in PACKAGE.rglob("*.py")
        # Programs for people run on their machine, by their will.
        if "cli" not in path.parts and "demo" not in path.parts
        for name in uses(path)
        if name in STARTING
    }
    assert {(name, path) for name, path in found if path not in STARTING[name]} == set()


@pytest.mark.parametrize("name", ["-h", "--help", "a;id", "$(id)", "a b", "`id`", "a\nb", "json:{}", "a'\"b"])
async def test_a_files_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x" * 512)
    images, target = QemuImg(), tmp_path / f"{name}.qcow2"
    source = DiskSource(tmp_path / name, is_block=False)
    assert await images.examine(source.path, "raw") == Image("raw", 512)
    target.write_bytes(b"")
    await images.convert(
        source,
        Image("raw", 512),
        DiskSource(target, is_block=False),
        "qcow2",
        is_blank=False,
        progress=lambda _: None,
    )
    assert (await images.examine(target, "qcow2")).size == 512
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"{name}.qcow2"])


async def test_a_format_is_one_of_a_list_and_no_option(tmp_path: Path) -> None:
    source = DiskSource(tmp_path / "a", is_block=False)
    source.path.write_bytes(b"x" * 512)
    for format in ("raw,file=/etc/passwd", "-O", "luks"):
        with pytest.raises(ImageError, match="cannot become"):
            await QemuImg().convert(
                source, Image("raw", 512), source, format, is_blank=False, progress=lambda _: None
            )
    with pytest.raises(ImageError, match="is not a"):
        await QemuImg().examine(source.path, "qcow2")


async def test_arguments_arrive_as_they_are() -> None:
    strange = ["-x", "$HOME", "a b", "`id`", "\n", "*", "'\"", "ä"]
    assert (await run(["printf", "%s\\0", *strange])).decode().split("\0")[:-1] == strange
