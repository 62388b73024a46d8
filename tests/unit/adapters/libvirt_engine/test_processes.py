"""Which process a guest is."""

from pathlib import Path

import pytest

from vmstead.adapters.libvirt_engine.processes import find_pid

UUID = "6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52"
OTHER = "00000000-1111-4222-8333-444444444444"
QEMU = "/usr/bin/qemu-system-x86_64"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A kernel's view of processes, without guests."""
    folder = tmp_path / "proc"
    process(folder, 1, "/sbin/init")
    (folder / "self").symlink_to("1")
    (folder / "meminfo").touch()
    # A thread of the kernel has no command line, a process that is just ending not even a file for it.
    process(folder, 2)
    (folder / "3").mkdir()
    return folder


def process(proc: Path, pid: int, *arguments: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_bytes(b"".join(each.encode() + b"\0" for each in arguments))


@pytest.mark.parametrize("program", [QEMU, "qemu-kvm", "/opt/my qemu/bin/qemu"])
def test_a_guest_is_the_qemu_that_was_given_its_uuid(proc: Path, program: str) -> None:
    process(proc, 40, QEMU, "-name", "guest=1_a", "-uuid", OTHER)
    process(proc, 41, program, "-name", "guest=1_a", "-uuid", UUID)
    assert find_pid("1_a", UUID, None, proc) == 41
    assert find_pid("1_a", OTHER, None, proc) == 40


@pytest.mark.parametrize(
    "arguments",
    [
        ("/usr/bin/grep", UUID),
        ("/usr/bin/tail", "-f", f"/var/log/libvirt/qemu/{UUID}"),
        ("/usr/bin/virsh", "-c", "qemu:///system", "console", UUID),
        (QEMU, "-uuid", OTHER),
        (QEMU, "-drive", f"file=/srv/{UUID}.img"),
        (QEMU, "-uuid", UUID[:-1]),
    ],
)
def test_others_that_only_mention_it_are_not(proc: Path, arguments: tuple[str, ...]) -> None:
    process(proc, 40, *arguments)
    assert find_pid("1_a", UUID, None, proc) is None


def test_libvirts_own_file_is_believed_where_it_can_be_read(proc: Path, tmp_path: Path) -> None:
    process(proc, 41, QEMU, "-uuid", UUID)
    (tmp_path / "1_a.pid").write_text("77\n")
    assert find_pid("1_a", UUID, tmp_path, proc) == 77
    assert find_pid("1_b", UUID, tmp_path, proc) == 41


@pytest.mark.parametrize("content", ["", "\n", "soon", None])
def test_a_file_that_says_nothing_is_no_answer(proc: Path, tmp_path: Path, content: str | None) -> None:
    process(proc, 41, QEMU, "-uuid", UUID)
    if content is None:
        (tmp_path / "1_a.pid").mkdir()
    else:
        (tmp_path / "1_a.pid").write_text(content)
    assert find_pid("1_a", UUID, tmp_path, proc) == 41
    assert find_pid("1_a", UUID, tmp_path / "missing", proc) == 41


def test_on_this_machine_nobody_is_a_guest_of_that_uuid() -> None:
    assert find_pid("1_a", "3b7c2f0e-5f0d-4a57-8f0a-2f6f1f0f7b11", None) is None
