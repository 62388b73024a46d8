"""By what clients find out whom they talk to: versions, and what only an appliance has.

The latter is answered with what is so on any other machine: no failover, no licence.
"""

from typing import Literal

from vmstead import __version__
from vmstead.ctx import Ctx
from vmstead.rpc.registry import Namespace

system = Namespace("system")
failover = Namespace("failover")
truenas = Namespace("truenas")
vmstead = Namespace("vmstead")

#: The TrueNAS release whose API this is. Clients read it to know which methods and fields there are.
API_VERSION = "25.10.5"


@vmstead.method()
async def version(ctx: Ctx) -> str:
    """The version of Vmstead."""
    return __version__


@system.method()
async def version_(ctx: Ctx) -> str:
    """The TrueNAS release whose API this server speaks, with its name: ``TrueNAS-25.10.5``."""
    return f"TrueNAS-{API_VERSION}"


@system.method()
async def version_short(ctx: Ctx) -> str:
    """The TrueNAS release whose API this server speaks: ``25.10.5``."""
    return API_VERSION


@system.method(role="SYSTEM_PRODUCT_READ")
async def product_type(ctx: Ctx) -> Literal["COMMUNITY_EDITION", "ENTERPRISE"]:
    """What is sold: nothing, so it is the edition that takes no licence."""
    return "COMMUNITY_EDITION"


@system.method(role="SYSTEM_PRODUCT_READ")
async def feature_enabled(ctx: Ctx, feature: Literal["DEDUP", "FIBRECHANNEL", "VM"]) -> bool:
    """Whether something can be used that an appliance may need a licence for: virtual machines can."""
    return feature == "VM"


@failover.method(role="FAILOVER_READ")
async def licensed(ctx: Ctx) -> bool:
    """Whether a second machine stands by: none does."""
    return False


@failover.method(role="FAILOVER_READ")
async def status(ctx: Ctx) -> str:
    """This machine's part in a pair: SINGLE, as there is no other."""
    return "SINGLE"


@failover.method(role="FAILOVER_READ")
async def node(ctx: Ctx) -> str:
    """This machine's place in a chassis for two: MANUAL, as there is none."""
    return "MANUAL"


@truenas.method(role="SYSTEM_PRODUCT_READ")
async def is_ix_hardware(ctx: Ctx) -> bool:
    """Whether the machine was made by TrueNAS's own maker: this server runs on others, and does not look."""
    return False


@truenas.method(role="SYSTEM_PRODUCT_READ")
async def managed_by_truecommand(ctx: Ctx) -> bool:
    """Whether a TrueCommand is in charge: none can be."""
    return False
