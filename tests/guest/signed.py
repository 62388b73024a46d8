"""A disk of the demo guest that starts under secure boot: the distribution's signed shim, GRUB and kernel."""

from pathlib import Path

from vmstead.kernel.run import run

#: Where the demo guest's only partition begins.
_PARTITION = 1024 * 1024
#: Packages with the signed programs, and where in them they are.
_PACKAGES = ("shim-signed", "grub-efi-amd64-signed")
_SHIM = "usr/lib/shim/shimx64.efi.signed"
_GRUB = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"


async def sign(disk: Path, folder: Path) -> None:
    """Replace the unsigned EFI program on a demo guest's disk by the chain that firmware trusts.

    The kernel on the partition is the distribution's, with its signature. The drivers are not signed, except
    the one that tells whether secure boot is on: such a guest has its serial console and little more.

    Args:
        folder: an empty directory for what is in between.
    """
    await run(["sh", "-c", 'cd "$0" && apt-get -q download "$@"', str(folder), *_PACKAGES], timeout=300)
    for package in folder.glob("*.deb"):
        await run(["dpkg-deb", "-x", str(package), str(folder)])
    partition = f"{disk}@@{_PARTITION}"
    lines = (await run(["mtype", "-i", partition, "::/syslinux.cfg"])).decode().splitlines()
    (append,) = (line.strip().removeprefix("append ") for line in lines if line.strip().startswith("append"))
    # Under secure boot the kernel measures what it loads, and insists on the security module for that.
    append = append.replace("lsm=capability", "lsm=integrity")
    menu = folder / "grub.cfg"
    menu.write_text(f"linux /vmlinuz {append}\ninitrd /initrd\nboot\n")
    await run(["mcopy", "-o", "-i", partition, str(folder / _SHIM), "::/EFI/BOOT/BOOTX64.EFI"])
    await run(["mcopy", "-o", "-i", partition, str(folder / _GRUB), "::/EFI/BOOT/grubx64.efi"])
    for distribution in ("debian", "ubuntu"):
        await run(["mmd", "-i", partition, f"::/EFI/{distribution}"])
        await run(["mcopy", "-i", partition, str(menu), f"::/EFI/{distribution}/grub.cfg"])
