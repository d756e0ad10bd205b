"""A run to new fields, meshes and pictures."""

import itertools
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nfgen.errors import ConfigError, NfgenError
from nfgen.fields.field import Field
from nfgen.io import artifact, files
from nfgen.io.meshes import check_format
from nfgen.metrics import largest_share
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.runtime.executor import Engine, create_engine, in_order
from nfgen.runtime.progress import progress
from nfgen.tokens.decoding import decode_fields

from .run import Run
from .sample_journal import ALIKE, EMPTY, IN_PIECES, JOURNAL, Journal
from .sample_set import KIND, Sample, surface_or_none, write_list, write_sample

DRAWN = "drawn-{}.safetensors"
"""Tokens that are not yet all meshed, from the index of the first."""
DRAWN_AT_ONCE = 256
TRIES = 10  # what is required is given up when so many times the wanted number was drawn
SPARE = 2  # training fields for each of distinct samples: with one, the last sample would be long in coming


def generate(
    run: Run | str | Path,
    n: int,
    out: str | Path,
    *,
    config: SamplingConfig | None = None,
    seed: int = 0,
    label: str | None = None,
    prefix: Tensor | None = None,
    batch_size: int | None = None,
    require_surface: bool = False,
    require_body: float = 0.0,
    distinct: bool = False,
    thicken: float = 0.0,
    resolution: int = 128,
    format: str = "glb",
    which: str = "best",
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    engine: Engine | str = "local",
) -> list[Sample]:
    """Generate n new fields, and write of each its mesh (or image), the field and a picture.

    Args:
        run: a run, or the folder of one.
        config: temperature and the like.
        label: name of the class to generate; any if not said.
        prefix: tokens [m] that every sequence begins with.
        require_surface: draw again for fields that have no surface.
        require_body: draw again for those, too, whose largest body holds less than this share of their volume.
        distinct: draw again for samples that are variations of one another: whose nearest training field is that of an
            earlier one already (of ⌈2 n / training fields⌉ earlier ones, where that is more than one). A model draws
            what it knows with replacement, a collection holds nothing twice. So samples are no longer independent.
        thicken: move each surface outwards so far, in units of the cube [-1, 1]^d: thin parts that a code breaks hold
            together.
        resolution: marching cubes cells along each axis.
        resume: go on with the samples that an interrupted call left.
        engine: where tokens are drawn and fields are meshed, see `create_engine`.

    Raises:
        ConfigError: if a class, prefix or number is wrong.
        NfgenError: if too few samples are as required.
    """
    run_path = "" if isinstance(run, Run) else str(run)
    run = run if isinstance(run, Run) else Run.load(run, which, device)
    if n < 1:
        raise ConfigError(f"n must be positive, not {n}", "give -n 1 or more")
    if not 8 <= resolution <= 1024:
        raise ConfigError(f"resolution must be 8 to 1024, not {resolution}", "128 shows all that a small field holds")
    if not 0 <= require_body <= 1:
        raise ConfigError(
            f"require_body must be 0 to 1, not {require_body}", "0.99 is what is judged to be in one piece"
        )
    if thicken:  # what cannot be done is said before anything is drawn
        spec = run.tokenizer.decoded_spec
        Field(spec, torch.zeros(spec.size)).thickened(thicken)
    check_format(format)
    config, engine = config or SamplingConfig(), create_engine(engine)
    settings = {
        "run": run_path,
        "n": n,
        "seed": seed,
        "class": label,
        "sampling": config.to_json(),
        "resolution": resolution,
        "frame": None if run.frame is None else run.frame.to_json(),
        "up": run.up,
        "thicken": thicken,
        "distinct": distinct,
    }
    models = (
        [run.model]
        if run.reference_model is None or not config.contrastive_weight
        else [run.model, run.reference_model]
    )
    plan = settings | {
        "tokenizer": files.digest(run.tokenizer.tensors()),
        "training fields": [files.digest({"probes": run.train_probes}), files.json_digest(run.train_ids)],
        "weights": [files.digest(dict(model.state_dict())) for model in models],
        "prefix": None if prefix is None else prefix.tolist(),
        "require_surface": require_surface,
        "require_body": require_body,
        "format": format,
        "batch_size": batch_size,
    }
    with artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=[JOURNAL]) as folder:
        artifact.agree_on_plan(folder, "generation", plan)
        journal = Journal(folder)
        alike = math.ceil(SPARE * n / len(run.train_ids)) if distinct else None
        required = Required(require_surface or require_body > 0, require_body, alike)
        draw = partial(_drawn, run, config, seed, run.class_index(label), prefix, batch_size)
        drawn = _draw(folder, n, draw, engine)
        make = partial(make_sample, run, required, thicken, resolution, format)
        _write_samples(folder, journal, drawn, make, n, run, seed, label, required, engine)
        samples = journal.samples
        write_list(
            folder, samples, settings | {"empty": journal.empties, "dropped": journal.dropped, "draws": journal.draws()}
        )
        for used in (folder / JOURNAL, folder / artifact.PLAN, *folder.glob(DRAWN.format("*"))):
            used.unlink(missing_ok=True)
    return samples


class Required(NamedTuple):
    """What a sample must have, so that it is not drawn again."""

    surface: bool
    body: float
    """Least share of the volume in the largest body."""
    alike: int | None
    """Most samples that may have the same nearest training field; None = any number."""

    def __str__(self) -> str:
        wanted = ["are in one piece" if self.body else "have a surface"] if self.surface else []
        return " and ".join(wanted + ([] if self.alike is None else ["differ from those before"]))


