"""Nothing is let in: what an artifact from elsewhere claims is checked before it is believed."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact, files
from nfgen.models.generation.generate import sample
from nfgen.models.registry import create, load_model
from nfgen.pipeline.sample_set import read_list
from nfgen.shapes.base import Transform
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokens.vocabulary import Vocabulary


@pytest.mark.parametrize("header", [2**62, 5 << 20, 0])
def test_a_header_of_absurd_length_is_not_read(tmp_path: Path, header: int) -> None:
    with (tmp_path / "field.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", header) + b"{}")
        file.truncate(6 << 20)
    with pytest.raises(ArtifactError):
        files.read_tensors(tmp_path / "field.safetensors")
    with pytest.raises(ArtifactError):
        Field.load(tmp_path / "field.safetensors")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"[" * 2_000_001, "more than"),
        (b"[" * 100_000 + b"]" * 100_000, "cannot read"),
        (b'{"x": 1e999}', "too large a number"),
        (b'{"x": Infinity}', "not JSON"),
        (b"9" * 5000, "cannot read"),
        (b"\xff\xfe", "cannot read"),
    ],
)
def test_json_that_is_none_or_too_much_is_refused(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=match) as caught:
        files.read_json(tmp_path / "a.json")
    assert "\n" not in caught.value.problem


def test_a_pipe_is_no_artifact(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")  # opening it would wait for a writer for ever
    os.mkfifo(tmp_path / "field.safetensors")
    with pytest.raises(ArtifactError):
        artifact.read_config(tmp_path)
    with pytest.raises(ArtifactError, match="regular file"):
        files.read_json(tmp_path / "config.json")
    with pytest.raises(ArtifactError, match="regular file"):
        Field.load(tmp_path / "field.safetensors")


def test_settings_that_claim_other_weights_than_the_file_holds_claim_no_memory(tmp_path: Path) -> None:
    model = create("gpt", Vocabulary(length=4, codes=8), layers=1, width=8, heads=1)
    files.write_tensors(tmp_path / "best.safetensors", model.state_dict())
    described = model.describe()
    files.write_json(tmp_path / "model.json", described)
    assert load_model(tmp_path).parameter_count == model.parameter_count
    # 256 layers of 65,536 would be eight thousand GB.
    described["settings"] |= {"layers": 256, "width": 65536}
    files.write_json(tmp_path / "model.json", described)
    with pytest.raises(ArtifactError, match="settings want"):
        load_model(tmp_path)


def test_weights_that_are_not_finite_are_damage(tmp_path: Path) -> None:
    # Found by fuzzing: such logits gave a token beyond the vocabulary, and an IndexError.
    model = create("gpt", Vocabulary(length=4, codes=8), layers=1, width=8, heads=1).eval()
    files.write_json(tmp_path / "model.json", model.describe())
    with torch.no_grad():
        model.start_embedding.weight[0, 0] = float("nan")
    files.write_tensors(tmp_path / "best.safetensors", model.state_dict())
    with pytest.raises(ArtifactError, match=r"start_embedding\.weight holds numbers that are not finite"):
        load_model(tmp_path)
    with pytest.raises(NfgenError, match="logits that are not finite"):
        sample(model, 1)


def test_a_tokenizer_that_claims_other_networks_claims_no_memory(tiny_fields: FieldSet, tmp_path: Path) -> None:
    quick = {"max_tokens": 11, "levels": (3, 3), "probes": 4, "width": 4, "channels": 8, "steps": 1, "batch_size": 2}
    VQTokenizer(**quick).fit(tiny_fields).save(tmp_path / "vq")
    VQTokenizer.load(tmp_path / "vq")
    config = json.loads((tmp_path / "vq" / "config.json").read_text())
    config["settings"]["channels"] = 65536
    (tmp_path / "vq" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="settings want"):
        VQTokenizer.load(tmp_path / "vq")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"labels": torch.full((12,), 7)}, "labels"),
        ({"base": torch.zeros(3)}, "base"),
        ({"uniform_checks": 10**6}, "uniform_checks"),
    ],
)
def test_a_field_set_that_contradicts_itself_is_damaged(
    tiny_fields: FieldSet, tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    tiny_fields.save(tmp_path / "fields")
    if "base" in changes:
        files.write_tensors(tmp_path / "fields" / "base.safetensors", {"weights": changes["base"]})
    elif "labels" in changes:
        path = tmp_path / "fields" / "shard-00000.safetensors"
        files.write_tensors(path, files.read_tensors(path) | changes)
    else:
        config = json.loads((tmp_path / "fields" / "config.json").read_text()) | changes
        (tmp_path / "fields" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match=match):
        FieldSet.load(tmp_path / "fields")


def test_samples_name_files_of_their_own_folder_only(tmp_path: Path) -> None:
    artifact.write_config(tmp_path, "samples", {})
    for name in ("../secret", "/etc/passwd", "", 3, "a/b"):
        files.write_json(tmp_path / "samples.json", [{"field": name, "file": None, "picture": None}])
        with pytest.raises(ArtifactError, match="no file of its folder"):
            read_list(tmp_path)


@pytest.mark.parametrize(
    "values", [{}, {"center": [0, 0, 0], "scale": 0}, {"center": [1e999] * 3, "scale": 1}, [], None]
)
def test_a_frame_is_finite(values: Any) -> None:
    with pytest.raises(ConfigError, match="a frame must be"):
        Transform.from_json(values)


def test_a_spec_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ConfigError, match="at most 16,777,216 weights"):
        FieldSpec(hidden=(4096,) * 16)
    with pytest.raises(ConfigError, match="length must be less than"):
        Vocabulary(length=10**9, codes=2)


def test_a_message_is_one_line_without_commands_to_the_terminal() -> None:
    error = NfgenError("first\nsecond \x1b[31mred\x1b[0m " + "long " * 1000)
    assert error.problem.startswith("first second ?[31mred?[0m long")
    assert len(error.problem) <= 600
