"""What must not be stored is refused in every way in which it could be written, not only in the first.

A rule that is looked at when something is created, and not when it is copied, changed or imported, is no rule.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.rpc.registry import table
from vmstead.surface import NAMESPACES

Parameters = list[Any]

#: The ways to write a virtual machine, with fields of it.
VM_WAYS: dict[str, Callable[[dict[str, Any]], Parameters]] = {
    "vm.create": lambda fields: [{"name": "new", "memory": 64, **fields}],
    "vm.update": lambda fields: [1, fields],
}
#: The ways to write a device: by the method, with attributes of a new one, or of the one with this id.
DEVICE_WAYS: dict[str, Callable[[int, dict[str, Any]], Parameters]] = {
    "vm.device.create": lambda _, attributes: [{"vm": 1, "attributes": attributes}],
    "vm.device.update": lambda number, attributes: [number, {"attributes": attributes}],
    "vm.update with a new device": lambda _, attributes: [1, {"devices": [{"attributes": attributes}]}],
    "vm.update of a device": lambda number, attributes: [
        1,
        {"devices": [{"id": number, "attributes": attributes}]},
    ],
}
#: The other methods that write: they store no definition, or take nothing for one from the client but what is said.
STORES_NONE = {
    "vm.clone": "takes a name, which is tried below; everything else is there already",
    "vm.delete": "",
    "vm.device.delete": "",
    "vm.start": "",
    "vm.stop": "",
    "vm.poweroff": "",
    "vm.restart": "",
    "vm.reset": "",
    "vm.console_log": "",
    "vm.suspend": "",
    "vm.resume": "",
    "vm.device.convert": "paths are tried below",
    "vm.import_disk_image": "paths are tried below",
    "vm.export_disk_image": "paths are tried below",
}

LONG = "x" * 5000
NAMES = ["", "a b", "../a", "a/b", "a\n", "a\0", "-rf", "$(id)", "a'b", "<a>", "ä", LONG]
BAD_VMS: list[dict[str, Any]] = [
    *({"name": name} for name in NAMES),
    {"description": "a\0b"},
    {"description": "\ufffe"},
    {"description": LONG},
    {"min_memory": 2**40},
    {"cpuset": "0'/>"},
    {"nodeset": "0,\n1"},
    {"bootloader_ovmf": "../../../etc/passwd"},
    {"bootloader_ovmf": "OVMF_CODE.fd\n"},
    {"uuid": "../../etc"},
    {"arch_type": "x86_64'", "machine_type": "q35"},
    {"arch_type": "x86_64", "machine_type": "q35,accel=kvm"},
    {"cpu_model": "host,+svm"},
    {"command_line_args": "'"},
    {"command_line_args": "-device\0edu"},
]

OUTSIDE = [
    "/etc/passwd",
    "/mnt/default/../../etc/passwd",
    "/mnt/default/out/passwd",
    "/mnt/default/.volumes/theirs",
    "/mnt/nowhere/a",
    "/mnt/default",
    "/proc/self/mem",
    "relative",
    "nbd://example.org/a",
    'json:{"driver": "file"}',
    "/mnt/default/a{b}",
    "/mnt/default/a\nb",
    "/mnt/default/a\0b",
    f"/mnt/default/{LONG}",
]
NOT_VOLUMES = [
    "/dev/sda",
    "/dev/zvol/",
    "/dev/zvol/default",
    "/dev/zvol/default/../a",
    "/dev/zvol/../../etc/passwd",
    "/dev/zvol/default/.snapshots/a@b",
    "/dev/zvol/default/a\n",
    "/dev/zvol/default/-rf",
    "/dev/zvol/default/none",
    f"/dev/zvol/default/{LONG}",
]
#: For each type what a good device has, and what makes it a bad one.
BAD_DEVICES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "RAW": (
        {"path": "/mnt/default/good.img", "size": 512},
        [
            *({"path": path, "exists": exists, "size": 512} for path in OUTSIDE for exists in (False, True)),
            {"path": "/mnt/default/theirs.img", "exists": True},
            {"path": "/mnt/default/link.img", "exists": True},
            {"path": "/mnt/default/none.img", "exists": True},
            {"size": -512},
            {"size": 2**70},
            {"serial": "a,readonly=on"},
            {"serial": "a'/>"},
            {"serial": "a\n"},
            {"iotype": "native"},
            {"type": "VIRTIO,x"},
        ],
    ),
    "CDROM": ({"path": "/mnt/default/good.iso"}, [{"path": path} for path in OUTSIDE]),
    "DISK": (
        {"path": "/dev/zvol/default/good"},
        [
            *({"path": path} for path in NOT_VOLUMES),
            {"path": "/dev/zvol/default/theirs"},
            *(
                {
                    "path": None,
                    "create_zvol": True,
                    "zvol_name": path.removeprefix("/dev/zvol/"),
                    "zvol_volsize": 512,
                }
                for path in NOT_VOLUMES
                if not path.endswith("/none")
            ),
            {"path": None, "create_zvol": True, "zvol_name": "default/theirs", "zvol_volsize": 512},
        ],
    ),
    "NIC": (
        {"nic_attach": "user"},
        [
            {"mac": "01:00:00:00:00:00"},
            {"mac": "00:a0:98:00:00:01'"},
            {"mac": "00:a0:98:00:00:01\n"},
            {"nic_attach": "br0'/><x"},
            {"nic_attach": "../eth0"},
        ],
    ),
    "DISPLAY": (
        {"type": "VNC"},
        [
            {"port": 5950},
            {"port": 22},
            {"bind": "0.0.0.0,password=off"},
            {"bind": "example.org"},
            {"resolution": "1x1"},
            {"password": "a\nb"},
            {"password": LONG},
        ],
    ),
    "USB": (
        {"device": "usb_1_1"},
        [
            {"device": "../../../etc/passwd"},
            {"device": "usb_9_9'"},
            {"controller_type": "nec-xhci,x"},
            {"device": None, "usb": {"vendor_id": "0x1234'", "product_id": "0x1"}},
        ],
    ),
    "PCI": ({"pptdev": "0000:99:00.0"}, [{"pptdev": "../../../etc"}, {"pptdev": "0000:01:00.0\n"}]),
}


async def prepare(host: Host, tmp_path: Path) -> None:
    """A VM, and another one with what is not the first one's."""
    pool, call = tmp_path / "state/pools/default", host.api.call
    for name in ("a", "theirs"):
        await call("vm.create", {"name": name, "memory": 64})
    for attributes in (
        {"dtype": "RAW", "path": "/mnt/default/theirs.img", "size": 512},
        {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/theirs", "zvol_volsize": 512},
        {"dtype": "DISPLAY", "type": "VNC", "port": 5950},
    ):
        await call("vm.device.create", {"vm": 2, "attributes": attributes})
    await call("pool.dataset.create", {"name": "default/good", "type": "VOLUME", "volsize": 512})
    (pool / "good.iso").write_bytes(b"iso")
    (pool / "link.img").symlink_to("theirs.img")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_bytes(b"root")
    (pool / "out").symlink_to(outside)


async def state(host: Host, tmp_path: Path) -> object:
    files = sorted(
        (str(path.relative_to(tmp_path)), path.read_bytes() if path.is_file() else b"")
        for folder in ("state/pools", "outside")
        for path in (tmp_path / folder).rglob("*")
    )
    return await host.api.call("vm.query"), files


@pytest.mark.parametrize("way", VM_WAYS)
async def test_a_bad_vm_is_refused_in_every_way(tmp_path: Path, way: str) -> None:
    async with server(tmp_path) as host:
        await prepare(host, tmp_path)
        before = await state(host, tmp_path)
        for fields in BAD_VMS:
            failure = await host.api.failure(way, *VM_WAYS[way](fields))
            (name,) = fields.keys() - ({"arch_type"} if "machine_type" in fields else set())
            assert any(str(field).endswith((f".{name}", ".arch_type")) for field in failure.attributes), (
                failure.data
            )
        assert await state(host, tmp_path) == before


@pytest.mark.parametrize("name", NAMES)
async def test_a_clone_has_a_name_as_any_other_vm(tmp_path: Path, name: str) -> None:
    async with server(tmp_path) as host:
        await prepare(host, tmp_path)
        before = await state(host, tmp_path)
        failure = await host.api.failure("vm.clone", 1, name)
        assert failure.attributes[0] in ("vm_create.name", "name")
        assert await state(host, tmp_path) == before


@pytest.mark.parametrize("way", DEVICE_WAYS)
@pytest.mark.parametrize("dtype", BAD_DEVICES)
async def test_a_bad_device_is_refused_in_every_way(tmp_path: Path, dtype: str, way: str) -> None:
    good, bad = BAD_DEVICES[dtype]
    is_new = "of a device" not in way and way != "vm.device.update"
    async with server(tmp_path) as host:
        await prepare(host, tmp_path)
        id = 0
        if not is_new:
            id = await stored(host, dtype, good)
        before = await state(host, tmp_path)
        for attributes in bad:
            whole = {"dtype": dtype, **({**good, **attributes} if is_new else attributes)}
            failure = await host.api.failure(way.partition(" ")[0], *DEVICE_WAYS[way](id, whole))
            assert failure.errno != 14, (attributes, failure.reason)
        assert await state(host, tmp_path) == before
        assert host.server.services.unfinished.all() == []


async def stored(host: Host, dtype: str, good: dict[str, Any]) -> int:
    """A device of the VM that is as it should be."""
    if dtype in ("USB", "PCI"):
        # The host of these tests has none; it was there once.
        vms = host.server.services.vms
        defaults = {"controller_type": "nec-xhci", "usb": None} if dtype == "USB" else {}
        id = await vms.write(vms.insert_device(1, None, {"dtype": dtype, **defaults, **good}))
        assert isinstance(id, int)
        return id
    device = await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": dtype, **good}})
    number: int = device["id"]
    return number


#: The methods that take a path of a file or folder, with the parameters for one.
PATHS: dict[str, Callable[[str], Parameters]] = {
    "filesystem.stat": lambda path: [path],
    "filesystem.listdir": lambda path: [path],
    "filesystem.statfs": lambda path: [path],
    "filesystem.mkdir": lambda path: [{"path": f"{path}/new"}],
    "filesystem.file_receive": lambda path: [path, "aGVsbG8="],
    "filesystem.setperm": lambda path: [{"path": path, "mode": "777", "options": {"recursive": True}}],
    "filesystem.chown": lambda path: [{"path": path, "uid": 1000}],
    "core.download": lambda path: ["filesystem.get", [path], "file"],
    "vm.device.virtual_size": lambda path: [{"path": path}],
    "vm.device.convert": lambda path: [{"source": path, "destination": "/dev/zvol/default/good"}],
    "vm.import_disk_image": lambda path: [{"diskimg": path, "zvol": "default/good"}],
    "vm.export_disk_image": lambda path: [{"format": "raw", "directory": path, "zvol": "default/good"}],
}
#: Those that take one elsewhere, and where that is tried.
TRIED_ELSEWHERE = {
    "filesystem.get": "core.download",
    "filesystem.put": "tests/api/test_transfer.py",
    "vm.device.create": "above",
}


@pytest.mark.parametrize("method", PATHS)
async def test_no_path_leads_out_of_the_pools(tmp_path: Path, method: str) -> None:
    # The pool itself is a folder that may be looked at, and what is not there may be made there.
    paths = [path for path in OUTSIDE if path != "/mnt/default" and LONG not in path and "\n" not in path]
    async with server(tmp_path) as host:
        await prepare(host, tmp_path)
        await host.api.call("core.set_options", {"legacy_jobs": False})
        await host.api.call("core.subscribe", "core.get_jobs")
        before = await state(host, tmp_path)
        for path in [*paths, "/mnt/default/out", "/etc", "/"]:
            if path.endswith("{b}"):
                continue
            await refused(host, method, PATHS[method](path))
        assert await state(host, tmp_path) == before


async def refused(host: Host, method: str, params: Parameters) -> None:
    if method == "core.download":
        number, _ = await host.api.call(method, *params)
        record = await host.api.job(number)
        assert record["state"] == "FAILED", params
        assert "root" not in json.dumps(record["result"])
        return
    failure = await host.api.failure(method, *params)
    assert "failed unexpectedly" not in failure.reason, (params, failure.reason)


def test_every_method_that_takes_a_path_is_tried() -> None:
    def names(schema: object) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from schema.get("properties", {})
            for each in schema.values():
                yield from names(each)
        elif isinstance(schema, list):
            for each in schema:
                yield from names(each)

    takes = {
        name
        for name, method in table(NAMESPACES).items()
        if not method.is_query
        and {"path", "directory", "source", "destination", "diskimg"}
        & {*names(method.model.model_json_schema())}
    }
    assert takes - PATHS.keys() - TRIED_ELSEWHERE.keys() == set()


def test_every_way_to_write_is_tried() -> None:
    """A method that is added is one more way, or stores no definition."""
    writing = {
        name for name, method in table(NAMESPACES).items() if method.role in ("VM_WRITE", "VM_DEVICE_WRITE")
    }
    tried = {*VM_WAYS, *(way.partition(" ")[0] for way in DEVICE_WAYS)}
    assert writing - tried == STORES_NONE.keys() & writing
