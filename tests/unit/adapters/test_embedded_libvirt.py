"""Where the driver within the server keeps everything, and what it is told. What it does is tried in the lab."""

from pathlib import Path

import pytest

from vmstead.adapters.embedded_libvirt import embedded, root_of, tpm_states
from vmstead.adapters.libvirt_engine import Target
from vmstead.ports.engine import EngineError, EngineErrorKind


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("qemu:///embed", "/state/embed"),
        ("qemu:///embed?root=/srv/guests", "/srv/guests"),
        ("qemu:///embed?root=/srv/two%20words", "/srv/two words"),
    ],
)
def test_its_folder_is_in_its_address_or_in_the_state(uri: str, root: str) -> None:
    assert root_of(uri, Path("/state")) == Path(root)


def test_everything_is_in_one_folder(tmp_path: Path) -> None:
    root = tmp_path / "two words"
    assert embedded(root, is_root=False) == Target(
        uri=f"qemu:///embed?root={tmp_path}/two%20words",
        accelerator="",
        accelerator_reason=None,
        privileged=False,
        guest_user=None,
        pid_files=root / "run/qemu",
        tpm_states=tpm_states(root),
        log_folder=root / "log/qemu",
    )
    assert tpm_states(root) == root / "lib/swtpm"
    assert 'stdio_handler = "file"' in (root / "etc/qemu.conf").read_text()
    # Whom guests run as must be able to pass.
    assert root.stat().st_mode & 0o777 == 0o711


def test_guests_of_root_run_as_somebody_else(tmp_path: Path) -> None:
    target = embedded(tmp_path / "root", is_root=True)
    assert (target.privileged, target.guest_user) == (True, "libvirt-qemu")
    assert 'user = "libvirt-qemu"' in (tmp_path / "root/etc/qemu.conf").read_text()


@pytest.mark.parametrize(
    ("root", "text"),
    [
        ("here", "here: the root of qemu:///embed is an absolute path"),
        (
            "/proc/nowhere",
            "/proc/nowhere: No such file or directory; give qemu:///embed another folder: "
            "qemu:///embed?root=FOLDER",
        ),
    ],
)
def test_a_folder_that_will_not_do_is_told_with_the_way_out(root: str, text: str) -> None:
    with pytest.raises(EngineError) as raised:
        embedded(Path(root), is_root=False)
    assert (raised.value.kind, str(raised.value)) == (EngineErrorKind.UNREACHABLE, text)


def test_settings_of_somebody_else_stay_as_they_are(tmp_path: Path) -> None:
    embedded(tmp_path, is_root=False)
    # Its own are written anew.
    embedded(tmp_path, is_root=False)
    theirs = tmp_path / "etc/qemu.conf"
    theirs.write_text('user = "somebody"\n')
    with pytest.raises(
        EngineError, match="is somebody's own and would have to be replaced; give qemu:///embed"
    ):
        embedded(tmp_path, is_root=False)
    assert theirs.read_text() == 'user = "somebody"\n'
