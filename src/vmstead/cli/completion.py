"""``vmstead completion``."""

import click
from click.shell_completion import get_completion_class


@click.command(
    epilog="""\b
Examples:
  echo 'eval "$(vmstead completion bash)"' >> ~/.bashrc
  echo 'eval "$(vmstead completion zsh)"' >> ~/.zshrc
  vmstead completion fish > ~/.config/fish/completions/vmstead.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Make a shell complete commands and names.

    Prints what the shell has to read at its start. Names of virtual machines are asked of the server that the
    command would speak to; where that takes a login by password, there are none.
    """
    from vmstead.cli.main import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "vmstead", "_VMSTEAD_COMPLETE").source())
