"""``disk.*``: the disks of the host. They are told of; what is made of them is the host's business."""

from typing import Any

from vmstead.ctx import Ctx
from vmstead.errors import host_errors
from vmstead.kernel.model import Field, Model
from vmstead.ports.disks import BlockDevice
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions
from vmstead.rpc.registry import Namespace
from vmstead.system.rows import instance

disk = Namespace("disk")


class DiskShape(Model):
    """A disk. Texts are empty, and values null, where it does not tell."""

    identifier: str = Field(description="What it is found by again, from what it says of itself.")
    name: str = Field(description="The kernel's name for it now.")
    subsystem: str = Field(description="The kernel's driver family: scsi, nvme, virtio, …")
    number: int = Field(description="The kernel's number for it now.")
    serial: str = Field(description="Its serial number.")
    lunid: str | None = Field(description="Its world-wide name.")
    size: int = Field(description="Bytes.")
    description: str = Field(description="Empty: nothing is kept of it here.")
    transfermode: str = Field(description="Auto: the kernel chooses.")
    hddstandby: str = Field(description="ALWAYS ON: this server sets no time after which it rests.")
    advpowermgmt: str = Field(description="DISABLED: this server sets nothing of the kind.")
    expiretime: None = Field(description="Nothing is kept of it here that could expire.")
    model: str | None = Field(description="What its maker calls it.")
    rotationrate: int | None = Field(description="Turns a minute; null without a spindle.")
    type: str = Field(description="HDD or SSD, as the kernel takes it for.")
    zfs_guid: None = Field(description="Not told.")
    bus: str = Field(description="What it is plugged into: ATA, USB, NVME, VIRTIO, … or UNKNOWN.")
    devname: str = Field(description="As name.")
    enclosure: None = Field(description="Not told.")
    pool: None = Field(description="Not told: a pool that is a folder lies on a file system, not on a disk.")


def disk_entry(device: BlockDevice) -> dict[str, Any]:
    """A disk as clients read it."""
    return {
        "identifier": _identifier(device),
        "name": device.name,
        "subsystem": device.subsystem,
        "number": device.number,
        "serial": device.serial,
        "lunid": device.lunid,
        "size": device.size,
        "description": "",
        "transfermode": "Auto",
        "hddstandby": "ALWAYS ON",
        "advpowermgmt": "DISABLED",
        "expiretime": None,
        "model": device.model,
        "rotationrate": device.rotation_rate,
        "type": "HDD" if device.is_rotating else "SSD",
        "zfs_guid": None,
        "bus": device.bus,
        "devname": device.name,
        "enclosure": None,
        "pool": None,
    }


def _identifier(device: BlockDevice) -> str:
    if device.serial and device.lunid:
        return f"{{serial_lunid}}{device.serial}_{device.lunid}"
    return f"{{serial}}{device.serial}" if device.serial else f"{{devicename}}{device.name}"


async def _entries(ctx: Ctx) -> list[dict[str, Any]]:
    with host_errors("the host's disks cannot be listed"):
        return [disk_entry(device) for device in await ctx.host.disks()]


@disk.query(role="DISK_READ", returns=DiskShape)
async def query(ctx: Ctx, query: Query) -> object:
    """The disks of the host, by name."""
    return query.apply(await _entries(ctx))


@disk.method(role="DISK_READ", returns=DiskShape)
async def get_instance(ctx: Ctx, id: str, options: QueryOptions = {}) -> object:  # noqa: B006
    """One disk, by its identifier. Options are those of ``disk.query``. Fails with ENOENT when there is none."""
    return instance("Disk", await _entries(ctx), "identifier", id, options)
