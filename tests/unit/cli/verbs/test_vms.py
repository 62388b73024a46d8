"""Listing, showing, changing, copying and deleting VMs."""

from pathlib import Path

import pytest

from tests.unit.cli.verbs.desk import desk


async def test_the_list_is_a_table_for_people_and_json_for_programs(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert await at.done("vm", "list") == "ID  NAME  STATE  PID  CPUS  MEMORY  DESCRIPTION\n"
        await at.vm(vcpus=2, cores=3, description="The web server\nof the house")
        await at.vm("db01")
        await at.done("vm", "start", "db01")
        (pid,) = [row["status"]["pid"] for row in await at.json("vm", "list", "--state", "running")]
        assert (await at.done("vm", "list")).splitlines() == [
            "ID  NAME   STATE    PID      CPUS  MEMORY  DESCRIPTION",
            f"2   db01   RUNNING  {pid}  1     64 MiB",
            "1   web01  STOPPED  -        6     64 MiB  The web server of the house",
        ]
        assert [row["name"] for row in await at.json("vm", "list")] == ["db01", "web01"]
        assert len((await at.done("vm", "list", "--state", "stopped")).splitlines()) == 2


async def test_everything_about_a_vm_is_shown(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm(description="The web server")
        await at.done("vm", "devices", "add", "web01", "nic")
        lines = (await at.done("vm", "show", "web01")).splitlines()
        fields = dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
        assert fields["name"] == "web01"
        assert fields["state"] == "STOPPED"
        assert fields["description"] == "The web server"
        assert fields["cpuset"] == "-"
        assert fields["autostart"] == "yes"
        assert lines[-1].startswith("device 1: NIC E1000 00:a0:98:")
        assert (await at.json("vm", "show", "1"))["devices"][0]["id"] == 1


async def test_fields_are_set_as_they_are_written(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm(cpuset="0")
        settings = [
            "memory=1.5G",
            "min_memory=512",
            "autostart=false",
            "description=To be or not",
            "cpuset=null",
        ]
        assert await at.done("vm", "set", "web01", *settings) == "Changed web01.\n"
        row = await at.host.api.call("vm.get_instance", 1)
        assert (row["memory"], row["min_memory"], row["autostart"]) == (1536, 512, False)
        assert (row["description"], row["cpuset"]) == ("To be or not", None)
        await at.done("vm", "start", "web01")
        changed = await at.done("vm", "set", "web01", "min_memory=null")
        assert changed == "Changed web01; it follows at its next start.\n"
        assert (await at.json("vm", "set", "web01", "vcpus=2"))["vcpus"] == 2


@pytest.mark.parametrize(
    ("settings", "status", "text"),
    [
        (["memory"], 2, "'memory' is not understood: FIELD=VALUE is expected, such as memory=4G"),
        (["=4"], 2, "'=4' is not understood: FIELD=VALUE is expected, such as memory=4G"),
        (["memory=lots"], 2, "memory: 'lots' is no size; write it like 512M or 20G"),
        (["vcpus=1", "vcpus=2"], 2, "vcpus is given twice"),
        (["vcpus=99"], 1, "[EINVAL] vm_update.vcpus: Input should be less than or equal to 16"),
        (["colour=red"], 1, "[EINVAL] vm_update.colour: Extra inputs are not permitted"),
        (
            ["vcpus=0", "cores=0"],
            1,
            "[EINVAL] vm_update.vcpus: Input should be greater than or equal to 1; "
            "[EINVAL] vm_update.cores: Input should be greater than or equal to 1",
        ),
    ],
)
async def test_what_cannot_be_set(tmp_path: Path, settings: list[str], status: int, text: str) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        assert await at.refused("vm", "set", "web01", *settings) == (status, text)


async def test_a_copy_says_its_name(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        assert await at.done("vm", "clone", "web01") == "web01 is copied: web01_clone0 (VM 2).\n"
        assert await at.done("vm", "clone", "web01", "web02") == "web01 is copied: web02 (VM 3).\n"
        assert (await at.json("vm", "clone", "web01"))["name"] == "web01_clone1"
        status, text = await at.refused("vm", "clone", "web01", "web02")
        assert status == 1
        assert "web02" in text


async def test_who_deletes_is_told_what_is_lost_and_asked(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm(trusted_platform_module=True)
        await at.done("vm", "devices", "add", "web01", "disk", "size=1M")
        await at.done("vm", "devices", "add", "web01", "raw", "path=/mnt/default/a.img", "size=1M")
        outcome = await at.run("vm", "delete", "web01")
        assert outcome.status == 1
        assert outcome.stderr.splitlines() == [
            "VM 1 (web01) is stopped.",
            "Lost: its settings, its UEFI variables, its console log, what its TPM remembers.",
            "Kept: the volume default/web01, the file /mnt/default/a.img.",
            "Error: nobody is there to be asked; to do it without a question, add --yes",
        ]
        outcome = await at.run("vm", "delete", "web01", "--volumes", "--yes")
        assert (outcome.status, outcome.stdout) == (0, "Deleted web01.\n")
        assert (
            "Lost: its settings, its UEFI variables, its console log, what its TPM remembers, the volume"
            in (outcome.stderr)
        )
        assert await at.host.api.call("pool.dataset.query", [["type", "=", "VOLUME"]]) == []
        assert (await at.host.api.call("filesystem.stat", "/mnt/default/a.img"))["size"] == 1024 * 1024


async def test_a_vm_that_runs_is_deleted_by_force_alone(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.done("vm", "start", "web01")
        status, text = await at.refused("vm", "delete", "web01", "-y")
        assert (status, text[:7]) == (1, "[EBUSY]")
        assert await at.json("vm", "delete", "web01", "-y", "--force") is True
