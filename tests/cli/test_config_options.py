"""Options are the settings of configurations: all of them, with help, type and default; files of settings; mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import nfgen
from nfgen.cli.config_options import ConfigCommand
from nfgen.cli.main import main
from nfgen.config import Configuration, flat
from nfgen.errors import ConfigError
from nfgen.evaluation.config import EvaluateConfig
from nfgen.fields.field_set import FieldSet
from nfgen.fitting.config import FitConfig
from nfgen.pipeline.config import (
    DemoConfig,
    ExportConfig,
    GenerateConfig,
    PushConfig,
    ReportConfig,
    ShapesConfig,
    TrainConfig,
)
from nfgen.shapes.reading import ReadingConfig
from nfgen.tokenizers.config import CONFIGS, TokenizeConfig

from ..commands import run

SMALL = ["--layers", 1, "--width", 16, "--heads", 1, "--steps", 2, "--batch-size", 4, "--sample-every", 0]
SHORTER = {"n": "-n", "label": "--class"}
"""Options that are not called by their setting's name."""

STORED = Path(__file__).parent.parent / "fixtures" / "v0.1"


@pytest.mark.parametrize(
    ("words", "config", "chosen"),
    [
        (["shapes"], ShapesConfig, {}),
        (["check"], ReadingConfig, {}),
        (["info"], ReadingConfig, {}),
        (["fit"], FitConfig, {}),
        (["generate"], GenerateConfig, {}),
        (["evaluate"], EvaluateConfig, {}),
        (["export"], ExportConfig, {}),
        (["demo"], DemoConfig, {}),
        (["report"], ReportConfig, {}),
        (["push"], PushConfig, {}),
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
        name = SHORTER.get(place.names[0], f"--{place.names[0].replace('_', '-')}")
        assert f" {name} " in output.replace("\n", " ").replace(",", " ")
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
        (["evaluate", "x", "--reference", "y", "--protocoll", "nfgen"], "--protocol"),
        (["generate", "x", "--temprature", "1"], "--temperature"),
        (["export", "x", "--fromat", "obj"], "--format"),
        (["shapes", "chair", "--resolutoin", "9"], "--resolution"),
        # Names of earlier versions.
        (["generate", "x", "--thicken", "0.01"], "--offset"),
        (["tokenize", "x", "--codes", "64"], "--max-tokens"),
        (["generate", "x", "--contrast", "0.5"], "--contrastive-weight"),
        (["generate", "x", "--weights", "last"], "--checkpoint"),
        (["generate", "x", "--batch", "3"], "--batch-size"),
        (["fit", "x", "--near-checks", "3"], "--near-eval"),
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
    run("train", tmp_path / "tokens", *SMALL, "--quiet", "-o", tmp_path / "run")
    given_back = ["--config", tmp_path / "run" / "config.json", "--quiet"]
    for source in (tmp_path / "tokens", fields):
        run("train", source, *given_back, "--overwrite", "-o", tmp_path / "run-again")
        first, again = ((tmp_path / name / "best.safetensors").read_bytes() for name in ("run", "run-again"))
        assert first == again


@pytest.fixture(scope="module")
def trained(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    tiny_fields.save(folder / "fields")
    run("train", folder / "fields", "--tokenizer", "histogram", "--bins", 8, *SMALL, "--quiet", "-o", folder / "run")
    return folder / "run"


def test_the_config_of_samples_makes_them_again(trained: Path, tmp_path: Path) -> None:
    said = ["-n", 3, "--class", "box", "--temperature", 0.7, "--seed", 5, "--resolution", 12, "--format", "obj",
            "--checkpoint", "last", "--contrastive-weight", 0.5, "--prefix", "3,1"]  # fmt: skip
    run("generate", trained, *said, "--quiet", "-o", tmp_path / "out")
    run("generate", trained, "--config", tmp_path / "out" / "config.json", "--quiet", "-o", tmp_path / "again")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")
    stored = json.loads((tmp_path / "out" / "config.json").read_text())
    config = GenerateConfig.of_samples(stored)
    assert (config.n, config.label, config.seed, config.checkpoint, config.prefix) == (3, "box", 5, "last", "3,1")
    assert (config.sampling.temperature, config.sampling.contrastive_weight) == (0.7, 0.5)
    assert (config.meshing.resolution, config.meshing.format) == (12, "obj")
    assert stored["run"] == str(trained), "scores of weights need the run that samples are of"


def test_the_config_of_shapes_and_of_an_export_makes_them_again(tmp_path: Path) -> None:
    run("shapes", "vase", "-n", 2, "--seed", 4, "--resolution", 16, "--quiet", "-o", tmp_path / "out")
    given_back = ("--config", tmp_path / "out" / "config.json", "--quiet", "-o", tmp_path / "again")
    run("shapes", "vase", *given_back)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")
    words = ("export", STORED / "fields", "--quiet")
    run(*words, "--format", "ply", "--resolution", 12, "-n", 2, "-o", tmp_path / "meshes")
    run(*words, "--config", tmp_path / "meshes" / "config.json", "-o", tmp_path / "meshes-again")
    assert files_of(tmp_path / "meshes") == files_of(tmp_path / "meshes-again")
    assert len(list((tmp_path / "meshes").glob("*.ply"))) == 2


def test_all_commands_that_have_settings_take_them_from_a_file() -> None:
    without = {name for name, one in main.commands.items() if not isinstance(one, ConfigCommand)}
    assert without == {"doctor", "completion"}, "these have none"


def test_a_file_says_how_a_run_is_published(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "push.yaml").write_text("license: mit\n")
    run("push", trained, "--config", tmp_path / "push.yaml", "-o", tmp_path / "out")
    assert 'license: "mit"' in (tmp_path / "out" / "README.md").read_text()
    (tmp_path / "report.toml").write_text("turntable = 'avi'\n")
    refused = run("report", trained, "--config", tmp_path / "report.toml", "-o", tmp_path / "page.html", status=2)
    assert "turntable" in refused.stderr


def test_the_settings_of_scores_make_them_again(tmp_path: Path) -> None:
    run("shapes", "vase", "-n", 4, "--resolution", 16, "--quiet", "-o", tmp_path / "vases")
    words = ("evaluate", tmp_path / "vases", "--reference", tmp_path / "vases", "--quiet")
    run(*words, "--points", 32, "--no-pictures", "--seed", 3, "-n", 3, "-o", tmp_path / "scores")
    run(*words, "--config", tmp_path / "scores" / "evaluation.json", "-o", tmp_path / "again")
    first, again = (json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("scores", "again"))
    assert first.pop("command") != again.pop("command")
    assert first == again
    assert (first["points"], first["reference"], first["settings"]["pictures"]) == (32, 3, False)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--pairs", "--points", "64"], "--points has no meaning for pairs"),
        (["--pairs", "--no-pictures"], "--pictures has no meaning for pairs"),
        (["--resolution", "64"], "--resolution has no meaning for sets"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(words: list[str], problem: str) -> None:
    fields = STORED / "fields"
    assert problem in run("evaluate", fields, "--reference", fields, *words, status=2).stderr


def test_samples_of_version_0_1_have_their_settings_and_can_be_made_again(tmp_path: Path) -> None:
    old = json.loads((STORED / "samples" / "config.json").read_text())
    config = GenerateConfig.of_samples(old)
    assert (config.n, config.seed, config.label, config.meshing.resolution) == (2, 3, None, 12)
    assert (config.meshing.offset, config.acceptance.distinct, config.sampling.contrastive_weight) == (0, False, 0)
    words = ("generate", STORED / "run", "--config", STORED / "samples" / "config.json", "--quiet")
    run(*words, "-o", tmp_path / "samples")
    made, before = (
        json.loads((path / "samples.json").read_text()) for path in (tmp_path / "samples", STORED / "samples")
    )
    assert [one["tokens"] for one in made] == [one["tokens"] for one in before]


def files_of(folder: Path) -> dict[str, bytes]:
    """What an artifact holds, but not the config, which has the command line, nor the page, which has the date."""
    aside = ("config.json", "index.html")
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in aside}


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
        ("c.yaml", "tokenizer: histogram\nbins: 16\nkind: uniform\nheldout: 0.25\n"),
        ("c.toml", 'tokenizer = "histogram"\nheldout = 0.25\n[tokenizer_settings]\nbins = 16\nkind = "uniform"\n'),
        (
            "c.json",
            '{"tokenizer": "histogram", "heldout": 0.25, "tokenizer-settings": {"bins": 16, "kind": "uniform"}}',
        ),
    ],
)
def test_a_file_of_settings_is_read_and_options_override_it(fields: Path, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    words = ["tokenize", fields, "--config", tmp_path / name, "--heldout", 0.5, "--quiet"]
    run(*words, "-o", tmp_path / "tokens")
    stored = json.loads((tmp_path / "tokens" / "config.json").read_text())["settings"]
    histogram = stored["tokenizer_settings"]
    assert (stored["tokenizer"], stored["heldout"], histogram["bins"], histogram["kind"]) == (
        "histogram", 0.5, 16, "uniform",
    )  # fmt: skip


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
        ("c.json", '{"type": "run", "format": 1, "settings": {}}', "is of run, not of this command"),
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


@pytest.mark.parametrize(
    "verb",
    [
        lambda out: nfgen.write_shapes("vase", out, 3),
        lambda out: nfgen.fit("shapes", out, 3),
        lambda out: nfgen.tokenize(STORED / "fields", out, config=3),
        lambda out: nfgen.train(STORED / "tokens", out, 3),
        lambda out: nfgen.generate(STORED / "run", 3, out),  # the order of version 0.1
        lambda out: nfgen.evaluate(STORED / "samples", STORED / "samples", 3, out=out),
    ],
)
def test_what_is_no_configuration_is_refused_before_anything_is_done(
    verb: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="config must be a"):
        verb(tmp_path / "out")
    assert not list(tmp_path.iterdir())
