"""``system.readiness``: whether this host can run VMs, and what would mend it."""

from typing import Literal

from vmstead.ctx import Ctx
from vmstead.kernel.model import Field, Model
from vmstead.rpc.registry import Namespace

system = Namespace("system")


class ReadinessFinding(Model):
    """One prerequisite."""

    name: str = Field(description="What it is about.")
    verdict: Literal["GOOD", "POOR", "MISSING"] = Field(
        description="POOR works, with a limit worth knowing; with MISSING no VM can run."
    )
    text: str = Field(description="What was found.")
    mend: str | None = Field(
        description="The command that mends it, or what to do; null when there is nothing."
    )


@system.method(role="VM_READ", returns=list[ReadinessFinding])
async def readiness(ctx: Ctx) -> list[dict[str, object]]:
    """Every prerequisite of running VMs on this host, as ``vmstead doctor`` has them. Takes a second or two."""
    return [
        {
            "name": finding.name,
            "verdict": finding.verdict.name,
            "text": finding.text,
            "mend": finding.mend,
        }
        async for finding in ctx.examine()
    ]
