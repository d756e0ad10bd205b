"""Laws of training, on small data."""

import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.io import files
from nfgen.models.base import SequenceModel
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import log_likelihood, sample
from nfgen.models.gpt import GPT
from nfgen.models.registry import create, find, load_model
from nfgen.models.training import trainer
from nfgen.models.training.data import Batches
from nfgen.models.training.trainer import TrainResult, train
from nfgen.pipeline.config import TrainConfig
from nfgen.tokens.vocabulary import Vocabulary

CODES = Vocabulary(length=12, codes=20, levels=(5, 4), classes=("a", "b", "c", "d"))
NUMBERS = Vocabulary(length=12, width=2, classes=("a", "b", "c", "d"))
SMALL = {"layers": 2, "width": 32, "heads": 2}
OVERFIT = {"dropout": 0.0, "class_dropout": 0.0}


def data(vocabulary: Vocabulary, count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if vocabulary.continuous:
        return torch.randn(count, vocabulary.length, vocabulary.width, generator=generator)
    return torch.randint(vocabulary.codes or 0, (count, vocabulary.length), generator=generator)


def labelled(count: int) -> Tensor:
    return torch.arange(count) % 4


def held(count: int, out: int) -> Tensor:
    return torch.arange(count) >= count - out


MODELS = {"gpt": CODES, "regression": NUMBERS, "diffusion": NUMBERS}
every_model = pytest.mark.parametrize("name", MODELS)


def settings_of(vocabulary: Vocabulary, name: str | None = None, **settings: object):  # type: ignore[no-untyped-def]
    name = name or ("regression" if vocabulary.continuous else "gpt")
    return name, find(name).Config.from_json({**SMALL, **settings})


def learn(run: Path, vocabulary: Vocabulary = CODES, count: int = 20, out: int = 4, **config: object) -> TrainResult:
    """Train on a little data, with `resume`, `augment` and `on_sample` passed on and the rest as settings."""
    passed = {key: config.pop(key) for key in ("resume", "augment", "on_sample") if key in config}
    tokens = config.pop("tokens", data(vocabulary, count))
    name, settings = settings_of(vocabulary, config.pop("name", None), **config.pop("model", {}))  # type: ignore[arg-type]
    defaults = {"steps": 12, "batch_size": 8, "evaluate_every": 4, "log_every": 2}
    return train(
        name,
        settings,
        vocabulary,
        tokens,
        labelled(count),
        held(count, out),
        run,  # type: ignore[arg-type]
        TrainConfig.from_json({**defaults, **config}),
        **passed,
    )  # type: ignore[arg-type]


def log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("count", [1, 4])
def test_gpt_learns_few_sequences_by_heart(tmp_path: Path, count: int) -> None:
    tokens = data(CODES, count)
    learn(tmp_path, count=count, out=0, tokens=tokens, model=OVERFIT, steps=200, learning_rate=1e-2, evaluate_every=200)
    model = load_model(tmp_path)
    for label in range(count):
        assert torch.equal(sample(model, 3, label=label), tokens[label].expand(3, -1))


def test_gpt_without_classes_gives_each_of_four_sequences(tmp_path: Path) -> None:
    vocabulary = Vocabulary(length=12, codes=20)
    tokens, name = data(vocabulary, 4), "gpt"
    train(
        name,
        settings_of(vocabulary, **OVERFIT)[1],
        vocabulary,
        tokens,
        torch.full((4,), -1),
        held(4, 0),
        tmp_path,
        TrainConfig(steps=200, learning_rate=1e-2, evaluate_every=200),
    )
    model = load_model(tmp_path)
    assert isinstance(model, GPT)
    likelihoods = log_likelihood(model, tokens, torch.full((4,), -1)).exp()
    torch.testing.assert_close(likelihoods.float(), torch.full((4,), 0.25), rtol=0, atol=0.05)
    samples = sample(model, 40, SamplingConfig(min_p=0.1))
    assert torch.equal(samples.unique(dim=0), tokens.unique(dim=0))


@pytest.mark.parametrize("count", [1, 4])
def test_regression_learns_few_fields_by_heart(tmp_path: Path, count: int) -> None:
    tokens = data(NUMBERS, count)
    learn(
        tmp_path,
        NUMBERS,
        count=count,
        out=0,
        tokens=tokens,
        model={**OVERFIT, "width": 64},
        steps=250,
        learning_rate=5e-3,
        final_learning_rate=0.0,
        evaluate_every=250,
    )
    model = load_model(tmp_path)
    for label in range(count):
        torch.testing.assert_close(sample(model, 1, label=label)[0], tokens[label], rtol=0, atol=0.05)


@pytest.mark.parametrize("process", ["diffusion", "flow"])
def test_diffusion_learns_the_field_of_each_class(tmp_path: Path, process: str) -> None:
    tokens = data(NUMBERS, 4)
    learn(tmp_path, NUMBERS, count=64, out=0, tokens=tokens.repeat(16, 1, 1), name="diffusion", batch_size=64,
          steps=150, model={**OVERFIT, "process": process}, learning_rate=1e-2, average=0.98,
          evaluate_every=150)  # fmt: skip
    model = load_model(tmp_path)
    for label in range(4):
        samples = sample(model, 4, label=label)
        distances = torch.cdist(samples.flatten(1), tokens.flatten(1))
        assert (distances.argmin(dim=1) == label).all()
        assert (samples - tokens[label]).abs().mean() < 0.3  # the four are about 1.1 apart


def test_diffusion_gives_each_of_two_fields_where_regression_gives_one(tmp_path: Path) -> None:
    vocabulary = Vocabulary(length=12, width=2)
    tokens = data(vocabulary, 2)
    for name in ("diffusion", "regression"):
        settings = settings_of(vocabulary, name, **OVERFIT)[1]
        train(name, settings, vocabulary, tokens.repeat(16, 1, 1), torch.full((32,), -1), held(32, 0), tmp_path / name,
              TrainConfig(steps=150, batch_size=32, learning_rate=1e-2, average=0.98, evaluate_every=150))  # fmt: skip
    samples = sample(load_model(tmp_path / "diffusion"), 40)
    nearest = torch.cdist(samples.flatten(1), tokens.flatten(1)).min(dim=1)
    assert 8 <= int(nearest.indices.sum()) <= 32
    assert nearest.values.median() < 1.0  # the two are about 7 apart
    assert len(sample(load_model(tmp_path / "regression"), 40).unique(dim=0)) == 1


@every_model
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_interrupted_and_resumed_equals_never_interrupted(tmp_path: Path, name: str, precision: str) -> None:
    vocabulary = MODELS[name]

    def augment(epoch: int) -> Tensor:
        fresh = data(vocabulary, 16, seed=100 + epoch)
        if epoch == interrupted_at:
            raise KeyboardInterrupt
        return fresh

    interrupted_at = -1
    learn(tmp_path / "whole", vocabulary, name=name, augment=augment, precision=precision)
    interrupted_at = 3  # two steps an epoch: the sixth step, between two checkpoints
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", vocabulary, name=name, augment=augment, precision=precision)
    assert log(tmp_path / "parts")[-1]["step"] == 6
    interrupted_at = -1
    learn(tmp_path / "parts", vocabulary, name=name, augment=augment, precision=precision, resume=True)
    for name in ("best", "last"):
        whole, parts = ((tmp_path / run / f"{name}.safetensors").read_bytes() for run in ("whole", "parts"))
        assert whole == parts
    speedless = [[{**line, "tokens_per_second": 0} for line in log(tmp_path / run)] for run in ("whole", "parts")]
    assert speedless[0] == speedless[1]


def test_an_interruption_before_an_evaluation_does_not_lose_it(tmp_path: Path) -> None:
    def interrupt(model: SequenceModel, step: int) -> None:
        raise KeyboardInterrupt

    learn(tmp_path / "whole", sample_every=8)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", sample_every=8, on_sample=interrupt)
    learn(tmp_path / "parts", sample_every=8, resume=True)
    whole, parts = ((tmp_path / run / "best.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts
    assert [line["val_loss"] for line in log(tmp_path / "whole")] == [
        line["val_loss"] for line in log(tmp_path / "parts")
    ]


@every_model
def test_same_seed_same_bytes_and_global_randomness_is_left_alone(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    learn(tmp_path / "a", MODELS[name], name=name)
    first = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), first)
    learn(tmp_path / "b", MODELS[name], name=name)
    learn(tmp_path / "c", MODELS[name], name=name, seed=1)
    a, b, c = ((tmp_path / run / "last.safetensors").read_bytes() for run in "abc")
    assert a == b != c


def test_training_stops_when_unseen_sequences_get_no_likelier(tmp_path: Path) -> None:
    result = learn(tmp_path, steps=400, patience=3, learning_rate=1e-2)  # random tokens: nothing can be learned of them
    assert result.stopped == "patience"
    assert result.best_step == result.steps - 3 * 4
    assert load_model(tmp_path, "last").loss(data(CODES, 20)[16:], labelled(20)[16:]).item() > (result.val_loss or 0)


@every_model
def test_the_best_weights_have_the_loss_that_is_said(tmp_path: Path, name: str) -> None:
    vocabulary = MODELS[name]
    result = learn(tmp_path, vocabulary, name=name, precision="float32")
    tokens, labels = data(vocabulary, 20)[16:], labelled(20)[16:]
    loss = load_model(tmp_path).loss(tokens, labels).item()
    assert loss == pytest.approx(result.val_loss, abs=1e-5)
    bits = None if vocabulary.continuous else pytest.approx(loss * 12 / math.log(2), abs=1e-3)
    assert result.bits_per_field == bits


def test_the_log_has_its_lines(tmp_path: Path) -> None:
    learn(tmp_path)
    lines = log(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    assert all(set(line) == {"step", "loss", "val_loss", "tokens_per_second", "lr"} for line in lines)
    assert [line["val_loss"] is None for line in lines] == [True, False] * 3


def test_time_ends_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    # Every step and every evaluation takes a twentieth of a second.
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 20))
    result = learn(tmp_path, steps=None, minutes=0.01, patience=0)
    assert result.stopped == "minutes"
    assert 0.6 <= result.seconds < 0.8
    assert log(tmp_path)[-1]["lr"] < 0.2 * 6e-3


@pytest.mark.parametrize("name", ["regression", "diffusion"])
def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(tmp_path: Path, name: str) -> None:
    def augment(epoch: int) -> Tensor:
        return data(NUMBERS, 16) if epoch < 3 else torch.full((16, 12, 2), 3e38)  # finite, but not their sum

    with pytest.raises(NfgenError, match="finite at step 6") as caught:
        learn(tmp_path, NUMBERS, name=name, augment=augment)
    assert "step 4 is kept" in caught.value.remedy
    assert "learning rate" in caught.value.remedy
    assert sample(load_model(tmp_path, "last"), 1).isfinite().all()


OLD_NAMES = (
    ("start_embedding.weight", "starts.weight"),
    ("position_embedding.weight", "places.weight"),
    ("attention.qkv.", "attention.read."),
    ("attention.proj.", "attention.write."),
    ("feedforward.up.", "feedforward.read."),
    ("feedforward.proj.", "feedforward.write."),
    ("head.in_proj.", "head.read."),
    ("head.digit_embedding.", "head.earlier."),
    ("head.out_proj.", "head.write."),
)
"""Names of weights today, and those of version 0.1."""


@pytest.mark.parametrize("head", ["digits", "untied"])
@pytest.mark.parametrize("name", MODELS)
def test_weights_of_version_0_1_load_and_its_trainings_go_on(tmp_path: Path, name: str, head: str) -> None:
    def interrupted(epoch: int) -> Tensor:
        if epoch == 4:
            raise KeyboardInterrupt
        return data(MODELS[name], 16)

    model = {"head": head} if name == "gpt" else {}
    learn(tmp_path / "whole", MODELS[name], name=name, model=model, augment=lambda epoch: data(MODELS[name], 16))
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", MODELS[name], name=name, model=model, augment=interrupted)
    sampled = sample(load_model(tmp_path / "parts"), 2)
    for path in (tmp_path / "parts").rglob("*.safetensors"):
        renamed = {}
        for key, tensor in files.read_tensors(path).items():
            for new, old in OLD_NAMES:
                key = key.replace(new, old)
            renamed[key] = tensor.clone()
        assert any("attention.read" in key for key in renamed)
        files.write_tensors(path, renamed)
    assert torch.equal(sample(load_model(tmp_path / "parts"), 2), sampled)
    augment = {"augment": lambda epoch: data(MODELS[name], 16)}
    learn(tmp_path / "parts", MODELS[name], name=name, model=model, resume=True, **augment)
    whole, parts = ((tmp_path / run / "last.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts


def test_a_finished_training_can_go_on_for_longer(tmp_path: Path) -> None:
    first = learn(tmp_path, steps=8)
    assert learn(tmp_path, steps=8, resume=True).steps == first.steps
    assert learn(tmp_path, steps=12, resume=True).steps == 12
    assert [line["step"] for line in log(tmp_path)] == [2, 4, 6, 8, 10, 12]


def test_resuming_where_nothing_is_begins(tmp_path: Path) -> None:
    assert learn(tmp_path / "new", resume=True).steps == 12


def test_resuming_drops_half_a_line_of_the_log(tmp_path: Path) -> None:
    learn(tmp_path, steps=8)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 10, "lo')
    learn(tmp_path, steps=12, resume=True)
    assert [line["step"] for line in log(tmp_path)] == [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 2}, "seed"),
        ({"batch_size": 4}, "batch_size"),
        ({"model": {"layers": 1}}, "settings"),
        ({"tokens": data(CODES, 20, seed=9)}, "data"),
    ],
)
def test_a_resumed_training_must_be_the_same(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    learn(tmp_path, steps=4)
    with pytest.raises(ConfigError, match=said):
        learn(tmp_path, resume=True, **changed)


def test_a_training_is_not_overwritten_unasked(tmp_path: Path) -> None:
    learn(tmp_path, steps=4)
    with pytest.raises(ArtifactError, match="already"):
        learn(tmp_path, steps=4)


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    learn(tmp_path, steps=4)
    state = next((tmp_path / "training").glob("*.safetensors"))
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ArtifactError):
        learn(tmp_path, resume=True)
    described = json.loads((tmp_path / "model.json").read_text())
    described["settings"]["width"] = 64
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(ArtifactError, match="damaged"):
        load_model(tmp_path)


