"""What is resumed goes on from the same inputs and settings, or is refused by the name of what differs."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fitting.config import FitConfig, PointSamplingConfig
from nfgen.io import files
from nfgen.pipeline import fit as fitting
from nfgen.pipeline import generate as generating
from nfgen.pipeline import tokenize as tokenizing
from nfgen.pipeline import train as training
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.fit import fit
from nfgen.pipeline.generate import generate
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train

SMALL = {"layers": 1, "width": 16, "heads": 1, "dropout": 0.0}
FIT = {
    "init": "random",
    "config": FitConfig(steps=5, batch_size=2, points=32),
    "samples": PointSamplingConfig(near=64, uniform=64, near_eval=8, uniform_eval=32),
    "workers": 1,
}
TRAIN = {"model_settings": SMALL, "config": TrainConfig(steps=4, batch_size=4, evaluate_every=2, sample_every=0)}


def stopped(module: Any, name: str, after: int, work: Callable[[], Any]) -> None:
    """Do some work, and press Ctrl-C at a call of one of its functions."""
    function, calls = getattr(module, name), iter(range(10**6))

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls) == after:
            raise KeyboardInterrupt
        return function(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, call)
        with pytest.raises(KeyboardInterrupt):
            work()


def write_shapes(path: Path, seed: int = 0) -> None:
    grids = np.zeros((4, 8, 8, 8), bool)
    for number, grid in enumerate(grids):
        grid[2 : 5 + (number + seed) % 2, 2:6, 2:6] = True
    path.mkdir(exist_ok=True)
    for number, grid in enumerate(grids):
        np.save(path / f"{number}.npy", grid)


@pytest.fixture(scope="module")
def begun_fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shapes, and a fit of them that has one of two parts."""
    folder = tmp_path_factory.mktemp("fit")
    write_shapes(folder / "shapes")
    stopped(fitting, "write_shard", 1, lambda: fit(folder / "shapes", folder / "fields", **FIT))
    return folder


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: np.save(folder / "shapes" / "3.npy", np.ones((4, 4, 4), bool)), r"shapes \(3.npy\)"),
        (lambda folder: write_shapes(folder / "shapes", 1), r"shapes \(0.npy, 1.npy, 2.npy and 1 more\)"),
        (lambda folder: (folder / "shapes" / "3.npy").unlink(), r"shapes \(3.npy\)"),
    ],
)
def test_shapes_that_changed_under_their_names_are_named(
    change: Callable[[Path], None], named: str, begun_fit: Path, tmp_path: Path
) -> None:
    shutil.copytree(begun_fit, tmp_path / "work")
    change(tmp_path / "work")
    with pytest.raises(ArtifactError, match=f"had other {named}"):
        fit(tmp_path / "work" / "shapes", tmp_path / "work" / "fields", resume=True, **FIT)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"config": FIT["config"].replace(steps=6)}, r"steps \(5, now 6\)"),
        ({"samples": FIT["samples"].replace(near=65)}, r"samples \(near \(64, now 65\)\)"),
        ({"init": "first"}, r"init \('random', now 'first'\)"),
    ],
)
def test_a_setting_that_changed_is_named_with_both_values(
    settings: dict[str, Any], named: str, begun_fit: Path, tmp_path: Path
) -> None:
    shutil.copytree(begun_fit, tmp_path / "work")
    with pytest.raises(ArtifactError, match=f"had other {named}"):
        fit(tmp_path / "work" / "shapes", tmp_path / "work" / "fields", resume=True, **{**FIT, **settings})


def test_the_same_shapes_elsewhere_are_the_same(begun_fit: Path, tmp_path: Path) -> None:
    shutil.copytree(begun_fit, tmp_path / "work")
    assert len(fit(tmp_path / "work" / "shapes", tmp_path / "work" / "fields", resume=True, **FIT)) == 4


