"""What the demo guest says of its hardware, read from a recorded console and from made-up ones."""

import dataclasses
from pathlib import Path

import pytest

from vmstead.demo.inventory import (
    Balloon,
    Cpu,
    Disk,
    Display,
    Dmi,
    Inventory,
    Nic,
    Pci,
    System,
    Tpm,
    Usb,
    parse_inventory,
)

#: A start to the login and ``inventory`` typed there, as a terminal received it: with carriage returns, escape
#: sequences and all.
CONSOLE = Path(__file__).with_name("console.txt").read_bytes().decode()

BEGIN = "VMSTEAD-INVENTORY BEGIN version=1"
SYSTEM = (
    "system cpus=1 sockets=1 cores=1 threads=1 memory_kib=1 firmware=bios secure_boot=none kernel=6 rtc=x"
    " clocksource=tsc"
)
CPU = "cpu vendor=V model=M flags=lm,nx"
DMI = "dmi uuid=u serial=s vendor=v product=p"
NIC = "nic name=eth0 mac=02:00:00:00:00:01 driver=virtio_net carrier=yes ipv4=10.0.2.15/24"


def disk(**values: str) -> str:
    """A record of a disk."""
    record = {
        "name": "vda",
        "bus": "virtio",
        "bytes": "512",
        "serial": "S",
        "model": "M",
        "readonly": "no",
        "logical_sector": "512",
        "physical_sector": "512",
        "removable": "no",
        "cdrom": "no",
        **values,
    }
    return " ".join(["disk", *(f"{key}={value}" for key, value in record.items())])


def console(*records: str, promised: int | None = None) -> str:
    """An inventory with what there must be and these records."""
    lines = [SYSTEM, CPU, DMI, *records]
    end = f"VMSTEAD-INVENTORY END records={len(lines) if promised is None else promised}"
    return "\n".join([BEGIN, *lines, end, ""])


# --- a real console ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded() -> Inventory:
    return parse_inventory(CONSOLE)


def test_the_machine_as_a_whole_is_read(recorded: Inventory) -> None:
    assert recorded.system == System(
        cpus=4,
        sockets=2,
        cores=2,
        threads=1,
        memory_kib=457512,
        firmware="uefi",
        secure_boot="none",
        kernel="6.1.0-56-amd64",
        rtc="2026-11-23T12:41:55",
        clocksource="tsc",
    )
    assert recorded.cpu == Cpu(
        "AuthenticAMD", "QEMU Virtual CPU version 2.5+", ("hypervisor", "lm", "nx", "svm")
    )
    assert recorded.dmi == Dmi(
        "11111111-2222-3333-4444-555555555555", "", "QEMU", "Standard PC (Q35 + ICH9, 2009)"
    )


def test_every_disk_is_read_in_order(recorded: Inventory) -> None:
    assert [(each.name, each.bus, each.serial) for each in recorded.disks] == [
        ("nvme0n1", "nvme", "NVMESER"),
        ("sda", "ata", "SATASER"),
        ("sdb", "scsi", "SCSISER"),
        ("sdc", "usb", "USBSER"),
        ("sr0", "ata", ""),
        ("vda", "virtio", "BOOT1"),
    ]
    assert recorded.disk("SATASER") == Disk(
        name="sda",
        bus="ata",
        bytes=10485760,
        serial="SATASER",
        model="QEMU HARDDISK",
        readonly=False,
        logical_sector=512,
        physical_sector=4096,
        removable=False,
        cdrom=False,
    )
    (drive,) = [each for each in recorded.disks if each.cdrom]
    assert (drive.model, drive.readonly, drive.removable, drive.logical_sector) == (
        "QEMU DVD-ROM",
        True,
        True,
        2048,
    )


def test_everything_else_is_read_in_order(recorded: Inventory) -> None:
    assert [(each.name, each.carrier) for each in recorded.nics] == [
        ("eth0", True),
        ("eth1", False),
        ("eth2", True),
    ]
    assert recorded.usb[3] == Usb(
        "3-1", "0627:0001", "QEMU USB Mouse", "89126-0000:00:0c.0-1", "480", "ehci-pci"
    )
    assert len(recorded.usb) == 4
    assert recorded.pci[0] == Pci("0000:00:00.0", "8086:29c0", "060000", "")
    assert recorded.pci[-2] == Pci("0000:00:1f.2", "8086:2922", "010601", "ahci")
    assert len(recorded.pci) == 17
    assert recorded.tpms == (Tpm("tpm0", 2),)
    assert recorded.displays == (Display("fb0", "bochs-drmdrmfb", "1280x800"),)
    assert recorded.balloons == (Balloon("virtio3"),)


