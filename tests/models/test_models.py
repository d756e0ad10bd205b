"""Laws of the sequence models, on small random ones."""

import itertools
from pathlib import Path

import pytest
import torch

from nfgen.errors import ArtifactError, ConfigError
from nfgen.models.base import SequenceModel, check_tokens
from nfgen.models.diffusion import DiffusionTransformer, shares
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.models.generation.logits import draw, generators, uniforms
from nfgen.models.gpt import GPT
from nfgen.models.nn.heads import CodeEmbedding, DigitHead, digit_rows
from nfgen.models.presets import SIZES, preset
from nfgen.models.registry import create, find, load_model, model_for
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.dry_run.model_cost import training_cost
from nfgen.tokens.vocabulary import Vocabulary

PLAIN = Vocabulary(length=9, codes=12, classes=("cup", "vase"))
DIGITS = Vocabulary(length=9, codes=24, levels=(4, 3, 2))
PLACES = Vocabulary(length=9, codes=12, ranges=((0, 5), (5, 12), (2, 9)))
NUMBERS = Vocabulary(length=9, width=2, classes=("cup", "vase"))
SETTINGS = {"layers": 2, "width": 32, "heads": 2}

HEADS = [(vocabulary, head) for vocabulary in (PLAIN, DIGITS, PLACES) for head in ("tied", "untied")] + [
    (DIGITS, "digits")
]