def test_a_batch_may_go_through_in_parts(tmp_path: Path) -> None:
    whole = learn(tmp_path / "whole", model=OVERFIT, precision="float32")
    parts = learn(tmp_path / "parts", model=OVERFIT, precision="float32", tokens_per_pass=36)
    assert parts.loss == pytest.approx(whole.loss, abs=1e-4)
    assert parts.val_loss == pytest.approx(whole.val_loss, abs=1e-4)


def test_samples_on_the_way_are_of_the_averaged_model(tmp_path: Path) -> None:
    steps = []

    def look(model: SequenceModel, step: int) -> None:
        assert not model.training
        assert sample(model, 2).shape == (2, 12)
        steps.append(step)

    learn(tmp_path / "seen", on_sample=look, sample_every=5)
    learn(tmp_path / "unseen", sample_every=5)
    assert steps == [5, 10]
    seen, unseen = ((tmp_path / run / "last.safetensors").read_bytes() for run in ("seen", "unseen"))
    assert seen == unseen


def test_an_epoch_sees_each_training_row_once() -> None:
    tokens = torch.arange(10)[:, None].expand(10, 12)
    batches = Batches(CODES, tokens, labelled(10), held(10, 3), size=3, seed=0)
    epochs = [torch.cat([batches.at(step)[0][:, 0] for step in range(3 * e, 3 * e + 3)]).tolist() for e in (0, 1)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(7))] * 2
    assert epochs[0] != epochs[1]
    assert batches.heldout_tokens[:, 0].tolist() == [7, 8, 9]


