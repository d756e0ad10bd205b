"""Progress of long work, as lines where there is no terminal."""

import io

import pytest

from nfgen.runtime import progress


def test_what_was_done_before_is_shown_and_tells_nothing_of_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0)
    stream = io.StringIO()
    work = progress.Progress(10, "train", "step", stream, done=5)
    work.update(0)
    work.update(1, loss=0.5)
    work.close()
    first, second, last = stream.getvalue().splitlines()
    assert first == "train: 5/10 step"
    assert second.startswith("train: 6/10 step, loss 0.5, ")
    assert second.endswith(" s left")
    assert last.startswith("train: 6/10 step in ")
