"""What clients do to volumes and files."""

import base64

from tests.e2e.random.worker import MOST, POOL, SIZE, Step, Worker
from tests.harness import Api


class Storage(Worker):
    """Volumes, snapshots, folders and images."""

    async def do_create_volume(self, api: Api) -> Step | None:
        name = self.new()
        if len(self.all("volume")) > 3 * MOST:
            return None
        given = {"name": f"{POOL}/{name}", "type": "VOLUME", "volsize": SIZE, "comments": name}
        change = {f"volume {name}": [SIZE, ""], f"comments {name}": name}
        return self.step("pool.dataset.create", [given], change)

    async def do_create_filesystem(self, api: Api) -> Step | None:
        if len(self.all("filesystem")) >= MOST:
            return None
        above, name = self.new(), self.new()
        given = {"name": f"{POOL}/{above}/{name}", "create_ancestors": True}
        change = {f"filesystem {above}": True, f"filesystem {above}/{name}": True}
        return self.step("pool.dataset.create", [given], change)

    async def do_delete_filesystem(self, api: Api) -> Step | None:
        if (name := self.some("filesystem", lambda name: "/" not in name)) is None:
            return None
        gone = {
            f"filesystem {each}": None
            for each in self.all("filesystem")
            if each == name or each.startswith(f"{name}/")
        }
        return self.step("pool.dataset.delete", [f"{POOL}/{name}", {"recursive": True}], gone)

    async def do_comment_volume(self, api: Api) -> Step | None:
        if (name := self.some("volume")) is None:
            return None
        text = self.new()
        return self.step(
            "pool.dataset.update", [f"{POOL}/{name}", {"comments": text}], {f"comments {name}": text}
        )

    def snapshots_of(self, volume: str) -> list[str]:
        """The snapshots of a volume."""
        return [each for each in self.all("snapshot") if each.startswith(f"{volume}@")]

    def _free_volume(self) -> str | None:
        used = {
            each.rpartition("/")[2] for name in self.all("vm") for each in self.world[f"vm {name}"]["devices"]
        }
        return self.some("volume", lambda name: name not in used)

    async def do_delete_volume(self, api: Api) -> Step | None:
        if (name := self._free_volume()) is None:
            return None
        snapshots = {f"snapshot {each}": None for each in self.snapshots_of(name)}
        gone = {f"volume {name}": None, f"comments {name}": None, **snapshots}
        return self.step("pool.dataset.delete", [f"{POOL}/{name}", {"recursive": True}], gone)

    async def do_snapshot(self, api: Api) -> Step | None:
        if (name := self.some("volume")) is None or len(self.all("snapshot")) >= MOST:
            return None
        id = f"{name}@{self.new()}"
        given = {"dataset": f"{POOL}/{name}", "name": id.partition("@")[2]}
        return self.step("pool.snapshot.create", [given], {f"snapshot {id}": self.world[f"volume {name}"]})

    async def do_clone_snapshot(self, api: Api) -> Step | None:
        if (id := self.some("snapshot")) is None or len(self.all("volume")) > 3 * MOST:
            return None
        name = self.new()
        given = {"snapshot": f"{POOL}/{id}", "dataset_dst": f"{POOL}/{name}"}
        return self.step("pool.snapshot.clone", [given], {f"volume {name}": self.world[f"snapshot {id}"]})

    async def do_delete_snapshot(self, api: Api) -> Step | None:
        if (id := self.some("snapshot")) is None:
            return None
        return self.step("pool.snapshot.delete", [f"{POOL}/{id}"], {f"snapshot {id}": None})

    async def do_upload(self, api: Api) -> Step | None:
        """An image; over one that is there, now and then."""
        name = self.some("file", lambda name: name.endswith(".raw"))
        if name is None or (self.dice.random() < 0.5 and len(self.all("file")) < 3 * MOST):
            name = f"{self.new()}.raw"
        head = f"{self.dice.randrange(10**8):08}"
        data = head.encode().ljust(SIZE, b"\0")
        params = [f"/mnt/{POOL}/{name}", base64.b64encode(data).decode()]
        return self.step("filesystem.file_receive", params, {f"file {name}": [SIZE, head]})

    async def do_make_folder(self, api: Api) -> Step | None:
        if len(self.all("folder")) >= MOST:
            return None
        name = self.new()
        return self.step("filesystem.mkdir", [{"path": f"/mnt/{POOL}/{name}"}], {f"folder {name}": True})

    async def do_fill(self, api: Api) -> Step | None:
        """An image into a volume."""
        source, target = self.some("file", lambda name: name.endswith(".raw")), self._free_volume()
        if source is None or target is None:
            return None
        size, head = self.world[f"volume {target}"][0], self.world[f"file {source}"][1]
        change = {f"volume {target}": [size, head]}
        if self.dice.random() < 0.5:
            given = {"diskimg": f"/mnt/{POOL}/{source}", "zvol": f"{POOL}/{target}"}
            return self.step("vm.import_disk_image", [given], change)
        given = {"source": f"/mnt/{POOL}/{source}", "destination": f"/dev/zvol/{POOL}/{target}"}
        return self.step("vm.device.convert", [given], change)

    async def do_dump(self, api: Api) -> Step | None:
        """A volume into a new image."""
        if (source := self._free_volume()) is None or len(self.all("file")) > 3 * MOST:
            return None
        if self.dice.random() < 0.5:
            name = f"{self.new()}.raw"
            given = {"source": f"/dev/zvol/{POOL}/{source}", "destination": f"/mnt/{POOL}/{name}"}
            return self.step("vm.device.convert", [given], {f"file {name}": self.world[f"volume {source}"]})
        given = {"format": "raw", "directory": f"/mnt/{POOL}", "zvol": f"{POOL}/{source}"}
        change = {f"file vmdisk-{source}.raw": self.world[f"volume {source}"]}
        return self.step("vm.export_disk_image", [given], change)
