"""Fitted tokenizers to and from the Hugging Face Hub."""

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

from nfgen.io import hub
from nfgen.io.model_card import tokenizer_card
from nfgen.runtime.provenance import made_by

INSIDE = "tokenizer"
"""Folder of a run that holds its tokenizer."""


def pretrained_folder(name: str | Path, revision: str | None) -> Path:
    """The folder of a fitted tokenizer, local, shipped with nfgen or downloaded, alone or inside a run."""
    folder = hub.find(name, revision)
    return folder / INSIDE if (folder / INSIDE).is_dir() else folder


class Shared(ABC):
    """Sharing of tokenizers on the Hub; `save` and `load` are those of the base class."""

    name: ClassVar[str]
    config: Any
    spec: Any

    @abstractmethod
    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the fitted tokenizer as an artifact."""

    @classmethod
    def from_pretrained(cls, name: str | Path, *, revision: str | None = None) -> Self:
        """Load a fitted tokenizer from a folder or the Hugging Face Hub, alone or inside a run.

        `nfgen.load_tokenizer` finds the class.

        Args:
            name: a folder if it exists, a name such as `base-3d` that ships with nfgen, or a repository: `owner/name`
                or `hf://owner/name`.
            revision: branch, tag or commit of the repository.

        Raises:
            ConfigError: if the package huggingface_hub is needed and missing.
            ArtifactError: if there is no such tokenizer, or it is of another class.
        """
        return cls.load(pretrained_folder(name, revision))

    @classmethod
    @abstractmethod
    def load(cls, path: str | Path) -> Self:
        """Load a fitted tokenizer of this class from its folder."""

    def save_pretrained(self, path: str | Path, *, name: str | None = None, overwrite: bool = False) -> None:
        """Write the fitted tokenizer with a model card, `README.md`.

        Raises:
            ConfigError: if it is not fitted.
            ArtifactError: if the path is taken.
        """
        with made_by(None):
            self.save(path, overwrite=overwrite)
        card = tokenizer_card(name or Path(path).name, self.name, self.config.to_json(), self.spec.to_json())
        (Path(path) / "README.md").write_text(card, encoding="utf-8")

    def push_to_hub(self, repo: str, *, private: bool = False, message: str = "Upload with nfgen") -> str:
        """Upload the fitted tokenizer to the Hugging Face Hub; the repository is created if it is missing.

        Returns:
            URL of the commit.

        Raises:
            ConfigError: if it is not fitted, or the package huggingface_hub is missing.
            ArtifactError: if the Hub refuses, or cannot be reached.
        """
        name = repo.rpartition("/")[2]
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(Path(folder) / name)
            return hub.publish(Path(folder) / name, repo, private=private, message=message)
