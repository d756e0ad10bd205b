"""A run to new fields, meshes and pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from nfgen import artifact, storage
from nfgen.decoding import decode_fields
from nfgen.errors import ConfigError, NfgenError
from nfgen.field import Field
from nfgen.mesh_export import check_format
from nfgen.metrics import mesh_validity
from nfgen.models.draw import SamplingConfig
from nfgen.models.sampling import sample
from nfgen.progress import progress
from nfgen.sample_journal import JOURNAL, Journal
from nfgen.samples import KIND, Sample, surface_or_none, write_list, write_sample

from .run import Run

DRAWN = "drawn-{}.safetensors"
"""Tokens that are not yet all meshed, from the index of the first."""
TRIES = 10  # --require-surface and --require-body give up when so many times the wanted number was drawn
WHOLE = 0.99  # of the volume: a largest body with less leaves pieces that can be seen

Drawn = tuple[int, Tensor, Field, dict[str, Any]]
"""Index, tokens, field, and the nearest training field."""


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
    require_body: bool = False,
    resolution: int = 128,
    format: str = "glb",
    which: str = "best",
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
) -> list[Sample]:
    """Generate n new fields, and write of each its mesh (or image), the field and a picture.

    Args:
        run: a run, or the folder of one.
        config: temperature and the like.
        label: name of the class to generate; any if not said.
        prefix: tokens [m] that every sequence begins with.
        require_surface: draw again for fields that have no surface.
        require_body: draw again for those, too, whose largest body holds less than 99 % of their volume.
        resolution: marching cubes cells along each axis.
        resume: go on with the samples that an interrupted call left.

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
    check_format(format)
    config = config or SamplingConfig()
    settings = {
        "run": run_path,
        "n": n,
        "seed": seed,
        "class": label,
        "sampling": config.to_json(),
        "resolution": resolution,
        "frame": None if run.frame is None else run.frame.to_json(),
    }
    plan = settings | {
        "weights": storage.digest(dict(run.model.state_dict())),
        "prefix": None if prefix is None else prefix.tolist(),
        "require_surface": require_surface,
        "require_body": require_body,
        "format": format,
        "batch_size": batch_size,
    }
    with artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=[JOURNAL]) as folder:
        artifact.agree_on_plan(folder, "generation", plan)
        journal = Journal(folder)
        drawn = _draw(run, n, config, seed, label, prefix, batch_size, folder)
        required: Literal["body", "surface", "nothing"] = (
            "body" if require_body else "surface" if require_surface else "nothing"
        )
        _write_samples(folder, journal, drawn, n, run, seed, label, required, resolution, format)
        samples = journal.samples
        write_list(folder, samples, settings | {"empty": journal.empties, "dropped": journal.dropped})
        for used in (folder / JOURNAL, folder / artifact.PLAN, *folder.glob(DRAWN.format("*"))):
            used.unlink(missing_ok=True)
    return samples


def _write_samples(
    folder: Path,
    journal: Journal,
    drawn: Iterator[Drawn],
    n: int,
    run: Run,
    seed: int,
    label: str | None,
    required: Literal["body", "surface", "nothing"],
    resolution: int,
    format: str,
) -> None:
    """Write samples until the journal has n of them; those that it has already are passed over."""
    with progress(n, "mesh", "sample") as bar:
        bar.update(len(journal.samples))
        while len(journal.samples) < n:
            index, tokens, field, nearest = next(drawn)
            if index < journal.seen:
                continue
            mesh = surface_or_none(field, resolution) if field.spec.dims == 3 else None
            empty = mesh is None and field.spec.dims == 3
            in_pieces = required == "body" and mesh is not None and mesh_validity(mesh).largest_share < WHOLE
            if in_pieces or (empty and required != "nothing"):
                journal.add(index, None, empty=empty)
                if index >= TRIES * n:
                    journal.remove()  # more of the same would not help
                    wanted = "have a surface" if required == "surface" else "are in one piece"
                    raise NfgenError(
                        f"only {len(journal.samples)} of {index + 1} samples {wanted}",
                        "train for longer, or lower --temperature",
                    )
                continue
            name = f"sample-{len(journal.samples):04d}"
            file, stored, picture = write_sample(folder, name, field, mesh, run.frame, format)
            made = Sample(file, stored, picture, tokens.tolist(), seed, index, label, empty, nearest)
            journal.add(index, made, empty=empty)
            bar.update(1, empty=journal.empties, dropped=journal.dropped)


def _draw(
    run: Run,
    n: int,
    config: SamplingConfig,
    seed: int,
    label: str | None,
    prefix: Tensor | None,
    batch_size: int | None,
    folder: Path,
) -> Iterator[Drawn]:
    """Samples without end, n at a time; sample i is the same however many are drawn.

    Tokens are kept in the folder: a resumed call meshes them and need not draw them again.
    """
    index = run.class_index(label)
    first = 0
    while True:
        kept = folder / DRAWN.format(first)
        if not kept.exists():
            tokens = sample(
                run.model, n, config, seed=seed, first=first, label=index, prefix=prefix, batch_size=batch_size
            )
            storage.write_tensors(kept, {"tokens": tokens})
        tokens = storage.read_tensors(kept)["tokens"]
        fields = decode_fields(run.tokenizer, tokens)
        yield from zip(range(first, first + n), tokens, fields, run.nearest(fields), strict=True)
        first += n
