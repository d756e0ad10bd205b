"""Laws of sampling."""

import itertools

import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import log_likelihood, sample
from nfgen.models.generation.logits import draw
from nfgen.models.gpt import GPT
from nfgen.models.registry import create
from nfgen.tokens.vocabulary import Vocabulary

PLAIN = Vocabulary(length=7, codes=10, classes=("cup", "vase"))
PLACES = Vocabulary(length=7, codes=10, ranges=((0, 4), (4, 10)))
NUMBERS = Vocabulary(length=7, width=3, classes=("cup", "vase"))
LOGITS = torch.tensor([0.4, 0.1, 0.3, 0.2]).log()


def shaken(name: str, vocabulary: Vocabulary, seed: int = 0, **settings: object) -> GPT:
    torch.manual_seed(seed)
    model = create(name, vocabulary, layers=2, width=32, heads=2, **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model  # type: ignore[return-value]  # the tests that need a GPT ask for one


def frequencies(**settings: float | int) -> list[float]:
    """How often each of four tokens is drawn, by 1,000 evenly spaced numbers."""
    numbers = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    drawn = draw(LOGITS.expand(1000, 4), numbers, SamplingConfig(**settings))  # type: ignore[arg-type]
    return (torch.bincount(drawn, minlength=4) / 1000).tolist()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.4, 0.1, 0.3, 0.2]),
        ({"temperature": 0.0}, [1, 0, 0, 0]),
        ({"temperature": 0.5}, [16 / 30, 1 / 30, 9 / 30, 4 / 30]),
        ({"top_k": 2}, [4 / 7, 0, 3 / 7, 0]),
        ({"top_k": 9}, [0.4, 0.1, 0.3, 0.2]),
        ({"top_p": 0.65}, [4 / 7, 0, 3 / 7, 0]),
        ({"top_p": 0.75}, [4 / 9, 0, 3 / 9, 2 / 9]),
        ({"top_p": 1e-6}, [1, 0, 0, 0]),
        ({"min_p": 0.6}, [4 / 7, 0, 3 / 7, 0]),
        ({"min_p": 1.0}, [1, 0, 0, 0]),
    ],
)
def test_tokens_are_drawn_as_often_as_they_should(settings: dict[str, float], expected: list[float]) -> None:
    assert frequencies(**settings) == pytest.approx(expected, abs=2e-3)


def test_the_largest_number_draws_a_possible_token() -> None:
    below_one = torch.tensor([1 - 2**-53], dtype=torch.float64)
    logits = torch.tensor([[0.0, 1.0, -torch.inf, -torch.inf]])
    assert draw(logits, below_one, SamplingConfig()).item() == 1
    assert draw(logits, torch.zeros(1, dtype=torch.float64), SamplingConfig()).item() == 0


def test_a_batch_equals_its_members_one_by_one() -> None:
    for model in (shaken("gpt", PLAIN), shaken("gpt", PLACES)):
        together = sample(model, 6, seed=5)
        assert torch.equal(together, torch.cat([sample(model, 1, seed=5, first=i) for i in range(6)]))
        assert torch.equal(together, sample(model, 6, seed=5, batch_size=4))
        assert len(together.unique(dim=0)) == 6
        assert not torch.equal(together, sample(model, 6, seed=6))


@pytest.mark.parametrize("process", ["diffusion", "flow"])
def test_a_denoised_batch_equals_its_members_to_rounding(process: str) -> None:
    model = shaken("diffusion", NUMBERS, process=process)
    together = sample(model, 6, seed=5)
    assert torch.equal(together, sample(model, 6, seed=5))
    for other in (
        torch.cat([sample(model, 1, seed=5, first=i) for i in range(6)]),
        sample(model, 6, seed=5, batch_size=4),
    ):
        torch.testing.assert_close(together, other, rtol=1e-3, atol=1e-3)
    assert torch.pdist(together.flatten(1)).min() > 0.01
    assert not torch.allclose(together, sample(model, 6, seed=6), atol=0.01)
    still = sample(model, 2, SamplingConfig(temperature=0.0), seed=5)
    torch.testing.assert_close(still[0], still[1])


