"""nfgen: generate neural fields.

Shapes become fields, fields become tokens, a transformer learns the tokens, and one decode path turns whatever it
generates back into SDF MLPs and meshes. Public names are imported when they are first used.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "make": "workflow",
    "make_shapes": "shapes.synthetic",
    "write_shapes": "pipeline.make_shapes",
    "find_shapes": "shapes",
    "check_shapes": "pipeline.check_shapes",
    "ReadingConfig": "shapes.reading",
    "fit": "pipeline.fit:fit_fields",
    "FitConfig": "fitting.config",
    "PointSamplingConfig": "fitting.config",
    "FieldSpec": "fields.spec",
    "Field": "fields.field",
    "FieldSet": "fields.field_set",
    "tokenize": "pipeline.tokenize",
    "train": "pipeline.train",
    "generate": "pipeline.generate",
    "Run": "pipeline.run",
    "TokenSet": "tokens.token_set",
    "Vocabulary": "tokens.vocabulary",
    "TrainConfig": "pipeline.config",
    "MakeConfig": "pipeline.config",
    "ShapesConfig": "pipeline.config",
    "GenerateConfig": "pipeline.config",
    "EvaluateConfig": "evaluation.config",
    "TokenizeConfig": "tokenizers.config",
    "SamplingConfig": "models.generation.config",
    "recipe": "pipeline.recipes",
    "evaluate": "evaluation",
    "write_report": "report",
    "Tokenizer": "tokenizers.base",
    "load_tokenizer": "tokenizers.registry:from_pretrained",
    "IdentityTokenizer": "tokenizers.weights.identity",
    "HistogramTokenizer": "tokenizers.weights.histogram",
    "CodebookTokenizer": "tokenizers.weights.codebook",
    "VQTokenizer": "tokenizers.vq.tokenizer",
    "GraphTokenizer": "tokenizers.graph.tokenizer",
    "NfgenError": "errors",
    "ShapeError": "errors",
    "ArtifactError": "errors",
    "ConfigError": "errors",
    "show_progress": "runtime.progress",
    "keep_freed_memory": "runtime.malloc",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nfgen' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(f"nfgen.{module}"), attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
