"""What Linux tells of the machine itself: /proc, /sys, /etc, and the firmware's table."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from vmstead.ports.machine import Machine, TimeServer

#: The firmware's word for the kind of error correction of a memory array (SMBIOS, type 16, offset 6).
_SINGLE_BIT_ECC, _MULTI_BIT_ECC = 5, 6
_CORRECTION = 6
#: Where programs that keep the clock are told their servers: chrony and ntpd in the same words.
_TIME_FILES = ("chrony/chrony.conf", "chrony.conf", "ntpsec/ntp.conf", "ntp.conf")
_TIME_FOLDERS = ("chrony/conf.d/*.conf", "chrony/sources.d/*.sources")
_TIMESYNCD = ("systemd/timesyncd.conf", "systemd/timesyncd.conf.d/*.conf")


def read_machine(proc: Path, sys: Path, etc: Path) -> Machine:
    """What rarely changes. Raises OSError when not even the kernel's name for the machine can be read."""
    firmware = sys / "class/dmi/id"
    return Machine(
        hostname=(proc / "sys/kernel/hostname").read_text().strip(),
        id=text_of(etc / "machine-id") or None,
        processor=_processor(proc / "cpuinfo"),
        cores=_cores(sys / "devices/system/cpu"),
        manufacturer=text_of(firmware / "sys_vendor") or None,
        product=text_of(firmware / "product_name") or None,
        product_version=text_of(firmware / "product_version") or None,
        serial=text_of(firmware / "product_serial") or None,
        has_ecc=_has_ecc(sys / "firmware/dmi/entries"),
        timezone=_timezone(etc),
        keymap=_keymap(etc),
        motd=text_of(etc / "motd"),
        kernel_options=text_of(proc / "cmdline"),
        has_crash_kernel=text_of(sys / "kernel/kexec_crash_loaded") == "1",
    )


def text_of(path: Path) -> str:
    """What a file says, empty where there is none or this user may not read it."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _processor(table: Path) -> str:
    found = re.search(r"^model name\s*:\s*(.*)$", text_of(table), re.MULTILINE)
    return found.group(1).strip() if found else ""


def _cores(folder: Path) -> int:
    """Threads of one core name the same list of threads."""
    lists = {text_of(each) for each in folder.glob("cpu[0-9]*/topology/core_cpus_list")} - {""}
    return len(lists) or os.cpu_count() or 1


def _has_ecc(entries: Path) -> bool:
    for entry in entries.glob("16-*/raw"):
        try:
            record = entry.read_bytes()
        except OSError:
            continue  # it is root's to read
        if len(record) > _CORRECTION and record[_CORRECTION] in (_SINGLE_BIT_ECC, _MULTI_BIT_ECC):
            return True
    return False


def _timezone(etc: Path) -> str:
    try:
        _, found, name = os.readlink(etc / "localtime").partition("zoneinfo/")
    except OSError:
        found = name = ""
    return name if found else text_of(etc / "timezone") or "UTC"


def _keymap(etc: Path) -> str:
    for file, variable in (("default/keyboard", "XKBLAYOUT"), ("vconsole.conf", "KEYMAP")):
        found = re.search(rf"^{variable}=\"?([^\"\s]*)", text_of(etc / file), re.MULTILINE)
        if found and found.group(1):
            return found.group(1)
    return ""


def read_uptime(proc: Path) -> float:
    """Seconds since the kernel was started. Raises OSError."""
    return float((proc / "uptime").read_text().split()[0])


def read_load(proc: Path) -> tuple[float, float, float]:
    """Averages over 1, 5 and 15 minutes. Raises OSError."""
    one, five, fifteen, *_ = (proc / "loadavg").read_text().split()
    return float(one), float(five), float(fifteen)


def read_time_servers(etc: Path) -> list[TimeServer]:
    """As the programs are told; each address once."""
    found: dict[str, TimeServer] = {}
    files = [etc / name for name in _TIME_FILES]
    files += [file for folder in _TIME_FOLDERS for file in sorted(etc.glob(folder))]
    for file in files:
        for server in _servers(text_of(file)):
            found.setdefault(server.address, server)
    for pattern in _TIMESYNCD:
        for file in sorted(etc.glob(pattern)):
            for names in re.findall(r"^(?:Fallback)?NTP=(.*)$", text_of(file), re.MULTILINE):
                for name in names.split():
                    found.setdefault(name, TimeServer(name))
    return list(found.values())


def _servers(text: str) -> Iterator[TimeServer]:
    """The servers of a file for chrony or ntpd: ``server NAME [WORD|WORD NUMBER]...``."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] not in ("server", "pool", "peer"):
            continue
        options = words[2:]
        yield TimeServer(
            words[1],
            burst="burst" in options,
            iburst="iburst" in options,
            prefer="prefer" in options,
            minpoll=_number_after("minpoll", options, 6),
            maxpoll=_number_after("maxpoll", options, 10),
        )


def _number_after(word: str, options: list[str], default: int) -> int:
    try:
        return int(options[options.index(word) + 1])
    except (ValueError, IndexError):
        return default
