"""Settings of the models: of the transformer, and of each model that stands on it."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, model_validator

from nfgen.config import Configuration, require

EVAL_LEVELS = 8
"""Evenly spread levels at which held-out fields are judged by diffusion, with the same noise each time."""

Share = Annotated[float, Field(ge=0, le=1)]
ProperShare = Annotated[float, Field(ge=0, lt=1)]


class TransformerConfig(Configuration):
    """Size and parts of the transformer."""

    layers: Annotated[int, Field(ge=1, le=256)] = 4
    """Number of blocks."""
    width: Annotated[int, Field(ge=1, le=1 << 16)] = 128
    """Numbers that stand for one token between the blocks."""
    heads: Annotated[int, Field(ge=1, le=1024)] = 4
    """Attention heads; each has `width / heads` dimensions."""
    feedforward: Literal["swiglu", "gelu"] = "swiglu"
    """The block's MLP: gated (https://arxiv.org/abs/2002.05202) or nanoGPT's; both have 8 width² weights."""
    positions: Literal["learned", "rotary", "both"] = "both"
    """Position encoding: a learned embedding of each position, rotary encoding of relative positions
    (https://arxiv.org/abs/2104.09864), or both. Held-out nats per token after 300 steps on 64 codes of a chair: 2.62
    learned, 2.31 rotary, 2.23 both."""
    dropout: ProperShare = 0.1
    """Share of numbers dropped from the embedding and from what each block adds; attention itself is not dropped."""
    class_dropout: Share = 0.1
    """Share of labelled training sequences that start with BOS instead of their class. BOS then means any class, as
    classifier-free guidance needs it (https://arxiv.org/abs/2207.12598)."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        even = self.width % (2 * self.heads) == 0
        require(even, "width", f"must be a multiple of twice the {self.heads} heads", self.width)
        return self


class GPTConfig(TransformerConfig):
    """Settings of GPT."""

    head: Literal["auto", "tied", "untied", "digits"] = "auto"
    """The output head: `tied` shares the embedding's vectors, `untied` has its own, `digits` predicts an FSQ code digit
    by digit. `auto` = digits for codes of several digits if there are more than 4,096 codes, else untied. Held-out nats
    per token after 300 steps on 64 codes of 1,000 of a chair: 2.14 untied, 2.23 tied, 2.31 digits."""
    label_smoothing: ProperShare = 0.0
    """Share of each target's probability that goes evenly to all codes allowed there."""
    random_order: Share = 0.0
    """Share of training sequences whose tokens are predicted in a random order of their positions, the others in raster
    order (https://arxiv.org/abs/2404.09562); 0 = none. Only with it can chosen tokens be kept and the rest drawn."""


class RegressionConfig(TransformerConfig):
    """Settings of the regression transformer."""

    dropout: ProperShare = 0.0
    """As in the transformer, but 0 by default: dropout adds noise to the predicted values."""
    input_noise: NonNegativeFloat = 0.0
    """Standard deviation of Gaussian noise on the tokens that are read in training, in units of a token's numbers. It
    teaches the model to recover from its own small errors, which add up over a rolled-out sequence."""


class DiffusionConfig(TransformerConfig):
    """Settings of diffusion."""

    dropout: ProperShare = 0.0
    """As in the transformer, but 0 by default: the noise of diffusion regularises enough."""
    process: Literal["diffusion", "flow"] = "diffusion"
    """`diffusion`: variance is kept, the schedule is linear, and the clean tokens are predicted (DDPM,
    https://arxiv.org/abs/2006.11239, as HyperDiffusion has it). `flow`: straight lines from noise to tokens, of which
    the velocity is predicted (flow matching, https://arxiv.org/abs/2210.02747)."""
    noise_levels: Annotated[int, Field(ge=EVAL_LEVELS)] = 500
    """Number of noise levels in training."""
    denoise_steps: Annotated[int, Field(ge=1)] = 50
    """Levels that generation goes through, evenly spread (DDIM, https://arxiv.org/abs/2010.02502)."""

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        most = f"must be at most the {self.noise_levels} noise levels"
        require(self.denoise_steps <= self.noise_levels, "denoise_steps", most, self.denoise_steps)
        return self


CONFIGS: dict[str, type[TransformerConfig]] = {
    "gpt": GPTConfig,
    "regression": RegressionConfig,
    "diffusion": DiffusionConfig,
}
"""Configurations of the built-in models, to be had without torch."""


def settings_of(name: str) -> type[Configuration]:
    """The configuration of a model.

    Raises:
        ConfigError: if there is no model of that name.
    """
    if name in CONFIGS:
        return CONFIGS[name]
    from .registry import find

    return find(name).Config
