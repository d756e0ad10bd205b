"""The GPT that ships is trained by one command, and lies beside its tokenizer."""

import shutil
from pathlib import Path

from click.testing import CliRunner

from nfgen import load_tokenizer
from nfgen.io.shipped import here
from nfgen.models.registry import load_model

from ..scripts import load_script


def test_a_model_of_solids_is_written_beside_a_tokenizer_whose_card_tells_of_it_once(tmp_path: Path) -> None:
    script = load_script("base_gpt")
    folder = tmp_path / "base"
    shutil.copytree(here("base-3d"), folder, ignore=shutil.ignore_patterns("model.*"))
    arguments = [str(folder), "--solids", "4", "--steps", "1", "--work", str(tmp_path / "work")]
    for _ in range(2):  # what is made already is not made again
        CliRunner().invoke(script.main, arguments, catch_exceptions=False)
    assert load_model(folder).vocabulary == load_tokenizer(folder).vocabulary
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.count(script.HEADING) == 1
    assert "1 steps on 4 random solids" in card
