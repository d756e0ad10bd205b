"""What a dry run says: sizes are those of the real thing, more work takes more time, and nothing is written."""

import json
from pathlib import Path

import pytest

import nfgen
from nfgen.errors import ConfigError
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.dry_run import estimate
from nfgen.pipeline.dry_run.stages import plan_generate, plan_tokenize, plan_train
from nfgen.pipeline.run import Run

from ..commands import run as command

MODEL = {"layers": 1, "width": 16, "heads": 1}


def test_of_a_training_from_fields_and_of_a_generation(fields: Path, tmp_path: Path) -> None:
    settings = MODEL | {"batch_size": 4, "bins": 8}
    few = plan_train(fields, **settings, steps=10, tokenizer="histogram")
    many = plan_train(fields, **settings, steps=100_000, sample_every=0, tokenizer="histogram")
    assert not list(tmp_path.glob("run*"))
    assert few.seconds["training"] * 100 < many.seconds["training"]
    assert "pictures" not in many.seconds
    run = nfgen.train(
        fields,
        tmp_path / "run",
        tokenizer="histogram",
        tokenizer_settings={"bins": 8},
        model_settings=MODEL,
        config=TrainConfig(steps=2, batch_size=4, sample_every=0),
    )
    assert few.counts["parameters"] == run.model.parameter_count
    assert few.counts["tokens a field"] == run.model.vocabulary.length
    assert few.counts["fields"] == 12
    small, large = (plan_generate(run, n=n, resolution=8, batch_size=4) for n in (1, 1000))
    assert small.total_seconds < large.total_seconds
    assert large.counts == {
        "samples": 1000,
        "parameters": run.model.parameter_count,
        "tokens a sample": run.model.vocabulary.length,
    }
    label, last = run.model.vocabulary.classes[0], Run.load(tmp_path / "run", "last")
    guided = plan_generate(run, n=1, guidance=2.0, label=label, resolution=8)
    both = plan_generate(last, n=1, guidance=2.0, contrastive_weight=0.5, label=label, resolution=8)
    assert small.memory_bytes < guided.memory_bytes < both.memory_bytes, "several models read, or one reads twice"
    for wrong in ({"guidance": 2.0}, {"contrastive_weight": 0.5}):
        with pytest.raises(ConfigError, match=r"guidance|contrast"):
            plan_generate(run, n=1, resolution=8, **wrong)
    for one in (few, many, small, large, guided, both):
        assert all(seconds >= 0 for seconds in one.seconds.values())
        assert 1e7 < one.memory_bytes < 1e11


def test_minutes_bound_a_training(fields: Path) -> None:
    found = plan_train(fields, **MODEL, minutes=3, batch_size=4, sample_every=0, unit="row", tokenizer="codebook")
    assert found.seconds["training"] == 180


def test_of_a_loop_the_steps_count(fields: Path) -> None:
    small = {
        "max_tokens": 11,
        "levels": (8, 5),
        "probes": 4,
        "width": 8,
        "channels": 16,
        "decoder_blocks": 1,
        "batch_size": 4,
    }
    short, long = (plan_tokenize(fields, "vq", **small, views=0, steps=steps) for steps in (10, 1_000_000))
    assert long.total_seconds > 10 * short.total_seconds


def test_the_commands_write_nothing(fields: Path, tmp_path: Path) -> None:
    command("shapes", "vase", "-n", 3, "--resolution", 16, "--quiet", "-o", tmp_path / "vases")
    before = sorted(tmp_path.rglob("*"))
    small = ["--steps", 100, "--points", 64, "--near", 128, "--uniform", 128, "--workers", 1]
    said = command("fit", tmp_path / "vases", *small, "--dry-run", "-o", tmp_path / "out").output
    assert "3,712" in said
    assert "nothing was written" in said
    asked = ["tokenize", fields, "--tokenizer", "histogram", "--dry-run", "-o", tmp_path / "out"]
    assert json.loads(command(*asked, "--json").stdout)["tokens a field"] == 448
    command("train", fields, "--tokenizer", "histogram", "--layers", 1, "--width", 16, "--heads", 1, "--steps", 5,
            "--sample-every", 0, "--dry-run", "-o", tmp_path / "out")  # fmt: skip
    assert sorted(tmp_path.rglob("*")) == before
    assert "no tokenizer 'nonsense'" in command(
        "tokenize", fields, "--tokenizer", "nonsense", "--dry-run", "-o", tmp_path / "out", status=2
    ).stderr  # fmt: skip


def test_tokens_of_another_tokenizer_are_refused_as_by_the_training(fields: Path, tmp_path: Path) -> None:
    command("tokenize", fields, "--tokenizer", "histogram", "--quiet", "-o", tmp_path / "tokens")
    for wrong in (["--preset", "nef-gpt"], ["--heldout", 0.4], ["--tokenizer", "codebook"]):
        words = ("train", tmp_path / "tokens", *wrong, "-o", tmp_path / "run")
        real, dry = command(*words, status=2), command(*words, "--dry-run", status=2)
        assert "their tokenizer is fitted already" in dry.stderr
        assert dry.stderr == real.stderr


def test_a_loop_is_split_into_what_is_paid_once_and_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: clock[0])

    def work(turns: int) -> None:
        clock[0] += 5 + 2 * turns

    assert estimate.per_turn(work) == pytest.approx((5, 2))


@pytest.mark.parametrize(("seconds", "words"), [(0.34, "0.3 s"), (42, "42 s"), (600, "10 min"), (7200, "2.0 h")])
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert estimate.duration(seconds) == words
