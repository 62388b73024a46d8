"""Disks as sysfs tells of them."""

import os
from pathlib import Path

from vmstead.adapters.linux_disks import read_disks
from vmstead.ports.disks import BlockDevice


def disk(sys: Path, name: str, way: str, dev: str, files: dict[str, str | bytes], subsystem: str) -> Path:
    """A disk at the end of a way of devices; ``files`` lie in its folder, those of its device in ``device/``."""
    device = sys / "devices" / way
    folder = device / "block" / name
    (folder / "queue").mkdir(parents=True)
    (folder / "dev").write_text(f"{dev}\n")
    (folder / "size").write_text("2048\n")
    (folder / "queue/rotational").write_text("0\n")
    (folder / "device").symlink_to(device)
    for file, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / file).write_bytes(data)
    (sys / "bus" / subsystem).mkdir(parents=True, exist_ok=True)
    (device / "subsystem").symlink_to(sys / "bus" / subsystem)
    (sys / "block").mkdir(exist_ok=True)
    (sys / "block" / name).symlink_to(folder)
    return folder


def test_each_kind_of_disk_says_what_it_is_in_its_own_way(tmp_path: Path) -> None:
    disk(
        tmp_path,
        "sda",
        "pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0",
        "8:0",
        {
            "queue/rotational": "1\n",
            "device/model": "WDC  WD20EFPX \n",
            "device/wwid": "naa.50014ee21660eac9\n",
            "device/vpd_pg80": b"\x00\x80\x00\x10    WD-WX32D648V\x00",
            "device/vpd_pgb1": b"\x00\xb1\x00\x3c\x15\x18\x00",
        },
        "scsi",
    )
    disk(
        tmp_path,
        "nvme0n1",
        "pci0000:00/0000:01:00.0/nvme/nvme0",
        "259:0",
        {"device/serial": "S59A  \n", "device/model": "Samsung SSD\n", "wwid": "eui.0025385211917649\n"},
        "nvme",
    )
    disk(
        tmp_path,
        "sdb",
        "pci0000:00/0000:00:14.0/usb1/1-4/host6/target6:0:0/6:0:0:0",
        "8:16",
        {"device/wwid": "t10.Maker   Stick\n", "device/vpd_pg80": b"\x00\x80"},
        "scsi",
    )
    disk(tmp_path, "vda", "pci0000:00/0000:00:02.0/virtio1", "254:0", {"serial": "yJ9L5t4G"}, "virtio")
    found = read_disks(tmp_path)
    assert found == [
        BlockDevice(
            "nvme0n1",
            os.makedev(259, 0),
            1 << 20,
            "S59A",
            "0025385211917649",
            "Samsung SSD",
            subsystem="nvme",
            bus="NVME",
        ),
        BlockDevice(
            "sda",
            os.makedev(8, 0),
            1 << 20,
            "WD-WX32D648V",
            "50014ee21660eac9",
            "WDC WD20EFPX",
            is_rotating=True,
            rotation_rate=5400,
            subsystem="scsi",
            bus="ATA",
        ),
        BlockDevice("sdb", os.makedev(8, 16), 1 << 20, subsystem="scsi", bus="USB"),
        BlockDevice(
            "vda", os.makedev(254, 0), 1 << 20, "yJ9L5t4G", None, None, subsystem="virtio", bus="VIRTIO"
        ),
    ]


def test_what_is_no_disk_is_left_out(tmp_path: Path) -> None:
    disk(tmp_path, "sr0", "ata2/host1/target1:0:0/1:0:0:0", "11:0", {}, "scsi")
    disk(tmp_path, "sdz", "gone", "8:400", {}, "scsi").joinpath("size").unlink()
    for name in ("loop0", "dm-0", "zram0", "zd16"):
        (tmp_path / "block" / name).mkdir()
    assert read_disks(tmp_path) == []
