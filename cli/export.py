"""`nfgen export`: fields to the files of other programs."""

from pathlib import Path

import click

from . import options


@click.command()
@click.argument("source", type=options.artifact)
@click.option(
    "--format",
    type=click.Choice(["glb", "obj", "ply", "stl", "off", "3mf", "onnx"]),
    help="Of the files. [default: by the suffix of OUT, or glb]",
)
@click.option(
    "--resolution", type=click.IntRange(8, 1024), default=128, show_default=True, help="Marching cubes cells."
)
@click.option("-n", "limit", type=options.count, help="Only the first so many fields of a folder.")
@options.overwrite
@options.quiet
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="File to write; folder for a folder.")
def export(source: Path, format: str | None, resolution: int, limit: int | None, overwrite: bool, out: Path) -> None:
    """Write the fields of SOURCE, a field file, field set or samples, as meshes or as ONNX graphs.

    \b
    nfgen export out/sample-0000.safetensors --resolution 256 -o chair.stl
    nfgen export out --format onnx -o graphs
    """
    from nfgen.pipeline.export import export

    files = export(source, out, format, resolution=resolution, limit=limit, overwrite=overwrite)
    click.echo(f"{len(files)} {files[0].suffix[1:] if files else format} file{'s' * (len(files) != 1)} written: {out}")
