"""Which libvirt the settings mean on a machine."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vmstead.adapters.engine_choice import Surroundings, choose_engine, make_engine, provider_for
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.libvirt_engine import LibvirtEngine, Target
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.config import Config
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import EngineError, EngineErrorKind

EMULATION = "emulation was asked for (accel = tcg)"


@contextmanager
def daemon(path: Path) -> Iterator[None]:
    """Something that accepts connections there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield


def around(folder: Path, *, is_root: bool = True, **others: Any) -> Surroundings:
    """A machine without libvirt, unless something listens in the folder."""
    return Surroundings(
        is_root,
        (folder / "libvirt-sock", folder / "virtqemud-sock"),
        folder / "qemu.conf",
        others.get("has_libvirtd", lambda: False),
    )


def settings(folder: Path, engine: str = "auto", accel: str = "tcg") -> Config:
    return Config(state=folder / "state", socket=folder / "socket", engine=engine, accel=accel)


async def target(folder: Path, engine: str, accel: str = "tcg", **machine: Any) -> Target:
    """What is connected to with these settings."""
    return await provider_for(settings(folder, engine, accel), FakeHost(), around(folder, **machine))()


# --- auto -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "engine", ["private", "memory", "qemu:///system", "qemu:///session", "test:///default", "qemu+ssh://a/b"]
)
async def test_what_is_asked_for_by_name_is_what_is_taken(tmp_path: Path, engine: str) -> None:
    with daemon(tmp_path / "libvirt-sock"):
        for is_root in (True, False):
            machine = around(tmp_path, is_root=is_root)
            assert await choose_engine(settings(tmp_path, engine), FakeHost(), machine) == engine


@pytest.mark.parametrize("name", ["libvirt-sock", "virtqemud-sock"])
@pytest.mark.parametrize("is_root", [True, False])
async def test_a_system_daemon_that_answers_is_taken(tmp_path: Path, name: str, is_root: bool) -> None:
    machine = around(tmp_path, is_root=is_root)
    with daemon(tmp_path / name):
        assert await choose_engine(settings(tmp_path), FakeHost(), machine) == "qemu:///system"


@pytest.mark.parametrize(("is_root", "engine"), [(True, "private"), (False, "qemu:///session")])
async def test_without_one_everybody_has_a_libvirt_of_their_own(
    tmp_path: Path, is_root: bool, engine: str
) -> None:
    machine = around(tmp_path, is_root=is_root)
    assert await choose_engine(settings(tmp_path), FakeHost(), machine) == engine
    # A daemon that has ended leaves its socket behind.
    with daemon(tmp_path / "libvirt-sock"):
        pass
    (tmp_path / "virtqemud-sock").touch()
    assert await choose_engine(settings(tmp_path), FakeHost(), machine) == engine


@pytest.mark.parametrize(
    ("is_root", "barrier", "engine"),
    [
        (False, "state", "qemu:///session"),
        (False, ".", "qemu:///session"),
        (False, "elsewhere", "qemu:///system"),
        # Root makes its folders so that guests can get at them, or is told by the doctor.
        (True, "state", "qemu:///system"),
    ],
)
async def test_a_system_daemon_is_of_no_use_to_a_user_whose_disks_its_guests_cannot_reach(
    tmp_path: Path, is_root: bool, barrier: str, engine: str
) -> None:
    host = FakeHost(barrier=tmp_path / barrier)
    with daemon(tmp_path / "libvirt-sock"):
        assert await choose_engine(settings(tmp_path), host, around(tmp_path, is_root=is_root)) == engine


async def test_the_choice_is_made_anew_for_each_connection(tmp_path: Path) -> None:
    machine = around(tmp_path, is_root=False)
    provide = provider_for(settings(tmp_path), FakeHost(), machine)
    assert (await provide()).uri == "qemu:///session"
    with daemon(tmp_path / "libvirt-sock"):
        assert (await provide()).uri == "qemu:///system"


# --- what is known of each --------------------------------------------------------------------------


async def test_the_test_driver_runs_no_guests(tmp_path: Path) -> None:
    assert await target(tmp_path, "test:///default", "kvm") == Target(
        uri="test:///default",
        accelerator="tcg",
        accelerator_reason="the test driver runs no guests",
        privileged=True,
        guest_user=None,
        pid_files=None,
        runs_guests=False,
    )


@pytest.mark.parametrize(("accel", "reason"), [("kvm", None), ("tcg", EMULATION)])
async def test_the_system_daemon_has_rights_and_a_user_for_its_guests(
    tmp_path: Path, accel: str, reason: str | None
) -> None:
    expected = Target(
        uri="qemu:///system",
        accelerator=accel,
        accelerator_reason=reason,
        privileged=True,
        guest_user="libvirt-qemu",
        pid_files=Path("/run/libvirt/qemu"),
        tpm_states=Path("/var/lib/libvirt/swtpm"),
        log_folder=Path("/var/log/libvirt/qemu"),
        keeps_consoles=True,
    )
    assert await target(tmp_path, "qemu:///system", accel) == expected


