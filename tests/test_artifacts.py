"""Configurations are checked strictly, vocabularies say what may stand where, artifacts are whole or absent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nfgen.config import Configuration
from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.io import artifact, files
from nfgen.tokenizers.vq.config import VQConfig
from nfgen.tokens.token_set import common_frame, split
from nfgen.tokens.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"dimz": 3}, "no setting 'dimz'"),
        ({"dims": 4}, "dims must be less than or equal to 3"),
        ({"dims": "3"}, "dims must be a whole number"),
        ({"dims": True}, "dims must be a whole number"),
        ({"hidden": []}, "hidden must have at least 1"),
        ({"hidden": [8, -1]}, "hidden must be greater than or equal to 1, not -1"),
        ({"hidden": [8, 1.5]}, "hidden must be a whole number, not 1.5"),
        ({"activation": "swish"}, "activation must be 'relu', 'relu2'"),
        ({"activation": ["relu", "swish"]}, "activation must be"),
        ({"hidden": [5, 6], "activation": ["relu", "gelu", "gelu"]}, "activation must be one, or 2: one a hidden"),
        ([1], "must be a JSON object"),
    ],
)
def test_a_wrong_setting_is_named(settings: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        FieldSpec.from_json(settings)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="needs the setting 'length'"):
        Vocabulary.from_json({"codes": 4})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "fast", None])
def test_numbers_must_be_finite(value: object) -> None:
    with pytest.raises(ConfigError, match="learning_rate must be a"):
        FitConfig.from_json({"learning_rate": value})


@pytest.mark.parametrize(
    "configuration",
    [
        FieldSpec(hidden=(5, 6), activation="sine"),
        FieldSpec(hidden=(5, 6), activation=("relu", "gelu")),
        VQConfig(cells=(2, 3, 4)),
        VQConfig(),
    ],
    ids=["spec", "spec of two activations", "vq with cells", "vq"],
)
def test_a_configuration_survives_json(configuration: Configuration) -> None:
    assert type(configuration).from_json(json.loads(json.dumps(configuration.to_json()))) == configuration
    assert configuration.to_json() == json.loads(json.dumps(configuration.to_json()))


def test_one_activation_for_all_layers_and_the_same_for_each_are_one_spec() -> None:
    one, each = FieldSpec(hidden=(5, 6), activation="relu"), FieldSpec(hidden=(5, 6), activation=("relu", "relu"))
    assert one == each
    assert one.to_json() == each.to_json()
    assert one.activations == ("relu", "relu")


VOCABULARY = Vocabulary(length=4, codes=6, ranges=((0, 4), (4, 6)), classes=("cat", "dog"))


def test_sequences_begin_with_bos_or_a_class_and_end_with_eos() -> None:
    specials = VOCABULARY.specials
    assert specials == {"BOS": 6, "EOS": 7, "PAD": 8, "class:cat": 9, "class:dog": 10}
    assert VOCABULARY.size == 11
    tokens = torch.tensor([[0, 4, 3, 5], [1, 5, 2, 4]])
    wrapped = VOCABULARY.wrap(tokens, torch.tensor([-1, 1]))
    assert wrapped.tolist() == [[6, 0, 4, 3, 5, 7], [10, 1, 5, 2, 4, 7]]
    assert torch.equal(VOCABULARY.unwrap(wrapped), tokens)


@pytest.mark.parametrize("wrong", [[7, 0, 4, 3, 5, 7], [6, 4, 4, 3, 5, 7], [6, 0, 6, 3, 5, 7], [6, 0, 4, 3, 5, 8]])
def test_a_token_where_it_may_not_stand_is_refused(wrong: list[int]) -> None:
    with pytest.raises(ConfigError, match="must be one that is allowed there"):
        VOCABULARY.unwrap(torch.tensor([wrong]))


def test_allowed_says_which_tokens_may_stand_where() -> None:
    allowed = [set(VOCABULARY.allowed(i).nonzero()[:, 0].tolist()) for i in range(7)]
    assert allowed == [{6, 9, 10}, {0, 1, 2, 3}, {4, 5}, {0, 1, 2, 3}, {4, 5}, {7}, {8}]


def test_a_continuous_vocabulary_has_no_ids() -> None:
    continuous = Vocabulary(length=3, width=2)
    assert continuous.continuous
    assert continuous.size is None
    with pytest.raises(ConfigError, match="discrete"):
        continuous.allowed(1)


@pytest.mark.parametrize(
    "settings", [{"length": 0}, {"codes": 1}, {"codes": 3, "levels": (2, 2)}, {"codes": 4, "ranges": ((0, 9),)}]
)
def test_an_impossible_vocabulary_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Vocabulary(**{"length": 3, **settings})  # type: ignore[arg-type]


def write(path: Path, **arguments: object) -> None:
    with artifact.writing(path, "thing", **arguments) as folder:  # type: ignore[arg-type]
        files.write_tensors(folder / "a.safetensors", {"a": torch.arange(3)})
        artifact.write_config(folder, "thing", {"size": 3})


def test_an_artifact_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "thing"
    with artifact.writing(path, "thing") as folder:
        assert not path.exists()
        artifact.write_config(folder, "thing", {"size": 3})
        assert not path.exists()
    assert artifact.read_config(path, "thing") == {"size": 3}
    assert artifact.kind_of(path) == "thing"
    assert [entry.name for entry in path.parent.iterdir()] == ["thing"]


def test_a_failure_leaves_earlier_artifacts_and_no_litter(tmp_path: Path) -> None:
    write(tmp_path / "thing")
    with pytest.raises(RuntimeError), artifact.writing(tmp_path / "thing", "thing", overwrite=True):
        raise RuntimeError
    assert artifact.read_config(tmp_path / "thing") == {"size": 3}
    assert [entry.name for entry in tmp_path.iterdir()] == ["thing"]


def test_only_artifacts_are_overwritten_and_only_when_told_to(tmp_path: Path) -> None:
    write(tmp_path / "thing")
    with pytest.raises(ArtifactError, match="exists already"):
        write(tmp_path / "thing")
    write(tmp_path / "thing", overwrite=True)
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="exists already"):
        write(home, overwrite=True)
    assert (home / "letter.txt").read_text() == "dear"


WRITE = """
import sys
from nfgen.errors import ArtifactError
from nfgen.io import artifact
try:
    with artifact.writing(sys.argv[1], "thing"):
        print("written")
