"""Sampling from a model, and the log-likelihood of given tokens."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.config import require
from nfgen.errors import ConfigError
from nfgen.models.base import SequenceModel, check_tokens
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.gpt import GPT
from nfgen.models.training.data import parts
from nfgen.runtime.device import free_memory
from nfgen.runtime.halving import in_halves
from nfgen.runtime.progress import progress
from nfgen.tokens.vocabulary import Vocabulary

from .logits import generators

CACHE_BYTES = 1 << 30
"""Memory limit of generation if no batch size is given; fits a laptop."""
LARGEST_BATCH, LARGEST_ACCELERATOR_BATCH = 256, 4096
"""Larger batches are no faster on two cores; a step of one token leaves an accelerator idle with small ones."""


def sample(
    model: SequenceModel,
    n: int,
    settings: SamplingConfig | None = None,
    *,
    seed: int = 0,
    first: int = 0,
    label: int | Int[Tensor, "samples"] | None = None,
    prefix: Tensor | None = None,
    given: Int[Tensor, "samples tokens"] | None = None,
    batch_size: int | None = None,
    reference_model: SequenceModel | None = None,
) -> Tensor:
    """Draw new token sequences; all of them decode.

    Sample i depends only on `seed` and `first + i`, not on the number of samples.

    Args:
        model: a trained model; its mode (train or eval) is restored.
        n: number of samples.
        settings: temperature, filters and guidance; None = plain sampling. The regression model ignores them.
        seed: seed of all samples.
        first: index of the first sample, to continue an earlier call.
        label: class of all samples, or of each [n]; None = any class (BOS).
        prefix: first tokens [m (, width)] of all samples, or of each [n, m (, width)].
        given: tokens [n, length] of any positions, -1 where one is to be drawn; for a gpt trained with `random_order`.
        batch_size: samples per batch; None = as many as fit in 1 GiB of cache, or in a quarter of the free memory of an
            accelerator. Where memory runs out, half of them at a time.
        reference_model: the same model with the weights of its lowest held-out loss, for `settings.contrastive_weight`.

    Returns:
        Tokens [n, length], int64, or [n, length, width], float32, if the vocabulary is continuous.

    Raises:
        ConfigError: on a wrong label, prefix or number, guidance without a class, contrast without a GPT
            and its reference model, or another order than the raster one of a model that knows no other.
    """
    settings = settings or SamplingConfig()
    require(n >= 0, "n", "must not be negative", n)
    require(0 <= seed < 1 << 63, "seed", "must be an integer in 0 … 2^63 - 1", seed)
    require(batch_size is None or batch_size > 0, "batch_size", "must be positive", batch_size)
    if settings.guidance != 1 and label is None:
        raise ConfigError("guidance needs a class to guide towards", "give a class, or guidance 1")
    labels, prefix = _conditions(model, n, label, prefix)
    if given is not None or settings.order == "random":
        require_any_order(model)
    if given is not None:
        check_given(model.vocabulary, given, n)
    generate = model.generate
    if settings.contrastive_weight:
        if not (isinstance(model, GPT) and isinstance(reference_model, GPT)):
            raise ConfigError(
                "contrastive_weight needs the last weights of a gpt and those of its lowest held-out loss",
                "use --weights last with a gpt run, or contrastive_weight 0",
            )
        generate = partial(model.generate, reference_model=reference_model.eval())
    size = batch_size or fitting_batch(model, settings)
    remedy = "use --device cpu, or a smaller model"
    was_training = model.training
    model.eval()
    try:
        with progress(len(range(0, n, size)) * model.vocabulary.length, "sample", "token") as bar:

            def drawn(here: slice) -> Tensor:
                randoms = generators(seed, range(first + here.start, first + here.stop))
                some = labels[here]
                more = {} if given is None else {"given": given[here].to(some.device)}
                begun = None if prefix is None else prefix[here]
                return generate(some, randoms, settings, begun, bar.update, **more).cpu()

            batches = [batch for _, batch in in_halves(drawn, n, size, "samples", remedy)]
    finally:
        model.train(was_training)
    if batches:
        return torch.cat(batches)
    vocabulary = model.vocabulary
    return (
        torch.empty(0, vocabulary.length, vocabulary.width)
        if vocabulary.continuous
        else torch.empty(0, vocabulary.length, dtype=torch.int64)
    )


def fitting_batch(model: SequenceModel, settings: SamplingConfig) -> int:
    """Number of samples per batch whose cache fits in 1 GiB, or in a quarter of the free memory of an accelerator."""
    free = free_memory(next(model.parameters()).device)
    most = CACHE_BYTES if free is None else free // 4
    largest = LARGEST_BATCH if free is None else LARGEST_ACCELERATOR_BATCH
    return max(1, min(largest, most // (settings.passes * model.bytes_per_sample)))


def _conditions(
    model: SequenceModel, n: int, label: int | Tensor | None, prefix: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Labels [n] and prefix [n, m (, width)], checked and on the model's device."""
    vocabulary, device = model.vocabulary, next(model.parameters()).device
    labels = label if isinstance(label, Tensor) else torch.full((n,), -1 if label is None else label)
    dimensions = 2 if vocabulary.continuous else 1
    if prefix is not None and prefix.ndim == dimensions:
        prefix = prefix.expand(n, *prefix.shape)
    if prefix is not None and prefix.ndim > 1 and prefix.shape[1] > vocabulary.length:
        raise ConfigError(
            f"a prefix of {prefix.shape[1]} tokens is longer than a sequence of {vocabulary.length}",
            "give fewer tokens",
        )
    if prefix is not None and prefix.ndim <= dimensions:
        raise ConfigError(f"a prefix of shape {tuple(prefix.shape)} is not a sequence of tokens", "give [m], or [n, m]")
    empty = torch.empty(n, 0, vocabulary.width) if vocabulary.continuous else torch.empty(n, 0, dtype=torch.int64)
    known = empty if prefix is None else prefix
    require(len(known) == n, "prefix", f"must be for {n} samples", len(known))
    require(labels.shape == (n,), "label", f"must be for {n} samples", tuple(labels.shape))
    check_tokens(vocabulary, known, labels, known.shape[1])
    return labels.to(device), None if prefix is None else prefix.to(device)


