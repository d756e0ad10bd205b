"""What all experiments share: the command line, sizes, data, and a folder that keeps every finished part of the work.

An interrupted experiment goes on where it stopped: each part is kept under a name made of all that it depends on, and
parts that several experiments need (fields, trained systems) are made once.
"""

import functools
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch

from nfgen import (
    FieldSet,
    FieldSpec,
    FitConfig,
    NfgenError,
    PointSamplingConfig,
    find_shapes,
    fit,
    show_progress,
    write_shapes,
)
from nfgen.io.artifact import kind_of
from nfgen.io.files import read_json, write_json
from nfgen.shapes import ShapeRef


@dataclass(frozen=True)
class Sizes:
    """How large the experiments are."""

    known: int
    """Shapes to learn from, of which a tenth is held out for losses."""
    unseen: int
    """Shapes that samples are compared with, and that nothing learns from."""
    samples: int
    """Samples of each system."""
    spec: FieldSpec
    """Architecture of the 3-D fields."""
    fit: FitConfig
    points: PointSamplingConfig
    budget: float
    """Processor seconds that the training of each model may take; 0 = four steps."""
    model: dict[str, int]
    """Layers, width and heads of the models."""
    batch: int
    """Sequences in a step of training."""
    views: int
    """Augmented token sequences a field, where a tokenizer can make them."""
    codebook: dict[str, int]
    """Settings of the codebooks of rows and chunks."""
    function_space: dict[str, Any]
    """Settings of the tokenizers that are trained: vq, graph."""
    resolution: int
    """Marching cubes cells along each axis."""
    cloud: int
    """Points of each cloud."""
    pictured: int = 6
    """Samples of each system on a picture."""


SMALL = FieldSpec(hidden=(16, 16, 16))

SIZES = {
    # A field of 816 weights, so that a GPT that writes each of them gets somewhere in its budget: on the 3,712 of the
    # talk's field it makes a dozen steps of 16 fields in the time. Two hours on two cores.
    "full": Sizes(
        known=400, unseen=200, samples=200, spec=SMALL, fit=FitConfig(), points=PointSamplingConfig(),
        budget=150.0, model={"layers": 4, "width": 128, "heads": 4}, batch=16, views=16, codebook={"codes": 256},
        function_space={"steps": 2000}, resolution=64, cloud=1024,
    ),
    "quick": Sizes(
        known=96, unseen=32, samples=32, spec=SMALL, fit=FitConfig(steps=400, points=512),
        points=PointSamplingConfig(near=3072, uniform=1024, near_eval=256, uniform_eval=2048),
        budget=10.0, model={"layers": 4, "width": 128, "heads": 4}, batch=16, views=8,
        codebook={"codes": 256, "steps": 20}, resolution=40, cloud=512,
        function_space={"steps": 200, "batch_size": 16, "points": 256, "channels": 64, "probes": 8},
    ),
    # For the tests: everything runs, nothing is learned.
    "tiny": Sizes(
        known=6, unseen=3, samples=4, spec=FieldSpec(frequencies=1, hidden=(8, 8)), fit=FitConfig(steps=30, points=64),
        points=PointSamplingConfig(near=192, uniform=64, near_eval=16, uniform_eval=256),
        budget=0.0, model={"layers": 1, "width": 16, "heads": 2}, batch=4, views=1,
        codebook={"codes": 4, "steps": 1}, resolution=12, cloud=64, pictured=1,
        function_space={"steps": 2, "batch_size": 2, "points": 32, "channels": 16, "probes": 4, "max_tokens": 11},
    ),
}  # fmt: skip


class Kept(NamedTuple):
    """A part of the work that is done."""

    path: Path
    seconds: float
    """Processor seconds that it took: on a busy machine these tell more than the clock."""


