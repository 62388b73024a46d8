"""A real guest from the command line for people: from its image to its end."""

from tests.guest.guests import host
from tests.processes import Result, vmstead
from vmstead.demo.guest import build, default_cache


async def test_an_image_is_sent_made_a_vm_of_looked_at_and_deleted() -> None:
    image = await build(default_cache())
    with host() as here:

        async def command(*arguments: str, stdin: str = "") -> Result:
            result = await vmstead(*arguments, stdin=stdin, env={"VMSTEAD_URI": here.uri})
            assert result.status == 0, result
            return result

        async with here.serving():
            await command("image", "upload", str(image), "demo.raw")
            await command(
                *("vm", "create", "web01", "--image", "demo.raw", "--memory", "256M", "--cpus", "1"),
                *("--nic", "user", "--description", "A guest", "--start"),
            )
            # Typed as soon as it is there, and read when the guest has come so far.
            with here.console(1) as console:
                console.log_in()
            session = await command(
                "vm", "console", "web01", "--linger", "5", stdin="echo $((6 * 7))-is-the-answer\n"
            )
            assert "42-is-the-answer" in session.stdout
            await command("vm", "set", "web01", "description=Another")
            await command("vm", "suspend", "web01")
            await command("vm", "resume", "web01")
            shown = (await command("vm", "list")).stdout.splitlines()
            assert shown[1].split()[1:3] == ["web01", "RUNNING"]
            assert "42-is-the-answer" in (await command("vm", "log", "web01", "--console")).stdout
            await command("vm", "snapshot", "create", "web01", "before")
            stopped = await command("vm", "stop", "web01")
            assert stopped.stdout == "web01 is stopped.\n"
            await command("image", "export", "default/web01", "copy.qcow2")
            await command("vm", "snapshot", "delete", "web01", "before", "--yes")
            await command("vm", "delete", "web01", "--volumes", "--yes")
            assert (await command("volume", "list")).stdout == "VOLUME  SIZE  USED  VM\n"