def test_augmented_tokens_keep_their_labels() -> None:
    tokens = torch.arange(8)[:, None].expand(8, 12)
    batches = Batches(CODES, tokens, labelled(8), held(8, 0), 4, 0, lambda epoch: (tokens + 4 * epoch) % 20)
    for step in range(6):
        some, labels = batches.at(step)
        assert torch.equal(some[:, 0] % 4, labels)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"out": 20}, "no training rows"),
        ({"augment": lambda epoch: torch.zeros(3, 12, dtype=torch.int64)}, "augmented"),
        ({"augment": lambda epoch: torch.full((16, 12), 20)}, "not allowed at position"),
        ({"tokens": torch.zeros(20, 12)}, "codes"),
        ({"batch_size": 0}, "batch_size"),
        ({"average": 1.0}, "average"),
        ({"minutes": -1.0}, "minutes"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_wrong_data_and_settings_are_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        learn(tmp_path, **change)


@every_model
def test_a_trained_model_is_the_same_when_loaded(tmp_path: Path, name: str) -> None:
    models: list[SequenceModel] = []
    learn(tmp_path, MODELS[name], name=name, on_sample=lambda model, step: models.append(model), sample_every=12)
    loaded = load_model(tmp_path, "last")
    assert loaded.vocabulary == models[0].vocabulary
    assert loaded.config == models[0].config
    # Numbers, unlike codes, show that weights elsewhere in memory may be summed in another order.
    torch.testing.assert_close(sample(loaded, 4, seed=1), sample(models[0], 4, seed=1), rtol=1e-5, atol=1e-6)
    assert create(name, MODELS[name], loaded.config).parameter_count == loaded.parameter_count