def require_any_order(model: SequenceModel) -> None:
    """Raise a `ConfigError` unless the model predicts tokens in any order."""
    if not (isinstance(model, GPT) and model.any_order):
        raise ConfigError(
            "the model predicts tokens in raster order alone", "train a gpt with --random-order 1 for any order"
        )


def check_given(vocabulary: Vocabulary, given: Tensor, n: int) -> None:
    """Raise a `ConfigError` unless these are n sequences, each token -1 or one that is allowed at its position."""
    require(
        given.shape == (n, vocabulary.length), "given", f"must be {n} x {vocabulary.length} ids", tuple(given.shape)
    )
    low, _ = vocabulary.bounds()
    check_tokens(vocabulary, torch.where(given == -1, low.to(given.device), given), torch.full((n,), -1))


@torch.inference_mode()
def log_likelihood(
    model: SequenceModel,
    tokens: Tensor,
    labels: Int[Tensor, "fields"],
    batch_size: int = 64,
    order: Int[Tensor, "tokens"] | None = None,
) -> Float[Tensor, "fields"]:
    """Log-probability of each field's tokens given its label, in nats, summed over its tokens; float64.

    Args:
        order: of the positions, for a model trained with `random_order`: the sum over them is exact in every order,
            but the model gives another probability in each; None = raster.

    Raises:
        ConfigError: if the model is not a GPT, or knows only the raster order, or the tokens are not those of its
            vocabulary.
    """
    if not isinstance(model, GPT):
        raise ConfigError("only gpt has probabilities of tokens", "use a run that was trained on discrete tokens")
    check_tokens(model.vocabulary, tokens, labels)
    if order is not None:
        require_any_order(model)
        whole = order.sort().values.tolist() == list(range(tokens.shape[1]))
        require(whole, "order", "must hold each position once", order.tolist())
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        sums = [
            -model.token_losses(
                some.to(device), of.to(device), None if order is None else order.to(device).expand(len(some), -1)
            )
            .cpu()
            .double()
            .sum(dim=1)
            for some, of in parts(tokens, labels, batch_size)
        ]
    finally:
        model.train(was_training)
    return torch.cat(sums) if sums else torch.empty(0, dtype=torch.float64)