def test_the_field_that_fits_start_from_is_compared_by_its_content(tiny_fields: FieldSet, tmp_path: Path) -> None:
    write_shapes(tmp_path / "shapes")
    start = tmp_path / "start.safetensors"
    arguments = {**FIT, "spec": tiny_fields.spec, "init": start}
    tiny_fields[0].save(start)
    stopped(fitting, "write_shard", 1, lambda: fit(tmp_path / "shapes", tmp_path / "fields", **arguments))
    tiny_fields[1].save(start)
    with pytest.raises(ArtifactError, match=r"had other start$"):
        fit(tmp_path / "shapes", tmp_path / "fields", resume=True, **arguments)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda fields: replace(fields, weights=fields.weights + 1), "fields"),
        (lambda fields: replace(fields, ids=fields.ids[::-1]), "ids"),
        (lambda fields: replace(fields, classes=("one", "two")), "classes"),
        (lambda fields: replace(fields, labels=fields.labels.flip(0)), "classes"),
        (lambda fields: replace(fields, eval_values=fields.eval_values + 1), "checks"),
    ],
)
def test_fields_that_changed_in_anything_are_named(
    change: Callable[[FieldSet], FieldSet], named: str, tiny_fields: FieldSet, tmp_path: Path
) -> None:
    fields = replace(tiny_fields, classes=("ball", "box"), labels=torch.arange(12) // 6)
    arguments: dict[str, Any] = {"tokenizer": "histogram", "bins": 4}
    stopped(tokenizing, "_encode", 0, lambda: tokenize(fields, tmp_path / "out", **arguments))
    with pytest.raises(ArtifactError, match=f"had other {named}$"):
        tokenize(change(fields), tmp_path / "out", resume=True, **arguments)
    assert tokenize(fields, tmp_path / "out", resume=True, **arguments).ids == fields.ids


@pytest.fixture(scope="module")
def two(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fields and tokens of two sets, and a run of the first."""
    folder = tmp_path_factory.mktemp("two")
    for name, fields in (("a", tiny_fields), ("b", replace(tiny_fields, weights=tiny_fields.weights + 0.1))):
        fields.save(folder / f"fields-{name}")
        tokenize(fields, folder / f"tokens-{name}", "histogram", bins=4)
    train(folder / "tokens-a", folder / "run", **TRAIN)
    return folder


@pytest.mark.parametrize(
    ("source", "other", "settings", "named"),
    [
        ("tokens-a", "tokens-b", {}, "tokens$"),
        ("tokens-a", "tokens-a", {"size": "small"}, r"size \('tiny', now 'small'\)"),
        ("tokens-a", "fields-a", {"tokenizer": "histogram"}, "fields and"),
        ("fields-a", "fields-b", {}, "fields$"),
        ("fields-a", "fields-a", {"views": 2}, r"views \(None, now 2\)"),
        ("fields-a", "fields-a", {"heldout": 0.5}, r"heldout \(0.1, now 0.5\)"),
        ("fields-a", "fields-a", {"tokenizer_settings": {"bins": 8}}, r"tokenizer settings \(bins \(4, now 8\)\)"),
    ],
)
def test_a_training_goes_on_with_its_own_tokens_and_settings(
    source: str, other: str, settings: dict[str, Any], named: str, two: Path, tmp_path: Path
) -> None:
    of_fields = {"tokenizer": "histogram", "tokenizer_settings": {"bins": 4}}
    begun = {**TRAIN, **(of_fields if source.startswith("fields") else {})}
    stopped(training, "_write_probes", 0, lambda: train(two / source, tmp_path / "run", **begun))
    with pytest.raises(ArtifactError, match=f"had other {named}"):
        train(two / other, tmp_path / "run", resume=True, **{**begun, **settings})
    assert train(two / source, tmp_path / "run", resume=True, **begun).result["steps"] == 4
    assert not (tmp_path / "run" / "plan.json").exists()


def test_a_training_that_began_with_a_run_goes_on_from_the_same_one(two: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    shutil.copytree(two / "run", begun)
    arguments: dict[str, Any] = {"config": TRAIN["config"].replace(init=str(begun))}
    stopped(training, "_write_probes", 0, lambda: train(two / "tokens-a", tmp_path / "run", **arguments))
    weights = files.read_tensors(begun / "best.safetensors")
    files.write_tensors(begun / "best.safetensors", {key: value + 0.1 for key, value in weights.items()})
    with pytest.raises(ArtifactError, match=r"had other init$"):
        train(two / "tokens-a", tmp_path / "run", resume=True, **arguments)


def test_views_of_tokens_are_refused_instead_of_ignored(two: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whose views is another"):
        train(two / "tokens-a", tmp_path / "run", views=2, **TRAIN)


@pytest.mark.parametrize("with_digest", [True, False])
def test_tokens_with_another_tokenizer_beside_them_are_refused_before_anything_is_trained(
    with_digest: bool, two: Path, tmp_path: Path
) -> None:
    shutil.copytree(two / "tokens-a", tmp_path / "tokens")
    shutil.rmtree(tmp_path / "tokens" / "tokenizer")
    other = two / "tokens-b"
    if not with_digest:  # as version 0.1 wrote them: another vocabulary gives them away
        config = tmp_path / "tokens" / "config.json"
        written = json.loads(config.read_text())
        del written["settings"][tokenizing.DIGEST]
        config.write_text(json.dumps(written))
        other = tmp_path / "other"
        tokenize(two / "fields-a", other, "histogram", bins=8)
    shutil.copytree(other / "tokenizer", tmp_path / "tokens" / "tokenizer")
    with pytest.raises(ArtifactError, match="not the tokenizer of these tokens"):
        train(tmp_path / "tokens", tmp_path / "run", **TRAIN)
    assert not list(tmp_path.glob("*run*"))


def test_a_generation_goes_on_with_its_own_tokenizer(two: Path, tmp_path: Path) -> None:
    shutil.copytree(two / "run", tmp_path / "run")
    arguments: dict[str, Any] = {"n": 2, "out": tmp_path / "out", "resolution": 8}
    stopped(generating, "write_list", 0, lambda: generate(tmp_path / "run", **arguments))
    shutil.rmtree(tmp_path / "run" / "tokenizer")
    shutil.copytree(two / "tokens-b" / "tokenizer", tmp_path / "run" / "tokenizer")
    with pytest.raises(ArtifactError, match=r"had other tokenizer$"):
        generate(tmp_path / "run", resume=True, **arguments)
