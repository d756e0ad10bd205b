"""Charts, heat maps of weights, and animations, by matplotlib and Pillow."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from nfgen import Field, FieldSpec
from nfgen.fields.mlp import neuron_rows
from nfgen.pipeline.sample_set import image_picture
from nfgen.viz.contact_sheet import Picture
from nfgen.viz.render import render_image, render_mesh

mpl.rcParams |= {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 75,
    "savefig.dpi": 110,
}
GAP = 2  # empty columns between the layers of a heat map


def field_picture(field: Field, size: int = 112, resolution: int = 48) -> Picture:
    """What a field shows."""
    if field.spec.output == "brightness":
        return image_picture(field, size)
    if field.spec.dims == 2:
        return render_image(field.signed_image(size).numpy(), size)
    return render_mesh(field.mesh(resolution), size)


def weight_map(spec: FieldSpec, weights: Tensor) -> np.ndarray:
    """Weights [P] as one picture: the layers from left to right, a row a neuron, its bias last; NaN between them."""
    layers = [rows[0].numpy() for rows in neuron_rows(spec, weights[None])]
    height = max(len(rows) for rows in layers)
    padded = [
        np.pad(rows.astype(np.float64), ((0, height - len(rows)), (0, GAP)), constant_values=np.nan) for rows in layers
    ]
    return np.concatenate(padded, axis=1)[:, :-GAP]


def picture_grid(
    path: Path, rows: Sequence[tuple[str, Sequence[Picture]]], titles: Sequence[str] = (), size: float = 0.8
) -> Path:
    """Pictures in rows that have names, under titles."""
    columns = max(len(pictures) for _, pictures in rows)
    figure = Figure(figsize=(size * columns + 1.3, size * len(rows) + 0.3), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, pictures) in zip(axes, rows, strict=True):
        for place in line:
            place.set_axis_off()
        for place, picture in zip(line, pictures, strict=False):
            place.imshow(picture)
        line[0].text(-0.1, 0.5, name, transform=line[0].transAxes, ha="right", va="center")
    for place, title in zip(axes[0], titles, strict=False):
        place.set_title(title, fontsize=8)
    return save(figure, path)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def save_animation(path: Path, frames: Sequence[Figure], seconds: float = 0.4) -> Path:
    """Write figures as a GIF that stays at its end for a while."""
    pictures = []
    for figure in frames:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(48))
    milliseconds = [round(1000 * seconds)] * (len(pictures) - 1) + [2000]
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)
    return path
