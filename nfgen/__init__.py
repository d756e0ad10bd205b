"""nfgen: generate neural fields.

Shapes become fields, fields become tokens, a transformer learns the tokens, and one decode path turns whatever it
generates back into SDF MLPs and meshes. Public names are imported when they are first used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "make_shapes": "families",
    "write_shapes": "library",
    "find_shapes": "shapes",
    "fit": "shape_fitting:fit_fields",
    "FitConfig": "fitting",
    "SampleConfig": "fit_job",
    "FieldSpec": "spec",
    "Field": "field",
    "FieldSet": "field_set",
    "tokenize": "pipeline",
    "train": "pipeline",
    "generate": "pipeline",
    "Run": "pipeline",
    "TokenSet": "token_set",
    "Vocabulary": "vocabulary",
    "TrainConfig": "models.train_config",
    "SamplingConfig": "models.draw",
    "recipe": "recipes",
    "evaluate": "evaluation",
    "write_report": "report",
    "Tokenizer": "tokenizers.base",
    "IdentityTokenizer": "tokenizers.identity",
    "HistogramTokenizer": "tokenizers.histogram",
    "CodebookTokenizer": "tokenizers.codebook",
    "VQTokenizer": "tokenizers.vq",
    "GraphTokenizer": "tokenizers.graph",
    "NfgenError": "errors",
    "ShapeError": "errors",
    "ArtifactError": "errors",
    "ConfigError": "errors",
    "show_progress": "progress",
    "keep_freed_memory": "memory",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nfgen' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(f"nfgen.{module}"), attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
