"""`nfgen completion`: a shell that completes commands, options and paths."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_NFGEN_COMPLETE"
WHERE = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/nfgen.fish"}


@click.command()
@click.argument("shell", type=click.Choice(list(WHERE)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete nfgen's commands, options and paths with the tabulator key.

    \b
    nfgen completion bash >> ~/.bashrc
    nfgen completion fish > ~/.config/fish/completions/nfgen.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(ctx.find_root().command, {}, "nfgen", VARIABLE).source())
    click.echo(f"put this into {WHERE[shell]}, and start a new shell", err=True)