except ArtifactError as error:
    print(error.problem)
"""


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "thing", "thing") as folder:
        (folder / "work").write_text("of the first")
        other = [sys.executable, "-c", WRITE, str(tmp_path / "thing")]
        assert "another process" in subprocess.run(other, check=True, capture_output=True, text=True).stdout
        assert (folder / "work").read_text() == "of the first"
        artifact.write_config(folder, "thing", {})


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot write"):
        write(tmp_path / "file" / "thing")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "cannot read"),
        ('{"type": "thing", "format": 1, "x": NaN}', "NaN is not JSON"),
        ("[]", "not an nfgen config"),
        ('{"type": "thing", "format": 99}', "format 99"),
        ('{"type": "other", "format": 1}', "holds other"),
    ],
)
def test_a_damaged_config_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ArtifactError, match=problem):
        artifact.read_config(tmp_path, "thing")


def test_numbers_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_split_is_random_fixed_and_never_empty() -> None:
    mask = split(100, 0.1, seed=3)
    assert int(mask.sum()) == 10
    assert torch.equal(mask, split(100, 0.1, seed=3))
    assert not torch.equal(mask, split(100, 0.1, seed=4))
    assert [int(split(count, 0.1, 0).sum()) for count in (1, 2, 5)] == [0, 1, 1]
    assert int(split(50, 0, 0).sum()) == 0
    with pytest.raises(ConfigError, match="heldout"):
        split(10, 1.0, 0)


def test_a_frame_is_common_only_if_all_share_it() -> None:
    shared = torch.tensor([[0.0, 0, 0, 0.95]]).expand(3, -1)
    frame = common_frame(shared)
    assert frame is not None
    assert frame.scale == pytest.approx(0.95)
    different = shared.clone()
    different[1, 0] = 1
    assert common_frame(different) is None
    assert common_frame(None) is None
