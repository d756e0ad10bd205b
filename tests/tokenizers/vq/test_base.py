"""A VQ tokenizer that begins with another one."""

from pathlib import Path

import pytest
import torch

from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers import registry
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from .fitted_fields import generator

pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")

SMALL = {"max_tokens": 11, "levels": (8, 5), "probes": 4, "width": 16, "channels": 16, "decoder_blocks": 1}
TRAINING = {"batch_size": 4, "points": 32}


@pytest.fixture(scope="module")
def base(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "tokenizer"
    VQTokenizer(**SMALL, **TRAINING, steps=2).fit(tiny_fields).save(path)
    return path


def of_spec(spec: FieldSpec) -> FieldSet:
    weights = 0.3 * torch.randn(3, spec.size, generator=generator())
    return FieldSet(spec=spec, weights=weights, ids=("a", "b", "c"), labels=torch.full((3,), -1))


def test_without_steps_it_is_the_base(base: Path, tiny_fields: FieldSet) -> None:
    known, made = VQTokenizer.load(base), VQTokenizer(base=str(base), steps=0).fit(tiny_fields)
    assert torch.equal(known.encode(tiny_fields.weights), made.encode(tiny_fields.weights))
    assert {name: getattr(made.config, name) for name in SMALL} == SMALL


def test_no_minutes_are_no_steps(base: Path, tiny_fields: FieldSet) -> None:
    known, made = VQTokenizer.load(base), VQTokenizer(base=str(base), minutes=0).fit(tiny_fields)
    assert all(torch.equal(known.tensors()[key], value) for key, value in made.tensors().items())


@pytest.mark.parametrize("setting", [{"steps": 0}, {"minutes": 0}])
def test_a_tokenizer_that_learned_nothing_is_refused(tiny_fields: FieldSet, setting: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="without a base"):
        VQTokenizer(base="none", **setting).fit(tiny_fields)


def test_steps_change_it_and_are_those_of_a_tuning_by_default(base: Path, tiny_fields: FieldSet) -> None:
    known, made = VQTokenizer.load(base), VQTokenizer(base=str(base), steps=2, **TRAINING).fit(tiny_fields)
    assert any(not torch.equal(known.tensors()[key], value) for key, value in made.tensors().items())
    anew, tuned = VQTokenizer(base="none"), VQTokenizer(base=str(base))
    for tokenizer in (anew, tuned):
        tokenizer.settle(tiny_fields.spec)
    assert tuned.config.steps < anew.config.steps
    assert tuned.config.learning_rate < anew.config.learning_rate


def test_it_is_saved_whole(base: Path, tiny_fields: FieldSet, tmp_path: Path) -> None:
    made = VQTokenizer(base=str(base), steps=0).fit(tiny_fields)
    made.save(tmp_path / "own")
    loaded = registry.load(tmp_path / "own")
    assert torch.equal(loaded.encode(tiny_fields.weights), made.encode(tiny_fields.weights))


def test_it_takes_fields_of_another_spec(base: Path) -> None:
    fields = of_spec(FieldSpec(dims=3, frequencies=0, hidden=(8,), activation="relu"))
    assert VQTokenizer(base=str(base), steps=0).fit(fields).spec == fields.spec


@pytest.mark.parametrize("setting", [{"channels": 32}, {"levels": (8, 8)}, {"max_tokens": 12}])
def test_networks_are_those_of_the_base(base: Path, tiny_fields: FieldSet, setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        VQTokenizer(base=str(base), **setting).fit(tiny_fields)


def test_a_base_of_other_fields_is_refused(base: Path) -> None:
    flat = of_spec(FieldSpec(dims=2, frequencies=0, hidden=(8,), activation="relu"))
    with pytest.raises(ConfigError, match="3-D sdf fields, not 2-D"):
        VQTokenizer(base=str(base)).fit(flat)
    with pytest.raises(ArtifactError):
        VQTokenizer(base="there/is/none").fit(flat)


def test_the_shipped_one_is_taken_where_it_suits(tiny_fields: FieldSet) -> None:
    def chosen(spec: FieldSpec, **settings: object) -> str:
        tokenizer = registry.create("vq", **settings)
        tokenizer.settle(spec)
        return str(tokenizer.config.base)

    flat = FieldSpec(dims=2, frequencies=0, hidden=(8,), activation="relu")
    assert chosen(tiny_fields.spec) == "base-3d"
    assert chosen(tiny_fields.spec, max_tokens=64, levels=(12, 10, 10)) == "base-3d"
    assert chosen(tiny_fields.spec, levels=(8, 5)) == "none"
    assert chosen(tiny_fields.spec, base="none") == "none"
    assert chosen(flat) == "none"
    with pytest.raises(ConfigError, match="not 2-D"):
        registry.create("pretrained").settle(flat)
    with pytest.raises(ConfigError, match="levels"):
        registry.create("pretrained", levels=(8, 5)).settle(tiny_fields.spec)
