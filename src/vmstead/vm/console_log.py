"""``vm.console_log``: what a guest has written to its serial console."""

from vmstead.ctx import Ctx
from vmstead.kernel.model import Field, Model
from vmstead.kernel.terminal import replayed
from vmstead.rpc.registry import Namespace
from vmstead.vm.entries import find

vm = Namespace("vm")

#: Bytes of a log that fit into an answer.
_TAIL = 64 * 1024


class ConsoleLogOptions(Model):
    """Which log."""

    previous: bool = Field(False, description="That of the run before the latest.")


@vm.method(role="VM_WRITE", audit="")
async def console_log(ctx: Ctx, id: int, options: ConsoleLogOptions = ConsoleLogOptions()) -> str:
    """The end of what a guest has written to its serial console, whether it runs or not, at most 64 KiB of it.

    Empty where nothing is kept. Who may see it is who may sit at the console. Fails with ENOENT when there is no
    such virtual machine.
    """
    uuid, logs = find(ctx, id).uuid, ctx.console_logs
    if options.previous:
        data = await logs.previous(uuid, _TAIL)
    else:
        data = await logs.tail(uuid, _TAIL, await logs.length(uuid))
    # Shown on a terminal, nothing in it makes the terminal answer.
    return replayed(data, is_cut=len(data) == _TAIL).decode(errors="replace")
