"""`diffusion`: a transformer that denoises all continuous tokens of a field at once, after HyperDiffusion."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.models.generation.config import SamplingConfig
from nfgen.models.nn.transformer import Transformer, learning_rate_at
from nfgen.runtime.device import CPU, upload
from nfgen.tokens.vocabulary import Vocabulary

from .base import SequenceModel
from .config import EVAL_LEVELS, DiffusionConfig

BETA_MIN, BETA_MAX = 0.1, 20.0  # first and last beta of the linear schedule, times its levels: DDPM's 1e-4 and 0.02
LARGEST_BETA = 0.999  # of one level, as in https://arxiv.org/abs/2102.09672
FREQUENCIES = 64  # of the sines and cosines that encode the noise level


class DiffusionTransformer(SequenceModel):
    """Noisy tokens are `clean[level]` x tokens + `noise[level]` x noise; the transformer predicts the tokens from them.

    Generation starts from noise of each sample and is deterministic from there (DDIM; Euler steps for flow). So
    `temperature` scales that noise: with 0 all samples are the one of all-zero noise. Top-k, top-p and min-p apply to
    codes and have no effect here. Before each step the tokens of a prefix are overwritten by the given ones, with the
    noise of that step's level.
    """

    name = "diffusion"
    Config = DiffusionConfig
    config: DiffusionConfig

    def __init__(self, vocabulary: Vocabulary, config: DiffusionConfig) -> None:
        super().__init__(vocabulary, config)
        width = config.width
        self.start_embedding = nn.Embedding(1 + len(vocabulary.classes), width)
        nn.init.normal_(self.start_embedding.weight, std=0.02)
        self.embedding = nn.Sequential(nn.Linear(vocabulary.width, width), nn.GELU(), nn.Linear(width, width))
        self.level = nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.GELU(), nn.Linear(width, width))
        self.transformer = Transformer(config, vocabulary.length, causal=False)
        self.head = nn.Linear(width, vocabulary.width)
        clean, noise = shares(config.process, config.noise_levels)
        self.register_buffer("clean", clean, persistent=False)
        self.register_buffer("noise", noise, persistent=False)
        self.register_buffer("scale", torch.ones(()))
        self.clean: Tensor
        self.noise: Tensor
        self.scale: Tensor

    @classmethod
    def accepts(cls, vocabulary: Vocabulary) -> bool:
        return vocabulary.continuous

    def prepare(self, tokens: Tensor) -> None:
        """Keep the tokens' root mean square; they are divided by it, to match the noise."""
        size = tokens.square().mean().sqrt()
        self.scale.fill_(float(size) if size > 0 else 1.0)

    def forward(
        self, noisy: Float[Tensor, "b t w"], levels: Int[Tensor, "b"], labels: Int[Tensor, "b"]
    ) -> Float[Tensor, "b t w"]:
        """Predict the clean tokens, or the velocity, in units of `scale`."""
        angles = (levels + 1)[:, None] / len(self.noise) * torch.logspace(0, 3, FREQUENCIES, device=noisy.device)
        condition = self.level(torch.cat([angles.sin(), angles.cos()], dim=1)) + self.start_embedding(labels + 1)
        predicted: Tensor = self.head(self.transformer(self.embedding(noisy) + condition[:, None]))
        return predicted

    def loss(self, tokens: Float[Tensor, "b t w"], labels: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        """Mean squared error of the clean tokens, or of the velocity, in units of the tokens' root mean square.

        In training each sequence gets a random level and noise; in eval mode all sequences have the same
        few levels and noises.
        """
        count = len(self.noise)
        if self.training:
            # Drawn on the CPU, as each device draws in its own way.
            levels = upload(torch.randint(count, labels.shape, device=CPU), tokens.device)
            noise = upload(torch.randn(tokens.shape, device=CPU), tokens.device)
            return self._errors(tokens, self.some_dropped(labels, self.config.class_dropout), levels, noise).mean()
        generator = torch.Generator().manual_seed(0)
        total = torch.zeros((), device=tokens.device)
        for level in torch.linspace(0, count - 1, EVAL_LEVELS).long().tolist():
            noise = torch.randn(tokens.shape[1:], generator=generator).to(tokens).expand_as(tokens)
            total = total + self._errors(tokens, labels, torch.full_like(labels, level), noise).mean()
        return total / EVAL_LEVELS

    def _errors(self, tokens: Tensor, labels: Tensor, levels: Tensor, noise: Tensor) -> Float[Tensor, "b t w"]:
        clean = tokens / self.scale
        noisy = self._mixed(clean, noise, levels)
        target = noise - clean if self.config.process == "flow" else clean
        return (self(noisy, levels, labels) - target).square()

    def _mixed(self, clean: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        return self.clean[levels][:, None, None] * clean + self.noise[levels][:, None, None] * noise

    def _clean(self, noisy: Tensor, levels: Tensor, labels: Tensor, guidance: float) -> Tensor:
        """Estimate the clean tokens of noisy ones."""
        predicted: Tensor = self(noisy, levels, labels)
        if guidance != 1:
            of_any = self(noisy, levels, torch.full_like(labels, -1))
            predicted = of_any + guidance * (predicted - of_any)
        if self.config.process == "flow":
            return noisy - self.noise[levels][:, None, None] * predicted
        return predicted

    @torch.inference_mode()
    def generate(
        self,
        labels: Int[Tensor, "fields"],
        randoms: list[np.random.Generator],
        settings: SamplingConfig,
        prefix: Tensor | None = None,
        advance: Callable[[], None] | None = None,
    ) -> Float[Tensor, "fields tokens width"]:
        """New tokens, denoised from the noise of each sample."""
        length, width = self.vocabulary.length, self.vocabulary.width
        drawn = np.stack([random.standard_normal(length * width) for random in randoms])
        noise = torch.from_numpy(drawn).to(self.scale) * settings.temperature
        noise = rearrange(noise, "n (t w) -> n t w", w=width)
        given = 0 if prefix is None else prefix.shape[1]
        known = None if prefix is None else prefix / self.scale
        x, steps = noise, self.config.denoise_steps
        levels = torch.linspace(len(self.noise) - 1, 0, steps).round().long().tolist()
        for step, (level, following) in enumerate(zip(levels, [*levels[1:], None], strict=True)):
            here = torch.full_like(labels, level)
            if known is not None:
                x = torch.cat([self._mixed(known, noise[:, :given], here), x[:, given:]], dim=1)
            clean = self._clean(x, here, labels, settings.guidance)
            if following is None:
                x = clean
            else:
                remaining = (x - self.clean[level] * clean) / self.noise[level]
                x = self._mixed(clean, remaining, torch.full_like(labels, following))
            if advance is not None:
                for _ in range(length * (step + 1) // steps - length * step // steps):
                    advance()
        tokens = x * self.scale
        if prefix is not None:
            tokens[:, :given] = prefix
        return tokens

    @property
    def learning_rate(self) -> float:
        return learning_rate_at(self.config.width)

    @property
    def bytes_per_sample(self) -> int:
        # A block keeps its input, queries, keys, values and the two halves of its MLP: about ten widths.
        return 4 * 10 * self.config.width * self.vocabulary.length


def shares(
    process: Literal["diffusion", "flow"], levels: int
) -> tuple[Float[Tensor, "levels"], Float[Tensor, "levels"]]:
    """Factors of the clean tokens and of the noise at each level, from almost no noise to almost only noise.

    For `diffusion` their squares sum to 1, for `flow` they sum to 1. The variances of `diffusion` grow linearly, from
    1e-4 to 0.02 for 1,000 levels; with fewer levels they are larger in proportion, so that the last level is still
    almost pure noise.
    """
    if process == "flow":
        noise = torch.arange(1, levels + 1, dtype=torch.float64) / levels
        return (1 - noise).float(), noise.float()
    added = torch.linspace(BETA_MIN, BETA_MAX, levels, dtype=torch.float64) / levels
    kept = (1 - added.clamp(max=LARGEST_BETA)).cumprod(0)
    return kept.sqrt().float(), (1 - kept).sqrt().float()
