"""The demo guest: a small real Linux machine, built here from the distribution's own packages.

It starts from one disk image under BIOS and under UEFI, shows a login on its screen and on its serial port
(root, no password), takes its addresses by DHCP, obeys the power button and can say what hardware it has.
Everything runs from memory: nothing is ever written to the image, so one image serves any number of machines
that have it read-only or as a copy.

The recipe is next to this file in ``guest/``: ``build.sh`` keeps the cache, ``kernel.sh`` finds the kernel
packages, ``image.sh`` makes the image, ``modules.list`` names the drivers and ``rootfs/`` has the files of
the guest itself.

``python -m vmstead.demo.guest`` builds the image if need be and prints its path.
"""

import argparse
import asyncio
import hashlib
import os
import sys
from pathlib import Path

from vmstead.demo.inventory import Inventory, parse_inventory
from vmstead.kernel.run import CommandError, run

__all__ = ["LOGIN", "READY", "Inventory", "build", "default_cache", "parse_inventory"]

#: What the serial console shows, once, when a login is possible; the time since the start follows.
READY = "VMSTEAD-DEMO READY"
#: The prompt after which it reads a user's name.
LOGIN = "vmstead-demo login: "

_RECIPE = Path(__file__).with_name("guest")

#: A first build downloads about 100 MiB and takes ten seconds of work; a slow line may need the rest.
_BUILD_SECONDS = 1800.0


def default_cache() -> Path:
    """Where images are kept when nobody says otherwise: the system's cache as root, else the user's."""
    if os.geteuid() == 0:
        return Path("/var/cache/vmstead/demo")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vmstead" / "demo"


async def build(cache: Path) -> Path:
    """The demo guest's disk image, built if it is not in the cache yet.

    The image lies in ``cache/<recipe>-<kernel>/guest.raw``: it is made once for each content of the recipe
    files and version of the kernel package. Which kernel is current takes apt a second to say, so an image
    of this recipe is taken as it is, whatever its kernel (the newest, if there are several); remove it to
    have one made with a newer kernel. Building needs no privileges. It needs a network only when the cache
    has no kernel package.

    Any number of callers, also in several processes, may ask at the same time: one builds, the others wait.
    May be cancelled: what was built so far is removed, at the latest by the next build.

    Args:
        cache: a directory for this alone; made if it is not there.

    Raises:
        CommandError: a tool is missing, or a step failed; its ``output`` says which, and what helps.
    """
    recipe = _recipe()
    image = _newest(cache, recipe)
    if image is not None:
        return image
    output = await run(["bash", str(_RECIPE / "build.sh"), str(cache), recipe], timeout=_BUILD_SECONDS)
    return Path(os.fsdecode(output.rstrip(b"\n")))


def _recipe() -> str:
    """A name for what is in the recipe's files: the same content has the same name everywhere."""
    digest = hashlib.sha256()
    for path in sorted(path for path in _RECIPE.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(_RECIPE)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _newest(cache: Path, recipe: str) -> Path | None:
    """The image of this recipe that was finished last."""
    images = cache.glob(f"{recipe}-*/guest.raw")
    return max(images, key=lambda image: image.stat().st_mtime, default=None)


def main() -> int:
    """The command: build the image, copy it where it is wanted, and print where it is."""
    parser = argparse.ArgumentParser(
        prog="python -m vmstead.demo.guest",
        description="Build the demo guest and print the path of its disk image.",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="also put a copy of the image here")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", default=default_cache(), help="where images are kept"
    )
    arguments = parser.parse_args()
    try:
        image = asyncio.run(build(arguments.cache))
        if arguments.output is not None:
            # `cp` keeps the holes: three fifths of the image are empty.
            asyncio.run(run(["cp", "--sparse=always", "--", str(image), str(arguments.output)]))
            image = arguments.output
    except CommandError as error:
        sys.stderr.write(f"{error.output.strip() or error}\n")
        return 1
    sys.stdout.write(f"{image}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
