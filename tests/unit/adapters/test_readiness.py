"""What a machine lacks for running VMs, and the command that mends it."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from vmstead.adapters.engine_choice import Surroundings
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.fake_zfs import FakeZfs
from vmstead.adapters.readiness import examine
from vmstead.addresses import Address
from vmstead.config import Config
from vmstead.ports.readiness import Finding, Verdict

GOOD, POOR, MISSING = Verdict.GOOD, Verdict.POOR, Verdict.MISSING
GiB = 2**30

QEMU = """\
case "$*" in
    --version) echo "QEMU emulator version 9.2.1 (Debian 1:9.2.1)"; echo "Copyright (c) others" ;;
    "-device help") echo 'Display devices:'; echo 'name "VGA", bus PCI'; echo 'name "qxl-vga", bus PCI' ;;
    "-M none -netdev help") echo 'Available netdev backend types:'; echo tap; echo user ;;
    *) exit 9 ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found, with all that are wanted."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    program(folder, "qemu-system-x86_64", QEMU)
    program(folder, "swtpm", "exit 0")
    program(folder, "swtpm_setup", "exit 0")
    program(folder, "dnsmasq", "exit 0")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


async def findings(
    folder: Path,
    host: FakeHost | None = None,
    *,
    is_root: bool = True,
    has_libvirtd: bool = True,
    **settings: Any,
) -> list[Finding]:
    """What is found on a machine of one's choice; on an untold one everything is there."""
    config = Config(
        **{
            "state": folder / "state",
            "socket": folder / "socket",
            "engine": "auto",
            "accel": "kvm",
            **settings,
        }
    )
    around = Surroundings(is_root, (), folder / "qemu.conf", lambda: has_libvirtd)
    return [finding async for finding in examine(config, host or FakeHost(), around)]


async def found(name: str, *arguments: Any, **options: Any) -> list[tuple[Verdict, str, str | None]]:
    """What is said of one thing."""
    return [
        (finding.verdict, finding.text, finding.mend)
        for finding in await findings(*arguments, **options)
        if finding.name == name
    ]


@pytest.mark.usefixtures("programs")
async def test_a_machine_that_has_everything_lacks_only_the_server(tmp_path: Path) -> None:
    report = await findings(tmp_path)
    assert [(finding.name, finding.verdict) for finding in report] == [
        ("qemu", GOOD),
        ("libvirt", GOOD),
        ("kvm", GOOD),
        ("firmware", GOOD),
        ("tpm", GOOD),
        ("memory", GOOD),
        ("state", GOOD),
        ("server", POOR),
    ]
    assert [finding.mend for finding in report if finding.mend] == ["vmstead serve"]


@pytest.mark.parametrize("engine", ["memory", "test:///default"])
async def test_where_guests_are_pretended_nothing_of_theirs_is_looked_for(
    tmp_path: Path, programs: Path, engine: str
) -> None:
    (programs / "qemu-system-x86_64").unlink()
    report = await findings(tmp_path, FakeHost(barrier=tmp_path), engine=engine)
    assert [(finding.name, finding.verdict) for finding in report] == [
        ("engine", GOOD),
        ("memory", GOOD),
        ("state", GOOD),
        ("server", POOR),
    ]
    assert report[0].text == f"{engine}: guests are only pretended, nothing is needed"


# --- pools of ZFS -----------------------------------------------------------------------------------


async def test_pools_of_zfs_are_there_or_it_is_told_how_to_have_them(tmp_path: Path) -> None:
    zfs = FakeZfs(tmp_path / "zfs")
    names = {"tank": "tank", "fast": "tank/vms"}
    config = Config(state=tmp_path, socket=tmp_path / "socket", engine="memory", zfs_pools=names)

    async def pools(*, is_root: bool = True) -> list[Finding]:
        around = Surroundings(is_root, (), tmp_path / "qemu.conf", lambda: True)
        report = examine(config, FakeHost(), around, zfs.host)
        return [finding async for finding in report if finding.name == "pool"]

    tank, fast = await pools()
    assert (tank.verdict, tank.text) == (GOOD, "tank, on ZFS (tank), 64.0 GiB free")
    assert (fast.verdict, fast.text) == (POOR, "the pool fast is not there: ZFS has no tank/vms")
    assert (fast.mend or "").startswith("zfs create -p tank/vms")
    assert next((each.verdict, each.mend) for each in await pools(is_root=False)) == (
        POOR,
        "run the server as root",
    )
    zfs.export("tank")
    tank, _ = await pools()
    assert tank.mend == "zpool import tank"
    zfs.is_installed = False
    tank, _ = await pools()
    assert tank.text == "the pool tank cannot be used: ZFS is not installed on this host"
    assert tank.mend == "apt-get install zfsutils-linux"