def test_of_several_inventories_the_last_one_counts(recorded: Inventory) -> None:
    """The card has its address only in the second one."""
    assert recorded.nic("52:54:00:12:34:56").ipv4 == "10.0.2.15/24"
    first = parse_inventory(CONSOLE[: CONSOLE.index("VMSTEAD-DEMO READY")])
    assert first.nic("52:54:00:12:34:56").ipv4 == ""
    with pytest.raises(ValueError, match="no network card"):
        first.nic("02:00:00:00:00:01")


@pytest.mark.parametrize(
    "cut", ["VMSTEAD-INVENTORY BEGIN", "\nsystem", "\ndisk", "\nballoon", "\nVMSTEAD-INVENTORY END"]
)
def test_one_that_has_begun_but_not_ended_does_not_count_yet(cut: str) -> None:
    """However far the second one has come, the first one is the last that is complete."""
    text = CONSOLE[: CONSOLE.rindex(cut) + len(cut)]
    assert parse_inventory(text).nic("52:54:00:12:34:56").ipv4 == ""


# --- what a console adds ----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r\r\n", "\r", "\n\n", "  \n"])
def test_line_ends_do_not_matter(ending: str) -> None:
    text = console(disk(), NIC)
    assert parse_inventory(text.replace("\n", ending)) == parse_inventory(text)


def test_nothing_has_to_follow_the_end_or_to_stand_before_the_beginning() -> None:
    assert parse_inventory(console(NIC).strip()) == parse_inventory(f"\n{console(NIC)}\n")


@pytest.mark.parametrize(
    "noise",
    [
        "[    5.123456] usb 1-1: new high-speed USB device number 2",
        "",
        "diskless",
        "systemd is not here",
        "a=b",
        "\x1b[2J",
        "pci\ttab",
        "it's a \"quote",
    ],
)
def test_other_lines_do_not_matter_wherever_they_are(noise: str) -> None:
    lines = console(disk(), NIC).splitlines()
    noisy = "\n".join(part for line in lines for part in (noise, line)) + f"\n{noise}\n"
    assert parse_inventory(noisy) == parse_inventory(console(disk(), NIC))


def test_the_prompt_may_stand_before_the_markers() -> None:
    text = console(NIC).replace(BEGIN, f"root@vmstead-demo:/root# \x1b[6n{BEGIN}")
    text = text.replace("VMSTEAD-INVENTORY END", "\x1b[0mVMSTEAD-INVENTORY END")
    assert parse_inventory(text) == parse_inventory(console(NIC))


def test_the_order_of_keys_does_not_matter_and_neither_does_one_that_is_new() -> None:
    record = "nic ipv4=10.0.2.15/24 carrier=yes speed=1000 driver=virtio_net mac=02:00:00:00:00:01 name=eth0"
    assert parse_inventory(console(record)).nics == parse_inventory(console(NIC)).nics


def test_a_machine_may_have_nothing_but_itself() -> None:
    found = parse_inventory(console())
    lists = [value for value in vars(found).values() if isinstance(value, tuple)]
    assert lists == [()] * 7


# --- values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "serial"),
    [
        ("bare", "bare"),
        ('""', ""),
        ('"two words"', "two words"),
        ('"  spaces  "', "  spaces  "),
        (r'"a \"quoted\" word"', 'a "quoted" word'),
        (r'"back\\slash"', "back\\slash"),
        (r'"\\"', "\\"),
        (r'"\\\""', '\\"'),
        ('"a=b c=d"', "a=b c=d"),
        ('"it\'s #1 $HOME `x` $(y) ?"', "it's #1 $HOME `x` $(y) ?"),
        ("a_b.c,d:e/f+g@h-i", "a_b.c,d:e/f+g@h-i"),
    ],
)
def test_texts_are_read_as_they_were(written: str, serial: str) -> None:
    (found,) = parse_inventory(console(disk(serial=written))).disks
    assert found.serial == serial
    assert found.model == "M"


