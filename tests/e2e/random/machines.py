"""What clients do to machines."""

from typing import Any

from tests.e2e.random.storage import Storage
from tests.e2e.random.worker import MOST, POOL, SIZE, Step, World, said
from tests.harness import Api

#: What can be done to a machine in each state, and the states that it may be in when that is cut off.
POWER: dict[str, list[tuple[str, list[dict[str, Any]], list[str]]]] = {
    "STOPPED": [("vm.start", [], ["RUNNING"])],
    "RUNNING": [
        ("vm.stop", [{"force_after_timeout": True}], ["STOPPED"]),
        ("vm.stop", [{"force": True}], ["STOPPED"]),
        ("vm.poweroff", [], ["STOPPED"]),
        ("vm.restart", [], ["STOPPED", "RUNNING"]),
        ("vm.reset", [], ["RUNNING"]),
        ("vm.suspend", [], ["SUSPENDED"]),
    ],
    "SUSPENDED": [
        ("vm.resume", [], ["RUNNING"]),
        ("vm.poweroff", [], ["STOPPED"]),
        ("vm.stop", [{"force": True}], ["STOPPED"]),
    ],
}


class Machines(Storage):
    """Machines and their power."""

    async def do_create_vm(self, api: Api) -> Step | None:
        if len(self.all("vm")) >= MOST:
            return None
        name = self.new()
        memory = 32 if self.has_guests else self.dice.choice([64, 128, 256])
        fields = {
            "name": name,
            "memory": memory,
            "bootloader": "UEFI_CSM",
            "autostart": False,
            "shutdown_timeout": 5,
        }
        made = {"memory": memory, "description": "", "devices": []}
        return self.step("vm.create", [fields], {f"vm {name}": made, f"power {name}": "STOPPED"})

    async def do_change_vm(self, api: Api) -> Step | None:
        if (name := self.some("vm")) is None:
            return None
        id, text = (await self.row(api, name))["id"], self.new()
        after = {**self.world[f"vm {name}"], "description": text}
        return self.step("vm.update", [id, {"description": text}], {f"vm {name}": after})

    async def do_rename_vm(self, api: Api) -> Step | None:
        if (name := self.some("vm", self.is_off)) is None:
            return None
        id, new = (await self.row(api, name))["id"], self.new()
        after = {f"vm {new}": self.world[f"vm {name}"], f"power {new}": "STOPPED"}
        return self.step(
            "vm.update", [id, {"name": new}], {**after, f"vm {name}": None, f"power {name}": None}
        )

    async def do_reconcile_vm(self, api: Api) -> Step | None:
        """A new volume and a new file, for what was there."""
        if (name := self.some("vm", self.is_off)) is None:
            return None
        row, volume, file = await self.row(api, name), self.new(), f"{self.new()}.img"
        kept = [each["id"] for each in row["devices"]][: self.dice.randrange(4)]
        disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": f"{POOL}/{volume}", "zvol_volsize": SIZE}
        raw = {"dtype": "RAW", "path": f"/mnt/{POOL}/{file}", "size": SIZE}
        given = [*({"id": id} for id in kept), {"attributes": disk}, {"attributes": raw}]
        stay = [said(each) for each in row["devices"] if each["id"] in kept]
        after = {
            **self.world[f"vm {name}"],
            "devices": sorted([*stay, f"DISK /dev/zvol/{POOL}/{volume}", f"RAW /mnt/{POOL}/{file} {SIZE}"]),
        }
        change = {f"vm {name}": after, f"volume {volume}": [SIZE, ""], f"file {file}": [SIZE, ""]}
        return self.step("vm.update", [row["id"], {"devices": given}], change)

    async def do_clone_vm(self, api: Api) -> Step | None:
        source = self.some("vm")
        if source is None or len(self.all("vm")) >= MOST:
            return None
        id, name = (await self.row(api, source))["id"], self.new()
        old = self.world[f"vm {source}"]
        change: World = {f"power {name}": "STOPPED"}
        devices = []
        for each in old["devices"]:
            kind, _, rest = each.partition(" ")
            if kind == "DISK":
                volume = rest.removeprefix(f"/dev/zvol/{POOL}/")
                change[f"volume {volume}_{name}"] = self.world[f"volume {volume}"]
                devices.append(f"{each}_{name}")
            elif kind == "RAW":
                path, size = rest.split()
                stem = path.removesuffix(".img")
                file = path.removeprefix(f"/mnt/{POOL}/")
                copy = f"{file.removesuffix('.img')}_{name}.img"
                change[f"file {copy}"] = self.world[f"file {file}"]
                devices.append(f"RAW {stem}_{name}.img {size}")
            else:
                devices.append(each)
        change[f"vm {name}"] = {**old, "devices": sorted(devices)}
        return self.step("vm.clone", [id, name], change)

    async def do_delete_vm(self, api: Api) -> Step | None:
        if (name := self.some("vm")) is None:
            return None
        id, had = (await self.row(api, name))["id"], self.world[f"vm {name}"]
        volumes = [each.rpartition("/")[2] for each in had["devices"] if each.startswith("DISK ")]
        with_volumes = not any(self.snapshots_of(each) for each in volumes) and self.dice.random() < 0.7
        gone: World = {f"vm {name}": None, f"power {name}": None}
        if with_volumes:
            gone |= {f"volume {each}": None for each in volumes}
        params = [id, {"zvols": with_volumes, "force": True}]
        return self.step("vm.delete", params, {f"power {name}": "STOPPED"}, gone)

    async def do_power(self, api: Api) -> Step | None:
        if (name := self.some("vm")) is None:
            return None
        now = self.world[f"power {name}"]
        method, options, then = self.dice.choice(POWER[now])
        id = (await self.row(api, name))["id"]
        return self.step(method, [id, *options], *({f"power {name}": state} for state in then))
