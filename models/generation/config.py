"""`SamplingConfig`: how tokens are drawn."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from nfgen.config import Configuration


class SamplingConfig(Configuration):
    """How tokens are drawn; the filters are applied in the order of the fields."""

    temperature: NonNegativeFloat = 1.0
    """Divides the logits; 0 takes the most likely token."""
    top_k: PositiveInt | None = None
    """Keep the k likeliest tokens."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Keep the most likely tokens of this total probability (nucleus, https://arxiv.org/abs/1904.09751)."""
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Keep tokens at least this share as likely as the likeliest one (https://arxiv.org/abs/2407.01082)."""
    guidance: NonNegativeFloat = 1.0
    """Classifier-free guidance: logits = unconditional + guidance x (conditional - unconditional); 1 = none."""
    contrastive_weight: NonNegativeFloat = 0.0
    """With the last weights of a GPT, weight of what it learned since its lowest held-out loss: log-probabilities are
    its last ones + weight x (its last ones - those from back then); 0 = none, 0.5 = usual. What both find likely is
    what any chair has; what only the last ones do makes one (contrastive decoding, https://arxiv.org/abs/2210.15097;
    https://arxiv.org/abs/2406.02507)."""
    order: Literal["raster", "random"] | None = None
    """Order in which the positions are drawn: `raster`, or `random`, another one for each sample, which takes a gpt
    trained with `random_order`; none = random for such a gpt."""

    RENAMED: ClassVar = {"contrast": "contrastive_weight"}

    @property
    def passes(self) -> int:
        """How many times a model reads each token: for the class and for any, with its own and with earlier weights."""
        return (1 + (self.guidance != 1)) * (1 + (self.contrastive_weight != 0))
