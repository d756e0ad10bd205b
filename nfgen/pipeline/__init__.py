"""The verbs of nfgen: tokenize, train, generate. The one place that brings tokenizers and models together."""

from .generating import generate
from .plans import plan_generate, plan_tokenize, plan_train
from .run import Run, read_prefix
from .tokenizing import tokenize
from .training import sort_settings, train, train_from_settings

__all__ = [
    "Run",
    "generate",
    "plan_generate",
    "plan_tokenize",
    "plan_train",
    "read_prefix",
    "sort_settings",
    "tokenize",
    "train",
    "train_from_settings",
]
