"""Where fits start: nowhere in particular, from the first shape's field, from one of many shapes, or from a file."""

from pathlib import Path

import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.field_set import BASE, FieldSet
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.io import files
from nfgen.runtime.device import find_device
from nfgen.shapes import ShapeRef
from nfgen.shapes.sample_many import Sampled

from .job import FitJob, none_usable
from .optimize import fit_batch

INITS = ("random", "first", "shared")
SHARED_SHAPES = 200  # whose pooled points the shared base is fitted to; more change it little
SHARED_STEPS_POINTS = 8  # times the points of one shape in a step of the shared base


def find_base(job: FitJob, refs: list[ShapeRef]) -> Tensor | None:
    """Where all fits start, or None if each starts at random; kept in the folder for a resumed fit."""
    if job.config.init == "random":
        return None
    kept = job.folder / BASE
    if not kept.exists():
        base = _fitted_base(job, refs) if job.config.init in INITS else _read_base(job.config.init, job.spec)
        files.write_tensors(kept, {"weights": base})
    return files.read_tensors(kept)["weights"]


def _fitted_base(job: FitJob, refs: list[ShapeRef]) -> Tensor:
    # A first shape that is unusable must not end the fit, so look on until one is found.
    wanted = 1 if job.config.init == "first" else min(SHARED_SHAPES, len(refs))
    sampled: list[Sampled] = []
    unusable: list[dict[str, str]] = []
    position = 0
    while len(sampled) < wanted and position < len(refs):
        usable, skipped = job.sample(refs[position : position + wanted - len(sampled)])
        sampled += usable
        unusable += skipped
        position += wanted
    if not sampled:
        raise none_usable(unusable)
    job.kept.update({one.ref.id: one for one in sampled})
    points = job.points(sampled)
    pooled, values = points.points.flatten(0, 1)[None], points.values.flatten()[None]
    config = job.config
    if job.config.init == "shared":
        config = config.replace(points=config.points * SHARED_STEPS_POINTS)
    order = torch.randperm(values.shape[1], generator=torch.Generator().manual_seed(config.seed))
    device = find_device(config.device)
    start = initial_weights(job.spec, 1, torch.Generator().manual_seed(config.seed))
    pooled, values, start = (tensor.to(device) for tensor in (pooled[:, order], values[:, order], start))
    return fit_batch(job.spec, pooled, values, start, config).weights[0].cpu()


def _read_base(path: str, spec: FieldSpec) -> Tensor:
    if Path(path).is_dir():
        fields = FieldSet.load(path)
        found = Field(fields.spec, fields.weights[0] if fields.base is None else fields.base)
    elif Path(path).is_file():
        found = Field.load(path)
    else:
        raise ConfigError(f"there is no init {path!r}", f"known are {', '.join(INITS)}, or the path of a field")
    if found.spec != spec:
        raise ConfigError(f"the field at {path} has another spec than the fit", "give --spec the spec of that field")
    return found.weights