def shaken(name: str, vocabulary: Vocabulary, **settings: object) -> SequenceModel:
    """A model whose random weights are large enough for every part to matter."""
    torch.manual_seed(0)
    model = create(name, vocabulary, **{**SETTINGS, **settings}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def some_tokens(vocabulary: Vocabulary, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    if vocabulary.continuous:
        return torch.randn(count, vocabulary.length, vocabulary.width, generator=generator)
    weights = vocabulary.allowed_mask()[1:-1, : vocabulary.codes].double()
    return torch.multinomial(weights, count, replacement=True, generator=generator).T


@pytest.mark.parametrize(("vocabulary", "head"), HEADS)
@pytest.mark.parametrize("positions", ["learned", "rotary", "both"])
def test_cached_generation_equals_uncached(vocabulary: Vocabulary, head: str, positions: str) -> None:
    model = shaken("gpt", vocabulary, positions=positions, head=head, feedforward="gelu")
    assert isinstance(model, GPT)
    labels, settings = torch.full((5,), -1), SamplingConfig(top_p=0.95)
    cached = sample(model, 5, settings, seed=3)
    numbers = uniforms(generators(3, range(5)), vocabulary.length)
    tokens = some_tokens(vocabulary, 5)
    with torch.no_grad():
        for place, (low, _) in enumerate(model.ranges):
            logits = model.logits(tokens, labels)[place]
            tokens[:, place] = low + draw(logits, numbers[place], settings)
    assert torch.equal(cached, tokens)


def test_cached_hidden_states_equal_uncached() -> None:
    for positions in ("learned", "rotary", "both"):
        model = shaken("gpt", PLAIN, positions=positions)
        assert isinstance(model, GPT)
        tokens, labels = some_tokens(PLAIN, 3), torch.tensor([-1, 0, 1])
        with torch.no_grad():
            whole = model.hidden(tokens, labels)
            cache = model.transformer.cache(3)
            steps = [model.transformer(model.opening(labels, tokens[:, :4]), cache)]
            steps += [model.transformer(model.embed(tokens[:, i : i + 1]), cache) for i in range(4, 8)]
        torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("vocabulary", [PLAIN, DIGITS, PLACES], ids=["plain", "digits", "places"])
def test_a_token_depends_on_those_before_it_alone(vocabulary: Vocabulary) -> None:
    model = shaken("gpt", vocabulary)
    assert isinstance(model, GPT)
    tokens, labels = some_tokens(vocabulary, 2), torch.full((2,), -1)
    changed = tokens.clone()
    low, _ = model.ranges[4]
    changed[:, 4] = torch.where(tokens[:, 4] == low, low + 1, low)
    with torch.no_grad():
        before, after = model.token_losses(tokens, labels), model.token_losses(changed, labels)
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=1e-5, atol=1e-5)
    assert ((before[:, 4:] - after[:, 4:]).abs() > 1e-4).all()


@pytest.mark.parametrize(("vocabulary", "head"), HEADS)
def test_losses_are_those_of_the_logits_of_allowed_codes(vocabulary: Vocabulary, head: str) -> None:
    model = shaken("gpt", vocabulary, head=head)
    assert isinstance(model, GPT)
    tokens, labels = some_tokens(vocabulary, 4), torch.full((4,), -1)
    with torch.no_grad():
        losses, logits = model.token_losses(tokens, labels), model.logits(tokens, labels)
    allowed = vocabulary.allowed_mask()[1:-1]
    assert [part.shape[1] for part in logits] == allowed.sum(dim=1).tolist()
    for place, part in enumerate(logits):
        target = tokens[:, place] - allowed[place].nonzero()[0]
        expected = -part.log_softmax(dim=1)[torch.arange(4), target]
        torch.testing.assert_close(losses[:, place], expected, rtol=1e-5, atol=1e-5)


def test_digit_head_gives_one_distribution_over_all_codes() -> None:
    torch.manual_seed(0)
    head = DigitHead(DIGITS, 16)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
        hidden = torch.randn(3, 16)
        joint = head.logits_fn()(hidden, 0, 24)
        every = torch.stack([head.losses(hidden, torch.full((3,), code), 0, 24, 0.0) for code in range(24)], dim=1)
    torch.testing.assert_close(joint.exp().sum(dim=1), torch.ones(3))
    torch.testing.assert_close(every, -joint)


def test_digit_head_can_say_that_digits_depend_on_each_other() -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary(length=1, codes=4, levels=(2, 2))
    model = create("gpt", vocabulary, head="digits", dropout=0.0, **SETTINGS)
    codes, labels = torch.tensor([[0], [3]]), torch.full((2,), -1)  # digits equal: independent ones would lose ln 2
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model.loss(codes, labels)
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(torch.log(torch.tensor(2.0)).item(), abs=0.02)


def test_digits_count_the_first_one_fastest() -> None:
    rows = digit_rows((4, 3, 2), 0, torch.device("cpu")) - torch.tensor([0, 4, 7])
    counted = [(a, b, c) for c, b, a in itertools.product(range(2), range(3), range(4))]
    assert rows.tolist() == [list(digits) for digits in counted]


def test_embedding_table_holds_the_vectors_of_all_codes() -> None:
    for vocabulary in (PLAIN, DIGITS, Vocabulary(length=2, codes=8000, levels=(20, 20, 20))):
        embedding = CodeEmbedding(vocabulary, 8)
        torch.testing.assert_close(embedding(torch.arange(vocabulary.codes or 0)), embedding.table())


def test_smoothing_counts_in_training_only() -> None:
    plain, smooth = shaken("gpt", PLACES, dropout=0.0), shaken("gpt", PLACES, dropout=0.0, label_smoothing=0.3)
    tokens, labels = some_tokens(PLACES, 4), torch.full((4,), -1)
    assert plain.loss(tokens, labels) == smooth.loss(tokens, labels)
    assert not torch.allclose(plain.train().loss(tokens, labels), smooth.train().loss(tokens, labels), atol=1e-3)


def test_class_dropout_trains_the_start_of_any_class() -> None:
    model = shaken("gpt", PLAIN, dropout=0.0, class_dropout=1.0).train()
    tokens = some_tokens(PLAIN, 4)
    assert model.loss(tokens, torch.tensor([0, 1, 0, 1])) == model.loss(tokens, torch.full((4,), -1))


def test_a_model_in_bfloat16_says_nearly_the_same() -> None:
    model = shaken("gpt", DIGITS)
    tokens, labels = some_tokens(DIGITS, 8), torch.full((8,), -1)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = model.loss(tokens, labels)
    with torch.no_grad():
        torch.testing.assert_close(low, model.loss(tokens, labels), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", ["gpt", "regression", "diffusion"])
def test_presets_have_their_sizes(name: str) -> None:
    for size, (layers, width) in {"tiny": (4, 128), "small": (6, 256), "medium": (7, 384), "big": (8, 512),
                                  "mnist": (12, 240)}.items():  # fmt: skip
        config = preset(name, size, dropout=0.25).to_json()
        assert (config["layers"], config["width"], config["dropout"]) == (layers, width, 0.25)
    assert set(SIZES) == {"tiny", "small", "medium", "big", "mnist"}


def test_tiny_has_about_a_million_weights() -> None:
    vocabulary = Vocabulary(length=64, codes=1000, levels=(8, 5, 5, 5))
    assert create("gpt", vocabulary, preset("gpt", "tiny")).parameter_count <= 1_100_000


def test_the_vocabulary_decides_the_model() -> None:
    assert (model_for(PLAIN), model_for(NUMBERS)) == ("gpt", "regression")
    with pytest.raises(ConfigError, match="continuous"):
        create("gpt", NUMBERS)
    for name in ("regression", "diffusion"):
        assert create(name, NUMBERS).vocabulary == NUMBERS
        with pytest.raises(ConfigError, match="discrete"):
            create(name, PLAIN)


def test_levels_go_from_tokens_to_noise() -> None:
    for levels in (20, 500, 1000):
        clean, noise = shares("diffusion", levels)
        torch.testing.assert_close(clean.square() + noise.square(), torch.ones(levels))
        assert noise[0] < 0.1 + 2 / levels**0.5
        assert clean[-1] < 0.01
        assert (noise.diff() >= 0).all()
        clean, noise = shares("flow", levels)
        torch.testing.assert_close(clean + noise, torch.ones(levels))
        assert (clean[-1], noise[-1]) == (0, 1)


@pytest.mark.parametrize("process", ["diffusion", "flow"])
def test_every_token_of_a_denoiser_sees_every_other(process: str) -> None:
    model = shaken("diffusion", NUMBERS, process=process)
    assert isinstance(model, DiffusionTransformer)
    noisy, levels, labels = some_tokens(NUMBERS, 1), torch.tensor([100]), torch.tensor([0])
    for place in (0, 8):
        changed = noisy.clone()
        changed[:, place] += 1
        with torch.no_grad():
            difference = (model(noisy, levels, labels) - model(changed, levels, labels)).abs().amax(dim=(0, 2))
        assert (difference > 1e-5).all()
    with torch.no_grad():
        for other in ((levels + 50, labels), (levels, labels + 1)):
            assert not torch.allclose(model(noisy, *other), model(noisy, levels, labels), atol=1e-4)


def test_one_denoising_step_gives_the_tokens_that_the_noise_is_taken_for() -> None:
    model = shaken("diffusion", NUMBERS, denoise_steps=1)
    assert isinstance(model, DiffusionTransformer)
    model.prepare(3 * some_tokens(NUMBERS, 50))
    noise = torch.stack([torch.from_numpy(g.standard_normal(18)).float().view(9, 2) for g in generators(4, range(3))])
    with torch.no_grad():
        expected = model.scale * model(noise, torch.full((3,), 499), torch.ones(3, dtype=torch.int64))
    torch.testing.assert_close(sample(model, 3, seed=4, label=1), expected)
    assert float(model.scale) == pytest.approx(3, rel=0.1)


def test_a_trial_trains_the_same_model_as_a_training() -> None:
    tokens, labels = 3 * some_tokens(NUMBERS, 50), torch.full((50,), -1)
    settings, config = preset("diffusion", "tiny", **SETTINGS), TrainConfig(steps=1, batch_size=8)
    cost = training_cost("diffusion", settings, NUMBERS, tokens, labels, labels == 0, config)
    assert isinstance(cost.model, DiffusionTransformer)
    assert float(cost.model.scale) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("process", ["diffusion", "flow"])
def test_tokens_in_another_unit_are_the_same_to_a_denoiser(process: str) -> None:
    one, other = (shaken("diffusion", NUMBERS, process=process) for _ in range(2))
    tokens, labels = some_tokens(NUMBERS, 6), torch.full((6,), -1)
    one.prepare(tokens)
    other.prepare(100 * tokens)
    with torch.no_grad():
        torch.testing.assert_close(one.loss(tokens, labels), other.loss(100 * tokens, labels), rtol=1e-4, atol=0)
        # Judged by fixed noise that is the same for all: parts of a batch have the loss of the whole.
        halves = (one.loss(tokens[:3], labels[:3]) + one.loss(tokens[3:], labels[3:])) / 2
        torch.testing.assert_close(one.loss(tokens, labels), halves, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: find("nope"), "known|no model"),
        (lambda: preset("gpt", "huge"), "no preset"),
        (lambda: preset("gpt", "tiny", depth=3), "depth"),
        (lambda: create("gpt", PLAIN, width=30, heads=4), "width"),
        (lambda: create("gpt", PLAIN, head="digits"), "digits"),
        (lambda: create("gpt", PLAIN, dropout=1.0), "dropout"),
        (lambda: create("regression", NUMBERS, input_noise=-1.0), "input_noise"),
        (lambda: create("diffusion", NUMBERS, noise_levels=4), "noise_levels"),
        (lambda: create("diffusion", NUMBERS, denoise_steps=501), "denoise_steps"),
        (lambda: create("diffusion", NUMBERS, process="jump"), "process"),
    ],
)
def test_wrong_settings_are_named(call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(ConfigError, match=said):
        call()


@pytest.mark.parametrize(
    ("vocabulary", "tokens", "labels"),
    [
        (PLAIN, torch.zeros(2, 8, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)),
        (PLAIN, torch.zeros(2, 9), torch.zeros(2, dtype=torch.int64)),
        (PLAIN, torch.full((2, 9), 12), torch.zeros(2, dtype=torch.int64)),
        (PLAIN, torch.zeros(2, 9, dtype=torch.int64), torch.tensor([0, 2])),
        (PLAIN, torch.zeros(2, 9, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)),
        (PLACES, torch.zeros(2, 9, dtype=torch.int64), torch.full((2,), -1)),
        (NUMBERS, torch.full((2, 9, 2), torch.nan), torch.zeros(2, dtype=torch.int64)),
        (NUMBERS, torch.zeros(2, 9), torch.zeros(2, dtype=torch.int64)),
    ],
)
def test_data_of_another_vocabulary_are_refused(
    vocabulary: Vocabulary, tokens: torch.Tensor, labels: torch.Tensor
) -> None:
    with pytest.raises(ConfigError):
        check_tokens(vocabulary, tokens, labels)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        load_model(tmp_path)
