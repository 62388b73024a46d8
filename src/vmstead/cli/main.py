"""``vmstead``: the server and what belongs to it, as one command.

Each subcommand's module is loaded only when it is used: the server's parts are large, the rest is quick.
"""

import click

from vmstead import __version__
from vmstead.cli.lazy import LazyGroup

_SECTIONS = {
    "Commands": {
        "serve": ("vmstead.cli.serve:serve", "Run the server."),
        "doctor": (
            "vmstead.cli.doctor:doctor",
            "Check that this machine can run VMs, and say how to mend what cannot.",
        ),
        "vm": ("vmstead.cli.verbs.vm:vm", "Virtual machines: make, run, look at and delete them."),
        "job": ("vmstead.cli.verbs.job:job", "What the server is doing, and has done."),
        "image": ("vmstead.cli.verbs.image:image", "Disk images and ISO files, to and from the server."),
        "volume": ("vmstead.cli.verbs.volume:volume", "Volumes: the disks of virtual machines."),
        "network": (
            "vmstead.cli.network:network",
            "Networks for virtual machines: behind this machine's address, or bridges over its cards.",
        ),
        "user": ("vmstead.cli.accounts:user", "Accounts that may log in."),
        "api-key": ("vmstead.cli.api_keys:api_key", "API keys of accounts."),
        "config": ("vmstead.cli.settings:config", "Show the settings and where they come from."),
        "backup": (
            "vmstead.cli.backup:backup",
            "Save the settings: machines, accounts, keys; not the disks.",
        ),
        "restore": ("vmstead.cli.backup:restore", "Put saved settings in place of those that are there."),
        "reference": ("vmstead.cli.reference:reference", "Write the API reference."),
        "demo": ("vmstead.cli.demo:demo", "Make and start a small Linux guest to look at."),
        "completion": ("vmstead.cli.completion:completion", "Make a shell complete commands and names."),
    }
}


@click.command(cls=LazyGroup, sections=_SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vmstead")
def main() -> None:
    """Virtual machines on this host, with the TrueNAS VM API."""


if __name__ == "__main__":
    main()
