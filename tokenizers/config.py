"""`TokenizeConfig`: which tokenizer, with which settings, and which fields it learns from."""

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt

from nfgen.config import Configuration

CONFIGS = {
    "identity": "nfgen.tokenizers.weights.config:IdentityConfig",
    "histogram": "nfgen.tokenizers.weights.config:HistogramConfig",
    "codebook": "nfgen.tokenizers.weights.config:CodebookConfig",
    "vq": "nfgen.tokenizers.vq.config:VQConfig",
    "pretrained": "nfgen.tokenizers.vq.config:PretrainedConfig",
    "graph": "nfgen.tokenizers.graph.config:GraphConfig",
}
"""Configurations of the built-in tokenizers, to be had without torch."""


class TokenizeConfig(Configuration):
    """Which tokenizer, and which fields it learns from."""

    tokenizer: str = "vq"
    """vq, pretrained (vq that is sure to begin with the tokenizer that ships with nfgen), graph, identity, histogram,
    codebook, or that of another package."""
    tokenizer_settings: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it
    """Settings of the tokenizer."""
    heldout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the fields that neither the tokenizer nor a model learns from."""
    views: NonNegativeInt | None = None
    """Token sequences of augmented copies to store for each field (vq, graph); none = 32, of more than 5,000 fields no
    copies."""
    synthetic: NonNegativeInt | None = None
    """Token sequences of made-up shapes to store, composites of the fields and random solids, from which a model learns
    first (vq); none = no such shapes, but 32 for each 3-D field of up to 300 if the tokenizer did not begin with the
    one that ships, beside which lies a model that knows solids already."""
    seed: NonNegativeInt = 0
    """Of all random numbers."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""

    RENAMED: ClassVar = {"split_seed": "seed"}

    @classmethod
    def components(cls, settings: Mapping[str, Any]) -> list[tuple[str, type[Configuration]]]:
        return [("tokenizer_settings", tokenizer_config(settings.get("tokenizer") or "vq"))]


def tokenizer_config(name: str) -> type[Configuration]:
    """The configuration of a tokenizer.

    Raises:
        ConfigError: if there is no tokenizer of that name.
    """
    if name in CONFIGS:
        module, _, attribute = CONFIGS[name].partition(":")
        found: type[Configuration] = getattr(import_module(module), attribute)
        return found
    from .registry import find

    return find(name).Config