# --- QEMU -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("programs")
async def test_qemu_is_told_with_its_version(tmp_path: Path) -> None:
    assert await found("qemu", tmp_path) == [(GOOD, "QEMU 9.2.1 (Debian 1:9.2.1)", None)]


async def test_without_qemu_there_are_no_guests(tmp_path: Path, programs: Path) -> None:
    (programs / "qemu-system-x86_64").chmod(0o644)
    text = "qemu-system-x86_64 is not installed"
    assert await found("qemu", tmp_path) == [(MISSING, text, "apt-get install qemu-system-x86")]


async def test_a_qemu_that_does_not_run_is_as_good_as_none(tmp_path: Path, programs: Path) -> None:
    program(programs, "qemu-system-x86_64", "echo libspice.so is not there >&2; exit 127")
    path = programs / "qemu-system-x86_64"
    text = f"{path} ended with status 127: libspice.so is not there"
    assert await found("qemu", tmp_path) == [(MISSING, text, "apt-get install --reinstall qemu-system-x86")]


async def test_parts_that_qemu_was_built_without_are_told(tmp_path: Path, programs: Path) -> None:
    program(programs, "qemu-system-x86_64", QEMU.replace("qxl-vga", "qxl").replace("echo user", "echo user2"))
    assert [(verdict, text) for verdict, text, _ in await found("qemu", tmp_path)] == [
        (GOOD, "QEMU 9.2.1 (Debian 1:9.2.1)")
    ]
    assert await found("spice", tmp_path) == [
        (
            POOR,
            "QEMU has no SPICE: VMs with a SPICE display do not start; VNC displays work",
            "apt-get install qemu-system-modules-spice",
        )
    ]
    assert await found("network", tmp_path) == [
        (POOR, "QEMU has no user-mode network: NICs need a bridge or an interface", None)
    ]


async def test_networks_behind_the_hosts_address_need_dnsmasq_and_root(
    tmp_path: Path, programs: Path
) -> None:
    assert await found("nat", tmp_path) == []
    (programs / "dnsmasq").unlink()
    text = "dnsmasq is not installed: vmstead network create-nat can make no network"
    assert await found("nat", tmp_path) == [(POOR, text, "apt-get install dnsmasq-base")]
    assert await found("nat", tmp_path, is_root=False) == []


# --- libvirt, KVM, firmware, TPM --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({}, (GOOD, "a private libvirtd, started by the server", None)),
        ({"engine": "qemu:///system"}, (GOOD, "qemu:///system", None)),
        ({"engine": "qemu:///system", "has_libvirtd": False}, (GOOD, "qemu:///system", None)),
        (
            {"has_libvirtd": False},
            (MISSING, "libvirtd is not installed", "apt-get install libvirt-daemon-system"),
        ),
    ],
)
@pytest.mark.usefixtures("programs")
async def test_the_libvirt_that_would_be_used_is_told(
    tmp_path: Path, options: dict[str, Any], finding: tuple[Verdict, str, str | None]
) -> None:
    assert await found("libvirt", tmp_path, **options) == [finding]


@pytest.mark.parametrize(
    ("accel", "finding"),
    [
        ("kvm", (GOOD, "guests run at the processor's speed", None)),
        (
            "tcg",
            (POOR, "guests are emulated, which is slow: emulation was asked for (accel = tcg)", None),
        ),
    ],
)
@pytest.mark.usefixtures("programs")
async def test_what_guests_run_on_is_told(
    tmp_path: Path, accel: str, finding: tuple[Verdict, str, str | None]
) -> None:
    assert await found("kvm", tmp_path, accel=accel) == [finding]


