"""`TokenSet`: the tokens of a field set, with ids, labels and the held-out fields."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import artifact, files
from nfgen.io.meshes import Up
from nfgen.shapes.base import Transform, stored_up

from .synthetic import Synthetic
from .vocabulary import Vocabulary

KIND = "tokens"
FILE = "tokens.safetensors"
TOKENIZER = "tokenizer"
"""Folder inside tokens and runs that holds the fitted tokenizer."""
INTEGERS = (torch.int32, torch.int64)


@dataclass(frozen=True)
class TokenSet:
    """Tokens of N fields.

    Tokens of a set that was loaded are memory-mapped, and codes are int32. Where int64 is needed, call `.long()` on the
    rows in use.
    """

    vocabulary: Vocabulary
    tokens: Tensor
    """int32 or int64 [N, length], or float32 [N, length, width] if the vocabulary is continuous."""
    ids: tuple[str, ...]
    labels: Int[Tensor, "fields"]
    """Index into the vocabulary's classes, or -1."""
    heldout: Bool[Tensor, "fields"]
    """Fields that neither the tokenizer nor the model is trained on."""
    views: Tensor | None = None
    """[N, views, length]: tokens of augmented copies; each epoch of training uses one of them."""
    synthetic: Synthetic | None = None
    """Made-up shapes, from which a model learns before these."""
    frame: Transform | None = None
    """Frame of the shapes' files, if all have the same; generated meshes are placed in it."""
    up: Up = "z"
    """Axis that points up in the shapes' files, if it is the same in all, else z; in files of generated meshes, too."""
    report: dict[str, Any] = field(default_factory=dict)
    """Figures of `token_report`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """How the tokens were made."""

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.ids) == len(self.labels) == len(self.heldout):
            raise ConfigError(f"{len(self.ids)} ids do not fit {len(self.tokens)} token sequences")

    def __len__(self) -> int:
        return len(self.ids)

    def write(self, folder: Path) -> None:
        """Write tensors and index into the folder of an artifact; the caller adds the tokenizer."""
        tensors = {"tokens": compact(self.tokens), "labels": self.labels, "heldout": self.heldout}
        if self.views is not None:
            tensors["views"] = compact(self.views)
        if self.synthetic is not None:
            tensors |= synthetic_tensors(self.synthetic)
        files.write_tensors(folder / FILE, tensors)
        self.write_index(folder)

    def write_index(self, folder: Path) -> None:
        """Write all but tensors into the folder of an artifact; the caller adds the tokenizer."""
        files.write_json(folder / "report.json", self.report)
        artifact.write_config(
            folder,
            KIND,
            {
                "vocabulary": self.vocabulary.to_json(),
                "count": len(self),
                "frame": None if self.frame is None else self.frame.to_json(),
                "up": self.up,
                "settings": self.settings,
                "ids": list(self.ids),
            },
        )

    @classmethod
    def load(cls, path: str | Path) -> "TokenSet":
        """Read a token set.

        Raises:
            ArtifactError: if the folder is not one, or is damaged.
        """
        path = Path(path)
        config = artifact.read_config(path, KIND)
        try:
            tensors = files.read_tensors(path / FILE)
            frame = None if config["frame"] is None else Transform.from_json(config["frame"])
            found = cls(
                vocabulary=Vocabulary.from_json(config["vocabulary"]),
                tokens=tensors["tokens"],
                ids=tuple(config["ids"]),
                labels=tensors["labels"].long(),
                heldout=tensors["heldout"],
                views=tensors.get("views"),
                synthetic=stored_synthetic(tensors),
                frame=frame,
                up=stored_up(config, frame),
                report=files.read_json(path / "report.json"),
                settings=config["settings"],
            )
            found._check_stored()
            return found
        except (KeyError, TypeError, ValueError, RuntimeError, IndexError, ConfigError) as error:
            raise ArtifactError(f"{path} is damaged: {error!r}", "make it again with nfgen tokenize") from error

    def _check_stored(self) -> None:
        """Check shapes and types of what was read; models and tokenizers check that codes are allowed."""
        vocabulary, count = self.vocabulary, len(self)
        made_up, of = self.synthetic or (None, None)
        shape = (vocabulary.length, vocabulary.width) if vocabulary.continuous else (vocabulary.length,)
        kinds = (torch.float32,) if vocabulary.continuous else INTEGERS
        for key, tensor, wanted, of_types in (
            ("tokens", self.tokens, (count, *shape), kinds),
            ("views", self.views, None if self.views is None else (count, *self.views.shape[1:2], *shape), kinds),
            ("labels", self.labels, (count,), (torch.int64,)),
            ("made-up shapes", made_up, None if made_up is None else (*made_up.shape[:1], *shape), kinds),
            ("labels of them", of, None if made_up is None else made_up.shape[:1], (torch.int64,)),
            ("heldout", self.heldout, (count,), (torch.bool,)),
        ):
            if tensor is not None and (tensor.shape != wanted or tensor.dtype not in of_types):
                raise ConfigError(f"its {key} are {tensor.dtype} {tuple(tensor.shape)}, not {of_types[0]} {wanted}")
        if count and not (int(self.labels.min()) >= -1 and int(self.labels.max()) < len(vocabulary.classes)):
            raise ConfigError(f"its labels are not those of {len(vocabulary.classes)} classes")
        if not (all(isinstance(id, str) for id in self.ids) and isinstance(self.settings, dict)):
            raise ConfigError("its ids are not strings, or its settings are not a JSON object")


def synthetic_tensors(synthetic: Synthetic) -> dict[str, Tensor]:
    """Made-up shapes as tensors of a file."""
    return {"synthetic": compact(synthetic.tokens), "synthetic_labels": synthetic.labels}


def stored_synthetic(tensors: dict[str, Tensor]) -> Synthetic | None:
    """The made-up shapes of a file; None if it holds none.

    Raises:
        KeyError: if it holds them without labels.
    """
    return Synthetic(tensors["synthetic"], tensors["synthetic_labels"]) if "synthetic" in tensors else None


def common_frame(transforms: Tensor | None, dims: int = 3) -> Transform | None:
    """The common frame of all fields, from rows of `Transform.to_row`; None if they differ or are unknown."""
    if transforms is None or len(transforms) == 0 or not (transforms == transforms[0]).all():
        return None
    row = transforms[0].tolist()
    return Transform.from_row(row, dims)


def common_up(transforms: Tensor | None, dims: int = 3) -> Up:
    """The axis that points up in the files of all shapes, from rows of `Transform.to_row`; z if they differ."""
    if transforms is None or not len(transforms) or (transforms[:, dims + 1 :] != transforms[0, dims + 1 :]).any():
        return "z"
    return Transform.from_row(transforms[0].tolist(), dims).up


def split(count: int, share: float, seed: int) -> Bool[Tensor, "fields"]:
    """A random mask of held-out fields: a share of `count`, at least one if there are two or more.

    Raises:
        ConfigError: if the share is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ConfigError(f"heldout must lie in [0, 1), not {share}", "0.1 holds out every tenth field")
    held = min(count - 1, max(1, round(count * share))) if share > 0 else 0
    mask = torch.zeros(count, dtype=torch.bool)
    mask[torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:held]] = True
    return mask


def compact(tokens: Tensor) -> Tensor:
    """Codes as int32, which holds every vocabulary; continuous tokens as they are."""
    return tokens if tokens.is_floating_point() else tokens.int()
