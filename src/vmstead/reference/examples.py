"""An example of a call for every method: its required parameters, with values that mean something."""

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vmstead.rpc.registry import Method

#: For methods whose required parameters alone would show nothing.
_CALLS: dict[str, list[Any]] = {
    "vm.query": [[["status.state", "=", "RUNNING"]], {"select": ["id", "name", "status"]}],
    "vm.update": [1, {"memory": 4096, "description": "The web server"}],
    "vm.stop": [1, {"force_after_timeout": True}],
    "vm.clone": [1, "web02"],
    "vm.device.query": [[["vm", "=", 1]]],
    "vm.device.create": [
        {
            "vm": 1,
            "attributes": {
                "dtype": "DISK",
                "type": "VIRTIO",
                "create_zvol": True,
                "zvol_name": "default/web01",
                "zvol_volsize": 10737418240,
            },
        }
    ],
    "vm.device.update": [1, {"attributes": {"type": "VIRTIO"}}],
    "vm.device.passthrough_device": ["pci_0000_01_00_0"],
    "vm.device.usb_passthrough_device": ["usb_1_4"],
    "vm.get_display_web_uri": [1, "nas.example:6080", {"protocol": "HTTP"}],
    "vm.device.convert": [{"source": "/mnt/default/debian.qcow2", "destination": "/dev/zvol/default/web01"}],
    "vm.import_disk_image": [{"diskimg": "/mnt/default/debian.qcow2", "zvol": "default/web01"}],
    "vm.export_disk_image": [
        {"format": "qcow2", "directory": "/mnt/default/images", "zvol": "default/web01"}
    ],
    "core.bulk": ["vm.start", [[1], [2]], "Starting VM {0}"],
    "core.job_download_logs": [1, "job.log"],
    "core.download": ["vm.log_file_download", [1], "web01.log"],
    "filesystem.mkdir": [{"path": "/mnt/default/isos", "options": {"mode": "755"}}],
    "filesystem.listdir": ["/mnt/default", [["type", "=", "FILE"]]],
    "filesystem.file_receive": ["/mnt/default/notes.txt", "aGVsbG8K", {"mode": 420}],
    "filesystem.setperm": [{"path": "/mnt/default/isos", "mode": "755", "options": {"recursive": True}}],
    "filesystem.chown": [{"path": "/mnt/default/isos", "user": "root", "group": "root"}],
    "pool.dataset.create": [{"name": "default/web01", "type": "VOLUME", "volsize": 10737418240}],
    "pool.dataset.update": ["default/web01", {"volsize": 21474836480}],
    "pool.dataset.get_instance": ["default/web01"],
    "pool.dataset.delete": ["default/web01", {"recursive": True}],
    "pool.dataset.lock": ["tank/secret"],
    "pool.dataset.unlock": [
        "tank/secret",
        {"datasets": [{"name": "tank/secret", "passphrase": "correct horse battery staple"}]},
    ],
    "pool.dataset.recommended_zvol_blocksize": ["default"],
    "pool.filesystem_choices": [["FILESYSTEM"]],
    "pool.snapshot.rollback": ["tank/web01@before", {"recursive": True}],
    "pool.snapshot.create": [{"dataset": "default/web01", "name": "before-upgrade"}],
    "pool.snapshot.get_instance": ["default/web01@before-upgrade"],
    "pool.snapshot.clone": [{"snapshot": "default/web01@before-upgrade", "dataset_dst": "default/web01-old"}],
    "pool.snapshot.delete": ["default/web01@before-upgrade"],
    "system.feature_enabled": ["VM"],
    "system.reboot": ["A new kernel", {"delay": 60}],
    "system.shutdown": ["The power will be cut", {"delay": 60}],
    "alert.dismiss": ["5cf9e2a4-6f0f-5a35-9d53-0b4b6f0a9f7e"],
    "alert.restore": ["5cf9e2a4-6f0f-5a35-9d53-0b4b6f0a9f7e"],
    "interface.query": [[["type", "=", "BRIDGE"]]],
    "interface.get_instance": ["br0"],
    "disk.query": [[["type", "=", "SSD"]], {"select": ["name", "model", "size"]}],
    "disk.get_instance": ["{serial}S59ANM0R221670X"],
    "service.query": [[["service", "=", "libvirtd"]], {"get": True}],
    "core.get_jobs": [[["state", "=", "RUNNING"]]],
    "core.unsubscribe": ["7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42"],
    "core.set_options": [{"legacy_jobs": True}],
    "core.resize_shell": ["7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42", 132, 43],
    "auth.login_ex": [{"mechanism": "API_KEY_PLAIN", "username": "alice", "api_key": "1-abcdef"}],
    "auth.login_ex_continue": [{"mechanism": "OTP_TOKEN", "otp_token": "492039"}],
    "auth.sessions": [[["internal", "=", False]]],
    "auth.terminate_session": ["7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42"],
    "auth.twofactor.update": [{"window": 1}],
    "user.query": [[["builtin", "=", False]]],
    "user.create": [
        {"username": "alice", "full_name": "Alice", "random_password": True, "granted_roles": ["VM_WRITE"]}
    ],
    "user.update": [1, {"locked": True}],
    "user.get_user_obj": [{"username": "alice"}],
    "group.create": [{"name": "operators", "users": [1]}],
    "group.update": [4, {"users": [1, 2]}],
    "privilege.create": [
        {"name": "Operators", "local_groups": [3000], "roles": ["VM_WRITE"], "web_shell": False}
    ],
    "privilege.update": [3, {"roles": ["VM_DEVICE_WRITE"]}],
    "privilege.roles": [[["builtin", "=", False]]],
    "api_key.create": [{"name": "laptop", "username": "alice"}],
    "api_key.update": [1, {"reset": True}],
    "audit.query": [
        {
            "query-filters": [["event", "=", "AUTHENTICATION"], ["success", "=", False]],
            "query-options": {"order_by": ["-message_timestamp"], "limit": 50},
        }
    ],
    "audit.update": [{"retention": 90}],
    "audit.export": [{"export_format": "CSV"}],
    "audit.download_report": [{"report_name": "7-1760000000.csv"}],
}
#: Values by the name of the parameter or field.
_VALUES: dict[str, Any] = {
    "id": 1,
    "vm": 1,
    "name": "web01",
    "memory": 2048,
    "username": "alice",
    "password": "correct horse battery staple",
    "new_password": "correct horse battery staple",
    "api_key": "1-abcdef",
    "token": "abcdef",
    "event": "vm.query",
    "key": "theme",
    "value": "dark",
    "path": "/mnt/default/web01.img",
}


def example(method: Method) -> list[Any]:
    """Arguments for a call. That they can be sent is checked by a test for every method."""
    if method.name in _CALLS:
        return _CALLS[method.name]
    if method.is_query:
        return []
    fields = method.model.model_fields
    required = [name for name in method.parameters if fields[name].is_required()]
    return [_value(name, fields[name]) for name in required]


def _value(name: str, info: FieldInfo) -> object:
    kind = info.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {
            field: _value(field, inner) for field, inner in kind.model_fields.items() if inner.is_required()
        }
    if name not in _VALUES:
        raise LookupError(f"there is no example for the parameter {name}")
    return _VALUES[name]
