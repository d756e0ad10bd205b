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
from nfgen.models.generation.generate import sample
from nfgen.pipeline import like_unseen
from nfgen.pipeline.draw import draw
from nfgen.pipeline.like_unseen import DRAWS, SEED, UNSEEN, LikeUnseen, edges_of, unseen_ranges
from nfgen.pipeline.run import TRAIN_PROBES
from nfgen.pipeline.sampling_choice import open_run
from nfgen.tokens.decoding import decode_fields


def by_tokens(tokenizer: object, tokens: Tensor, known: object) -> Tensor:
    """A distance that needs no decoding."""
    return tokens.flatten(1).double().mean(1)


@pytest.fixture
def knowing(run: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that knows unseen fields: those that it draws, but seldom the near ones."""
    monkeypatch.setattr(like_unseen, "_distances", by_tokens)
    loaded = Run.load(run)
    drawn = sample(loaded.model, 400, seed=5)
    order = by_tokens(None, drawn, None).argsort()
    unseen = drawn[torch.cat([order[:200:4], order[200:]])]
    loaded.config[UNSEEN] = unseen_ranges(loaded.tokenizer, unseen, run / TRAIN_PROBES)
    return loaded


def match_of(run: Run) -> LikeUnseen:
    return LikeUnseen.measure(run, sample(run.model, DRAWS, seed=SEED))


def test_draws_that_are_kept_are_spread_as_unseen_fields_are(knowing: Run) -> None:
    match = match_of(knowing)
    drawn = sample(knowing.model, 2000, seed=6)
    kept = drawn[match.choose(knowing, drawn, 6, 0)]
    shares = np.bincount(np.searchsorted(match.edges, by_tokens(None, kept, None).tolist()), minlength=4) / len(kept)
    without = np.bincount(np.searchsorted(match.edges, by_tokens(None, drawn, None).tolist()), minlength=4) / len(drawn)
    assert np.abs(shares - 1 / 4).max() < 0.06 < np.abs(without - 1 / 4).max()


def test_each_draw_is_kept_or_not_by_itself(knowing: Run) -> None:
    match, drawn = match_of(knowing), sample(knowing.model, 60, seed=6)
    kept = match.choose(knowing, drawn, 6, 0)
    assert 0 < kept.sum() < 60
    assert torch.equal(match.choose(knowing, drawn[20:], 6, 20), kept[20:])


def test_samples_are_those_kept_in_their_order_on_disk_and_in_memory(knowing: Run, tmp_path: Path) -> None:
    plain = {"temperature": 1.0, "distinct": False, "require_body": 0.0, "resolution": 16}
    config = GenerateConfig(n=3).with_settings({"like_unseen": True, **plain})
    kept = match_of(knowing).choose(knowing, sample(knowing.model, 30), 0, 0).nonzero()[:3, 0]
    made = generate(knowing, tmp_path / "out", config)
    assert [one.index for one in made] == kept.tolist()
    assert [one.index for one in draw(knowing, open_run(knowing, config)[1])] == kept.tolist()
    draws = read_config(tmp_path / "out")["draws"]
    assert draws["drawn"] == draws["kept"] + draws["near"] == kept[-1] + 1


def test_a_run_that_does_not_know_unseen_fields_says_so(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not know how far"):
        generate(run, tmp_path / "out", n=1, like_unseen=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damaged", [[0.1, 0.2], [0.1, 0.2, "x"], {"edges": [1]}, 3])
def test_damaged_ones_are_refused_by_name(run: Path, damaged: object) -> None:
    loaded = Run.load(run)
    loaded.config[UNSEEN] = damaged
    with pytest.raises(ArtifactError, match=UNSEEN):
        edges_of(loaded)


def test_a_training_knows_unseen_fields_where_enough_are_held_out(run: Path) -> None:
    assert json.loads((run / CONFIG).read_text())[UNSEEN] is None, "three fields tell nothing"
    loaded = Run.load(run)
    drawn = sample(loaded.model, 40, seed=1)
    assert unseen_ranges(loaded.tokenizer, drawn[:19], run / TRAIN_PROBES) is None
    edges = unseen_ranges(loaded.tokenizer, drawn, run / TRAIN_PROBES)
    near = sorted(one["distance"] for one in loaded.nearest(decode_fields(loaded.tokenizer, drawn)))
    assert edges == pytest.approx(np.quantile(near, [0.25, 0.5, 0.75]).tolist(), abs=1e-5)