def test_a_denoised_sample_begins_with_its_prefix() -> None:
    model = shaken("diffusion", NUMBERS)
    whole = sample(model, 3, seed=1, label=1)
    assert torch.equal(sample(model, 3, seed=1, label=1, prefix=whole), whole)
    given = sample(model, 3, seed=1, label=1, prefix=whole[:, :4] + 1)
    assert torch.equal(given[:, :4], whole[:, :4] + 1)
    assert not torch.allclose(given[:, 4:], whole[:, 4:], atol=1e-3)


def test_guidance_leads_a_denoiser_from_any_class_to_one() -> None:
    model = shaken("diffusion", NUMBERS)
    of_any, of_class = sample(model, 4), sample(model, 4, label=1)
    torch.testing.assert_close(sample(model, 4, SamplingConfig(guidance=0.0), label=1), of_any)
    assert not torch.allclose(of_any, of_class, atol=1e-3)
    torch.testing.assert_close(
        sample(model, 4, SamplingConfig(guidance=1 + 1e-7), label=1), of_class, rtol=1e-3, atol=1e-3
    )


def test_every_sample_decodes() -> None:
    tokens = sample(shaken("gpt", PLACES), 50, SamplingConfig(temperature=3.0))
    assert torch.equal(PLACES.unwrap(PLACES.wrap(tokens, torch.full((50,), -1))), tokens)


def test_probabilities_of_all_sequences_sum_to_one() -> None:
    vocabulary = Vocabulary(length=3, codes=5, ranges=((0, 3), (1, 5)), classes=("cup",))
    model = shaken("gpt", vocabulary)
    every = torch.tensor(list(itertools.product(range(3), range(1, 5), range(3))))
    for label in (-1, 0):
        likelihoods = log_likelihood(model, every, torch.full((36,), label))
        assert likelihoods.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_prefix_is_completed() -> None:
    for name, vocabulary in (("gpt", PLAIN), ("regression", NUMBERS)):
        model = shaken(name, vocabulary)
        whole = sample(model, 3, seed=1, label=1)
        assert torch.equal(sample(model, 3, seed=1, label=1, prefix=whole), whole)
        torch.testing.assert_close(sample(model, 3, seed=1, label=1, prefix=whole[:, :4]), whole, rtol=1e-4, atol=1e-4)
        other = sample(model, 2, seed=1, prefix=whole[0, :5])
        assert torch.equal(other[:, :5], whole[0, :5].expand_as(other[:, :5]))


def test_guidance_leads_from_any_class_to_one() -> None:
    model = shaken("gpt", PLAIN)
    assert torch.equal(sample(model, 8, SamplingConfig(guidance=0.0), label=1), sample(model, 8))
    of_class = sample(model, 8, label=1)
    assert torch.equal(sample(model, 8, SamplingConfig(guidance=1.0 + 1e-7), label=1), of_class)
    labels = torch.ones(200, dtype=torch.int64)

    def preference(guidance: float) -> float:
        tokens = sample(model, 200, SamplingConfig(guidance=guidance), label=1)
        return float((log_likelihood(model, tokens, labels) - log_likelihood(model, tokens, -labels)).mean())

    assert preference(3.0) > preference(1.0) > preference(0.0)


@pytest.mark.parametrize("vocabulary", [PLAIN, PLACES], ids=["one range", "several"])
def test_contrast_leads_away_from_earlier_weights(vocabulary: Vocabulary) -> None:
    model, earlier = shaken("gpt", vocabulary), shaken("gpt", vocabulary, seed=1).train()
    plain = sample(model, 8)
    assert torch.equal(sample(model, 8, SamplingConfig(contrastive_weight=1e-7), reference_model=earlier), plain)
    assert torch.equal(sample(model, 8, SamplingConfig(contrastive_weight=3.0), reference_model=model), plain)
    assert torch.equal(sample(model, 8, reference_model=earlier), plain), "no contrast, no comparison"
    of_any = torch.full((200,), -1)

    def preference(contrast: float) -> float:
        tokens = sample(model, 200, SamplingConfig(contrastive_weight=contrast), reference_model=earlier)
        return float((log_likelihood(model, tokens, of_any) - log_likelihood(earlier, tokens, of_any)).mean())

    assert preference(2.0) > preference(0.5) > preference(0.0)


