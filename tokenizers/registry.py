"""Names of tokenizers; only the one that is asked for is imported."""

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from nfgen import artifact
from nfgen.errors import ConfigError

from .base import KIND, Tokenizer

BUILT_IN = {
    "identity": "nfgen.tokenizers.identity:IdentityTokenizer",
    "histogram": "nfgen.tokenizers.histogram:HistogramTokenizer",
    "codebook": "nfgen.tokenizers.codebook:CodebookTokenizer",
    "vq": "nfgen.tokenizers.vq:VQTokenizer",
    "graph": "nfgen.tokenizers.graph:GraphTokenizer",
}
GROUP = "nfgen.tokenizers"
"""Entry-point group in which other packages offer theirs."""


def names() -> list[str]:
    """Names of all tokenizers, built-in ones first."""
    return [*BUILT_IN, *sorted({entry.name for entry in entry_points(group=GROUP)} - set(BUILT_IN))]


def find(name: str) -> type[Tokenizer]:
    """The class of a tokenizer.

    Raises:
        ConfigError: if there is none of that name, or another package's cannot be imported.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        found: type[Tokenizer] = getattr(import_module(module), attribute)
        return found
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                found = entry.load()
            except Exception as error:  # another package's import may fail in any way
                raise ConfigError(
                    f"the tokenizer {name} of {entry.value} does not load: {error}", "mend or remove that package"
                ) from error
            return found
    raise ConfigError(f"there is no tokenizer {name!r}", f"known are: {', '.join(names())}")


def create(name: str, **settings: Any) -> Tokenizer:
    """A new tokenizer, not fitted; settings are those of its `Config`."""
    return find(name)(**settings)


def load(path: str | Path) -> Tokenizer:
    """Read a fitted tokenizer of any kind."""
    return find(str(artifact.read_config(path, KIND).get("tokenizer"))).load(path)
