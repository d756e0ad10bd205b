"""From a folder of shapes to new ones by one call: what is done is not done twice, what differs is not gone on with."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trimesh

import nfgen
from nfgen import demo
from nfgen.errors import ArtifactError
from nfgen.io import artifact, resuming
from nfgen.workflow import efforts
from nfgen.workflow import make as making

SETTINGS = {"effort": "quick", "n": 2, "heldout": 0.25}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = efforts.Steps(fit_steps=60, tokenizer_steps=2, views=1, model_steps=2)
    monkeypatch.setattr(efforts, "EFFORTS", {"quick": steps, "best": steps})


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "chairs"
    nfgen.write_shapes("chair", folder, n=8, resolution=24)
    return folder


def test_a_folder_of_shapes_becomes_samples_and_a_page_and_goes_on_where_it_stopped(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, said = tmp_path / "made", list[str]()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(making, "train", stop)
        with pytest.raises(KeyboardInterrupt):
            making.make(shapes, out, say=said.append, **SETTINGS)
    assert [line.split("nfgen ")[1].split()[0] for line in said] == ["fit", "tokenize", "train"]

    said.clear()
    page = making.make(shapes, out, say=said.append, **SETTINGS)
    steps = [line.split("nfgen ")[1].split()[0] for line in said if "] nfgen " in line]
    assert steps == ["train", "generate", "evaluate", "report"]
    assert page.is_file()
    assert len(list((out / "samples").glob("sample-*.safetensors"))) == 2
    assert any(line.startswith("advice: ") for line in said)

    learned = artifact.read_config(out / "run")["train_ids"]
    assert len(learned) == 6


def test_what_was_made_otherwise_is_not_gone_on_with(shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    resuming.agree_on_plan(_made(out), "making", making.plan(shapes, None, nfgen.MakeConfig(**SETTINGS)))
    with pytest.raises(ArtifactError, match="other heldout") as caught:
        making.make(shapes, out, **SETTINGS | {"heldout": 0.5})
    assert "--overwrite" in caught.value.remedy


def replaced(folder: Path) -> None:
    (first, second, *_) = sorted(folder.glob("*.stl"))
    first.write_bytes(second.read_bytes())


def removed(folder: Path) -> None:
    min(folder.glob("*.stl")).unlink()


def added(folder: Path) -> None:
    trimesh.creation.box().export(folder / "more.stl")


@pytest.mark.parametrize("change", [replaced, removed, added])
def test_shapes_that_changed_are_not_gone_on_with(
    change: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "boxes", tmp_path / "made"
    folder.mkdir()
    for number in range(3):
        trimesh.creation.box((1, 1 + number / 4, 1)).export(folder / f"{number}.stl")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "fit", stop)
    for _ in range(2):  # the same again goes on
        with pytest.raises(KeyboardInterrupt):
            making.make(folder, out, **SETTINGS)
    change(folder)
    with pytest.raises(ArtifactError, match=r"other contents of shapes \((0|more).stl\)") as caught:
        making.make(folder, out, **SETTINGS)
    assert "--overwrite" in caught.value.remedy


def test_a_demo_goes_on_with_its_own_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "fit", stop)
    monkeypatch.setattr(demo, "REFERENCES", 1)
    made = list[list[str]]()
    for _ in range(2):
        made.append([])
        with pytest.raises(KeyboardInterrupt):
            demo.run_demo(tmp_path / "demo", n=8, kind="vase", say=made[-1].append)
    assert [line.split()[-1].split("/")[-1] for line in made[0][:2]] == ["shapes", "reference"]
    assert all(" fit " in line for line in made[1]), "the shapes are there already"
    with pytest.raises(ArtifactError, match="other seed"):
        demo.run_demo(tmp_path / "demo", n=8, kind="vase", seed=1)
    with pytest.raises(KeyboardInterrupt):
        demo.run_demo(tmp_path / "demo", n=8, kind="vase", seed=1, overwrite=True)


def _made(out: Path) -> Path:
    out.mkdir()
    return out
