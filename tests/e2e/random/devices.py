"""What clients do to devices."""

from copy import deepcopy
from typing import Any

from tests.e2e.random.storage import Storage
from tests.e2e.random.worker import POOL, SIZE, Step, World, said
from tests.harness import Api


class Devices(Storage):
    """Devices, with what lies behind them."""

    async def do_add_device(self, api: Api) -> Step | None:
        if (name := self.some("vm")) is None or len(self.world[f"vm {name}"]["devices"]) >= 6:
            return None
        change: World = {}
        # A display of a real guest needs a port that somebody else may have.
        kinds = ["NIC", "DISK", "RAW", "CDROM", *([] if self.has_guests else ["DISPLAY"])]
        kind = self.dice.choice(kinds)
        attributes: dict[str, Any] = {"dtype": kind}
        if kind == "NIC":
            attributes["nic_attach"] = "user"
        elif kind == "DISPLAY":
            attributes["type"] = self.dice.choice(["SPICE", "VNC"])
        elif kind == "DISK":
            volume = self.new()
            attributes |= {"create_zvol": True, "zvol_name": f"{POOL}/{volume}", "zvol_volsize": SIZE}
            change[f"volume {volume}"] = [SIZE, ""]
        elif kind == "RAW":
            file = f"{self.new()}.img"
            attributes |= {"path": f"/mnt/{POOL}/{file}", "size": SIZE}
            change[f"file {file}"] = [SIZE, ""]
        elif (iso := self.some("file", lambda name: name.endswith(".raw"))) is None:
            return None
        else:
            attributes["path"] = f"/mnt/{POOL}/{iso}"
        made = {**attributes, "path": f"/dev/zvol/{POOL}/{volume}"} if kind == "DISK" else attributes
        return await self._with_devices(
            api,
            name,
            "vm.device.create",
            {"attributes": attributes},
            [],
            [said({"attributes": made})],
            change,
        )

    async def _with_devices(
        self,
        api: Api,
        name: str,
        method: str,
        given: dict[str, Any],
        less: list[str],
        more: list[str],
        change: World,
    ) -> Step:
        row = await self.row(api, name)
        had = self.world[f"vm {name}"]
        devices = list(had["devices"])
        for each in less:
            devices.remove(each)
        change[f"vm {name}"] = {**had, "devices": sorted([*devices, *more])}
        return self.step(method, [{"vm": row["id"], **given}], change)

    async def _device(self, api: Api, *kinds: str) -> tuple[str, dict[str, Any]] | None:
        """One of the devices of a VM that is off."""
        name = self.some("vm", self.is_off)
        if name is None:
            return None
        found = [
            each for each in (await self.row(api, name))["devices"] if each["attributes"]["dtype"] in kinds
        ]
        return (name, self.dice.choice(found)) if found else None

    async def do_change_device(self, api: Api) -> Step | None:
        """A file grows. It may have grown when nobody knows of that yet: nothing is lost."""
        if (found := await self._device(api, "RAW")) is None:
            return None
        name, device = found
        file = device["attributes"]["path"].removeprefix(f"/mnt/{POOL}/")
        size, head = self.world[f"file {file}"]
        had, grown = self.world[f"vm {name}"], {f"file {file}": [size + SIZE, head]}
        new = said({"attributes": {**device["attributes"], "size": size + SIZE}})
        devices = sorted([new if each == said(device) else each for each in had["devices"]])
        params = [device["id"], {"attributes": {"size": size + SIZE}}]
        both = {**grown, f"vm {name}": {**had, "devices": devices}}
        return self.step("vm.device.update", params, grown, both)

    async def do_move_device(self, api: Api) -> Step | None:
        if (found := await self._device(api, "NIC", "DISK", "RAW")) is None:
            return None
        name, device = found
        other = self.some("vm", lambda each: each != name and self.is_off(each))
        if other is None:
            return None
        target = (await self.row(api, other))["id"]
        source, sink = deepcopy(self.world[f"vm {name}"]), deepcopy(self.world[f"vm {other}"])
        source["devices"].remove(said(device))
        sink["devices"] = sorted([*sink["devices"], said(device)])
        change = {f"vm {name}": source, f"vm {other}": sink}
        return self.step("vm.device.update", [device["id"], {"vm": target}], change)

    async def do_remove_device(self, api: Api) -> Step | None:
        if (found := await self._device(api, "NIC", "DISK", "RAW", "CDROM", "DISPLAY")) is None:
            return None
        name, device = found
        had = deepcopy(self.world[f"vm {name}"])
        had["devices"].remove(said(device))
        change: World = {f"vm {name}": had}
        kind, path = device["attributes"]["dtype"], device["attributes"].get("path") or ""
        with_storage = self.dice.random() < 0.5
        if with_storage and kind == "DISK":
            volume = path.removeprefix(f"/dev/zvol/{POOL}/")
            if self.snapshots_of(volume):
                return None
            change[f"volume {volume}"] = None
        elif with_storage and kind == "RAW":
            change[f"file {path.removeprefix(f'/mnt/{POOL}/')}"] = None
        options = {"zvol": with_storage, "raw_file": with_storage}
        return self.step("vm.device.delete", [device["id"], options], change)
