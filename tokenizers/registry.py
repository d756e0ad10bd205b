"""Tokenizers by name; only the one in use is imported."""

from pathlib import Path
from typing import Any

from nfgen.io import artifact
from nfgen.runtime import plugins

from .base import KIND, Tokenizer
from .hub import pretrained_folder

BUILT_IN = {
    "identity": "nfgen.tokenizers.weights.identity:IdentityTokenizer",
    "histogram": "nfgen.tokenizers.weights.histogram:HistogramTokenizer",
    "codebook": "nfgen.tokenizers.weights.codebook:CodebookTokenizer",
    "vq": "nfgen.tokenizers.vq.tokenizer:VQTokenizer",
    "pretrained": "nfgen.tokenizers.vq.tokenizer:PretrainedTokenizer",
    "graph": "nfgen.tokenizers.graph.tokenizer:GraphTokenizer",
}
GROUP = "nfgen.tokenizers"
"""Entry-point group for tokenizers of other packages."""


def names() -> list[str]:
    """Names of all tokenizers, built-in ones first."""
    return plugins.names(GROUP, BUILT_IN)


def find(name: str) -> type[Tokenizer]:
    """The class of a tokenizer.

    Raises:
        ConfigError: if there is none of that name, or another package's cannot be used.
    """
    return plugins.find(name, "tokenizer", GROUP, BUILT_IN, Tokenizer)  # type: ignore[type-abstract]


def create(name: str, **settings: Any) -> Tokenizer:
    """A new tokenizer, not fitted, with settings of its `Config`."""
    return find(name)(**settings)


def load(path: str | Path) -> Tokenizer:
    """Load a fitted tokenizer of any kind."""
    return find(str(artifact.read_config(path, KIND).get("tokenizer"))).load(path)


def load_tokenizer(name: str | Path, *, revision: str | None = None) -> Tokenizer:
    """Load a fitted tokenizer of any kind from a folder or the Hugging Face Hub, alone or inside a run.

    Args:
        name: a folder if it exists, a name such as `base-3d` that ships with nfgen, or a repository: `owner/name` or
            `hf://owner/name`.
        revision: branch, tag or commit of the repository.

    Raises:
        ConfigError: if the package huggingface_hub is needed and missing.
        ArtifactError: if there is no such tokenizer.
    """
    return load(pretrained_folder(name, revision))
