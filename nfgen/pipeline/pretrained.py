"""A run as a folder of Hugging Face's file names, with a model card; a picture of samples, if there is none yet."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nfgen.io import artifact, files
from nfgen.io.model_card import PICTURE, run_card
from nfgen.models.generation.generate import sample
from nfgen.models.registry import MODEL, SHARED
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import TOKENIZER
from nfgen.viz.contact_sheet import contact_sheet, save_png
from nfgen.viz.render import render_mesh

from .sample_set import KIND as SAMPLES
from .sample_set import image_picture

if TYPE_CHECKING:
    from .run import Run

PICTURED = 9
PICTURE_CELLS = 64
EVALUATION = "evaluation.json"


def write_pretrained(
    run: "Run",
    out: str | Path,
    kind: str,
    *,
    samples: str | Path | None = None,
    name: str | None = None,
    license: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write what `Run.save_pretrained` says; `kind` is that of a run's artifact."""
    if samples is not None:
        artifact.read_config(samples, SAMPLES)
    with artifact.writing(out, kind, overwrite=overwrite) as folder:
        files.write_tensors(folder / SHARED, run.model.state_dict())
        files.write_json(folder / MODEL, run.model.describe())
        files.write_tensors(folder / "train_probes.safetensors", {"values": run.train_probes.half()})
        run.tokenizer.save(folder / TOKENIZER)
        scores = None
        if samples is None:
            _draw(run, folder / PICTURE)
        else:
            shutil.copyfile(Path(samples) / "contact_sheet.png", folder / PICTURE)
            if (Path(samples) / EVALUATION).is_file():
                scores = files.read_json(Path(samples) / EVALUATION)
        card = run_card(
            {**run.config, "dims": run.tokenizer.decoded_spec.dims},
            run.model.describe(),
            run.model.parameter_count,
            name=name or Path(out).name,
            license=license,
            scores=scores,
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        artifact.write_config(folder, kind, run.config)


def _draw(run: "Run", path: Path) -> None:
    """A few samples on a sheet, the first ones of seed 0."""
    fields = decode_fields(run.tokenizer, sample(run.model, PICTURED))
    pictures = [
        image_picture(field) if field.spec.dims == 2 else render_mesh(field.mesh(PICTURE_CELLS)) for field in fields
    ]
    save_png(path, contact_sheet(pictures))
