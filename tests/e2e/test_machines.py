"""Machine types on a real QEMU."""

import sqlite3
from typing import Any

from tests.daemons import needs_private_libvirtd, state_folder
from tests.mortal import private_server

pytestmark = needs_private_libvirtd

SMALL = {"memory": 32, "bootloader": "UEFI_CSM", "autostart": False, "arch_type": "x86_64"}


async def test_a_machine_that_qemu_does_not_have_is_told_when_it_is_chosen_and_when_it_is_gone() -> None:
    with state_folder() as folder:
        async with private_server(folder) as host:
            # Reading states waits for the engine; choices do not.
            await host.api.call("vm.query")
            choices = await host.api.call("vm.guest_architecture_and_machine_choices")
            for machine in ("pc-nonsense", "isapc", "microvm", "virt"):
                # libvirt itself takes the first, and of the others says only that there are no PCI buses.
                values: dict[str, Any] = {"name": "a", "machine_type": machine, **SMALL}
                failure = await host.api.failure("vm.create", values)
                assert failure.attributes == ["vm_create.machine_type"]
                assert f"{machine} is no machine that QEMU has here for x86_64" in failure.reason
                assert machine not in choices["x86_64"]
            for arch in ("sparc64", "nonsense"):
                failure = await host.api.failure("vm.create", {**SMALL, "name": "a", "arch_type": arch})
                assert failure.attributes == ["vm_create.arch_type"]
            vm = (await host.api.call("vm.create", {"name": "a", "machine_type": "q35", **SMALL}))["id"]
            # It was stored with another QEMU.
            with sqlite3.connect(folder / "state/vmstead.db") as database:
                database.execute("UPDATE vm SET machine_type = 'pc-q35-1.0'")
            database.close()
            reason = (await host.api.failure("vm.start", vm)).reason
            assert (
                "cannot start: machine_type pc-q35-1.0 is no machine that QEMU has here for x86_64" in reason
            )
            assert "choose one of vm.guest_architecture_and_machine_choices, such as q35 or pc" in reason
            await host.api.call("vm.update", vm, {"description": "old"})
            await host.api.call("vm.update", vm, {"machine_type": "q35"})
            await host.api.call("vm.start", vm)
            await host.api.call("vm.poweroff", vm)
