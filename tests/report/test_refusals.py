"""What cannot be shown is refused by name, and no file is read or overwritten that is not the report's."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nfgen.errors import ArtifactError, NfgenError
from nfgen.report import write_report
from nfgen.viz.contact_sheet import save_png

from .pages import make_samples

BEFORE = '<!doctype html><meta name="generator" content="nfgen 0.1"><p>before'


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda demo: demo / "nowhere", "does not exist"),
        (lambda demo: (demo / "empty").mkdir() or demo / "empty", "holds nothing"),
        (lambda demo: (demo / "samples/samples.json").write_text("[1") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "samples/samples.json").write_text("[3]") and demo / "samples", "not a list"),
        (lambda demo: (demo / "samples/sample-0001.glb").write_bytes(b"junk") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "samples/sample-0001.png").write_bytes(b"junk") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "samples/evaluation.json").write_text('{"mmd": {}}') and demo / "samples", "damaged"),
        (lambda demo: (demo / "samples/evaluation.json").write_text("{") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "run/log.jsonl").write_text('{"step"') and demo / "run", "cannot read"),
        (lambda demo: (demo / "run/log.jsonl").write_text("[]\n") and demo / "run", "cannot read"),
        (
            lambda demo: (demo / "fields/shard-00000.safetensors").write_bytes(b"x") and demo / "fields",
            "claims a header",
        ),
        (lambda demo: demo / "run/log.jsonl", "not a folder"),
    ],
)
def test_what_cannot_be_shown_is_named_and_nothing_is_written(
    harm: Callable[[Path], Path], words: str, paths: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(paths["fields"].parent, tmp_path / "demo")
    path = harm(tmp_path / "demo")
    (tmp_path / "page.html").write_text(BEFORE)
    with pytest.raises(ArtifactError) as caught:
        write_report([path], tmp_path / "page.html")
    assert words in caught.value.problem
    assert caught.value.remedy
    assert (tmp_path / "page.html").read_text() == BEFORE


def test_a_list_cannot_reach_out_of_its_folder(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples", ("a",))
    save_png(tmp_path / "secret.png", np.zeros((4, 4, 3), np.uint8))
    entries = json.loads((tmp_path / "samples" / "samples.json").read_text())
    entries[0]["picture"] = "../secret.png"
    (tmp_path / "samples" / "samples.json").write_text(json.dumps(entries))
    with pytest.raises(ArtifactError, match=re.escape("../secret.png")):
        write_report([tmp_path / "samples"])


def test_a_report_of_nothing_is_refused() -> None:
    with pytest.raises(NfgenError, match="nothing"):
        write_report([])


def test_a_file_that_is_no_page_is_not_overwritten(paths: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"precious")
    with pytest.raises(ArtifactError, match="no page of nfgen"):
        write_report([paths["run"]], tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").read_bytes() == b"precious"
