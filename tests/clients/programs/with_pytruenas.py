"""What pytruenas does with a server: every way in, a machine's whole life, events, files."""

import json
import sys
from contextlib import ExitStack
from typing import Any

from pytruenas import AuthenticationError, JobFailed, TrueNASClient, ValidationErrors


def main() -> None:
    """Read where the server is, and who may come in; write what was seen."""
    where = json.load(sys.stdin)
    # All are closed at the end: the thread of one that is closed may take what the next, with its number, gets.
    with ExitStack() as clients:
        seen: dict[str, Any] = {"ways": ways_in(where, clients)}
        client = TrueNASClient(
            where["uri"], username=where["username"], api_key=where["api_key"], verify=where["verify"]
        )
        clients.enter_context(client)
        seen |= whole_life(client) | files(client) | mistakes(client)
        seen["ways"]["wrong password"] = refused(where)
    json.dump(seen, sys.stdout)


def ways_in(where: dict[str, Any], clients: ExitStack) -> dict[str, str]:
    """Who one is, by the way one came in."""
    found = {}
    uri, verify = where["uri"], where["verify"]
    password = {"username": where["username"], "password": where["password"]}
    key = {"api_key": where["api_key"]}
    for name, address, credentials in (
        ("unix", where["socket"], {}),
        ("password", uri, password),
        ("key", uri, key),
        ("name and key", uri, {**key, "username": where["username"]}),
    ):
        client = clients.enter_context(TrueNASClient(address, verify=verify, **credentials))
        assert client.ping() == "pong"
        found[name] = client.me()["pw_name"]
        if name == "key":
            token = client.api.auth.generate_token(60, {}, True, False)
            other = clients.enter_context(TrueNASClient(uri, token=token, verify=verify))
            found["token"] = other.me()["pw_name"]
        client.logout()
    return found


def refused(where: dict[str, Any]) -> str:
    """What is said to somebody with the wrong password."""
    client = TrueNASClient(where["uri"], username=where["username"], password="wrong", verify=where["verify"])
    try:
        client.login()
    except AuthenticationError as error:
        return str(error)
    return "not refused"


def whole_life(client: Any) -> dict[str, Any]:
    """A machine is made, changed, run and removed, and all of it is followed."""
    with client.api.vm.query.subscribe() as events:
        vm = client.api.vm._upsert(("name",), name="pytruenas", memory=64, shutdown_timeout=5)
        again = client.api.vm._upsert(("name",), name="pytruenas", memory=128)
        vm_id = client.api.vm._get(name="pytruenas")["id"]
        disk = {
            "dtype": "DISK",
            "create_zvol": True,
            "zvol_name": "default/pytruenas",
            "zvol_volsize": 1 << 20,
        }
        devices = [
            client.api.vm.device.create({"vm": vm_id, "attributes": attributes})["attributes"]["dtype"]
            for attributes in (disk, {"dtype": "NIC", "type": "VIRTIO"}, {"dtype": "DISPLAY"})
        ]
        client.api.vm.start(vm_id)
        state = client.api.vm.status(vm_id)["state"]
        records: list[dict[str, Any]] = []
        job = client.api.vm.stop(vm_id, {"force": True})
        stopped = client.wait(job, callback=records.append)
        waited = client.api.vm.start(vm_id), client.api.vm.restart(vm_id, job=True)
        client.api.vm.poweroff(vm_id)
        log = client.download("vm.log_file_download", vm_id, filename="vm.log")
        deleted = client.api.vm.delete(vm_id, {"zvols": True})
        left = client.api.vm._query(name="pytruenas")
        told = [(event.msg, (event.fields or {}).get("status", {}).get("state")) for event in take(events)]
    return {
        "memory": [vm["memory"], again["memory"]],
        "devices": devices,
        "state": state,
        "stopped": [type(job).__name__, stopped, records[-1]["state"]],
        "waited": waited,
        "log": log.decode(),
        "deleted": [deleted, left],
        "told": told,
    }


def take(events: Any) -> list[Any]:
    """Everything up to the end of the machine."""
    found = []
    for event in events.events(timeout=30):
        found.append(event)
        if event.msg == "removed":
            break
    return found


def files(client: Any) -> dict[str, Any]:
    """A file goes there and back, by HTTP and by the client's own paths."""
    client.upload(b"by http", "filesystem.put", "/mnt/default/there.txt")
    path = client.path("/mnt/default/other.txt", backend="tnasws")
    path.write_bytes(b"by path")
    return {
        "downloaded": client.download("filesystem.get", "/mnt/default/there.txt").decode(),
        "read": path.read_bytes().decode(),
        "listed": sorted(each.name for each in client.path("/mnt/default", backend="tnasws").iterdir()),
        "size": path.stat().st_size,
        "missing": client.path("/mnt/default/nowhere", backend="tnasws").exists(),
    }


def mistakes(client: Any) -> dict[str, Any]:
    """Errors arrive as what they are."""
    found: dict[str, Any] = {}
    try:
        client.api.vm.create({"name": "a", "memory": 1})
    except ValidationErrors as error:
        found["create"] = error.errors
    try:
        client.api.vm.stop(99, job=True)
    except JobFailed as error:
        found["stop"] = [str(error), error.job["exc_info"]["type"]]
    return found


main()