async def test_what_tpms_and_consoles_of_the_system_remember_is_within_roots_reach_only(
    tmp_path: Path,
) -> None:
    found = await target(tmp_path, "qemu:///system", is_root=False)
    assert found.tpm_states is None
    assert not found.keeps_consoles


async def test_a_libvirt_elsewhere_does_not_write_this_machines_files(tmp_path: Path) -> None:
    assert not (await target(tmp_path, "qemu+ssh://elsewhere/system")).keeps_consoles


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ('user = "alice"\n', "alice"),
        ("user = 'alice'\n", "alice"),
        ('  user="alice"  # "bob"\n', "alice"),
        ('group = "kvm"\nuser = "alice"\ndynamic_ownership = 1\n', "alice"),
        # By number, as libvirt takes it too.
        ('user = "0"\n', "root"),
        ('user = "+0"\n', "root"),
        ('user = "+4294967294"\n', "+4294967294"),
        ('#user = "alice"\n', "libvirt-qemu"),
        ('remember_user = "alice"\nuser_name = "bob"\n', "libvirt-qemu"),
        ("", "libvirt-qemu"),
    ],
)
async def test_guests_of_the_system_run_as_the_user_of_its_settings(
    tmp_path: Path, text: str, user: str
) -> None:
    (tmp_path / "qemu.conf").write_text(text)
    assert (await target(tmp_path, "qemu:///system")).guest_user == user


async def test_settings_that_cannot_be_read_are_taken_for_the_distributions(tmp_path: Path) -> None:
    (tmp_path / "qemu.conf").mkdir()
    assert (await target(tmp_path, "qemu:///system")).guest_user == "libvirt-qemu"


async def test_a_session_has_its_files_where_the_desktop_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/a/settings")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/a/cache")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert await target(tmp_path, "qemu:///session", is_root=False) == Target(
        uri="qemu:///session",
        accelerator="tcg",
        accelerator_reason=EMULATION,
        privileged=False,
        guest_user=None,
        pid_files=Path("/run/user/7/libvirt/qemu/run"),
        tpm_states=Path("/home/a/settings/libvirt/qemu/swtpm"),
        log_folder=Path("/home/a/cache/libvirt/qemu/log"),
        keeps_consoles=True,
    )


async def test_a_session_outside_a_desktop_has_them_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    session = await target(tmp_path, "qemu:///session", is_root=False)
    assert session.tpm_states == Path("/home/a/.config/libvirt/qemu/swtpm")
    assert session.pid_files is None


@pytest.mark.parametrize(
    ("accel", "accelerator", "reason"),
    [("auto", "kvm", None), ("kvm", "kvm", None), ("tcg", "tcg", EMULATION)],
)
@pytest.mark.parametrize("uri", ["qemu+ssh://root@other/system", "qemu:///system?socket=/run/other"])
async def test_of_other_machines_only_what_the_settings_say_is_known(
    tmp_path: Path, uri: str, accel: str, accelerator: str, reason: str | None
) -> None:
    assert await target(tmp_path, uri, accel) == Target(uri, accelerator, reason, True, None, None)


async def test_the_driver_within_the_server_has_a_folder_in_the_state(tmp_path: Path) -> None:
    found = await target(tmp_path, "qemu:///embed", is_root=False)
    assert found.uri == f"qemu:///embed?root={tmp_path}/state/embed"
    assert (found.accelerator, found.accelerator_reason) == ("tcg", EMULATION)


@pytest.mark.parametrize(
    ("is_root", "text"),
    [
        (False, "a private libvirtd needs root; use engine = qemu:///session"),
        (True, "libvirtd is not installed; install it with: apt-get install libvirt-daemon-system"),
    ],
)
async def test_a_private_daemon_that_cannot_be_is_told_with_the_way_out(
    tmp_path: Path, is_root: bool, text: str
) -> None:
    with pytest.raises(EngineError) as raised:
        await target(tmp_path, "private", is_root=is_root)
    assert (raised.value.kind, str(raised.value)) == (EngineErrorKind.UNREACHABLE, text)
    assert list(tmp_path.iterdir()) == []


# --- the engine -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("memory", MemoryEngine),
        ("auto", LibvirtEngine),
        ("private", LibvirtEngine),
        ("test:///default", LibvirtEngine),
    ],
)
def test_only_memory_needs_no_libvirt(tmp_path: Path, engine: str, kind: type[object]) -> None:
    made = make_engine(settings(tmp_path, engine), ManualClock())
    assert isinstance(made, kind)
    assert made.info is None
