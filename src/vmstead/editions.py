"""The versions of the API that are served, as what sets them apart.

``current`` is the contract with all that Vmstead adds to it. The numbered ones are TrueNAS's, for clients that ask
for one by name: from the first that had virtual machines to the newest of 25.10, and 26.0. What sets them apart is
in the models of each release of TrueNAS.
"""

from vmstead.ctx import Ctx
from vmstead.devices.nic import attachments
from vmstead.rpc.editions import Edition
from vmstead.rpc.registry import Function
from vmstead.vm.model import VmCreate

#: Methods and collections that no TrueNAS of these versions has.
EXTENSIONS = frozenset(
    {
        "core.get_events",
        "reporting.host_history",
        "system.readiness",
        "vm.console_log",
        "vm.get_display_ticket",
        "vm.get_guest_network_interfaces",
        "vm.get_screenshot",
        "vm.reset",
        "vm.stats",
        "vm.stats_history",
        "vmstead.version",
    }
)

#: What came with 26.0, and is not in the answers of the versions before.
_SINCE_26 = {
    "auth.login_ex": ("reconnect_token",),
    "auth.login_ex_continue": ("reconnect_token",),
    "vm.device.usb_passthrough_choices": ("*.description",),
    "vm.device.usb_passthrough_device": ("description",),
}

#: What is in the answers and events of no TrueNAS.
_ADDED = {
    "reporting.realtime": ("virtual_machines",),
    "audit.query": ("event_data.call_id",),
    **dict.fromkeys(("vm.query", "vm.get_instance", "vm.create", "vm.update"), ("hugepages",)),
}


def _nothing(function: Function) -> Function:
    """Answers null where later or earlier versions have a result."""

    async def adapted(*arguments: object) -> None:
        await function(*arguments)

    return adapted


def _without_scram(function: Function) -> Function:
    """Ways to log in, before there was SCRAM."""

    async def adapted(*arguments: object) -> object:
        ways = await function(*arguments)
        assert isinstance(ways, list)
        return [way for way in ways if way != "SCRAM"]

    return adapted


def _without_denied(function: Function) -> Function:
    """Answers to a login, before there was one for accounts that may do nothing."""

    async def adapted(*arguments: object) -> object:
        answer = await function(*arguments)
        return {"response_type": "AUTH_ERR"} if answer == {"response_type": "DENIED"} else answer

    return adapted


def _suspending(function: Function) -> Function:
    """Since 26.0, guests are suspended for snapshots unless somebody says otherwise."""

    async def adapted(ctx: Ctx, vm_create: VmCreate) -> object:
        if "suspend_on_snapshot" not in vm_create.model_fields_set:
            vm_create = vm_create.model_copy(update={"suspend_on_snapshot": True})
        return await function(ctx, vm_create)

    return adapted


def _by_kind(function: Function) -> Function:
    """Since 26.0, what NICs can be attached to comes in groups, as names only. NAT by QEMU is of neither kind."""

    async def adapted(ctx: Ctx) -> dict[str, list[str]]:
        found = await attachments(ctx)
        kinds = {"BRIDGE": "bridge", "MACVLAN": "direct"}
        return {
            group: sorted(name for name, attachment in found.items() if attachment.kind == kind)
            for group, kind in kinds.items()
        }

    return adapted


CURRENT = Edition("current", is_announced=False)

_V25_10_5 = Edition(
    "v25.10.5",
    without=EXTENSIONS,
    hidden={**_SINCE_26, **_ADDED},
    adapted={
        "auth.mechanism_choices": _without_scram,
        "auth.login_ex": _without_denied,
        "auth.login_ex_continue": _without_denied,
    },
)
_V25_10_4 = _V25_10_5.before("v25.10.4")
_V25_10_3 = _V25_10_4.before("v25.10.3")
_V25_10_2 = _V25_10_3.before("v25.10.2")
_V25_10_1 = _V25_10_2.before("v25.10.1")
_V25_10_0 = _V25_10_1.before("v25.10.0", lacks={"vm.device.virtual_size"})
_V25_04_2 = _V25_10_0.before("v25.04.2", lacks={"vm.device.convert"}, adapted={"core.set_options": _nothing})
_V26_0_0 = Edition(
    "v26.0.0",
    # A client that takes the newest there is gets 25.10, which is what this server is about.
    is_announced=False,
    without=EXTENSIONS | {"vm.import_disk_image", "vm.export_disk_image", "vm.device.pptdev_choices"},
    hidden=_ADDED,
    adapted={
        "vm.create": _suspending,
        "vm.delete": _nothing,
        "vm.device.nic_attach_choices": _by_kind,
    },
)

#: Those that have a number, oldest first.
NUMBERED = (
    *(_V25_04_2, _V25_10_0, _V25_10_1, _V25_10_2, _V25_10_3, _V25_10_4, _V25_10_5),
    _V26_0_0,
)

#: What the protocol of ``/websocket`` speaks of: its clients are older than anything that Vmstead adds.
LEGACY = _V25_10_5
