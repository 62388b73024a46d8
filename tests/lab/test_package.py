"""The Debian package on a real host: installed, used, upgraded with a guest running, removed and purged."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.test_matrix import image, make
from tests.lab.host import SOCKET, LabHost, echoes, fresh
from vmstead.kernel.run import run

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The package, and another of the next version."""
    folder = tmp_path_factory.mktemp("packages")
    return asyncio.run(_build(folder))


async def _build(folder: Path) -> tuple[Path, Path]:
    built = (await run([str(CHECKOUT / "bin/package")], timeout=900)).decode().strip()
    first, second, tree = CHECKOUT / built, folder / "next.deb", folder / "tree"
    await run(["dpkg-deb", "--raw-extract", str(first), str(tree)])
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("-1\n", "-2\n", 1))
    await run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(second)])
    return first, second


@pytest.fixture(scope="module")
def bare() -> Iterator[LabHost]:
    """A host on which there is no server."""
    with fresh(Path(os.environ["VMSTEAD_LAB"])) as host:
        yield host


async def install(host: LabHost, package: Path) -> str:
    """What dpkg prints when it installs a package."""
    return await host.machine.ssh(
        "cat >/root/vmstead.deb && dpkg -i /root/vmstead.deb 2>&1", stdin=package.read_bytes()
    )


async def test_it_is_installed_used_upgraded_and_removed(bare: LabHost, packages: tuple[Path, Path]) -> None:
    first, second = packages
    await install(bare, first)
    assert await bare.sh("systemctl is-active vmstead vmstead-guests") == "active\nactive"
    assert await bare.sh("midclt call core.ping") == "pong"
    assert "This machine can run VMs." in await bare.sh("vmstead doctor")
    assert "vmstead" in await bare.sh(
        "bash -c '. /usr/share/bash-completion/completions/vmstead; complete -p'"
    )
    assert await bare.sh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:6080/ui/") == "200"

    await bare.machine.forward(bare.state, SOCKET)
    vm = await make(bare, image("boot", type="VIRTIO", boot=True), bootloader="UEFI_CSM")
    disk = "/var/lib/vmstead/pools/default/boot.raw"
    await bare.fill_small(disk)
    await bare.call("vm.start", vm)
    with bare.console(vm) as console:
        echoes(console, "awake")
    before = await bare.status(vm)
    await bare.sh("echo '# mine' >>/etc/vmstead/vmstead.toml")

    await install(bare, second)
    assert (await bare.sh("dpkg-query -W -f '${Version}' vmstead")).endswith("-2")
    assert await bare.sh("systemctl is-active vmstead vmstead-guests") == "active\nactive"
    await bare.machine.forward(bare.state, SOCKET)
    assert await bare.status(vm) == before
    assert (await bare.sh("tail -n 1 /etc/vmstead/vmstead.toml")) == "# mine"

    await bare.sh("dpkg -r vmstead 2>&1")
    assert await bare.sh(f"test -d /proc/{before['pid']} || echo ended") == "ended"
    assert await bare.sh("ls /usr/lib/vmstead /usr/bin/vmstead 2>&1 | grep -c 'No such file'") == "2"
    # Installed anew, it is as it was.
    await install(bare, second)
    assert await bare.sh("systemctl is-active vmstead vmstead-guests") == "active\nactive"
    await bare.sh("dpkg -r vmstead 2>&1")
    assert "virtual machines and disks are left in /var/lib/vmstead" in await bare.sh("dpkg -P vmstead 2>&1")
    left = f"stat -c %s {disk}; ls /etc/vmstead /lib/systemd/system/vmstead.service 2>&1 | grep -c 'No such file'"
    assert await bare.sh(left) == f"{160 * 1024**2}\n2"
