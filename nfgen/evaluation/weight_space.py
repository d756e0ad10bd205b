"""What the weights of the training fields tell of novelty: copies with noise on them, and nearest neighbours."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nfgen.errors import ConfigError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.symmetry import canonical
from nfgen.io import artifact
from nfgen.metrics import surface_clouds, weight_novelty
from nfgen.metrics.clouds import Floats
from nfgen.pipeline.run import Run
from nfgen.pipeline.sample_set import KIND, read_list
from nfgen.runtime.progress import progress

NOISE = (0.02, 0.04)  # standard deviations that Zeng et al. (CVPR 2026) compare generators of weights with
RESOLUTION = 96  # cells: finer meshes hardly move points on them


def training_fields(path: str | Path, samples: Path | None) -> FieldSet:
    """The field set; of it only what the samples' run learned from, where that run is still there.

    Raises:
        ConfigError: the fields are 2-D.
    """
    fields = FieldSet.load(path)
    if fields.spec.dims != 3:
        raise ConfigError(f"{path} holds 2-D fields: surfaces are compared in 3-D", "give 3-D fields")
    learned = set[str]() if samples is None else learned_ids(samples)
    if not learned:
        return fields
    chosen = [i for i, id in enumerate(fields.ids) if id in learned]
    if not chosen:
        raise NfgenError(f"the samples' run learned from none of the fields of {path}", "give what it learned from")
    return fields.select(torch.tensor(chosen))


def learned_ids(samples: Path) -> set[str]:
    """Ids of the shapes that the samples' run learned from; none if the run is no longer where it was."""
    run = _run_of(samples)
    return set() if run is None else set(artifact.read_config(run, "run")["train_ids"])


def noised_clouds(fields: FieldSet, count: int, points: int, seed: int, in_file_frame: bool) -> dict[str, Floats]:
    """Surfaces of `count` random fields whose weights got Gaussian noise, by its standard deviation.

    Fields that lose their surface are left out, and so is a deviation that leaves none.
    """
    generator = torch.Generator().manual_seed(seed)
    some = fields.select(torch.randperm(len(fields), generator=generator)[:count])
    found = {}
    with progress(len(NOISE) * len(some), "mesh noised fields", "field") as bar:
        for deviation in NOISE:
            noise = torch.randn(some.weights.shape, generator=generator)
            noised = replace(some, weights=some.weights + deviation * noise)
            meshes = []
            for i in range(len(noised)):
                meshes.append(noised.mesh(i, RESOLUTION) if in_file_frame else noised[i].mesh(RESOLUTION))
                bar.update()
            if any(len(mesh.faces) for mesh in meshes):
                found[f"{deviation}"] = surface_clouds(meshes, points, seed)[0]
    return found


def weight_neighbours(samples: Path, fields: FieldSet) -> dict[str, Any] | None:
    """`nfgen.metrics.weight_novelty` of samples, with the ids of their neighbours.

    Where the tokenizer decodes to another architecture than that of the fields, these go through their tokens first.
    None where that cannot be, as the run is no longer there.
    """
    made = [Field.load(samples / entry["field"]) for entry in read_list(samples)]
    spec, weights = fields.spec, fields.weights
    if made[0].spec != spec:
        path = _run_of(samples)
        if path is None:
            return None
        tokenizer = Run.load(path).tokenizer
        weights = torch.cat([tokenizer.decode(tokenizer.encode(part, spec)) for part in weights.split(64)])
        spec = tokenizer.decoded_spec
        if made[0].spec != spec:
            return None
    generated = torch.stack([field.weights for field in made])
    if fields.base is None and spec == fields.spec:
        # Each fit started somewhere else: its neurons are in an order of their own.
        generated, weights = canonical(spec, generated), canonical(spec, weights)
    found = weight_novelty(generated.numpy(), weights.numpy())
    return {**found, "nearest": [fields.ids[i] for i in found.pop("index")]}


def _run_of(samples: Path) -> Path | None:
    """Where the run of samples is; None if it is not where it was."""
    named = artifact.read_config(samples, KIND).get("run")
    return Path(named) if named and artifact.kind_of(named) == "run" else None
