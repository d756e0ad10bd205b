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
    from nfgen.pipeline.doctor import examine, lines

    found = examine()
    options.say(found, lines(found), as_json)
    if found["errors"]:
        sys.exit(1)
