"""A run to new fields, meshes and pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from nfgen import artifact
from nfgen.contact_sheet import Picture
from nfgen.decoding import decode_fields
from nfgen.errors import ConfigError, NfgenError
from nfgen.field import Field
from nfgen.mesh_export import check_format
from nfgen.models.draw import SamplingConfig
from nfgen.models.sampling import sample
from nfgen.progress import progress
from nfgen.samples import KIND, Sample, surface_or_none, write_list, write_sample

from .run import Run

TRIES = 10  # --require-surface gives up when so many times the wanted number of samples was drawn


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
    resolution: int = 128,
    format: str = "glb",
    which: str = "best",
    device: str = "cpu",
    overwrite: bool = False,
) -> list[Sample]:
    """Generate n new fields, and write of each its mesh (or image), the field and a picture.

    Args:
        run: a run, or the folder of one.
        config: temperature and the like.
        label: name of the class to generate; any if not said.
        prefix: tokens [m] that every sequence begins with.
        require_surface: draw again for fields that have no surface.
        resolution: marching cubes cells along each axis.

    Raises:
        ConfigError: if a class, prefix or number is wrong.
        NfgenError: if surfaces are required and too few samples have one.
    """
    run_path = "" if isinstance(run, Run) else str(run)
    run = run if isinstance(run, Run) else Run.load(run, which, device)
    if n < 1:
        raise ConfigError(f"n must be positive, not {n}", "give -n 1 or more")
    if not 8 <= resolution <= 1024:
        raise ConfigError(f"resolution must be 8 to 1024, not {resolution}", "128 shows all that a small field holds")
    check_format(format)
    config = config or SamplingConfig()
    empties = 0
    samples: list[Sample] = []
    pictures: list[Picture] = []
    with artifact.writing(out, KIND, overwrite=overwrite) as folder:
        drawn = _draw(run, n, config, seed, label, prefix, batch_size)
        with progress(n, "mesh", "sample") as bar:
            for index, tokens, field, nearest in drawn:
                mesh = surface_or_none(field, resolution) if field.spec.dims == 3 else None
                empty = mesh is None if field.spec.dims == 3 else False
                empties += empty
                if empty and require_surface:
                    if index >= TRIES * n:
                        raise NfgenError(
                            f"only {len(samples)} of {index + 1} samples have a surface",
                            "train for longer, or lower --temperature",
                        )
                    continue
                file, stored, picture = write_sample(
                    folder, f"sample-{len(samples):04d}", field, mesh, run.frame, format
                )
                samples.append(
                    Sample(
                        file,
                        stored,
                        stored.replace(".safetensors", ".png"),
                        tokens.tolist(),
                        seed,
                        index,
                        label,
                        empty,
                        nearest,
                    )
                )
                pictures.append(picture)
                bar.update(1, empty=empties)
                if len(samples) == n:
                    break
        settings = {
            "run": run_path,
            "n": n,
            "seed": seed,
            "class": label,
            "sampling": config.to_json(),
            "empty": empties,
            "resolution": resolution,
            "frame": None if run.frame is None else run.frame.to_json(),
        }
        write_list(folder, samples, pictures, settings)
    return samples


def _draw(
    run: Run,
    n: int,
    config: SamplingConfig,
    seed: int,
    label: str | None,
    prefix: Tensor | None,
    batch_size: int | None,
) -> Iterator[tuple[int, Tensor, Field, dict[str, Any]]]:
    """Samples without end, n at a time; sample i is the same however many are drawn."""
    index = run.class_index(label)
    first = 0
    while True:
        tokens = sample(run.model, n, config, seed=seed, first=first, label=index, prefix=prefix, batch_size=batch_size)
        fields = decode_fields(run.tokenizer, tokens)
        yield from zip(range(first, first + n), tokens, fields, run.nearest(fields), strict=True)
        first += n