def test_contrast_and_guidance_go_together() -> None:
    model, earlier = shaken("gpt", PLAIN), shaken("gpt", PLAIN, seed=1)
    both = SamplingConfig(contrastive_weight=0.5, guidance=2.0)
    drawn = sample(model, 4, both, label=1, reference_model=earlier)
    assert torch.equal(sample(model, 1, both, first=3, label=1, reference_model=earlier), drawn[3:]), (
        "whatever is drawn with it"
    )


def test_labels_may_differ_in_a_batch() -> None:
    for model in (shaken("gpt", PLAIN), shaken("diffusion", NUMBERS)):
        mixed = sample(model, 4, seed=2, label=torch.tensor([0, 1, 0, -1]))
        for i, label in enumerate([0, 1, 0, None]):
            alone = sample(model, 1, seed=2, first=i, label=label)
            torch.testing.assert_close(mixed[i : i + 1], alone, rtol=1e-3, atol=1e-3)


def test_regression_gives_one_field_a_start() -> None:
    model = shaken("regression", NUMBERS)
    assert torch.equal(sample(model, 1, seed=1), sample(model, 1, SamplingConfig(temperature=2.0), seed=2))
    assert not torch.allclose(sample(model, 1, label=0), sample(model, 1, label=1), atol=1e-3)


def test_sampling_leaves_the_model_and_the_global_randomness_alone() -> None:
    for model in (shaken("gpt", PLAIN).train(), shaken("diffusion", NUMBERS).train()):
        torch.manual_seed(7)
        expected = torch.rand(1)
        torch.manual_seed(7)
        sample(model, 2)
        assert model.training
        assert torch.equal(torch.rand(1), expected)


def test_no_samples_are_an_empty_batch() -> None:
    assert sample(shaken("gpt", PLAIN), 0).shape == (0, 7)
    for name in ("regression", "diffusion"):
        assert sample(shaken(name, NUMBERS), 0).shape == (0, 7, 3)
    assert log_likelihood(shaken("gpt", PLAIN), torch.zeros(0, 7).long(), torch.zeros(0).long()).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n": -1}, "n must"),
        ({"n": 1, "seed": -1}, "seed"),
        ({"n": 1, "label": 2}, "classes"),
        ({"n": 2, "label": torch.zeros(3, dtype=torch.int64)}, "label"),
        ({"n": 1, "prefix": torch.tensor([10])}, "not allowed at position"),
        ({"n": 1, "prefix": torch.zeros(8, dtype=torch.int64)}, "longer"),
        ({"n": 1, "prefix": torch.tensor(3)}, "prefix"),
        ({"n": 1, "prefix": torch.zeros(2)}, "codes"),
        ({"n": 3, "prefix": torch.zeros(2, 4, dtype=torch.int64)}, "prefix"),
        ({"n": 1, "settings": SamplingConfig(guidance=2.0)}, "guidance"),
        ({"n": 1, "settings": SamplingConfig(contrastive_weight=0.5)}, "contrast"),
        ({"n": 1, "batch_size": 0}, "batch_size"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sample(shaken("gpt", PLAIN), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1.0},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"min_p": 2.0},
        {"guidance": -1.0},
        {"contrastive_weight": -1.0},
    ],
)
def test_wrong_settings_are_named(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        SamplingConfig(**settings)  # type: ignore[arg-type]


def test_likelihoods_need_a_gpt_and_its_tokens() -> None:
    with pytest.raises(ConfigError, match="gpt"):
        log_likelihood(shaken("regression", NUMBERS), torch.zeros(1, 7, 3), torch.zeros(1).long())
    with pytest.raises(ConfigError, match="shape"):
        log_likelihood(shaken("gpt", PLAIN), torch.zeros(1, 6).long(), torch.zeros(1).long())