@pytest.mark.parametrize(
    ("written", "flags"), [('""', ()), ("lm", ("lm",)), ("lm,nx,svm", ("lm", "nx", "svm"))]
)
def test_several_values_stand_in_one(written: str, flags: tuple[str, ...]) -> None:
    text = console().replace("flags=lm,nx", f"flags={written}")
    assert parse_inventory(text).cpu.flags == flags


def test_numbers_have_no_limit() -> None:
    (found,) = parse_inventory(console(disk(bytes=str(2**70)))).disks
    assert found.bytes == 2**70


def test_what_was_read_does_not_change_later() -> None:
    found = parse_inventory(console(NIC))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.nics[0].ipv4 = ""  # type: ignore[misc]


# --- what is wrong is said --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no inventory"),
        ("vmstead-demo login: ", "there is no inventory"),
        (console().replace(" END ", " STOP "), "the inventory has no end"),
        (console().replace("version=1", "version=2"), "the inventory has no beginning"),
        (console().replace(BEGIN, f"{BEGIN}0"), "the inventory has no beginning"),
        (console(promised=4), "should have 4 records, but 3 are readable"),
        (console(NIC, promised=3), "should have 3 records, but 4 are readable"),
        (console().replace("\nsystem", "\n[    1.0] system"), "should have 3 records, but 2 are readable"),
        (console(SYSTEM), "has 2 system records instead of one"),
        (console(CPU, CPU), "has 3 cpu records instead of one"),
        (console().replace(DMI, NIC), "has 0 dmi records instead of one"),
        (console("tpm name=tpm0"), "a tpm record has no version: tpm name=tpm0"),
        (console("tpm"), "a tpm record has no name: tpm"),
        (console("tpm name=tpm0 version"), "a tpm record has no version"),
        (console("tpm name=tpm0 version=two"), "a tpm record has a wrong version: tpm name=tpm0 version=two"),
        (console('tpm name=tpm0 version=""'), "a tpm record has a wrong version"),
        (console(disk(readonly="maybe")), "a disk record has a wrong readonly"),
        (console(disk(cdrom="1")), "a disk record has a wrong cdrom"),
        (console(disk(bytes="1.5")), "a disk record has a wrong bytes"),
        (console("pci address=a id=b driver=d"), "a pci record has no class"),
        (console(disk(serial='"open')), "a record has a quote too many or too few: disk name=vda"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        parse_inventory(text)
    assert reason in str(raised.value)


# --- finding things ---------------------------------------------------------------------------------


def test_a_disk_is_found_by_its_serial_number_or_those_there_are_are_named() -> None:
    found = parse_inventory(
        console(disk(name="vda"), disk(name="vdb", serial='"b 2"'), disk(name="sr0", serial='""'))
    )
    assert found.disk("b 2").name == "vdb"
    assert found.disk("").name == "sr0"
    with pytest.raises(
        ValueError,
        match=r"^no disk has the serial number B 2; disks: vda \(S\), vdb \(b 2\), sr0 \(no serial\)$",
    ):
        found.disk("B 2")
    with pytest.raises(ValueError, match=r"^no disk has the serial number S; disks: none$"):
        parse_inventory(console()).disk("S")


def test_a_card_is_found_by_its_address_in_any_case_or_those_there_are_are_named() -> None:
    found = parse_inventory(console(NIC, NIC.replace("eth0", "eth1").replace("00:01", "0a:0b")))
    assert found.nic("02:00:00:00:0A:0B").name == "eth1"
    assert found.nic("02:00:00:00:00:01") == Nic(
        "eth0", "02:00:00:00:00:01", "virtio_net", True, "10.0.2.15/24"
    )
    cards = r"eth0 \(02:00:00:00:00:01\), eth1 \(02:00:00:00:0a:0b\)"
    with pytest.raises(ValueError, match=f"^no network card has the address 02::; cards: {cards}$"):
        found.nic("02::")
    with pytest.raises(ValueError, match=r"cards: none$"):
        parse_inventory(console()).nic("02::")
