"""Runs and tokenizers with Hugging Face file names, by folder and over a stub of the Hub on loopback."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import nfgen
from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.io import files
from nfgen.models.generation.generate import sample

from ..commands import run as command
from . import stub_hub

# The Hub's library uploads in a way that its own network library wants to drop.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
hub_library = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")


@pytest.fixture(scope="module")
def run(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps, its samples and their scores."""
    folder = tmp_path_factory.mktemp("hub")
    tiny_fields.save(folder / "fields")
    nfgen.tokenize(folder / "fields", folder / "tokens", "codebook", unit="row", codes=8, depth=1)
    config = nfgen.TrainConfig(steps=4, batch_size=4, warmup=1)
    settings = {"layers": 1, "width": 16, "heads": 1}
    nfgen.train(folder / "tokens", folder / "run", config=config, model_settings=settings)
    nfgen.generate(folder / "run", folder / "samples", n=3, resolution=16)
    files.write_json(folder / "samples" / "evaluation.json", SCORES)
    return folder / "run"


SCORES = {
    "mmd": {"value": 0.02, "low": 0.018, "high": 0.022},
    "cov": {"value": 0.44, "low": 0.4, "high": 0.5},
    "1_nna": {"value": 0.67, "low": 0.6, "high": 0.74},
    "generated": 200, "reference": 200, "protocol": "nfgen", "points": 2048,
}  # fmt: skip


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[stub_hub.StubHub]:
    monkeypatch.setattr(hub_library.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub_library.constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    # The stub speaks Git LFS; the newer protocol of large files is between the library and its own servers.
    monkeypatch.setattr(hub_library.constants, "HF_HUB_DISABLE_XET", True)
    with stub_hub.running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", "a-token-of-the-stub")
        yield server


def samples_of(run: nfgen.Run) -> list[int]:
    return sample(run.model, 2).tolist()


def test_a_saved_run_is_the_same_run(run: Path, tmp_path: Path) -> None:
    before = nfgen.Run.load(run)
    before.save_pretrained(tmp_path / "card", samples=run.parent / "samples", license="mit")
    after = nfgen.Run.from_pretrained(tmp_path / "card")
    assert samples_of(after) == samples_of(before)
    assert torch.equal(after.train_probes, before.train_probes)
    assert (after.frame, after.train_ids, after.result, after.config) == (
        before.frame, before.train_ids, before.result, before.config
    )  # fmt: skip
    names = {path.name for path in (tmp_path / "card").iterdir()}
    assert names >= {"config.json", "model.safetensors", "README.md", "samples.png", "tokenizer"}
    described = json.loads(command("info", tmp_path / "card", "--json").stdout)
    assert described["parameters"] == before.model.parameter_count
    command("generate", tmp_path / "card", "-n", 1, "--resolution", 16, "--quiet", "-o", tmp_path / "out")


def test_the_card_is_one_that_hugging_face_understands(run: Path, tmp_path: Path) -> None:
    command("push", run, "-o", tmp_path / "chairs", "--samples", run.parent / "samples", "--license", "mit")
    card = hub_library.ModelCard.load(tmp_path / "chairs" / "README.md")
    assert card.data.library_name == "nfgen"
    assert card.data.license == "mit"
    metrics = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert metrics["1_nna"] == 0.67
    assert metrics["val_loss"] == nfgen.Run.load(run).result["val_loss"]
    assert "| 1-NNA | 0.67 | 95 %: 0.6 … 0.74 |" in card.text
    assert "![samples](samples.png)" in card.text
    sheet = (run.parent / "samples" / "contact_sheet.png").read_bytes()
    assert (tmp_path / "chairs" / "samples.png").read_bytes() == sheet


def test_what_is_shared_names_no_path_of_this_machine(run: Path, tmp_path: Path, hub: stub_hub.StubHub) -> None:
    command("push", run, "-o", tmp_path / "run", "--samples", run.parent / "samples")
    command("push", run / "tokenizer", "-o", tmp_path / "tokenizer")
    command("push", run, "owner/chairs", "--samples", run.parent / "samples")
    command("shapes", "vase", "-n", 1, "--resolution", 16, "--quiet", "-o", tmp_path / "vases")
    fast = ("--steps", 2, "--points", 32, "--near", 32, "--uniform", 32, "--workers", 1, "--quiet")
    command("fit", tmp_path / "vases", *fast, "-o", tmp_path / "fields")
    fields = FieldSet.load(tmp_path / "fields")
    assert fields.sources == (str(tmp_path / "vases"),), "the report shows the shapes beside their fields"
    fields.save(tmp_path / "copy")
    assert FieldSet.load(tmp_path / "copy").sources == ()
    copies = (tmp_path / "run", tmp_path / "tokenizer", tmp_path / "copy")
    contents = [path.read_bytes() for copy in copies for path in copy.rglob("*") if path.is_file()]
    for content in (*contents, *hub.files.values()):
        for place in (run.parent, tmp_path):
            assert str(place).encode() not in content


def test_without_samples_the_picture_is_drawn(run: Path, tmp_path: Path) -> None:
    nfgen.Run.load(run).save_pretrained(tmp_path / "run")
    assert (tmp_path / "run" / "samples.png").stat().st_size > 1000
    assert "1-NNA" not in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")


def test_push_and_generate_by_address(run: Path, tmp_path: Path, hub: stub_hub.StubHub) -> None:
    said = command("push", run, "owner/chairs", "--private", "--samples", run.parent / "samples").output
    assert f"{hub.address}/owner/chairs/commit/" in said
    assert "nfgen generate hf://owner/chairs" in said
    assert hub.private
    assert {"config.json", "model.safetensors", "README.md", "tokenizer/tokenizer.safetensors"} <= set(hub.files)
    hub.files["evil.pkl"] = hub.files["evil.py"] = b"never fetched"
    command("generate", "hf://owner/chairs", "-n", 2, "--resolution", 16, "--quiet", "-o", tmp_path / "out")
    local = nfgen.generate(run, tmp_path / "local", n=2, resolution=16)
    there = json.loads((tmp_path / "out" / "samples.json").read_text())
    assert [entry["tokens"] for entry in there] == [entry.tokens for entry in local]
    fetched = nfgen.Run.from_pretrained("owner/chairs", revision="main")
    assert samples_of(fetched) == samples_of(nfgen.Run.load(run))
    assert not list((tmp_path / "cache").rglob("evil.*"))


def test_a_tokenizer_travels_alone_or_with_its_run(
    run: Path, tiny_fields: FieldSet, tmp_path: Path, hub: stub_hub.StubHub
) -> None:
    tokenizer = nfgen.load_tokenizer(run)
    tokens = tokenizer.encode(tiny_fields.weights[:2])
    command("push", run / "tokenizer", "owner/codes")
    alone = nfgen.CodebookTokenizer.from_pretrained("owner/codes")
    assert torch.equal(alone.decode(tokens), tokenizer.decode(tokens))
    tokenizer.save_pretrained(tmp_path / "codes")
    assert "tokenizer" in (tmp_path / "codes" / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ArtifactError, match="holds a codebook tokenizer"):
        nfgen.VQTokenizer.from_pretrained(tmp_path / "codes")


def test_refusals_are_one_line_and_a_remedy(run: Path, hub: stub_hub.StubHub, tmp_path: Path) -> None:
    sheet = ["--samples", run.parent / "samples"]
    assert "no repository owner/nothing" in command("info", "hf://owner/nothing", status=2).stderr
    assert "cannot push" in command("push", run, "stranger/chairs", *sheet, status=2).stderr
    assert "cannot push" in command("push", run, "no/such/name", *sheet, status=2).stderr
    assert "say where to" in command("push", run, status=2).stderr
    command("push", run, "owner/chairs", *sheet)
    assert "no revision old" in command("info", "hf://owner/chairs@old", status=2).stderr


def test_a_hub_out_of_reach(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hub_library.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens on the port of `discard`
    lines = command("generate", "hf://owner/chairs", "-o", tmp_path / "out", status=2).stderr.strip().splitlines()
    assert len(lines) == 2
    assert "cannot fetch hf://owner/chairs" in lines[0]


def test_without_the_library_only_the_hub_is_missing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", None)
    with pytest.raises(ConfigError, match="needs the package huggingface_hub") as caught:
        nfgen.Run.from_pretrained("owner/chairs")
    assert "nfgen[hub]" in caught.value.remedy
