"""The one decode path: tokens become weights, weights become fields, fields become meshes or images.

Whatever made the tokens, and whichever tokenizer they belong to, goes through `decode_fields`.
"""

from typing import Protocol

from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.spec import FieldSpec

from .vocabulary import Vocabulary


class Decoder(Protocol):
    """What decoding needs of a tokenizer."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def decoded_spec(self) -> FieldSpec: ...

    def decode(self, tokens: Tensor) -> Tensor: ...


def decode_fields(decoder: Decoder, tokens: Tensor) -> list[Field]:
    """Fields of tokens [N, length] (or [N, length, width] if continuous), or of whole sequences with start and EOS.

    Raises:
        ConfigError: if a token stands where it may not, or the weights would not be finite.
    """
    vocabulary = decoder.vocabulary
    if not vocabulary.continuous and not tokens.is_floating_point():
        tokens = tokens.long()  # stored ones are int32, by which not everything can be looked up
    if not vocabulary.continuous and tokens.shape[1] == vocabulary.sequence_length:
        tokens = vocabulary.unwrap(tokens)
    weights = decoder.decode(tokens)
    if not weights.isfinite().all():
        raise ConfigError("tokens decode to weights that are not finite", "train the model again")
    return [Field(decoder.decoded_spec, one) for one in weights]