@dataclass(frozen=True)
class Made:
    """What became of one drawn sequence of tokens."""

    empty: bool
    """The field has no surface."""
    kept: bool
    """It is as required."""
    body: float | None
    """Share of the volume in its largest body, before any offset; None of images."""
    contents: dict[str, bytes]
    """By what follows the sample's name."""
    names: tuple[str | None, str, str]
    """What follows the sample's name in those of the mesh (or image), the field and its picture."""
    nearest: dict[str, Any] | None
    """The training field of most similar values."""


NAME = "sample"


def make_sample(run: Run, required: Required, thicken: float, resolution: int, format: str, tokens: Tensor) -> Made:
    """Decode, mesh and picture one sample."""
    (field,) = decode_fields(run.tokenizer, tokens[None])
    mesh = surface_or_none(field, resolution) if field.spec.dims == 3 else None
    body = share = None if field.spec.dims == 2 else largest_share(mesh)
    if thicken:
        field = field.thickened(thicken)
        mesh = surface_or_none(field, resolution)
        share = largest_share(mesh)
    empty = mesh is None and field.spec.dims == 3
    in_pieces = mesh is not None and share is not None and share < required.body
    if in_pieces or (empty and required.surface):
        return Made(empty, False, body, {}, (None, "", ""), None)
    with tempfile.TemporaryDirectory() as folder:
        file, stored, picture = write_sample(Path(folder), NAME, field, mesh, run.frame, format, up=run.up)
        contents = {path.name.removeprefix(NAME): path.read_bytes() for path in Path(folder).iterdir()}
    file = None if file is None else file.removeprefix(NAME)
    names = (file, stored.removeprefix(NAME), picture.removeprefix(NAME))
    return Made(empty, True, body, contents, names, run.nearest([field])[0])


def _write_samples(
    folder: Path,
    journal: Journal,
    drawn: Iterator[tuple[int, Tensor]],
    make: partial[Made],
    n: int,
    run: Run,
    seed: int,
    label: str | None,
    required: Required,
    engine: Engine,
) -> None:
    """Write samples until the journal has n of them; those that it has already are passed over."""
    if len(journal.samples) >= n:
        return
    drawn = itertools.dropwhile(lambda one: one[0] < journal.seen, drawn)
    nearest = Counter(sample.nearest["id"] for sample in journal.samples if sample.nearest)
    if not required.surface and required.alike is None:
        drawn = itertools.islice(drawn, n - journal.seen)  # an engine that works ahead need not go beyond
    # The same sequences twice: once to be made, elsewhere perhaps, and once for whoever writes what was made of them.
    drawn, known = itertools.tee(drawn)
    with progress(n, "mesh", "sample") as bar:
        bar.update(len(journal.samples))
        made = in_order(engine.map(make, (tokens for _, tokens in drawn)))
        for (index, tokens), one in zip(known, made, strict=False):
            known_by = one.nearest and one.nearest["id"]
            if not one.kept or (required.alike is not None and nearest[known_by] >= required.alike):
                why = ALIKE if one.kept else EMPTY if one.empty else IN_PIECES
                journal.add(index, None, empty=one.empty, body=one.body, why=why)
                if index >= TRIES * n:
                    journal.remove()  # more of the same would not help
                    raise NfgenError(
                        f"only {len(journal.samples)} of {index + 1} samples {required}",
                        "ask for fewer, train for longer, or change --temperature",
                    )
                continue
            nearest[known_by] += 1
            name = f"sample-{len(journal.samples):04d}"
            for rest, content in one.contents.items():
                files.write_atomically(folder / f"{name}{rest}", content)
            file, stored, picture = (None if rest is None else f"{name}{rest}" for rest in one.names)
            sample_ = Sample(
                file, str(stored), str(picture), tokens.tolist(), seed, index, label, one.empty, one.nearest
            )
            journal.add(index, sample_, empty=one.empty, body=one.body)
            bar.update(1, empty=journal.empties, dropped=journal.dropped)
            if len(journal.samples) == n:
                return


def _draw(folder: Path, n: int, draw: partial[Tensor], engine: Engine) -> Iterator[tuple[int, Tensor]]:
    """Indices and tokens of samples without end; sample i is the same however many are drawn.

    Tokens are kept in the folder: a resumed call meshes them and need not draw them again.
    """
    count = min(n, DRAWN_AT_ONCE)
    firsts = range(0, n, count)
    while True:
        missing = [first for first in firsts if not (folder / DRAWN.format(first)).exists()]
        drawn = engine.map(draw, ((first, count) for first in missing))
        for first in firsts:
            while not (folder / DRAWN.format(first)).exists():
                place, tokens = next(drawn)
                files.write_tensors(folder / DRAWN.format(missing[place]), {"tokens": tokens})
            yield from enumerate(files.read_tensors(folder / DRAWN.format(first))["tokens"], first)
        firsts = range(firsts[-1] + count, firsts[-1] + count + n, count)


def _drawn(
    run: Run,
    config: SamplingConfig,
    seed: int,
    label: int | None,
    prefix: Tensor | None,
    batch_size: int | None,
    task: tuple[int, int],
) -> Tensor:
    first, count = task
    return sample(
        run.model, count, config,
        seed=seed, first=first, label=label, prefix=prefix, batch_size=batch_size, reference_model=run.reference_model,
    )  # fmt: skip
