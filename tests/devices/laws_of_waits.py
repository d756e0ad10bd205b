"""No loop waits for the device in each of its turns: numbers are fetched now and then, indices are copied unawaited."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.metrics.two_sample import two_sample_test
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.models.registry import create
from nfgen.models.training.config import TrainerConfig
from nfgen.models.training.trainer import train
from nfgen.tokenizers import registry
from nfgen.tokens.vocabulary import Vocabulary

from .simulated_device import waits

pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")

SPEC = FieldSpec(frequencies=1, hidden=(8, 8))
SMALL = {"layers": 1, "width": 8, "heads": 1}
VQ = {"max_tokens": 11, "levels": (5, 4), "probes": 4, "width": 8, "channels": 8, "decoder_blocks": 1,
      "batch_size": 4, "points": 48}  # fmt: skip


def waits_a_turn(work: Callable[[int], Any], few: int = 2, more: int = 12) -> tuple[float, Counter[str]]:
    """How often each further turn waits, and where, from work that takes a number of turns."""
    work(few)  # what is cached
    seen = []
    for turns in (few, more):
        waits.clear()
        work(turns)
        seen.append(Counter(waits))
    further = seen[1] - seen[0]
    return further.total() / (more - few), further


def fields(count: int = 4) -> FieldSet:
    weights = initial_weights(SPEC, count, torch.Generator().manual_seed(0))
    return FieldSet(SPEC, weights, tuple("abcdefgh"[:count]), torch.full((count,), -1))


def test_a_wait_is_seen(simulated: torch.device) -> None:
    there, index = torch.arange(6, device=simulated), torch.tensor([1, 2])
    waiting: list[Callable[[], Any]] = [
        lambda: there.sum().item(), lambda: bool((there > 2).any()), there.tolist, there.cpu,
        lambda: there[there > 2], lambda: torch.where(there > 2), lambda: index.to(simulated),
        lambda: there.add(torch.tensor([1], device=simulated)),
    ]  # fmt: skip
    for work in waiting:
        waits.clear()
        work()
        assert len(waits) >= 1
    waits.clear()
    _ = there[3], there[1:], there.clone().fill_(2), torch.where(there > 2, 1.0, 0.0), there[there], there * 2.0
    _ = there[index.to(simulated, non_blocking=True)], torch.zeros(3, device=simulated)
    assert not waits


def test_a_fit_waits_every_fifty_steps(simulated: torch.device) -> None:
    points = torch.rand(3, 64, 3, generator=torch.Generator().manual_seed(0)).to(simulated) * 2 - 1
    start = initial_weights(SPEC, 3, torch.Generator().manual_seed(0)).to(simulated)

    def fit(steps: int) -> None:
        fit_batch(SPEC, points, points.norm(dim=-1) - 0.5, start, FitConfig(steps=steps, points=16), start[0])

    rate, where = waits_a_turn(fit, 50, 150)
    assert rate <= 2 / 50, where


def test_a_vq_training_waits_now_and_then(simulated: torch.device) -> None:
    rate, where = waits_a_turn(lambda steps: registry.create("vq", **VQ, steps=steps).fit(fields(), None, simulated))
    assert rate <= 0.1, where


def test_the_optimization_of_latents_does_not_wait(simulated: torch.device) -> None:
    tokenizers = {
        turns: registry.create("vq", **VQ, steps=1, refine=turns).fit(fields(), None, simulated) for turns in (2, 12)
    }
    rate, where = waits_a_turn(lambda turns: tokenizers[turns].encode(fields().weights))
    assert rate == 0, where


@pytest.mark.parametrize(
    ("name", "vocabulary", "settings"),
    [("gpt", Vocabulary(length=6, codes=20, levels=(5, 4), classes=("a", "b")), {}),
     ("gpt", Vocabulary(length=6, codes=20, ranges=((0, 9), (9, 20)) * 3), {"random_order": 0.5}),
     ("regression", Vocabulary(length=6, width=3), {}),
     ("diffusion", Vocabulary(length=6, width=3, classes=("a", "b")), {})],
)  # fmt: skip
def test_a_training_waits_now_and_then(
    simulated: torch.device, tmp_path: Path, name: str, vocabulary: Vocabulary, settings: dict[str, Any]
) -> None:
    model, count = create(name, vocabulary, **SMALL, **settings), 8
    tokens = torch.randn(count, 6, 3) if vocabulary.continuous else vocabulary.bounds()[0].expand(count, -1).clone()
    folder = itertools.count()

    def learn(steps: int) -> None:
        config = TrainerConfig(steps=steps, evaluate_every=1000, batch_size=4, sample_every=0, device=str(simulated))
        labels, heldout = torch.full((count,), -1), torch.arange(count) < 2
        train(name, model.config, vocabulary, tokens, labels, heldout, tmp_path / str(next(folder)), config)

    rate, where = waits_a_turn(learn, 2, 22)
    assert rate <= 0.1, where


@pytest.mark.parametrize(
    ("random_order", "settings"),
    [(0.0, {}), (0.0, {"temperature": 0.0}), (0.5, {"top_k": 3, "top_p": 0.9, "min_p": 0.01, "guidance": 2.0})],
)
def test_no_drawn_token_waits(simulated: torch.device, random_order: float, settings: dict[str, Any]) -> None:
    def draw(length: int) -> None:
        vocabulary = Vocabulary(length=length, codes=20, ranges=((0, 9), (9, 20)) * (length // 2), classes=("a",))
        model = create("gpt", vocabulary, **SMALL, random_order=random_order).to(simulated)
        sample(model, 3, SamplingConfig(**settings), label=0)

    draw(12)  # its angles are kept
    rate, where = waits_a_turn(draw)
    assert rate == 0, where


def test_no_step_of_a_test_by_pictures_waits(simulated: torch.device) -> None:
    views = np.random.default_rng(0).integers(0, 256, (2, 10, 2, 2, 16, 16), dtype=np.uint8)
    rate, where = waits_a_turn(lambda steps: two_sample_test(*views, views[0], steps=steps, device=simulated), 2, 5)
    assert rate == 0, where


def test_no_denoising_step_waits(simulated: torch.device) -> None:
    def draw(steps: int) -> None:
        model = create("diffusion", Vocabulary(length=6, width=3), **SMALL, denoise_steps=steps).to(simulated)
        sample(model, 3, prefix=torch.zeros(2, 3))

    rate, where = waits_a_turn(draw)
    assert rate == 0, where
