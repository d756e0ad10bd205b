"""`identity`: the weights themselves as continuous tokens, normalised."""

from jaxtyping import Float
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.vocabulary import Vocabulary

from .chunking import Units
from .config import IdentityConfig
from .normalization import Scaling


class IdentityTokenizer(Tokenizer):
    """Continuous tokens: scaled weights, split into units.

    `|decode(encode(w)) - w| <= 2^-22 (|w| + |offset|)`, the rounding of `Scaling`; exact for `target="weights"` with
    `normalise="none"`.
    """

    name = "identity"
    Config = IdentityConfig

    def _fit(self, fields: FieldSet) -> None:
        self._set(Scaling.of(fields, self.config.target, self.config.normalise))

    def _set(self, scaling: Scaling) -> None:
        self._units = Units(self.spec, self.config.unit, self.config.chunk)
        self._scaling = scaling

    @property
    def vocabulary(self) -> Vocabulary:
        """Continuous, with the classes of the field set."""
        self._check_fitted()
        return Vocabulary(length=self._units.length, width=self._units.width, classes=self.classes)

    def encode(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None
    ) -> Float[Tensor, "fields tokens width"]:
        """Scaled weights [N, length, width]; padding is zero."""
        self._check_weights(weights, spec)
        return self._units.split(self._scaling.apply(weights))

    def decode(self, tokens: Float[Tensor, "fields tokens width"]) -> Float[Tensor, "fields weights"]:
        """Weights [N, P]; values in the padding are dropped."""
        self._check_tokens(tokens)
        return self._scaling.undo(self._units.join(tokens))

    def tensors(self) -> dict[str, Tensor]:
        """Offset and scale of each weight."""
        self._check_fitted()
        return self._scaling.tensors()

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self._set(Scaling.restored(tensors, self.spec))
