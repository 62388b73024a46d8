"""VMs and their devices as rows: plain dictionaries in the shape of the API, without what is computed.

Reads go to the database as it is now; writes are functions for ``Database.write``, so that a use case can
put several into one transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from vmstead.store.db import Connection, Database
from vmstead.store.kept import MOST, Kept, Stored
from vmstead.store.seal import Seal
from vmstead.store.unfinished import Kind, drop

Row: TypeAlias = dict[str, Any]

#: Columns of table ``vm`` in the order in which the API shows them.
COLUMNS = (
    "id",
    "name",
    "description",
    "vcpus",
    "cores",
    "threads",
    "memory",
    "min_memory",
    "autostart",
    "time",
    "bootloader",
    "bootloader_ovmf",
    "cpu_mode",
    "cpu_model",
    "cpuset",
    "nodeset",
    "hugepages",
    "enable_cpu_topology_extension",
    "pin_vcpus",
    "hyperv_enlightenments",
    "shutdown_timeout",
    "hide_from_msr",
    "ensure_display_device",
    "suspend_on_snapshot",
    "trusted_platform_module",
    "enable_secure_boot",
    "arch_type",
    "machine_type",
    "uuid",
    "command_line_args",
)
#: Those that hold yes or no; SQLite has only numbers for it.
_BOOLEANS = (
    "autostart",
    "enable_cpu_topology_extension",
    "pin_vcpus",
    "hyperv_enlightenments",
    "hide_from_msr",
    "ensure_display_device",
    "suspend_on_snapshot",
    "trusted_platform_module",
    "enable_secure_boot",
)
_SELECT_VM = f"SELECT {', '.join(COLUMNS)} FROM vm"  # noqa: S608 - names of our own
_SELECT_DEVICE = 'SELECT id, vm, "order", attributes FROM vm_device'


class VmStore:
    """VMs and devices in a database.

    Rows are copies, which whoever asks may change; ``stored`` and ``all_stored`` give what all share.
    """

    def __init__(self, database: Database, seal: Seal, most_kept: int = MOST) -> None:
        self._database = database
        self._seal = seal
        self._kept = Kept(database, self._read, most_kept)

    # --- reading --------------------------------------------------------------------------------

    def stored(self, id: int) -> Stored | None:
        """The VM with that id, and its devices by their ids."""
        return self._kept.get(id)

    def all_stored(self) -> list[Stored]:
        """Every VM by id, with its devices by theirs."""
        return self._kept.all()

    def all(self) -> list[Row]:
        """Every VM, by id."""
        return [{**each.row} for each in self._kept.all()]

    def by_id(self, id: int) -> Row | None:
        """The VM with that id."""
        found = self._kept.get(id)
        return None if found is None else {**found.row}

    def id_of_uuid(self, uuid: str) -> int | None:
        """The id of the VM whose domain has that uuid."""
        return self._id("uuid", uuid)

    def id_of_name(self, name: str) -> int | None:
        """The id of the VM with that name."""
        return self._id("name", name)

    def ids(self) -> dict[str, int]:
        """The id of every VM by its uuid."""
        rows = self._database.read("SELECT uuid, id FROM vm ORDER BY id")
        return {str(uuid): _int(id) for uuid, id in rows}

    def all_devices(self) -> list[Row]:
        """Every device of every VM, by id."""
        devices = (_copied(device) for each in self._kept.all() for device in each.devices)
        return sorted(devices, key=lambda device: _int(device["id"]))

    def devices_of(self, vm: int) -> list[Row]:
        """A VM's devices, by id."""
        found = self._kept.get(vm)
        return [] if found is None else [_copied(device) for device in found.devices]

    def device(self, id: int) -> Row | None:
        """The device with that id."""
        return next(iter(self._devices("WHERE id = ?", _key(id))), None)

    def _read(self, id: int | None) -> Iterator[Stored]:
        """The VM with that id, or every VM, with its devices."""
        where, parameters = ("", ()) if id is None else ("WHERE {} = ?", (_key(id),))
        devices: dict[int, list[Row]] = {}
        for device in self._devices(f"{where.format('vm')} ORDER BY id", *parameters):
            devices.setdefault(device["vm"], []).append(device)
        for row in self._vms(f"{where.format('id')} ORDER BY id", *parameters):
            yield Stored(row, devices.get(row["id"], []))

    def _id(self, column: str, value: str) -> int | None:
        sql = f"SELECT id FROM vm WHERE {column} = ?"  # noqa: S608 - names of our own
        return next((_int(row[0]) for row in self._database.read(sql, (value,))), None)

    def _vms(self, rest: str, *parameters: object) -> list[Row]:
        rows = [
            dict(zip(COLUMNS, row, strict=True))
            for row in self._database.read(f"{_SELECT_VM} {rest}", parameters)
        ]
        for row in rows:
            for column in _BOOLEANS:
                row[column] = bool(row[column])
        return rows

    def _devices(self, rest: str, *parameters: object) -> list[Row]:
        return [
            {
                "id": id,
                "attributes": self._seal.open(msgspec.json.decode(str(attributes))),
                "vm": vm,
                "order": order,
            }
            for id, vm, order, attributes in self._database.read(f"{_SELECT_DEVICE} {rest}", parameters)
        ]

    # --- writing --------------------------------------------------------------------------------

    def insert(self, vm: Mapping[str, object]) -> Callable[[Connection], int]:
        """A write that adds a VM and returns its id."""
        columns = [column for column in COLUMNS if column in vm]
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO vm ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of our own

        def change(connection: Connection) -> int:
            id = _int(connection.execute(sql, [vm[column] for column in columns]).lastrowid)
            drop(connection, vm["uuid"], Kind.FIRMWARE)
            return id

        return change

    def insert_with_devices(
        self, vm: Mapping[str, object], devices: Iterable[tuple[int | None, Mapping[str, object]]]
    ) -> Callable[[Connection], list[int]]:
        """A write that adds a VM with devices, each with its order, and returns all their ids, the VM's first."""
        insert = self.insert(vm)

        def change(connection: Connection) -> list[int]:
            id = insert(connection)
            return [id, *(self.insert_device(id, *device)(connection) for device in devices)]

        return change

    def update(self, id: int, changes: Mapping[str, object]) -> Callable[[Connection], None]:
        """A write that changes columns of a VM."""
        columns = [column for column in COLUMNS if column in changes]
        settings = ", ".join(f"{column} = ?" for column in columns)
        sql = f"UPDATE vm SET {settings} WHERE id = ?"  # noqa: S608 - names of our own

        def change(connection: Connection) -> None:
            if columns:
                connection.execute(sql, [*(changes[column] for column in columns), id])

        return change

    def delete(self, id: int) -> Callable[[Connection], None]:
        """A write that removes a VM with its devices."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM vm_device WHERE vm = ?", (id,))
            connection.execute("DELETE FROM vm WHERE id = ?", (id,))

        return change

    def insert_device(
        self,
        vm: int,
        order: int | None,
        attributes: Mapping[str, object],
        orders: Mapping[int, int] | None = None,
    ) -> Callable[[Connection], int]:
        """A write that adds a device, gives siblings their new ``orders``, and returns the device's id."""
        sealed = msgspec.json.encode(self._seal.close(attributes)).decode()

        def change(connection: Connection) -> int:
            cursor = connection.execute(
                'INSERT INTO vm_device (vm, "order", attributes) VALUES (?, ?, ?)', (vm, order, sealed)
            )
            drop(connection, attributes.get("path"), Kind.VOLUME, Kind.FILE)
            _set_orders(connection, orders or {})
            return _int(cursor.lastrowid)

        return change

    def restore_device(
        self, id: int, vm: int, order: int | None, attributes: Mapping[str, object]
    ) -> Callable[[Connection], None]:
        """A write that puts a device back that was removed, and drops the note about its storage."""
        insert = self.insert_device(vm, order, attributes)

        def change(connection: Connection) -> None:
            connection.execute("UPDATE vm_device SET id = ? WHERE id = ?", (id, insert(connection)))

        return change

    def update_device(
        self,
        id: int,
        vm: int,
        order: int | None,
        attributes: Mapping[str, object],
        orders: Mapping[int, int] | None = None,
    ) -> Callable[[Connection], None]:
        """A write that replaces a device and gives siblings their new ``orders``."""
        sealed = msgspec.json.encode(self._seal.close(attributes)).decode()

        def change(connection: Connection) -> None:
            connection.execute(
                'UPDATE vm_device SET vm = ?, "order" = ?, attributes = ? WHERE id = ?',
                (vm, order, sealed, id),
            )
            drop(connection, attributes.get("path"), Kind.VOLUME, Kind.FILE)
            _set_orders(connection, orders or {})

        return change

    def delete_device(self, id: int) -> Callable[[Connection], None]:
        """A write that removes a device."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM vm_device WHERE id = ?", (id,))

        return change

    async def write(self, *changes: Callable[[Connection], object]) -> object:
        """Carry out writes in one transaction; returns what the first of them returned."""
        return (await self.write_all(changes))[0]

    async def write_all(self, changes: Iterable[Callable[[Connection], object]]) -> list[object]:
        """Carry out writes in one transaction; returns what each of them returned."""
        return await self._database.write(lambda connection: [change(connection) for change in changes])


def _set_orders(connection: Connection, orders: Mapping[int, int]) -> None:
    changes: Iterable[tuple[int, int]] = ((order, id) for id, order in orders.items())
    connection.executemany('UPDATE vm_device SET "order" = ? WHERE id = ?', changes)


def _copied(device: Row) -> Row:
    return {**device, "attributes": {**device["attributes"]}}


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _key(id: int) -> int:
    """An id as SQLite can look it up: it has 64 bits, a client's number may have more."""
    return id if -(2**63) <= id < 2**63 else -1
