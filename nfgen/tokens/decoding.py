"""The one decode path: tokens become weights, weights become fields, fields become meshes or images.

All tokens, of any source and any tokenizer, are decoded by `decode_fields`.
"""

from typing import Protocol

from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.spec import FieldSpec

from .vocabulary import Vocabulary


class Decoder(Protocol):
    """The part of a tokenizer that decoding needs."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def decoded_spec(self) -> FieldSpec: ...

    def decode(self, tokens: Tensor) -> Tensor: ...


def decode_fields(decoder: Decoder, tokens: Tensor) -> list[Field]:
    """Decode tokens [N, length] ([N, length, width] if continuous), or sequences with start and EOS, to fields.

    Raises:
        ConfigError: if a token is not allowed at its position, or the weights are not finite.
    """
    vocabulary = decoder.vocabulary
    if not vocabulary.continuous and not tokens.is_floating_point():
        tokens = tokens.long()  # stored tokens are int32, which cannot index everywhere
    if not vocabulary.continuous and tokens.shape[1] == vocabulary.sequence_length:
        tokens = vocabulary.unwrap(tokens)
    weights = decoder.decode(tokens)
    if not weights.isfinite().all():
        raise ConfigError("tokens decode to weights that are not finite", "train the model again")
    return [Field(decoder.decoded_spec, one) for one in weights]