@pytest.mark.parametrize(
    ("images", "finding"),
    [
        (
            {"OVMF_CODE.fd", "OVMF_CODE_4M.fd", "OVMF_VARS.fd"},
            (GOOD, "2 UEFI images in /usr/share/OVMF", None),
        ),
        (
            {"OVMF_VARS.fd"},
            (
                POOR,
                "there are no UEFI images: only VMs with a legacy BIOS start",
                "apt-get install ovmf",
            ),
        ),
    ],
)
@pytest.mark.usefixtures("programs")
async def test_uefi_images_are_counted(
    tmp_path: Path, images: set[str], finding: tuple[Verdict, str, str | None]
) -> None:
    assert await found("firmware", tmp_path, FakeHost(images=images)) == [finding]


@pytest.mark.parametrize("missing", ["swtpm", "swtpm_setup"])
async def test_a_tpm_takes_two_programs(tmp_path: Path, programs: Path, missing: str) -> None:
    assert await found("tpm", tmp_path) == [(GOOD, "swtpm is installed", None)]
    (programs / missing).unlink()
    assert await found("tpm", tmp_path) == [
        (
            POOR,
            "swtpm is not installed: VMs with a TPM do not start",
            "apt-get install swtpm swtpm-tools",
        )
    ]


# --- memory, state, server --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("available", "verdict", "amount"),
    [(3 * GiB, GOOD, "3.0"), (GiB // 2, GOOD, "0.5"), (GiB // 2 - 1, POOR, "0.5"), (0, POOR, "0.0")],
)
async def test_little_memory_is_worth_a_note(
    tmp_path: Path, available: int, verdict: Verdict, amount: str
) -> None:
    host = FakeHost(total=4 * GiB, available=available)
    text = f"{amount} of 4.0 GiB are available"
    assert await found("memory", tmp_path, host, engine="memory") == [(verdict, text, None)]


@pytest.mark.parametrize("folder", [".", "state", "some/where/deep"])
async def test_a_state_folder_need_not_be_there_yet(tmp_path: Path, folder: str) -> None:
    state = tmp_path / folder
    ((verdict, text, mend),) = await found("state", tmp_path, engine="memory", state=state)
    assert (verdict, mend) == (GOOD, None)
    assert re.fullmatch(rf"{re.escape(str(state))}, \d+\.\d GiB free", text)
    # Looking makes nothing.
    assert list(tmp_path.iterdir()) == []


async def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert await found("state", tmp_path, engine="memory", state=tmp_path / "file/state") == [
        (
            MISSING,
            f"{tmp_path}/file cannot be written by this user",
            "choose another folder with --state, or run as root",
        )
    ]


@pytest.mark.usefixtures("programs")
async def test_guests_must_be_able_to_reach_their_disks(tmp_path: Path) -> None:
    host = FakeHost(barrier=tmp_path)
    told = (
        MISSING,
        f"guests run as libvirt-qemu, which may not enter {tmp_path}",
        f"chmod o+x {tmp_path}",
    )
    assert (await found("state", tmp_path, host))[1:] == [told]
    # Guests of an ordinary user are that user's, and without libvirt there are none.
    assert (await found("state", tmp_path, host, is_root=False))[1:] == []
    assert (await found("state", tmp_path, host, has_libvirtd=False))[1:] == []


async def test_a_server_that_answers_is_running(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert await found("server", tmp_path, engine="memory") == [(GOOD, f"running, at {path}", None)]
    # What a killed one leaves behind answers nobody.
    assert path.exists()
    assert await found("server", tmp_path, engine="memory") == [(POOR, "not running", "vmstead serve")]


@pytest.mark.usefixtures("programs")
async def test_connections_that_others_can_read_are_pointed_out(tmp_path: Path) -> None:
    everywhere, here = Address("0.0.0.0", 6080), Address("127.0.0.1", 6080)
    text = "connections to 0.0.0.0:6080 are not encrypted: passwords can be read on the way"
    mend = "leave out plain_http, unless a proxy encrypts"
    for listen, plain, told in (
        (everywhere, True, [(POOR, text, mend)]),
        (everywhere, False, []),
        (here, True, []),
        (None, True, []),
    ):
        assert await found("encryption", tmp_path, listen=listen, plain_http=plain) == told
