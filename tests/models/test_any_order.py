"""Laws of a GPT that predicts tokens in any order of their positions."""

import itertools
from pathlib import Path

import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import log_likelihood, sample
from nfgen.models.generation.logits import draw, generators, uniforms
from nfgen.models.gpt import GPT
from nfgen.models.nn.orders import eval_orders, sampling_orders, training_orders
from nfgen.models.registry import create, load_model
from nfgen.tokens.vocabulary import Vocabulary

from .training.small_trainings import CODES, data, learn

PLAIN = Vocabulary(length=7, codes=10, classes=("cup", "vase"))
PLACES = Vocabulary(length=7, codes=10, ranges=((0, 4), (4, 10), (4, 10)))
POSITIONS = pytest.mark.parametrize("positions", ["learned", "rotary", "both"])


def shaken(vocabulary: Vocabulary, seed: int = 0, **settings: object) -> GPT:
    torch.manual_seed(seed)
    model = create("gpt", vocabulary, **{"layers": 2, "width": 32, "heads": 2, "random_order": 1.0, **settings}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    assert isinstance(model, GPT)
    return model


def some_tokens(vocabulary: Vocabulary, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    weights = vocabulary.allowed_mask()[1:-1, : vocabulary.codes].double()
    return torch.multinomial(weights, count, replacement=True, generator=generator).T


def some_orders(count: int, length: int = 7) -> torch.Tensor:
    return torch.rand(count, length, generator=torch.Generator().manual_seed(2)).argsort(dim=1)


@POSITIONS
def test_single_steps_with_a_cache_have_the_likelihood_of_the_sequence(positions: str) -> None:
    for vocabulary, shuffled in itertools.product((PLAIN, PLACES), (False, True)):
        model = shaken(vocabulary, positions=positions)
        tokens, labels = some_tokens(vocabulary, 5), torch.full((5,), -1)
        settings = SamplingConfig(order="random" if shuffled else "raster", top_p=0.95)
        drawn = sample(model, 5, settings, seed=3)
        randoms = generators(3, range(5))
        numbers = uniforms(randoms, 7)
        orders = sampling_orders(randoms, torch.full((5, 7), -1), shuffled)
        with torch.no_grad():
            for step, row in itertools.product(range(7), range(5)):
                place = int(orders[row, step])
                logits = model.logits(tokens[row : row + 1], labels[:1], orders[row : row + 1])[place]
                low, _ = model.ranges[place]
                tokens[row, place] = low + draw(logits, numbers[place, row : row + 1], settings)
        assert torch.equal(drawn, tokens)


@POSITIONS
def test_raster_order_is_computed_as_by_a_model_that_knows_no_other(positions: str) -> None:
    model, plain = shaken(PLACES, positions=positions), shaken(PLACES, positions=positions, random_order=0.0)
    weights = model.state_dict()
    if "transformer.place_embedding.weight" in weights:
        places = weights.pop("transformer.place_embedding.weight")
        weights["transformer.position_embedding.weight"] = (
            weights["transformer.position_embedding.weight"] + places[:-1]
        )
    plain.load_state_dict(weights)
    tokens, labels = some_tokens(PLACES, 6), torch.full((6,), -1)
    likelihoods = log_likelihood(model, tokens, labels)
    torch.testing.assert_close(likelihoods, log_likelihood(plain, tokens, labels), rtol=1e-5, atol=0)
    settings = SamplingConfig(order="raster")
    assert torch.equal(sample(model, 6, settings, seed=5), sample(plain, 6, settings, seed=5))


def test_a_token_depends_on_those_before_it_in_its_order_alone() -> None:
    model, orders = shaken(PLACES), some_orders(4)
    tokens, labels = some_tokens(PLACES, 4), torch.full((4,), -1)
    with torch.no_grad():
        before = model.token_losses(tokens, labels, orders).gather(1, orders)
        for step in range(7):
            changed, place = tokens.clone(), orders[:, step : step + 1]
            low = torch.tensor([low for low, _ in model.ranges])[place]
            old = tokens.gather(1, place)
            changed.scatter_(1, place, torch.where(old == low, low + 1, low))
            after = model.token_losses(changed, labels, orders).gather(1, orders)
            torch.testing.assert_close(before[:, :step], after[:, :step], rtol=1e-5, atol=1e-5)
            assert ((before[:, step:] - after[:, step:]).abs() > 1e-5).all()


def test_rows_in_another_order_are_as_each_alone() -> None:
    model, orders = shaken(PLACES), some_orders(4)
    tokens, labels = some_tokens(PLACES, 4), torch.full((4,), -1)
    with torch.no_grad():
        together = model.logits(tokens, labels, orders)
        for row in range(4):
            alone = model.logits(tokens[row : row + 1], labels[:1], orders[row : row + 1])
            for place in range(7):
                torch.testing.assert_close(together[place][row : row + 1], alone[place])
        # What is predicted first depends on its position alone.
        firsts = model.logits(
            tokens[:1].expand(7, -1), labels[:1].expand(7), (orders[:1] + torch.arange(7)[:, None]) % 7
        )
        other = model.logits(
            tokens[1:2].expand(7, -1), labels[:1].expand(7), (orders[:1] + torch.arange(7)[:, None]) % 7
        )
    for row in range(7):
        place = int(orders[0, 0] + row) % 7
        torch.testing.assert_close(firsts[place][row], other[place][row])


def test_probabilities_of_all_sequences_sum_to_one_in_every_order() -> None:
    vocabulary = Vocabulary(length=3, codes=5, ranges=((0, 3), (1, 5)))
    model = shaken(vocabulary)
    every = torch.tensor(list(itertools.product(range(3), range(1, 5), range(3))))
    sums = []
    for order in itertools.permutations(range(3)):
        likelihoods = log_likelihood(model, every, torch.full((36,), -1), order=torch.tensor(order))
        assert likelihoods.exp().sum().item() == pytest.approx(1, abs=1e-5)
        sums.append(likelihoods)
    assert torch.equal(sums[0], log_likelihood(model, every, torch.full((36,), -1)))
    assert not torch.allclose(sums[0], sums[1], atol=1e-3)


def test_given_tokens_stay_and_the_rest_is_drawn_by_each_sample_alone() -> None:
    model, whole = shaken(PLACES), some_tokens(PLACES, 6)
    given = torch.where(torch.rand(6, 7, generator=torch.Generator().manual_seed(0)) < 0.5, whole, -1)
    assert len((given >= 0).sum(dim=1).unique()) > 1, "rows with different numbers of given tokens"
    for settings in (SamplingConfig(order="raster"), SamplingConfig(order="random"), SamplingConfig()):
        drawn = sample(model, 6, settings, seed=4, given=given)
        assert torch.equal(torch.where(given >= 0, drawn, -1), given)
        assert (drawn != whole).any()
        assert torch.equal(PLACES.unwrap(PLACES.wrap(drawn, torch.full((6,), -1))), drawn)
        for size in (1, 4):
            assert torch.equal(sample(model, 6, settings, seed=4, given=given, batch_size=size), drawn)
        later = sample(model, 2, settings, seed=4, first=4, given=given[4:])
        assert torch.equal(later, drawn[4:])
    assert torch.equal(sample(model, 6, given=whole), whole)


def test_a_prefix_is_given_tokens() -> None:
    model, whole = shaken(PLAIN), some_tokens(PLAIN, 3)
    given = torch.cat([whole[:, :4], torch.full((3, 3), -1)], dim=1)
    assert torch.equal(
        sample(model, 3, seed=1, label=1, prefix=whole[:, :4]), sample(model, 3, seed=1, label=1, given=given)
    )


def test_random_orders_differ_by_sample_and_not_by_batch() -> None:
    model = shaken(PLAIN)
    together = sample(model, 6, seed=5)
    assert torch.equal(together, sample(model, 6, SamplingConfig(order="random"), seed=5))
    assert not torch.equal(together, sample(model, 6, SamplingConfig(order="raster"), seed=5))
    assert torch.equal(together, torch.cat([sample(model, 1, seed=5, first=i) for i in range(6)]))
    orders = sampling_orders(generators(5, range(6)), torch.full((6, 7), -1), True)
    assert len(orders.unique(dim=0)) == 6
    guided = SamplingConfig(guidance=1 + 1e-7)
    assert torch.equal(sample(model, 6, guided, seed=5, label=1), sample(model, 6, seed=5, label=1))


def test_training_mixes_orders_by_their_share() -> None:
    torch.manual_seed(0)
    raster = torch.arange(9)
    for share in (0.25, 1.0):
        orders = training_orders(2000, 9, share, raster.device)
        assert torch.equal(orders.sort(dim=1).values, raster.expand(2000, -1))
        assert (orders != raster).any(dim=1).double().mean() == pytest.approx(share, abs=0.03)
        assert sum(weight for _, weight in eval_orders(9, share)) == pytest.approx(1)


def test_held_out_loss_is_that_of_its_parts() -> None:
    model = shaken(PLACES, random_order=0.5)
    tokens, labels = some_tokens(PLACES, 6), torch.full((6,), -1)
    with torch.no_grad():
        halves = (model.loss(tokens[:3], labels[:3]) + model.loss(tokens[3:], labels[3:])) / 2
        torch.testing.assert_close(model.loss(tokens, labels), halves)


def test_sequences_learned_by_heart_are_completed_from_any_of_their_tokens(tmp_path: Path) -> None:
    tokens = data(CODES, 4)
    settings = {"dropout": 0.0, "class_dropout": 1.0, "random_order": 1.0}
    learn(tmp_path, count=16, out=0, tokens=tokens.repeat(4, 1), model=settings, batch_size=16, steps=200,
          learning_rate=1e-2, evaluate_every=200)  # fmt: skip
    model = load_model(tmp_path)
    samples = sample(model, 40, SamplingConfig(min_p=0.4))
    assert torch.equal(samples.unique(dim=0), tokens.unique(dim=0))
    given = torch.where(torch.arange(12) % 4 == torch.tensor([1, 2, 3, 0])[:, None], tokens, -1)
    assert torch.equal(sample(model, 4, SamplingConfig(temperature=0.0), given=given), tokens)


def test_a_model_of_raster_order_knows_no_other() -> None:
    model, tokens = shaken(PLAIN, random_order=0.0), some_tokens(PLAIN, 2)
    assert "transformer.place_embedding.weight" not in model.state_dict()
    for call in (
        lambda: sample(model, 2, given=tokens),
        lambda: sample(model, 2, SamplingConfig(order="random")),
        lambda: log_likelihood(model, tokens, torch.full((2,), -1), order=torch.arange(7)),
    ):
        with pytest.raises(ConfigError, match="raster order"):
            call()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(2, 6).long(), "given"),
        (torch.full((2, 7), 10), "not allowed"),
        (torch.full((2, 7), -2), "not allowed"),
    ],
)
def test_wrong_given_tokens_are_named(given: torch.Tensor, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sample(shaken(PLAIN), 2, given=given)
