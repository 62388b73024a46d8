"""What Linux tells of a machine that this one is not."""

from pathlib import Path

import pytest

from vmstead.adapters.linux_machine import read_load, read_machine, read_time_servers, read_uptime
from vmstead.ports.machine import Machine, TimeServer


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def read(root: Path) -> Machine:
    return read_machine(root / "proc", root / "sys", root / "etc")


def test_a_machine_that_tells_everything(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/sys/kernel/hostname": "host1.example.org\n",
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: A 9 Processor \nprocessor\t: 1\nmodel name\t: B\n",
            "proc/cmdline": "root=/dev/sda1 quiet\n",
            "sys/class/dmi/id/sys_vendor": "Maker Inc.\n",
            "sys/class/dmi/id/product_name": "Box 7\n",
            "sys/class/dmi/id/product_version": " \n",
            "sys/class/dmi/id/product_serial": "S123\n",
            "sys/kernel/kexec_crash_loaded": "1\n",
            "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
            "etc/motd": "Be careful.\n",
            "etc/default/keyboard": 'XKBMODEL="pc105"\nXKBLAYOUT="de"\n',
            **{
                f"sys/devices/system/cpu/cpu{cpu}/topology/core_cpus_list": f"{cpu % 2},{cpu % 2 + 2}\n"
                for cpu in range(4)
            },
        },
    )
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert read(tmp_path) == Machine(
        hostname="host1.example.org",
        id="0123456789abcdef0123456789abcdef",
        processor="A 9 Processor",
        cores=2,
        manufacturer="Maker Inc.",
        product="Box 7",
        serial="S123",
        timezone="Europe/Berlin",
        keymap="de",
        motd="Be careful.",
        kernel_options="root=/dev/sda1 quiet",
        has_crash_kernel=True,
    )


def test_a_machine_that_tells_only_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"proc/sys/kernel/hostname": "a\n"})
    found = read(tmp_path)
    assert found == Machine("a", cores=found.cores)
    assert found.cores >= 1
    with pytest.raises(OSError, match="hostname"):
        read(tmp_path / "elsewhere")


@pytest.mark.parametrize(("correction", "expected"), [(3, False), (4, False), (5, True), (6, True)])
def test_error_correction_is_the_firmwares_word(tmp_path: Path, correction: int, expected: bool) -> None:
    write(tmp_path, {"proc/sys/kernel/hostname": "a\n"})
    for name, record in (("16-0", b"\x10\x17"), ("16-1", bytes([16, 23, 0, 16, 3, 3, correction, 0]))):
        folder = tmp_path / "sys/firmware/dmi/entries" / name
        folder.mkdir(parents=True)
        (folder / "raw").write_bytes(record)
    assert read(tmp_path).has_ecc is expected


@pytest.mark.parametrize(
    ("files", "timezone", "keymap"),
    [
        ({"etc/timezone": "Asia/Tokyo\n", "etc/vconsole.conf": "KEYMAP=fr\n"}, "Asia/Tokyo", "fr"),
        ({"etc/localtime": "TZif", "etc/default/keyboard": 'XKBLAYOUT=""\n'}, "UTC", ""),
    ],
)
def test_where_it_is_and_what_it_is_typed_on(
    tmp_path: Path, files: dict[str, str], timezone: str, keymap: str
) -> None:
    write(tmp_path, {"proc/sys/kernel/hostname": "a\n", **files})
    found = read(tmp_path)
    assert (found.timezone, found.keymap) == (timezone, keymap)


def test_uptime_and_load(tmp_path: Path) -> None:
    write(tmp_path, {"uptime": "3632274.81 86123.02\n", "loadavg": "0.31 0.27 0.25 2/1024 99999\n"})
    assert read_uptime(tmp_path) == 3632274.81
    assert read_load(tmp_path) == (0.31, 0.27, 0.25)


def test_time_servers_of_every_program_are_told_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "chrony/chrony.conf": "# server no\nserver a.example iburst prefer minpoll 4 maxpoll 9\n"
            "pool b.example\ndriftfile /var/lib/x\nserver\n",
            "chrony/sources.d/more.sources": "server a.example burst\npeer c.example minpoll x\n",
            "systemd/timesyncd.conf": "[Time]\n#NTP=no\nNTP=d.example b.example\nFallbackNTP=e.example\n",
        },
    )
    assert read_time_servers(tmp_path) == [
        TimeServer("a.example", iburst=True, prefer=True, minpoll=4, maxpoll=9),
        TimeServer("b.example"),
        TimeServer("c.example"),
        TimeServer("d.example"),
        TimeServer("e.example"),
    ]
    assert read_time_servers(tmp_path / "none") == []
