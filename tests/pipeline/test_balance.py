"""Balanced samples: how often what is kept is near each training field, and whose choice it is."""

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
from nfgen.pipeline.balance import COUNTS, DRAWS, Balance
from nfgen.pipeline.draw import draw
from nfgen.pipeline.sampling_choice import open_run
from nfgen.tokens.decoding import decode_fields


def places(run: Run, tokens: Tensor) -> list[int]:
    """Which training field each draw is nearest to."""
    near = run.nearest(decode_fields(run.tokenizer, tokens))
    return [run.train_ids.index(str(one["id"])) for one in near]


@pytest.fixture
def trained(run: Path) -> Run:
    return Run.load(run)


def test_a_training_counts_its_draws(run: Path, trained: Run) -> None:
    counts = json.loads((run / CONFIG).read_text())[COUNTS]
    assert len(counts) == len(trained.train_ids)
    assert sum(counts) == DRAWS * len(trained.train_ids)


def test_what_is_drawn_too_often_is_kept_seldom(trained: Run) -> None:
    drawn = sample(trained.model, 1200, seed=6)
    before = np.bincount(places(trained, drawn), minlength=len(trained.train_ids))
    trained.config[COUNTS] = before.tolist()
    kept = Balance.of(trained).choose(trained.tokenizer, drawn, 6, 0)
    after = np.bincount(places(trained, drawn[kept]), minlength=len(trained.train_ids))
    even = 1200 / np.count_nonzero(before)
    often = before > even
    assert often.any()
    assert after[often] == pytest.approx(even, rel=0.25)
    assert after[~often] == pytest.approx(before[~often], abs=1), "what is rare is kept"


def test_each_draw_is_kept_or_not_by_itself(trained: Run) -> None:
    balance, drawn = Balance.of(trained), sample(trained.model, 60, seed=6)
    kept = balance.choose(trained.tokenizer, drawn, 6, 0)
    assert 0 < kept.sum() < 60
    assert torch.equal(balance.choose(trained.tokenizer, drawn[20:], 6, 20), kept[20:])


def test_samples_are_those_kept_in_their_order_on_disk_and_in_memory(trained: Run, tmp_path: Path) -> None:
    plain = {"temperature": 1.0, "distinct": False, "require_body": 0.0, "resolution": 16}
    config = GenerateConfig(n=3).with_settings({"balanced": True, **plain})
    kept = Balance.of(trained).choose(trained.tokenizer, sample(trained.model, 30), 0, 0).nonzero()[:3, 0]
    made = generate(trained, tmp_path / "out", config)
    assert [one.index for one in made] == kept.tolist()
    assert [one.index for one in draw(trained, open_run(trained, config)[1])] == kept.tolist()
    draws = read_config(tmp_path / "out")["draws"]
    assert draws["drawn"] == draws["kept"] + draws["crowded"] == kept[-1] + 1


def test_a_run_that_did_not_count_says_so(trained: Run, tmp_path: Path) -> None:
    del trained.config[COUNTS]
    with pytest.raises(ConfigError, match="does not know how often"):
        generate(trained, tmp_path / "out", n=1, balanced=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damaged", [[], [1] * 99, [1, 2, "x"], [0.5], [-1], [True], {"edges": [1]}, 3])
def test_damaged_counts_are_refused_by_name(trained: Run, damaged: object) -> None:
    trained.config[COUNTS] = damaged
    with pytest.raises(ArtifactError, match=COUNTS):
        Balance.of(trained)