@dataclass(frozen=True)
class Lab:
    """One run of one experiment."""

    name: str
    scale: str
    data: Path | None
    """Shapes of the user's own; None = built-in chairs."""
    out: Path
    seed: int

    @property
    def sizes(self) -> Sizes:
        return SIZES[self.scale]

    def kept(self, name: str, about: Any, make: Callable[[Path], object]) -> Kept:
        """An artifact, made unless it is there already; `about` is all that it depends on besides data and seed."""
        path = self._place(name, about)
        times = path.with_suffix(".json")
        if kind_of(path) is None or not times.exists():
            self.say(f"{name}: {_short(about)}")
            if path.exists():
                shutil.rmtree(path)  # made, but interrupted before it was all there
            started = time.process_time()
            make(path)
            write_json(times, {"seconds": time.process_time() - started})
        return Kept(path, read_json(times)["seconds"])

    def figures(self, name: str, about: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Plain values, computed unless they are there already."""
        path = self._place(name, about).with_suffix(".json")
        if not path.exists():
            write_json(path, make())
        found: dict[str, Any] = read_json(path)
        return found

    def _place(self, name: str, about: Any) -> Path:
        data = None if self.data is None else [str(self.data.resolve()), self.data.stat().st_mtime_ns]
        everything = json.dumps([self.scale, data, self.seed, about], sort_keys=True, default=repr)
        folder = self.out / "work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}-{hashlib.sha256(everything.encode()).hexdigest()[:12]}"

    def save(self, figures: dict[str, Any], pictures: list[Path], lines: list[str]) -> None:
        """Write the results as JSON, print the lines, and say what was written."""
        path = self.out / f"{self.name}.json"
        about = {
            "experiment": self.name,
            "scale": self.scale,
            "data": "built-in chairs" if self.data is None else self.data.name,
            "seed": self.seed,
            "threads": torch.get_num_threads(),
        }
        write_json(path, about | figures)
        for line in [*lines, *(f"wrote {one}" for one in [path, *pictures])]:
            click.echo(line)

    def say(self, text: str) -> None:
        click.echo(f"[{self.name}] {text}", err=True)

    @functools.cached_property
    def shapes(self) -> Path:
        """The user's shapes, or built-in chairs."""
        count = self.sizes.known + self.sizes.unseen
        if self.data is not None:
            return self.data
        resolution = 32 if self.scale == "tiny" else 64
        about = {"count": count, "resolution": resolution}
        return self.kept(
            "shapes", about, lambda path: write_shapes("chair", path, n=count, seed=self.seed, resolution=resolution)
        ).path

    @functools.cached_property
    def refs(self) -> tuple[list[ShapeRef], list[ShapeRef]]:
        """Known shapes, from the front, and unseen ones, from the end; at most a third of small data is unseen."""
        refs = find_shapes(self.shapes)
        unseen = min(self.sizes.unseen, len(refs) // 3)
        if unseen < 2 or refs[0].dims != 3:
            raise NfgenError(f"{self.shapes} holds too few 3-D shapes", "give six meshes or voxel grids, or more")
        return refs[: min(self.sizes.known, len(refs) - unseen)], refs[-unseen:]

    def fields(self, init: str = "shared", count: int | None = None, **changed: Any) -> Path:
        """Fields of the first known shapes; `changed` settings are those of their spec."""
        spec = self.sizes.spec.replace(**changed)
        count = min(count or self.sizes.known, len(self.refs[0]))
        sizes = self.sizes
        about = {"init": init, "count": count, "spec": spec, "fit": sizes.fit, "points": sizes.points}
        return self.kept("fields", about, lambda path: self.fit(self.shapes, path, spec, init, limit=count)).path

    def fit(self, shapes: Path, path: Path, spec: FieldSpec, init: str, **more: Any) -> FieldSet:
        config = more.pop("config", self.sizes.fit).replace(seed=self.seed)
        # As many processes as torch has threads: OMP_NUM_THREADS=1 keeps an experiment to one core.
        workers = torch.get_num_threads()
        return fit(
            shapes, path, spec=spec, init=init, config=config, samples=self.sizes.points, workers=workers, **more
        )


def experiment(body: Callable[..., None]) -> click.Command:
    """A command out of a function of a `Lab` and of its own click options."""

    @click.command(help=body.__doc__)
    @click.option("--quick", is_flag=True, help="A small form: about three minutes each on two cores.")
    @click.option("--tiny", is_flag=True, help="Only to see that everything runs.")
    @click.option(
        "--data", type=click.Path(exists=True, path_type=Path), help="Your own meshes or voxels; else built-in chairs."
    )
    @click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("experiments"), show_default=True)
    @click.option("--seed", default=0, show_default=True)
    @functools.wraps(body)
    def command(quick: bool, tiny: bool, data: Path | None, out: Path, seed: int, **own: Any) -> None:
        show_progress(not tiny)
        name = Path(body.__code__.co_filename).stem
        try:
            body(Lab(name, "tiny" if tiny else "quick" if quick else "full", data, out, seed), **own)
        except NfgenError as error:
            raise click.ClickException(str(error)) from error

    return command


def _short(about: Any) -> str:
    return ", ".join(str(value) for value in about.values() if isinstance(value, str | int)) if about else ""


def markdown(rows: list[list[str]]) -> list[str]:
    """Rows of cells as a table, the first of them its head."""
    return [f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]]


def number(value: float | None, digits: int = 3, factor: float = 1.0) -> str:
    """A cell; a dash where there is no value."""
    return "-" if value is None else f"{factor * value:.{digits}f}"
