"""The verbs: tokens carry their split and frame, a run is all that generation needs, samples keep their promises."""

import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.io.artifact import read_config
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.generate import generate
from nfgen.pipeline.run import Run, read_prefix
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.tokens.token_set import TokenSet

SMALL = {"layers": 1, "width": 32, "heads": 1, "dropout": 0.0}
CONFIG = TrainConfig(steps=60, batch_size=4, evaluate_every=20, learning_rate=3e-3)


@pytest.fixture(scope="module")
def placed_fields(tiny_fields: FieldSet) -> FieldSet:
    """The fields as if their files had a frame in common: twice as large, and elsewhere."""
    return replace(tiny_fields, transforms=torch.tensor([[5.0, 0, 0, 0.5]]).double().expand(len(tiny_fields), -1))


@pytest.fixture(scope="module")
def run(placed_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    tokenize(placed_fields, folder / "tokens", "codebook", codes=64, steps=5, heldout=0.25)
    train(folder / "tokens", folder / "run", model_settings=SMALL, config=CONFIG)
    return folder / "run"


def test_tokens_are_stored_with_their_split_and_report(placed_fields: FieldSet, tmp_path: Path) -> None:
    tokens = tokenize(placed_fields, tmp_path / "tokens", "histogram", bins=16, heldout=0.25)
    loaded = TokenSet.load(tmp_path / "tokens")
    assert torch.equal(loaded.tokens, tokens.tokens)
    assert torch.equal(loaded.heldout, tokens.heldout)
    assert (loaded.ids, loaded.frame, loaded.vocabulary) == (tokens.ids, tokens.frame, tokens.vocabulary)
    assert int(tokens.heldout.sum()) == 3
    report = json.loads((tmp_path / "tokens" / "report.json").read_text())
    assert report["bits_per_weight"]["train"] == pytest.approx(4)
    assert 0 < report["iou_after"]["heldout"] <= 1
    with pytest.raises(ArtifactError, match="exists already"):
        tokenize(placed_fields, tmp_path / "tokens", "histogram")
    with pytest.raises(ConfigError, match="no augmented views"):
        tokenize(placed_fields, tmp_path / "other", "histogram", views=2)
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


def test_a_run_needs_nothing_else(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "moved"
    run.rename(alone)
    try:
        samples = generate(alone, tmp_path / "out", n=3, resolution=24)
    finally:
        alone.rename(run)
    assert len(samples) == 3
    assert {path.suffix for path in (tmp_path / "out").iterdir()} >= {".json", ".png", ".safetensors"}
    known = read_config(run)["train_ids"]
    assert all(sample.nearest is not None and sample.nearest["id"] in known for sample in samples)


def test_a_copy_of_a_training_field_is_found_out(run: Path) -> None:
    loaded = Run.load(run)
    tokens = TokenSet.load(run.parent / "tokens")
    row = int((~tokens.heldout).nonzero()[0])
    fields = [Field(loaded.tokenizer.decoded_spec, w) for w in loaded.tokenizer.decode(tokens.tokens[row : row + 1])]
    (nearest,) = loaded.nearest(fields)
    assert nearest["id"] == tokens.ids[row]
    assert nearest["distance"] < 1e-3


def test_meshes_stand_in_the_frame_of_the_files(run: Path, tmp_path: Path) -> None:
    samples = generate(run, tmp_path / "out", n=2, require_surface=True, resolution=24, format="ply")
    for sample_ in samples:
        mesh = trimesh.load_mesh(tmp_path / "out" / str(sample_.file))
        own = Field.load(tmp_path / "out" / sample_.field).mesh(24)
        np.testing.assert_allclose(mesh.bounds, own.bounds * 2 + [5, 0, 0], atol=1e-5)


def test_a_class_and_a_prefix_are_obeyed(run: Path, tmp_path: Path) -> None:
    loaded = Run.load(run)
    (first, *_) = generate(loaded, tmp_path / "box", n=1, label="box", resolution=16)
    assert first.label == "box"
    wanted = first.tokens[:5]
    text = ",".join(map(str, wanted))
    begun = generate(loaded, tmp_path / "begun", n=2, prefix=text, resolution=16)
    assert all(sample_.tokens[:5] == wanted for sample_ in begun)
    field = tmp_path / "box" / first.field
    assert read_prefix(loaded, str(field), 5).shape == (5,)
    for wrong, problem in (
        ("a,b", "not a prefix"),
        ("99999", "must be ids from 0 to"),
        (str(tmp_path / "no.safetensors"), "field"),
    ):
        with pytest.raises(NfgenError, match=problem):
            generate(loaded, tmp_path / "out", n=1, prefix=wrong)
    with pytest.raises(ConfigError, match="no class 'sofa'"):
        generate(loaded, tmp_path / "out", n=1, label="sofa")


def test_the_last_weights_can_be_contrasted_with_the_best(run: Path, tmp_path: Path) -> None:
    config = SamplingConfig(contrastive_weight=0.5)
    best, last = Run.load(run), Run.load(run, "last")
    assert best.reference_model is None
    assert last.reference_model is not None
    for (name, one), other in zip(
        best.model.state_dict().items(), last.reference_model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    (made,) = generate(
        run,
        tmp_path / "out",
        n=1,
        checkpoint="last",
        contrastive_weight=0.5,
        temperature=1.0,
        balanced=False,
        resolution=16,
    )
    drawn = sample(last.model, 1, config, reference_model=last.reference_model)
    assert made.tokens == drawn[0].tolist()
    with pytest.raises(ConfigError, match="contrast"):
        generate(run, tmp_path / "never", n=1, checkpoint="best", contrastive_weight=0.5, resolution=16)
    assert not (tmp_path / "never").exists()


def test_what_is_not_said_of_samples_is_as_the_run_chose_it(run: Path, tmp_path: Path) -> None:
    chosen = read_config(run)["sampling"]
    assert (chosen["temperature"], chosen["balanced"]) == (1.0, True)
    shutil.copytree(run, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["sampling"] = {"checkpoint": "last", "temperature": 0.7, "contrastive_weight": 0.25}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))

    def settings(name: str, **said: Any) -> tuple[object, ...]:
        generate(tmp_path / "run", tmp_path / name, n=1, resolution=16, **said)
        stored = read_config(tmp_path / name)["settings"]
        return stored["checkpoint"], stored["sampling"]["temperature"], stored["sampling"]["contrastive_weight"]

    assert settings("as-chosen") == ("last", 0.7, 0.25)
    assert settings("said", temperature=1.0, contrastive_weight=0.0) == ("last", 1.0, 0.0)
    assert settings("best", checkpoint="best") == ("best", 0.7, 0.0), "there is nothing to contrast the best with"
    (tmp_path / "run" / "last.safetensors").unlink()
    assert settings("shared") == ("best", 0.7, 0.0), "a shared run has one checkpoint"


def test_samples_without_a_surface_are_counted_or_drawn_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nfgen.pipeline import sample_set as writer

    meshes = iter([None, *[trimesh.creation.box()] * 9])
    monkeypatch.setattr("nfgen.pipeline.meshed_sample.surface_or_none", lambda field, resolution: next(meshes))
    kept = generate(run, tmp_path / "kept", n=2, distinct=False, balanced=False)
    assert [sample_.empty for sample_ in kept] == [True, False]
    assert kept[0].file is None
    assert read_config(tmp_path / "kept", writer.KIND)["empty"] == 1
    meshes = iter([None, *[trimesh.creation.box()] * 9])
    again = generate(run, tmp_path / "again", n=2, require_surface=True, distinct=False, balanced=False)
    assert [sample_.index for sample_ in again] == [1, 2]
    meshes = iter([None] * 99)
    with pytest.raises(NfgenError, match="have a surface"):
        generate(run, tmp_path / "never", n=2, require_surface=True, balanced=False)
    assert not (tmp_path / "never").exists()


def test_samples_in_pieces_are_drawn_again(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nfgen.pipeline import sample_set as writer

    box = trimesh.creation.box()
    halves = trimesh.util.concatenate([box, box.copy().apply_translation([0, 0, 2])])
    crumb = trimesh.util.concatenate([box, trimesh.creation.box([0.1] * 3).apply_translation([0, 0, 2])])
    meshes = iter([halves, None, crumb, box])
    monkeypatch.setattr("nfgen.pipeline.meshed_sample.surface_or_none", lambda field, resolution: next(meshes))
    made = generate(run, tmp_path / "out", n=2, require_body=0.99, balanced=False)
    assert [sample_.index for sample_ in made] == [2, 3]
    config = read_config(tmp_path / "out", writer.KIND)
    assert (config["empty"], config["dropped"]) == (1, 2)
    draws = config["draws"]
    assert (draws["drawn"], draws["kept"], draws["empty"], draws["in_pieces"], draws["alike"]) == (4, 2, 1, 1, 0)
    assert draws["one_piece"] == 2 / 4, "the crumb is 0.1 % of the volume"
    assert draws["largest_share"] == pytest.approx((0.5 + 0 + 1 / 1.001 + 1) / 4)
    meshes = iter([halves] * 99)
    with pytest.raises(NfgenError, match="in one piece"):
        generate(run, tmp_path / "never", n=2, require_body=0.99, balanced=False)


def test_pieces_are_counted_before_the_offset_that_joins_them(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = trimesh.creation.box()
    halves = trimesh.util.concatenate([box, box.copy().apply_translation([0, 0, 2])])
    meshes = iter([halves, box, box, box])  # of each draw first without, then with the offset
    monkeypatch.setattr("nfgen.pipeline.meshed_sample.surface_or_none", lambda field, resolution: next(meshes))
    monkeypatch.setattr("nfgen.fields.field.Field.offset", lambda field, distance: field)
    made = generate(run, tmp_path / "out", n=2, require_body=0.99, offset=0.01, distinct=False, balanced=False)
    assert [sample_.index for sample_ in made] == [0, 1]
    assert read_config(tmp_path / "out")["draws"]["one_piece"] == 1 / 2


def test_distinct_samples_have_nearest_training_fields_of_their_own(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = Run.load(run)
    names: Iterator[str] = iter("aabc")
    monkeypatch.setattr(Run, "nearest", lambda self, fields: [{"id": next(names), "distance": 0.1} for _ in fields])
    monkeypatch.setattr("nfgen.pipeline.meshed_sample.TRIES", 1)
    assert len(loaded.train_ids) >= 6
    made = generate(run, tmp_path / "out", n=3, distinct=True, resolution=16, balanced=False)
    assert [sample_.index for sample_ in made] == [0, 2, 3]
    assert read_config(tmp_path / "out")["settings"]["acceptance"]["distinct"]
    assert read_config(tmp_path / "out")["dropped"] == 1
    assert read_config(tmp_path / "out")["draws"]["alike"] == 1
    names = itertools.repeat("a")
    twice = generate(run, tmp_path / "independent", n=2, distinct=False, resolution=16, balanced=False)
    assert [sample_.index for sample_ in twice] == [0, 1], "nothing is left out"
    with pytest.raises(NfgenError, match="differ from those before"):
        generate(run, tmp_path / "never", n=3, distinct=True, resolution=16, balanced=False)
    assert not (tmp_path / "never").exists()
    with pytest.raises(NfgenError, match="only 2 of"):  # more than half as many as training fields: two may be alike
        generate(
            run, tmp_path / "never", n=len(loaded.train_ids) // 2 + 1, distinct=True, resolution=16, balanced=False
        )


def test_offset_samples_are_the_same_fields_a_little_further_out(
    run: Path, tiny_fields: FieldSet, tmp_path: Path
) -> None:
    spec = tiny_fields.spec.replace(output_bias=True)
    weights = torch.cat([tiny_fields.weights, torch.zeros(len(tiny_fields), 1)], dim=1)
    tokenize(replace(tiny_fields, spec=spec, weights=weights, base=None), tmp_path / "tokens", "histogram", bins=64)
    train(tmp_path / "tokens", tmp_path / "run", model_settings=SMALL, config=CONFIG.replace(steps=2, evaluate_every=2))
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    values = []
    for offset in (0.0, 0.01):
        (made,) = generate(tmp_path / "run", tmp_path / "out", n=1, offset=offset, resolution=24, overwrite=True)
        values.append(Field.load(tmp_path / "out" / made.field)(points))
        assert read_config(tmp_path / "out")["settings"]["meshing"]["offset"] == offset
    torch.testing.assert_close(values[1], values[0] - 0.01)
    with pytest.raises(ConfigError, match="cannot be offset"):
        generate(run, tmp_path / "never", n=1, offset=0.01)
    with pytest.raises(ConfigError, match="offset must be less than 1"):
        generate(tmp_path / "run", tmp_path / "never", n=1, offset=2.0)
    with pytest.raises(ConfigError, match="require_body"):
        generate(run, tmp_path / "never", n=1, require_body=99)


def test_an_interrupted_training_ends_with_the_same_bits(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    config = CONFIG.replace(sample_every=40)
    with monkeypatch.context() as patch:
        patch.setattr("nfgen.pipeline.training_monitor.save_png", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(run.parent / "tokens", tmp_path / "run", model_settings=SMALL, config=config)
    assert not (tmp_path / "run").exists()
    assert (tmp_path / ".run.nfgen-partial" / "training" / "state.json").exists()
    resumed = train(run.parent / "tokens", tmp_path / "run", model_settings=SMALL, config=config, resume=True)
    whole = Run.load(run)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_the_regression_transformer_always_gives_the_same_field_and_gpt_does_not(
    placed_fields: FieldSet, run: Path, tmp_path: Path
) -> None:
    regression = train(
        _save(placed_fields, tmp_path / "fields"),
        tmp_path / "run",
        tokenizer="identity",
        model_settings=SMALL,
        config=CONFIG,
    )
    assert regression.model.name == "regression"
    drawn = sample(regression.model, 4, seed=3)
    assert torch.equal(drawn, drawn[:1].expand_as(drawn))
    different = sample(Run.load(run).model, 4, SamplingConfig(), seed=3)
    assert len(different.unique(dim=0)) > 1


def test_settings_find_their_owner() -> None:
    given = {"max_tokens": 8, "dropout": 0.5, "steps": 3, "tokenizer_steps": 4, "model_width": 64}
    config = TrainConfig().with_settings(given)
    assert (config.tokenizer_settings, config.model_settings) == (
        {"max_tokens": 8, "steps": 4},
        {"dropout": 0.5, "width": 64},
    )
    assert config.steps == 3
    with pytest.raises(ConfigError, match="no setting 'max_tokns'") as error:
        TrainConfig().with_settings({"max_tokns": 8})
    assert "did you mean max_tokens" in error.value.remedy


def _save(fields: FieldSet, path: Path) -> Path:
    fields.save(path)
    return path
