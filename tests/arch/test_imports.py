"""Programs that must start fast load only what they need."""

import json
import sys

from vmstead.kernel.run import run

HEAVY = {
    "pydantic",
    "aiohttp",
    "asyncio",
    "libvirt",
    "msgspec",
    "structlog",
    "cryptography",
    "argon2",
    "click",
}


async def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a statement leaves loaded."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    modules: list[str] = json.loads(await run([sys.executable, "-c", program]))
    return {name.partition(".")[0] for name in modules}


async def test_midclt_loads_nothing_heavy() -> None:
    assert await loaded_by("import vmstead.cli.midclt") & HEAVY == set()


async def test_the_command_line_loads_what_the_subcommand_needs() -> None:
    verbs = ("create", "devices", "image", "job", "look", "power", "snapshots", "vm", "vms", "volume")
    modules = ", ".join(f"vmstead.cli.verbs.{name}" for name in verbs)
    assert await loaded_by(f"import vmstead.cli.main, {modules}") & (HEAVY - {"click"}) == set()


async def test_the_keeper_loads_nothing_but_the_standard_library() -> None:
    assert await loaded_by("import vmstead.adapters.keeper") & HEAVY == set()


async def test_the_server_loads_rarely_needed_libraries_when_they_are_needed() -> None:
    late = {"prometheus_client", "cryptography", "argon2", "click", "pyroute2"}
    assert await loaded_by("import vmstead.app") & late == set()
