from .errors import ArtifactError, ConfigError, NfgenError, ShapeError
from .evaluation import evaluate
from .evaluation.config import EvaluateConfig
from .fields.field import Field
from .fields.field_set import FieldSet
from .fields.spec import FieldSpec
from .fitting.config import FitConfig, PointSamplingConfig
from .models.generation.config import SamplingConfig
from .pipeline.check_shapes import check_shapes
from .pipeline.config import EditConfig, GenerateConfig, MakeConfig, ShapesConfig, TrainConfig
from .pipeline.edit import edit
from .pipeline.fit import fit
from .pipeline.generate import generate
from .pipeline.make_shapes import write_shapes
from .pipeline.recipes import recipe
from .pipeline.run import Run
from .pipeline.tokenize import tokenize
from .pipeline.train import train
from .report import write_report
from .runtime.malloc import keep_freed_memory
from .runtime.progress import show_progress
from .shapes import find_shapes
from .shapes.reading import ReadingConfig
from .shapes.synthetic import make_shapes
from .tokenizers.base import Tokenizer
from .tokenizers.config import TokenizeConfig
from .tokenizers.graph.tokenizer import GraphTokenizer
from .tokenizers.registry import load_tokenizer
from .tokenizers.vq.tokenizer import VQTokenizer
from .tokenizers.weights.codebook import CodebookTokenizer
from .tokenizers.weights.histogram import HistogramTokenizer
from .tokenizers.weights.identity import IdentityTokenizer
from .tokens.token_set import TokenSet
from .tokens.vocabulary import Vocabulary
from .workflow.make import make

__version__: str

__all__ = [
    "ArtifactError",
    "CodebookTokenizer",
    "ConfigError",
    "EditConfig",
    "EvaluateConfig",
    "Field",
    "FieldSet",
    "FieldSpec",
    "FitConfig",
    "GenerateConfig",
    "GraphTokenizer",
    "HistogramTokenizer",
    "IdentityTokenizer",
    "MakeConfig",
    "NfgenError",
    "PointSamplingConfig",
    "ReadingConfig",
    "Run",
    "SamplingConfig",
    "ShapeError",
    "ShapesConfig",
    "TokenSet",
    "TokenizeConfig",
    "Tokenizer",
    "TrainConfig",
    "VQTokenizer",
    "Vocabulary",
    "check_shapes",
    "edit",
    "evaluate",
    "find_shapes",
    "fit",
    "generate",
    "keep_freed_memory",
    "load_tokenizer",
    "make",
    "make_shapes",
    "recipe",
    "show_progress",
    "tokenize",
    "train",
    "write_report",
    "write_shapes",
]
