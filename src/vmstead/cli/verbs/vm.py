"""``vmstead vm``: which verbs there are, and where."""

from vmstead.cli.verbs.here import server_group

_VERBS = "vmstead.cli.verbs"


@server_group(
    {
        "Look": {
            "list": (f"{_VERBS}.vms:list_", "List the virtual machines."),
            "show": (f"{_VERBS}.vms:show", "Show everything about a virtual machine."),
            "console": (f"{_VERBS}.look:console", "Sit at a virtual machine's serial console."),
            "display": (f"{_VERBS}.look:display", "Print where a virtual machine's screen is, or open it."),
            "log": (f"{_VERBS}.look:log", "Print what QEMU, or the guest at its console, has said."),
            "events": (f"{_VERBS}.look:events", "Print what happens to virtual machines, as it happens."),
        },
        "Run": {
            "start": (f"{_VERBS}.power:start", "Start virtual machines."),
            "stop": (
                f"{_VERBS}.power:stop",
                "Shut virtual machines down, side by side, and wait until they are off.",
            ),
            "restart": (f"{_VERBS}.power:restart", "Stop a virtual machine and start it anew."),
            "poweroff": (f"{_VERBS}.power:poweroff", "Turn a virtual machine off at once."),
            "reset": (f"{_VERBS}.power:reset", "Press a virtual machine's reset button."),
            "suspend": (f"{_VERBS}.power:suspend", "Halt a virtual machine where it is."),
            "resume": (f"{_VERBS}.power:resume", "Let a suspended virtual machine go on."),
            "wait": (f"{_VERBS}.power:wait", "Wait until a virtual machine is in a state."),
        },
        "Change": {
            "create": (
                f"{_VERBS}.create:create",
                "Make a virtual machine, with a disk, a network and a screen.",
            ),
            "set": (f"{_VERBS}.vms:set_", "Change fields of a virtual machine."),
            "devices": (f"{_VERBS}.devices:devices", "Disks, network cards and other devices."),
            "snapshot": (f"{_VERBS}.snapshots:snapshot", "Keep the state of a virtual machine's disks."),
            "clone": (f"{_VERBS}.vms:clone", "Copy a virtual machine with its disks."),
            "delete": (f"{_VERBS}.vms:delete", "Delete a virtual machine."),
        },
    }
)
def vm() -> None:
    """Virtual machines: make, run, look at and delete them. Each is named by its name or its id."""
