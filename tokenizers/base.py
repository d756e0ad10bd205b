"""The base of every tokenizer: fit, encode, decode, save and load."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nfgen.config import Configuration
from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact, files
from nfgen.runtime.device import CPU
from nfgen.tokens.synthetic import Synthetic
from nfgen.tokens.vocabulary import Vocabulary

from .hub import Shared

KIND = "tokenizer"
FILE = "tokenizer.safetensors"
CODEBOOK = "codebook.safetensors"
"""File beside the fitted state, for inspection of the codes: `vectors`, half precision, [codes, width]."""


class Tokenizer(Shared):
    """Encodes weights as tokens and decodes tokens to weights.

    A subclass names itself, its `Config`, and implements `_fit`, `encode`, `decode`, `vocabulary`, and the pair
    `tensors` / `_restore`, which save and load its fitted state. A fitted tokenizer never changes.

    Attributes:
        config: the settings.
        spec: architecture of the fields that it was fitted on and, unless `decoded_spec` differs, of decoded fields.
        classes: names of the classes of the field set.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Configuration]]
    FREE_ON_RESUME: ClassVar[tuple[str, ...]] = ()
    """Settings that may change when an interrupted fit is resumed."""

    def __init__(self, config: Configuration | None = None, **settings: Any) -> None:
        self.config: Any = config if config is not None else self.Config.from_json(settings)
        self._spec: FieldSpec | None = None
        self._scratch: Path | None = None
        self.device = CPU
        self.classes: tuple[str, ...] = ()

    @property
    def spec(self) -> FieldSpec:
        if self._spec is None:
            raise ConfigError(f"the {self.name} tokenizer is not fitted", "call fit first")
        return self._spec

    @property
    def decoded_spec(self) -> FieldSpec:
        """Architecture of decoded fields."""
        return self.spec

    def to(self, device: torch.device) -> Self:
        """Compute on a device from now on; tokens and weights stay on the device of the caller's tensors."""
        self.device = device
        self._move()
        return self

    def _move(self) -> None:
        """For tokenizers with networks: move them to `device`."""

    def fit(self, fields: FieldSet, scratch: Path | None = None, device: torch.device = CPU) -> Self:
        """Fit the tokenizer to a field set.

        Args:
            fields: the fields.
            scratch: folder for checkpoints of a long fit, from which it resumes; the caller removes it. None = an
                interrupted fit starts again.
            device: of the fit, and of encoding and decoding after it.

        Raises:
            ConfigError: if the set is empty, has weights that are not finite, or does not fit the settings.
        """
        if len(fields) == 0:
            raise ConfigError("there are no fields to fit a tokenizer on", "give a field set that is not empty")
        if not torch.isfinite(fields.weights).all():
            raise ConfigError("the field set holds weights that are not finite", "fit the fields again")
        self.settle(fields.spec)
        self._spec, self.classes, self._scratch, self.device = fields.spec, fields.classes, scratch, device
        try:
            self._fit(fields)
        except BaseException:
            self._spec = None  # a partial fit does not count
            raise
        return self

    def settle(self, spec: FieldSpec) -> None:
        """Decide the settings that are left open until the fields are known.

        Raises:
            ConfigError: if the settings do not suit fields of this spec.
        """

    @abstractmethod
    def _fit(self, fields: FieldSet) -> None: ...

    @property
    @abstractmethod
    def vocabulary(self) -> Vocabulary:
        """The tokens, and the positions at which each is allowed."""

    @abstractmethod
    def encode(self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None) -> Tensor:
        """Encode weights [N, P] as tokens: int64 [N, length], or float32 [N, length, width] if continuous.

        Args:
            weights: weights of fields of `spec`.
            spec: the fields' architecture; None = the fitted one. Only tokenizers that evaluate fields accept others.

        Raises:
            ConfigError: if the weights do not fit the spec.
        """

    @abstractmethod
    def decode(self, tokens: Tensor) -> Float[Tensor, "fields weights"]:
        """Decode tokens without specials to weights [N, P] of `decoded_spec`.

        Raises:
            ConfigError: if a token is not an allowed code.
        """

    def views(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None, count: int, seed: int
    ) -> Int[Tensor, "fields views tokens"]:
        """Tokens of `count` augmented copies of each field, as training data of a model.

        Raises:
            ConfigError: if the tokenizer cannot augment.
        """
        raise ConfigError(f"the {self.name} tokenizer has no augmented views", "leave --views out, or use vq")

    def synthetic(self, fields: FieldSet, count: int, seed: int) -> Synthetic:
        """Tokens of made-up shapes, from which a model learns before the fields.

        Args:
            fields: those that shapes may be made of.
            count: how many.

        Raises:
            ConfigError: if the tokenizer cannot make any.
        """
        raise ConfigError(f"the {self.name} tokenizer cannot make up shapes", "leave --synthetic out, or use vq")

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """The fitted state."""

    @abstractmethod
    def _restore(self, tensors: dict[str, Tensor]) -> None:
        """Load what `tensors` gave; `spec`, `classes` and `config` are set already."""

    def code_vectors(self) -> Float[Tensor, "codes width"] | None:
        """The vector of each code, in the tokenizer's own units; None if tokens are continuous."""
        return None

    @property
    def vocab_size(self) -> int | None:
        """Number of token ids, including specials; None = continuous."""
        return self.vocabulary.size

    @property
    def sequence_length(self) -> int:
        """Tokens of one sequence, including start and EOS."""
        return self.vocabulary.sequence_length

    @property
    def specials(self) -> dict[str, int]:
        """Names and ids of the special tokens."""
        return self.vocabulary.specials

    def allowed(self, position: int) -> Bool[Tensor, "vocabulary"]:
        """Mask of the ids allowed at a position of the sequence."""
        return self.vocabulary.allowed(position)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the fitted tokenizer as an artifact.

        Raises:
            ConfigError: if it is not fitted.
            ArtifactError: if the path is taken, or cannot be written.
        """
        self._check_fitted()
        with artifact.writing(path, KIND, overwrite=overwrite) as folder:
            files.write_tensors(folder / FILE, self.tensors())
            vectors = self.code_vectors()
            if vectors is not None:
                files.write_tensors(folder / CODEBOOK, {"vectors": vectors.half()})
            artifact.write_config(
                folder,
                KIND,
                {
                    "tokenizer": self.name,
                    "settings": self.config.to_json(),
                    "spec": self.spec.to_json(),
                    "classes": list(self.classes),
                },
            )

    @classmethod
    def _stored_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings that a stored tokenizer was fitted with, also if there were fewer of them then."""
        return settings

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a tokenizer of this class; `nfgen.tokenizers.registry.load` finds the class.

        Raises:
            ArtifactError: if the folder holds no tokenizer of this class, or is damaged.
        """
        path = Path(path)
        stored = artifact.read_config(path, KIND)
        if stored.get("tokenizer") != cls.name:
            raise ArtifactError(f"{path} holds a {stored.get('tokenizer')} tokenizer, not {cls.name}")
        try:
            tokenizer = cls(cls.Config.from_json(cls._stored_settings(stored["settings"])))
            tokenizer._spec = FieldSpec.from_json(stored["spec"])
            tokenizer.classes = tuple(stored["classes"])
            tensors = files.read_tensors(path / FILE)
            files.check_finite(tensors)
            tokenizer._restore(tensors)
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError, ConfigError) as error:
            raise ArtifactError(f"{path} is damaged: {error}", "fit the tokenizer again") from error
        return tokenizer

    def _check_fitted(self) -> None:
        """Raise a ConfigError before `fit`."""
        _ = self.spec

    def _require_shape(self, tensors: dict[str, Tensor], key: str, shape: tuple[int, ...]) -> None:
        """For `_restore`: check that a stored tensor fits the settings."""
        if tensors[key].shape != shape:
            raise ConfigError(f"its {key} has the shape {tuple(tensors[key].shape)}, not {shape}")

    def _check_weights(self, weights: Tensor, spec: FieldSpec | None) -> None:
        """For tokenizers of weights: check that the weights are finite and of the fitted spec."""
        if spec is not None and spec != self.spec:
            raise ConfigError(
                f"the {self.name} tokenizer was fitted on fields of another spec",
                "fit it on these fields, or use the vq tokenizer, which accepts any spec",
            )
        if weights.ndim != 2 or weights.shape[1] != self.spec.size:
            raise ConfigError(f"weights of shape {tuple(weights.shape)} are not fields of {self.spec.size} weights")
        if not torch.isfinite(weights).all():
            raise ConfigError("the weights to encode are not finite", "fit the fields again")

    def _check_tokens(self, tokens: Tensor) -> None:
        """Check that tokens are sequences of the right shape, of codes allowed at their positions."""
        vocabulary = self.vocabulary
        shape = (vocabulary.length, vocabulary.width) if vocabulary.continuous else (vocabulary.length,)
        if tokens.shape[1:] != shape or tokens.ndim != len(shape) + 1:
            raise ConfigError(f"tokens of shape {tuple(tokens.shape)} are not sequences of shape {shape}")
        if vocabulary.continuous:
            if not (tokens.is_floating_point() and torch.isfinite(tokens).all()):
                raise ConfigError("continuous tokens must be finite numbers")
            return
        if tokens.is_floating_point() or tokens.dtype == torch.bool:
            raise ConfigError(f"tokens must be integers, not {tokens.dtype}")
        low, high = (bound.to(tokens.device) for bound in vocabulary.bounds())
        wrong = (tokens < low) | (tokens >= high)
        if wrong.any():
            position = int(wrong.any(0).nonzero()[0])
            raise ConfigError(
                f"token {int(tokens[wrong[:, position], position][0])} is not allowed at position {position}: "
                f"only codes {int(low[position])} … {int(high[position]) - 1} decode to weights there",
                "remove the specials, and sample only codes that `allowed` permits",
            )
