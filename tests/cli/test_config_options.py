"""Options are the settings of configurations: all of them, with help, type and default; files of settings; mistakes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nfgen.cli.main import main
from nfgen.config import Configuration, flat
from nfgen.fields.field_set import FieldSet
from nfgen.fitting.config import FitConfig
from nfgen.pipeline.config import TrainConfig
from nfgen.tokenizers.config import CONFIGS, TokenizeConfig

STORED = Path(__file__).parent.parent / "fixtures" / "v0.1"


def run(*words: object, status: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def fields(tiny_fields: FieldSet, tmp_path: Path) -> Path:
    tiny_fields.save(tmp_path / "fields")
    return tmp_path / "fields"


@pytest.mark.parametrize(
    ("words", "config", "chosen"),
    [
        (["fit"], FitConfig, {}),
        (["train"], TrainConfig, {}),
        (["train", "--model", "diffusion"], TrainConfig, {"model": "diffusion"}),
        *((["tokenize", "--tokenizer", name], TokenizeConfig, {"tokenizer": name}) for name in CONFIGS),
    ],
)
def test_help_lists_every_setting_with_its_description_and_default(
    words: list[str], config: type[Configuration], chosen: dict[str, str]
) -> None:
    output = run(*words, "--help").output
    squeezed = "".join(output.split())
    for place in flat(config, chosen).values():
        assert f" --{place.names[0].replace('_', '-')} " in output.replace("\n", " ")
        assert place.field.description
        assert "".join(place.field.description.split()) + "[default:" in squeezed


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["fit", "x", "--stesp", "3"], "--steps"),
        (["tokenize", "x", "--tokenizr", "vq"], "--tokenizer"),
        (["tokenize", "x", "--tokenizer", "histogram", "--bin", "3"], "--bins"),
        (["train", "x", "--droput", "0.1"], "--dropout"),
        (["evaluate", "x", "--refrence", "y"], "--reference"),
    ],
)
def test_a_mistyped_option_is_answered_with_the_nearest(words: list[str], nearest: str) -> None:
    said = run(*words, "-o", "OUT", status=2).stderr.splitlines()
    assert len(said) == 2
    assert f"did you mean {nearest}" in said[1]
    assert "_" not in said[1]


def test_the_config_of_an_artifact_makes_it_again(fields: Path, tmp_path: Path) -> None:
    run("tokenize", fields, "--tokenizer", "histogram", "--bins", 8, "--heldout", 0.3, "--quiet",
        "-o", tmp_path / "tokens")  # fmt: skip
    run("tokenize", fields, "--config", tmp_path / "tokens" / "config.json", "--quiet", "-o", tmp_path / "again")
    first, again = ((tmp_path / name / "tokens.safetensors").read_bytes() for name in ("tokens", "again"))
    assert first == again
    small = ["--layers", 1, "--width", 16, "--heads", 1, "--steps", 2, "--batch-size", 4, "--sample-every", 0]
    run("train", tmp_path / "tokens", *small, "--quiet", "-o", tmp_path / "run")
    given_back = ["--config", tmp_path / "run" / "config.json", "--quiet"]
    for source in (tmp_path / "tokens", fields):
        run("train", source, *given_back, "--overwrite", "-o", tmp_path / "run-again")
        first, again = ((tmp_path / name / "best.safetensors").read_bytes() for name in ("run", "run-again"))
        assert first == again


def test_settings_of_version_0_1_can_be_given_back(fields: Path, tmp_path: Path) -> None:
    run("tokenize", fields, "--config", STORED / "histogram" / "config.json", "--quiet", "-o", tmp_path / "tokens")
    stored = json.loads((tmp_path / "tokens" / "config.json").read_text())["settings"]
    assert (stored["tokenizer"], stored["tokenizer_settings"]["bins"]) == ("histogram", 8)
    old = json.loads((STORED / "fields" / "config.json").read_text())["settings"]
    fit = FitConfig.from_json(old)
    assert (fit.steps, fit.samples.near, fit.samples.near_eval, fit.batch_size) == (150, 128, 32, 64)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "tokenizer: histogram\nbins: 16\nheldout: 0.25\n"),
        ("c.toml", 'tokenizer = "histogram"\nheldout = 0.25\n[tokenizer_settings]\nbins = 16\n'),
        ("c.json", '{"tokenizer": "histogram", "heldout": 0.25, "tokenizer-settings": {"bins": 16}}'),
    ],
)
def test_a_file_of_settings_is_read_and_options_override_it(fields: Path, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    words = ["tokenize", fields, "--config", tmp_path / name, "--heldout", 0.5, "--quiet"]
    run(*words, "-o", tmp_path / "tokens")
    stored = json.loads((tmp_path / "tokens" / "config.json").read_text())["settings"]
    assert (stored["tokenizer"], stored["tokenizer_settings"]["bins"], stored["heldout"]) == ("histogram", 16, 0.5)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("c.yaml", "a: [", "cannot read"),
        ("c.yaml", "just words", "holds no settings"),
        ("c.yaml", "a: &a [1, 1]\nb: [*a, *a]", "aliases"),
        pytest.param("c.yaml", "[" * 2000, "more than 1,000 lists", id="nested lists"),
        pytest.param("c.yaml", "- " * 20_000, "cannot read", id="nested blocks"),
        pytest.param("c.toml", "a = " + "[" * 2000, "more than 1,000 lists", id="nested TOML"),
        pytest.param("c.yaml", "# " + "long " * 20_000, "longer than", id="long"),
        pytest.param("c.json", "[" * 100_000, "cannot read", id="nested JSON"),
        ("c.yaml", "bons: 3", "no setting 'bons'"),
        ("c.yaml", "heldout: 2", "heldout must be less than 1"),
        ("c.json", '{"type": "run", "format": 1, "settings": {}}', "is of run, not of tokens"),
    ],
)
def test_a_wrong_file_of_settings_is_refused(fields: Path, tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text)
    result = run("tokenize", fields, "--config", tmp_path / name, "-o", tmp_path / "tokens", status=2)
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_another_tokenizer_starts_from_its_own_defaults() -> None:
    config = TokenizeConfig().with_settings({"tokenizer": "histogram", "bins": 8})
    assert config.with_settings({"heldout": 0.5}).tokenizer_settings == {"bins": 8}
    assert config.with_settings({"tokenizer": "codebook"}).tokenizer_settings == {}
