"""`nfgen export`: fields to the files of other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import ExportConfig


@click.command(
    cls=ConfigCommand,
    config="nfgen.pipeline.config:ExportConfig",
    kind="export",
    spellings={"limit": ("-n", "--limit")},
)
@click.argument("source", type=options.artifact)
@options.overwrite
@options.quiet
@click.option("-o", "--out", type=options.path, required=True, help="File to write; folder for a folder.")
def export(source: Path, config: "ExportConfig", overwrite: bool, out: Path) -> None:
    """Write the fields of SOURCE, a field file, field set or samples, as meshes or as ONNX graphs.

    \b
    nfgen export out/sample-0000.safetensors --resolution 256 -o chair.stl
    nfgen export out --format 3mf --height 120mm --printable -o prints
    """
    from nfgen.pipeline.export import export

    files = export(source, out, config, overwrite=overwrite)
    ending = files[0].suffix[1:] if files else config.format or "glb"
    click.echo(f"{len(files)} {ending} file{'s' * (len(files) != 1)} written: {out}")
    if files and (note := config.meshing.size_note(ending)) is not None:
        click.echo(note)
