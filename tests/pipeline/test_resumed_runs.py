"""Generation and training that were stopped go on after what they had finished."""

from pathlib import Path

import pytest

from nfgen.io import artifact
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.generate import generate
from nfgen.pipeline.sample_journal import JOURNAL, Journal
from nfgen.pipeline.train import train
from nfgen.viz.contact_sheet import save_png

from .stopping import SMALL, content, stopping


@pytest.mark.parametrize("written", [0, 3])
def test_a_generation_goes_on_after_its_last_whole_sample(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    from nfgen.pipeline import meshed_sample

    written_in_all: list[object] = []
    with monkeypatch.context() as patch:
        write = meshed_sample.write_sample
        patch.setattr(
            meshed_sample, "write_sample", lambda *all, **named: written_in_all.append(1) or write(*all, **named)
        )
        generate(run, tmp_path / "whole", n=5, resolution=16)
    with monkeypatch.context() as patch:
        # Between the mesh of a sample and its picture.
        patch.setattr("nfgen.pipeline.sample_set.save_png", stopping(save_png, written, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            generate(run, tmp_path / "cut", n=5, resolution=16)
    assert (tmp_path / ".cut.nfgen-partial" / JOURNAL).exists() == (written > 0)
    with monkeypatch.context() as patch:
        again = stopping(
            meshed_sample.write_sample, len(written_in_all) - written, AssertionError("samples are written again")
        )
        patch.setattr(meshed_sample, "write_sample", again)
        generate(run, tmp_path / "cut", n=5, resolution=16, resume=True)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def test_half_a_line_of_the_journal_is_no_sample(tmp_path: Path) -> None:
    Journal(tmp_path).add(0, None, empty=True)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"index": 1, "sam')
    journal = Journal(tmp_path)
    assert (journal.seen, journal.samples) == (1, [])
    journal.add(1, None, empty=True)
    assert Journal(tmp_path).seen == 2


def test_a_training_that_was_killed_at_its_very_end_is_not_trained_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(steps=40, batch_size=4)
    with monkeypatch.context() as patch:
        # The first is that of the tokenizer inside, the second that of the run.
        patch.setattr("nfgen.io.artifact._replace", stopping(artifact._replace, 1, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            train(run.parent / "tokens", tmp_path / "run", model_settings=SMALL, config=config)
    with monkeypatch.context() as patch:
        patch.setattr("nfgen.pipeline.train.train_model", stopping(train, 0, AssertionError("trained again")))
        train(run.parent / "tokens", tmp_path / "run", model_settings=SMALL, config=config, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(path.name for path in run.iterdir())
