"""A run as a folder of Hugging Face's file names, with a model card; a picture of samples, if there is none yet."""

from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from nfgen.errors import ArtifactError
from nfgen.io import artifact, files
from nfgen.io.model_card import PICTURE, run_card
from nfgen.io.pictures import read_rgb
from nfgen.models.base import SequenceModel
from nfgen.models.generation.generate import sample
from nfgen.models.registry import MODEL, SHARED
from nfgen.runtime.provenance import made_by
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import TOKENIZER
from nfgen.viz.contact_sheet import contact_sheet, save_png

from .sample_set import KIND as SAMPLES
from .sample_set import picture_of

PICTURED = 9
PICTURE_CELLS = 64
EVALUATION = "evaluation.json"


def write_pretrained(
    model: SequenceModel,
    tokenizer: Tokenizer,
    train_probes: Float[Tensor, "fields probes"],
    config: dict[str, Any],
    out: str | Path,
    kind: str,
    *,
    samples: str | Path | None = None,
    name: str | None = None,
    address: str | None = None,
    license: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write what `Run.save_pretrained` says; `kind` and `config` are those of a run's artifact."""
    if samples is not None:
        artifact.read_config(samples, SAMPLES)
    with made_by(None), artifact.writing(out, kind, overwrite=overwrite) as folder:
        files.write_tensors(folder / SHARED, model.state_dict())
        files.write_json(folder / MODEL, model.describe())
        files.write_tensors(folder / "train_probes.safetensors", {"values": train_probes.half()})
        tokenizer.save(folder / TOKENIZER)
        scores = None
        if samples is None:
            _draw(model, tokenizer, folder / PICTURE)
        else:
            save_png(folder / PICTURE, read_rgb(Path(samples) / "contact_sheet.png"))
            if (Path(samples) / EVALUATION).is_file():
                scores = files.read_json(Path(samples) / EVALUATION)
        try:
            card = run_card(
                {**config, "dims": tokenizer.decoded_spec.dims},
                model.describe(),
                model.parameter_count,
                name=name or Path(out).name,
                address=address,
                license=license,
                scores=scores,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            damaged = (
                "the run's report" if scores is None else f"{Path(samples or out) / EVALUATION}, or the run's report,"
            )
            raise ArtifactError(f"{damaged} is damaged: {error!r}", "evaluate the samples again") from error
        (folder / "README.md").write_text(card, encoding="utf-8")
        artifact.write_config(folder, kind, config)


def _draw(model: SequenceModel, tokenizer: Tokenizer, path: Path) -> None:
    """A few samples on a sheet, the first ones of seed 0."""
    fields = decode_fields(tokenizer, sample(model, PICTURED))
    meshes = [field.mesh(PICTURE_CELLS) if field.spec.dims == 3 else None for field in fields]
    save_png(path, contact_sheet([picture_of(field, mesh) for field, mesh in zip(fields, meshes, strict=True)]))
