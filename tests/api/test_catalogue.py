"""What a server says that it can do."""

import json
from pathlib import Path
from typing import Any

import jsonschema
from pydantic import TypeAdapter

from tests.harness import Host, server
from vmstead.client import ejson
from vmstead.rpc.registry import table
from vmstead.surface import NAMESPACES
from vmstead.system.catalogue import EventMeta, MethodMeta, ServiceMeta
from vmstead.system.secrets import hash_password

METHODS = table(NAMESPACES)
#: As clients of TrueNAS read it.
META = {
    "description",
    "cli_description",
    "examples",
    "item_method",
    "no_auth_required",
    "no_authz_required",
    "filterable",
    "filterable_schema",
    "pass_application",
    "require_websocket",
    "job",
    "downloadable",
    "uploadable",
    "check_pipes",
    "roles",
    "accepts",
    "returns",
}


async def add(host: Host, name: str, *roles: str) -> None:
    accounts = host.server.services.accounts
    await accounts.write(accounts.add(name, await hash_password("pw"), list(roles), "", 0))


async def test_every_method_is_told_of_and_no_other(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        methods = await host.api.call("core.get_methods")
        assert methods.keys() == METHODS.keys()
        # Clients revive dates and sets wherever they find them: a schema must not look like one.
        assert "core.get_jobs" in ejson.loads(json.dumps(methods))
        TypeAdapter(dict[str, MethodMeta]).validate_python(methods)
        assert all(set(meta) == META for meta in methods.values())
        for name, meta in methods.items():
            assert [item["_name_"] for item in meta["accepts"]] == METHODS[name].parameters
            assert "$ref" not in str(meta), name
            assert len(meta["returns"]) == 1
            for schema in (*meta["accepts"], *meta["returns"]):
                jsonschema.Draft202012Validator.check_schema(_standard(schema))


async def test_a_method_is_told_of_as_clients_read_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        methods = await host.api.call("core.get_methods", "vm")
        assert {name.rpartition(".")[0] for name in methods} == {"vm"}
        create = methods["vm.create"]
        [accepts] = create["accepts"]
        assert (accepts["_name_"], accepts["_required_"], accepts["type"]) == ("vm_create", True, "object")
        assert accepts["_attrs_order_"][:2] == ["name", "description"]
        assert accepts["properties"]["name"]["_required_"]
        assert accepts["properties"]["vcpus"] == {
            "_name_": "vcpus",
            "_required_": False,
            "default": 1,
            "description": "Processor sockets.",
            "maximum": 16,
            "minimum": 1,
            "title": "vcpus",
            "type": "integer",
        }
        assert (create["job"], create["roles"], create["item_method"]) == (False, ["VM_WRITE"], False)
        stop, log, query = methods["vm.stop"], methods["vm.log_file_download"], methods["vm.query"]
        assert (stop["job"], stop["item_method"], stop["downloadable"]) == (True, True, False)
        assert (log["downloadable"], log["check_pipes"]) == (True, False)
        assert query["filterable"]
        assert query["filterable_schema"]["_attrs_order_"][0] == "id"
        assert [item["_name_"] for item in query["accepts"]] == ["filters", "options"]
        assert await host.api.call("core.get_methods", "no.such") == {}


async def test_only_what_a_user_may_call_is_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await add(host, "ann", "VM_READ")
        for method in ("core.get_methods", "core.get_services", "core.get_events"):
            assert (await api.failure(method)).errno == 207
        assert await api.call("auth.login", "ann", "pw")
        names = set(await api.call("core.get_methods"))
        assert {"vm.query", "core.ping", "core.get_methods", "auth.login"} <= names
        assert names.isdisjoint({"vm.create", "vm.device.query", "pool.query"})
        assert set(await api.call("core.get_events")) == {"core.get_jobs", "vm.query", "vm.stats"}


async def test_the_command_line_of_truenas_finds_its_way(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        services = await host.api.call("core.get_services", "CLI")
        TypeAdapter(dict[str, ServiceMeta]).validate_python(services)
        assert services["vm"]["config"]["cli_namespace"] == "service.vm"
        assert services["vm.device"]["config"]["verbose_name"] == "VMDevice"
        assert services["vm"]["type"] == services["vm.device"]["type"] == "crud"
        assert "core" not in services
        everything = await host.api.call("core.get_services")
        assert set(everything) == {name.rpartition(".")[0] for name in METHODS}
        assert everything["core"]["type"] == "service"
        methods = await host.api.call("core.get_methods", None, "CLI")
        assert {name.rpartition(".")[0] for name in methods} <= set(services)
        for method in ("core.get_methods", "core.get_services"):
            params = [None, "GUI"] if method == "core.get_methods" else ["GUI"]
            assert (await host.api.failure(method, *params)).attributes == ["target"]


async def test_collections_are_told_of_with_their_arguments(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        events = await host.api.call("core.get_events")
        assert ejson.loads(json.dumps(events)) == events
        TypeAdapter(dict[str, EventMeta]).validate_python(events)
        assert {"core.get_jobs", "vm.query", "vm.device.query", "vm.stats", "reporting.realtime"} <= set(
            events
        )
        assert events["vm.query"]["roles"] == ["VM_READ"]
        assert events["vm.query"]["fields"]["properties"]["name"]["type"] == "string"
        [arguments] = events["vm.stats"]["accepts"]
        assert arguments["_attrs_order_"] == ["interval", "id"]
        for name in events:
            assert isinstance(await host.api.call("core.subscribe", name), str)
        assert (await host.api.failure("core.get_events", 1)).attributes == [""]


def _standard(schema: Any) -> Any:
    """Without the one thing in it that no standard has: a list's items in a list."""
    if isinstance(schema, list):
        return [_standard(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _standard(each) for key, each in schema.items()}
    if isinstance(found.get("items"), list):
        [found["items"]] = found["items"]
    return found
