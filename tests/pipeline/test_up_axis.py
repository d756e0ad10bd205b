"""Generated meshes are in the frame of the shapes' files: y points up in them where it does in those."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.evaluation.generation import evaluate
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.io.meshes import turned_back, write_mesh
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.export import export
from nfgen.pipeline.generate import generate
from nfgen.pipeline.run import Run
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.shapes import Transform
from nfgen.shapes.reading import ReadingConfig
from nfgen.tokens.token_set import TokenSet, common_frame, common_up

SMALL = {"layers": 1, "width": 32, "heads": 1, "dropout": 0.0}


def rows(ups: str) -> torch.Tensor:
    """Of shapes that were normalised each by itself."""
    return torch.tensor([Transform((i, 2.0, 3.0), 0.5, up).to_row() for i, up in enumerate(ups)]).double()


@pytest.fixture(scope="module")
def runs(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs that differ in what is up in the files of their shapes."""
    folder = tmp_path_factory.mktemp("runs")
    for up in "yz":
        fields = replace(tiny_fields, transforms=rows(up * len(tiny_fields)))
        tokenize(fields, folder / f"tokens-{up}", "codebook", codes=64, steps=5, heldout=0.25)
        train(folder / f"tokens-{up}", folder / up, model_settings=SMALL, config=TrainConfig(steps=40, batch_size=4))
    return {up: folder / up for up in "yz"}


def test_the_axis_goes_from_shapes_to_runs(runs: dict[str, Path]) -> None:
    for up, path in runs.items():
        tokens, run = TokenSet.load(path.with_name(f"tokens-{up}")), Run.load(path)
        assert (tokens.frame, tokens.up, run.frame, run.up) == (None, up, None, up)


def test_samples_have_the_axis_of_the_shapes(runs: dict[str, Path], tmp_path: Path) -> None:
    for format in ("obj", "ply", "off", "stl", "glb"):
        for up, run in runs.items():
            out = tmp_path / f"{format}-{up}"
            samples = generate(run, out, n=2, require_surface=True, resolution=16, format=format)
            again = export(out, tmp_path / f"again-{format}-{up}", format=format, resolution=16)
            for sample, exported in zip(samples, again, strict=True):
                own = Field.load(out / sample.field).mesh(16).bounds
                turned = np.sort(turned_back(own, "y" if format == "glb" else up), axis=0)
                for path in (out / str(sample.file), exported):
                    np.testing.assert_allclose(trimesh.load_mesh(path).bounds, turned, atol=1e-5)


def test_scores_do_not_depend_on_the_axis(runs: dict[str, Path], tiny_fields: FieldSet, tmp_path: Path) -> None:
    found = {}
    for up, run in runs.items():
        (tmp_path / f"real-{up}").mkdir()
        for index in range(6):
            mesh = tiny_fields[index].mesh(16)
            mesh.vertices = mesh.vertices * [1, 0.8, 0.5]
            write_mesh(mesh, tmp_path / f"real-{up}" / f"{index}.off", up=up)
        generate(run, tmp_path / up, n=6, require_surface=True, resolution=16, format="off")
        reading = ReadingConfig(up=up)
        scores = evaluate(tmp_path / up, tmp_path / f"real-{up}", points=256, pictures=False, reading=reading)
        found[up] = {key: scores[key]["value"] for key in ("mmd", "cov", "1_nna")}
    assert found["y"] == pytest.approx(found["z"], rel=1e-5)


def test_artifacts_of_before_are_upright(runs: dict[str, Path], tmp_path: Path) -> None:
    for path in (runs["y"], runs["y"].with_name("tokens-y")):
        config = json.loads((path / "config.json").read_text())
        del config["up"]
        (path / "config.json").rename(tmp_path / "kept.json")
        (path / "config.json").write_text(json.dumps(config))
        try:
            assert (Run if path.name == "y" else TokenSet).load(path).up == "z"
        finally:
            (tmp_path / "kept.json").rename(path / "config.json")


def test_info_says_which_axis_is_up(runs: dict[str, Path]) -> None:
    for up, path in runs.items():
        for artifact in (path, path.with_name(f"tokens-{up}")):
            result = CliRunner().invoke(main, ["info", str(artifact)])
            assert f"{up} in the shapes' files" in result.output


def test_an_axis_is_common_or_z() -> None:
    assert [common_up(rows(ups)) for ups in ("yyy", "zz", "xx", "yzy", "")] == ["y", "z", "x", "z", "z"]
    assert common_up(None) == common_up(rows("yy")[:, :4]) == "z"
    assert common_frame(rows("yy")) is None
