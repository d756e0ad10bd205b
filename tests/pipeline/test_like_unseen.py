"""Samples as far from the training fields as held-out fields: the distances of what is kept, and whose choice it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nfgen import GenerateConfig, Run, generate
from nfgen.errors import ArtifactError, ConfigError
from nfgen.io.artifact import CONFIG, read_config
from nfgen.models.generation.config import SamplingConfig
from nfgen.pipeline import like_unseen
from nfgen.pipeline.draw import draw
from nfgen.pipeline.like_unseen import LikeUnseen
from nfgen.pipeline.sampling_choice import open_run


def by_tokens(run: Run, tokens: Tensor) -> list[float]:
    """A distance that needs no decoding."""
    return [float(of.double().mean()) for of in tokens]


@pytest.fixture
def knowing(run: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that knows unseen fields: those that it draws, but seldom the near ones."""
    monkeypatch.setattr(like_unseen, "_distances", by_tokens)
    loaded = Run.load(run)
    drawn = like_unseen.sample(loaded.model, 400, seed=5)
    order = np.argsort(by_tokens(loaded, drawn))
    unseen = drawn[torch.from_numpy(np.concatenate([order[:200:4], order[200:]]).copy())]
    loaded.config["like_unseen"] = LikeUnseen.measure(loaded, unseen, SamplingConfig()).to_json()
    return loaded


def test_draws_that_are_kept_are_spread_as_unseen_fields_are(knowing: Run) -> None:
    match = LikeUnseen.of(knowing)
    drawn = like_unseen.sample(knowing.model, 2000, seed=6)
    kept = drawn[match.choose(knowing, drawn, 6, 0)]
    shares = np.bincount(np.searchsorted(match.edges, by_tokens(knowing, kept)), minlength=4) / len(kept)
    without = np.bincount(np.searchsorted(match.edges, by_tokens(knowing, drawn)), minlength=4) / len(drawn)
    assert np.abs(shares - 1 / 4).max() < 0.06 < np.abs(without - 1 / 4).max()


def test_each_draw_is_kept_or_not_by_itself(knowing: Run) -> None:
    match, drawn = LikeUnseen.of(knowing), like_unseen.sample(knowing.model, 60, seed=6)
    kept = match.choose(knowing, drawn, 6, 0)
    assert 0 < kept.sum() < 60
    assert torch.equal(match.choose(knowing, drawn[20:], 6, 20), kept[20:])


def test_samples_are_those_kept_in_their_order_on_disk_and_in_memory(knowing: Run, tmp_path: Path) -> None:
    plain = {"temperature": 1.0, "distinct": False, "require_body": 0.0, "resolution": 16}
    config = GenerateConfig(n=3).with_settings({"like_unseen": True, **plain})
    kept = LikeUnseen.of(knowing).choose(knowing, like_unseen.sample(knowing.model, 30), 0, 0).nonzero()[:3, 0]
    made = generate(knowing, tmp_path / "out", config)
    assert [one.index for one in made] == kept.tolist()
    assert [one.index for one in draw(knowing, open_run(knowing, config)[1])] == kept.tolist()
    draws = read_config(tmp_path / "out")["draws"]
    assert draws["drawn"] == draws["kept"] + draws["near"] == kept[-1] + 1


def test_a_run_that_does_not_know_unseen_fields_says_so(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not know how far"):
        generate(run, tmp_path / "out", n=1, like_unseen=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "damaged", [{"edges": [0.1]}, {"edges": [0.1], "kept": [1]}, {"edges": "x", "kept": [2, 0]}, 3]
)
def test_damaged_ones_are_refused_by_name(run: Path, damaged: object) -> None:
    loaded = Run.load(run)
    loaded.config["like_unseen"] = json.loads(json.dumps(damaged))
    with pytest.raises(ArtifactError, match="like_unseen"):
        LikeUnseen.of(loaded)


def test_a_training_measures_it_where_enough_is_held_out(run: Path) -> None:
    assert "like_unseen" not in json.loads((run / CONFIG).read_text()), "two fields tell nothing"
    assert like_unseen.knows_unseen("gpt", torch.zeros(20, 63))
    assert not like_unseen.knows_unseen("gpt", torch.zeros(19, 63))
    assert not like_unseen.knows_unseen("gpt", torch.zeros(20, 3712)), "drawing so many tokens takes too long"
    assert not like_unseen.knows_unseen("regression", torch.zeros(20, 63))
