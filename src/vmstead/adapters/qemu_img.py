"""The images port on ``qemu-img``, which runs confined (``adapters/confined.py``)."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vmstead.adapters import confined, image_output
from vmstead.adapters.image_header import HEAD, TAIL, Header, recognise
from vmstead.adapters.real_paths import open_at
from vmstead.kernel.run import CommandError, run
from vmstead.ports.images import FORMATS, Image, ImageError
from vmstead.ports.volumes import DiskSource

_MiB = 1024 * 1024
#: Bytes of address space: enough for its threads and the largest tables that QEMU accepts.
_MEMORY = 2048 * _MiB
#: Seconds for a look at an image, and for one at all of its tables.
_LOOK, _LONG_LOOK = 30, 3600
#: Seconds for a copy: these, and one for so many bytes of the disk.
_COPY, _SLOWEST = 3600, 4 * _MiB
#: Bytes of tables that a format may need beside the data, besides an eighth of the disk.
_TABLES = 64 * _MiB
#: Options of formats where the default would not give back the same disk.
_OPTIONS = {"vpc": ["-o", "force_size=on"]}
#: Formats whose tables ``qemu-img check`` can look through.
_CHECKED = {"qcow2", "qed", "vdi", "vhdx", "vmdk"}


class QemuImg:
    """Images by ``qemu-img``.

    Args:
        program: its name or path.
    """

    def __init__(self, program: str = "qemu-img") -> None:
        self._program = program

    async def examine(self, path: Path, format: str | None) -> Image:
        header, size = await asyncio.to_thread(_header, path)
        if format is not None and header.format != format:
            raise ImageError(
                f"is not a {format} image but a {header.format} one; give it a name that ends with "
                f".{header.format}"
            )
        if size < header.least:
            raise ImageError(f"is cut off: it has {size} bytes, and needs {header.least}")
        if header.format == "raw":
            # A disk is made of sectors; QEMU fills the last one up too.
            return Image("raw", -(-size // 512) * 512)
        source = DiskSource(path, is_block=False)
        image = image_output.image(await self._look(source, header.format, "info"))
        if image.format != header.format:
            raise ImageError(f"is not what its header says: {image.format} instead of {header.format}")
        return image

    async def weigh(self, source: DiskSource, image: Image) -> int:
        if image.format in _CHECKED:
            found = image_output.damage(await self._check(source, image.format))
            if found is not None:
                raise ImageError(f"is damaged or cut off ({found})")
        # How much a sparse raw file takes, qemu-img does not say: what a qcow2 one would take is close.
        output = await self._look(source, image.format, "measure", "-O", "qcow2", seconds=_LONG_LOOK)
        needed = min(image_output.required(output), image.size)
        # Of this format QEMU does not know what is empty, so all of it counts; what is not there cannot.
        return min(needed, source.path.stat().st_size) if image.format == "vhdx" else needed

    async def convert(
        self,
        source: DiskSource,
        image: Image,
        target: DiskSource,
        format: str,
        *,
        is_blank: bool,
        progress: Callable[[int], None],
    ) -> None:
        if format not in FORMATS:
            raise ImageError(f"cannot become a {format} image; possible are {', '.join(FORMATS)}")
        told = -1

        def on_line(line: str) -> None:
            nonlocal told
            percent = image_output.percent(line)
            if percent is not None and percent > told:
                told = percent
                progress(percent)

        how = ["-n", "--target-is-zero"] if is_blank else _OPTIONS.get(format, [])
        await self._run(
            ["convert", "-p", "-U", "-O", format, *how],
            (source, image.format),
            target,
            seconds=_COPY + image.size // _SLOWEST,
            file_size=image.size + image.size // 8 + _TABLES,
            on_line=on_line,
        )

    async def _look(
        self, source: DiskSource, format: str, command: str, *options: str, seconds: int = _LOOK
    ) -> bytes:
        argv = [command, "-U", "--output=json", *options]
        return await self._run(argv, (source, format), seconds=seconds)

    async def _check(self, source: DiskSource, format: str) -> bytes:
        try:
            return await self._look(source, format, "check", seconds=_LONG_LOOK)
        except ImageError as error:
            # Its status tells of damage too; blocks that nothing refers to (3) do no harm.
            status = error.__cause__.status if isinstance(error.__cause__, CommandError) else None
            if status == 3:
                return b"{}"
            if status in (1, 2):
                raise ImageError("is damaged or cut off; fetch it again, or see: qemu-img check") from error
            raise

    async def _run(
        self,
        argv: Sequence[str],
        image: tuple[DiskSource, str],
        target: DiskSource | None = None,
        *,
        seconds: int,
        file_size: int = 0,
        on_line: Callable[[str], None] | None = None,
    ) -> bytes:
        """Run a command on an image with its format, and a target to write to."""
        with ExitStack() as opened:
            source, format = image
            files = [await asyncio.to_thread(opened.enter_context, _opened(source, os.O_RDONLY))]
            if target is not None:
                files.append(await asyncio.to_thread(opened.enter_context, _opened(target, os.O_RDWR)))
            # By what is open, no other file can be meant than the one that was looked at.
            names = [f"/proc/self/fd/{file}" for file in files]
            how = {
                "server": os.getpid(),
                "memory": _MEMORY,
                "cpu": seconds,
                "file_size": file_size,
                "read": names[:1],
                "write": names[1:],
            }
            command = [*argv, "--", _spec(names[0], source, format), *names[1:]]
            return await self._confined(command, how, names, files, seconds, on_line)

    async def _confined(
        self,
        argv: Sequence[str],
        how: Mapping[str, object],
        names: Sequence[str],
        files: Sequence[int],
        seconds: int,
        on_line: Callable[[str], None] | None,
    ) -> bytes:
        launcher = [sys.executable, "-I", "-S", str(Path(confined.__file__))]
        # Every thread would reserve address space for an arena of its own.
        env = {"MALLOC_ARENA_MAX": "2"}
        try:
            return await run(
                [*launcher, json.dumps(how), self._program, *argv],
                env=env,
                timeout=seconds,
                on_line=on_line,
                files=files,
            )
        except CommandError as error:
            if error.status is None:
                raise ImageError(f"took longer than {seconds} seconds") from error
            if error.status == 127:
                raise ImageError(f"cannot be read here: {error.output.strip()}; run bin/setup") from error
            called = [argv[-2], argv[-1], *names]
            text = image_output.complaint(error.output, *called) if error.output else f"status {error.status}"
            raise ImageError(f"could not be read or copied: {text}") from error


@contextmanager
def _opened(source: DiskSource, flags: int) -> Iterator[int]:
    """A file that was resolved, or a device, opened for the program."""
    try:
        # Names of devices are links of the system's own, which it changes as devices come and go.
        path = Path(os.path.realpath(source.path)) if source.is_block else source.path
        descriptor = open_at(path, flags)
    except OSError as error:
        raise ImageError(f"cannot be opened: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _spec(name: str, source: DiskSource, format: str) -> str:
    """The image as QEMU is told of it: with its format, and without the files that it may name."""
    driver = "host_device" if source.is_block else "file"
    file = {"driver": driver, "filename": name}
    return "json:" + json.dumps({"driver": format, "backing": None, "file": file}, ensure_ascii=False)


def _header(path: Path) -> tuple[Header, int]:
    """What the file begins with, and its bytes."""
    try:
        with (
            _opened(DiskSource(path, is_block=False), os.O_RDONLY) as descriptor,
            open(os.dup(descriptor), "rb") as file,
        ):
            head = file.read(HEAD)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            return recognise(head, file.read(TAIL)), size
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from None
