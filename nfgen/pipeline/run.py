"""A run: a trained model, its tokenizer, and what is needed to tell new fields from known ones."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.config import AUTO, require
from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field import Field
from nfgen.fields.mlp import evaluate_in_chunks
from nfgen.io import artifact, files, hub
from nfgen.io.meshes import Up
from nfgen.models import registry as models
from nfgen.models.base import SequenceModel
from nfgen.runtime.device import find_device
from nfgen.shapes.base import Transform, stored_up
from nfgen.tokenizers import registry as tokenizers
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.token_set import TOKENIZER

from .config import GenerateConfig
from .pretrained import write_pretrained

KIND = "run"
PROBES = 1024  # fixed points whose values tell how alike two fields are: enough to rank neighbours
FIGURES = ("steps", "seconds", "val_loss", "bits_per_field")  # of a result, that are shown
TRAIN_PROBES = "train_probes.safetensors"
KNOWN_AT_ONCE = 16384  # training fields whose probes are compared at once: 64 MB
TRUNCATION = 0.1  # coordinate units, as in fitting


@dataclass(frozen=True)
class Run:
    """A trained model and its tokenizer."""

    model: SequenceModel
    tokenizer: Tokenizer
    frame: Transform | None
    train_ids: tuple[str, ...]
    train_probes: Float[Tensor, "fields probes"]
    """Truncated values of the decoded training fields at the probe points, in half precision."""
    result: dict[str, Any]
    """How the training ended."""
    config: dict[str, Any]
    """All of the run's `config.json`: what it was made of, and how."""
    up: Up = "z"
    """Axis that points up in the shapes' files, and in those of generated meshes."""
    reference_model: SequenceModel | None = None
    """With the weights of its lowest held-out loss, if `model` has the last ones."""

    @property
    def checkpoint(self) -> Literal["best", "last"]:
        """Which weights `model` has."""
        return "best" if self.reference_model is None else "last"

    def require_checkpoint(self, config: GenerateConfig) -> None:
        """Refuse settings that ask for the other checkpoint.

        Raises:
            ConfigError: they do.
        """
        if "checkpoint" in config.model_fields_set and config.checkpoint != self.checkpoint:
            raise ConfigError(
                f"the run was loaded with its {self.checkpoint} weights, not the {config.checkpoint} ones",
                f'load it by Run.load(path, checkpoint="{config.checkpoint}")',
            )

    @property
    def device(self) -> torch.device:
        """On which the model and the tokenizer compute."""
        return self.tokenizer.device

    @property
    def summary(self) -> str:
        """One line on how the training went."""
        loss = "no held-out loss" if self.result["val_loss"] is None else f"held-out loss {self.result['val_loss']:.4g}"
        bits = self.result["bits_per_field"]
        return (
            f"{loss}{'' if bits is None else f' ({bits:.0f} bits a field)'} "
            f"after {self.result['steps']} steps, {self.result['seconds']:.0f} s"
        )

    @classmethod
    def load(cls, path: str | Path, checkpoint: str = "best", device: str = AUTO) -> "Run":
        """Read a run.

        Args:
            checkpoint: `best`, the weights of the lowest held-out loss, or `last`.
            device: on which the model and the tokenizer compute, see `nfgen.runtime.device`.

        Raises:
            ArtifactError: if the folder is not a run, or is damaged.
            ConfigError: if there is no such checkpoint or device.
        """
        path = Path(path)
        config = artifact.read_config(path, KIND)
        if checkpoint not in ("best", "last"):
            raise ConfigError(f"there is no checkpoint {checkpoint!r}", "choose best or last")
        best = models.load_model(path, "best", device)
        tokenizer = tokenizers.load(path / TOKENIZER).to(find_device(device))
        try:
            frame = None if config["frame"] is None else Transform.from_json(config["frame"])
            found = cls(
                model=best if checkpoint == "best" else models.load_model(path, "last", device),
                reference_model=None if checkpoint == "best" else best,
                tokenizer=tokenizer,
                frame=frame,
                up=stored_up(config, frame),
                train_ids=tuple(config["train_ids"]),
                train_probes=files.read_tensors(path / TRAIN_PROBES)["values"],
                result={key: config["result"][key] for key in FIGURES} | config["result"],
                config=config,
            )
            found._check_stored()
        except (KeyError, TypeError, ConfigError) as error:
            raise ArtifactError(f"{path} is damaged: {error!r}", "train it again") from error
        return found

    def _check_stored(self) -> None:
        if self.train_probes.shape != (len(self.train_ids), PROBES):
            raise ConfigError(f"its probes are {tuple(self.train_probes.shape)} for {len(self.train_ids)} fields")
        if not all(isinstance(id, str) for id in self.train_ids):
            raise ConfigError("its train_ids are not texts")
        wrong = [k for k in FIGURES if not isinstance(self.result[k], int | float | None)]
        if wrong or self.result["steps"] is None or self.result["seconds"] is None:
            raise ConfigError(f"its result is not one of figures: {wrong}")
        if self.model.vocabulary != self.tokenizer.vocabulary:
            raise ConfigError("its model and its tokenizer have different vocabularies")

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, checkpoint: str = "best", device: str = AUTO, revision: str | None = None
    ) -> "Run":
        """Read a run from a folder, or from the Hugging Face Hub.

        Args:
            name: a folder if there is one of that name, else a repository: `owner/name` or `hf://owner/name`.
            revision: branch, tag or commit of the repository.

        Raises:
            ConfigError: if the package huggingface_hub is needed and missing.
            ArtifactError: if there is no such run, or it is damaged.
        """
        return cls.load(hub.find(name, revision), checkpoint, device)

    def save_pretrained(
        self,
        path: str | Path,
        *,
        samples: str | Path | None = None,
        name: str | None = None,
        address: str | None = None,
        license: str | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write the run as the Hugging Face Hub likes it; `Run.load` and every command read that folder too.

        It holds `config.json`, `model.safetensors`, `model.json`, `tokenizer/`, `README.md` (the model card) and
        `samples.png`.

        Args:
            samples: folder of samples of this run: its contact sheet is the picture, and if `nfgen evaluate` was there,
                its scores are in the card. Without it nine samples are drawn.
            name: title of the card; the folder's name if not said.
            address: by which the card's examples load it; a repository of this name on the Hub if not said.
            license: identifier of a licence, as `mit`, for the card.

        Raises:
            ArtifactError: if the path is taken, or `samples` holds none.
        """
        write_pretrained(
            self.model,
            self.tokenizer,
            self.train_probes,
            self.config,
            path,
            KIND,
            samples=samples,
            name=name,
            address=address,
            license=license,
            overwrite=overwrite,
        )

    def push_to_hub(
        self,
        repo: str,
        *,
        samples: str | Path | None = None,
        license: str | None = None,
        private: bool = False,
        message: str = "Upload with nfgen",
    ) -> str:
        """Upload the run to the Hugging Face Hub; arguments as in `save_pretrained`.

        Args:
            repo: `owner/name`; it is made if it is missing.

        Returns:
            The web address of the commit.

        Raises:
            ConfigError: if the package huggingface_hub is missing.
            ArtifactError: if the Hub refuses, or cannot be reached.
        """
        name = repo.rpartition("/")[2]
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(Path(folder) / name, samples=samples, license=license)
            return hub.publish(Path(folder) / name, repo, private=private, message=message)

    def nearest(self, fields: list[Field]) -> list[dict[str, Any]]:
        """For each field the training field of most similar values."""
        distances, rows = nearest_known(probe_values(fields), self.train_probes)
        return [
            {"id": self.train_ids[i], "distance": round(d, 6)}
            for i, d in zip(rows.tolist(), distances.tolist(), strict=True)
        ]

    def class_index(self, name: str | None) -> int | None:
        """The index of a class.

        Raises:
            ConfigError: if there is no class of that name.
        """
        classes = self.model.vocabulary.classes
        if name is not None and name not in classes:
            known = f"known are: {', '.join(classes)}" if classes else "this run was trained without classes"
            raise ConfigError(f"there is no class {name!r}", known)
        return None if name is None else classes.index(name)


def probe_values(fields: list[Field]) -> Float[Tensor, "fields probes"]:
    """Values of fields of one spec at fixed random points of [-1, 1]^d, signed distances truncated."""
    if not fields:
        return torch.empty(0, PROBES)
    spec = fields[0].spec
    points = torch.rand(PROBES, spec.dims, generator=torch.Generator().manual_seed(0)) * 2 - 1
    weights = torch.stack([field.weights for field in fields])
    values = evaluate_in_chunks(spec, weights, points.to(weights.device)).cpu()
    return torch.tanh(values / TRUNCATION) * TRUNCATION if spec.output == "sdf" else torch.sigmoid(values)


def nearest_known(
    values: Float[Tensor, "fields probes"], known: Float[Tensor, "known probes"]
) -> tuple[Float[Tensor, "fields"], Int[Tensor, "fields"]]:
    """Of each field the distance to the known one of most similar values (root mean square), and which one it is."""
    near = [torch.cdist(values, part.float()).min(dim=1) for part in known.split(KNOWN_AT_ONCE)]
    distances, parts = torch.stack([one.values for one in near]).min(dim=0)
    rows = torch.stack([one.indices for one in near]).gather(0, parts[None])[0] + parts * KNOWN_AT_ONCE
    return distances / PROBES**0.5, rows


def read_prefix(run: Run, text: str, length: int | None) -> Tensor:
    """First tokens from text: ids by comma, or the path of a field whose first `length` tokens are taken.

    Raises:
        ConfigError: if the text is neither, or the tokens of the run are not ids.
    """
    if text.endswith(".safetensors"):
        field = Field.load(text)
        return run.tokenizer.encode(field.weights[None], field.spec)[0, : length or run.model.vocabulary.length // 2]
    try:
        ids = [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a prefix", "give ids by comma, as 12,5,77, or a field's .safetensors"
        ) from None
    if run.model.vocabulary.continuous:
        raise ConfigError("tokens of this run are numbers, not ids", "give a field's .safetensors as --prefix")
    codes = run.model.vocabulary.codes or 0
    require(all(0 <= id < codes for id in ids), "prefix", f"must be ids from 0 to {codes - 1}", text)
    return torch.tensor(ids[:length])
