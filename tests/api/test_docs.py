"""The API reference of a running server."""

from pathlib import Path

from pydantic import TypeAdapter

from tests.harness import server
from vmstead.vm.shapes import DeviceShape, VmShape, VmStatus


async def test_anybody_can_read_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        base = host.tcp_url.replace("ws://", "http://")
        async with host.http.get(f"{base}/api/docs") as page:
            assert page.content_type == "text/html"
            assert '<h2 id="vm.create">' in await page.text()
        async with host.http.get(f"{base}/api/docs/openrpc.json") as answer:
            document = await answer.json()
        assert document["openrpc"] == "1.3.2"
        assert "vm.create" in [method["name"] for method in document["methods"]]


async def test_answers_have_the_shape_that_it_gives(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        for attributes in (
            {"dtype": "NIC", "nic_attach": "user"},
            {"dtype": "RAW", "path": "/mnt/default/a", "size": 512},
            {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/a", "zvol_volsize": 512},
            {"dtype": "DISPLAY"},
        ):
            device = await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
            TypeAdapter(DeviceShape).validate_python(device)
        for entry in (vm, await host.api.call("vm.get_instance", vm["id"])):
            TypeAdapter(VmShape).validate_python(entry)
            assert set(entry) == {name for name, info in VmShape.model_fields.items() if info.is_required()}
        TypeAdapter(VmStatus).validate_python(await host.api.call("vm.status", vm["id"]))
