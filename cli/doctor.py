"""`nfgen doctor`: what this machine offers, and what to mend."""

import sys

import click

from . import options


@click.command()
@options.as_json
def doctor(as_json: bool) -> None:
    """Examine the installation: versions, extras, plug-ins, devices, bfloat16, threads, memory and disk.

    \b
    nfgen doctor
    nfgen doctor --json
    """
    import json

    from nfgen.pipeline.doctor import examine, lines

    found = examine()
    if as_json:
        click.echo(json.dumps(found, allow_nan=False))
    else:
        for line in lines(found):
            click.echo(line)
    if found["errors"]:
        sys.exit(1)
