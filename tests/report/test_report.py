"""The report: what it shows, that it stands alone, that no text becomes markup, that small meshes are the meshes."""

import base64
import itertools
import json
import re
import shutil
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from nfgen.errors import ArtifactError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact, files
from nfgen.io.meshes import write_mesh
from nfgen.metrics import comparison_summary, evaluate_clouds, validity_summary
from nfgen.pipeline.sample_set import Sample, write_list
from nfgen.report import write_report
from nfgen.report.mesh_codec import PAGE_BYTES, POSITION_BITS, Models, clustered, pack
from nfgen.shapes.base import Transform
from nfgen.tokens.token_set import TokenSet
from nfgen.tokens.vocabulary import Vocabulary
from nfgen.viz.contact_sheet import save_png

SPEC = FieldSpec(frequencies=0, hidden=(6,), activation="relu", output_bias=True)
HOSTILE = """<script>alert(1)</script>"'&<img src=x onerror=alert(2)>"""
COUNT = 6
KINDS = ("fields", "tokens", "run", "samples")
BEFORE = '<!doctype html><meta name="generator" content="nfgen 0.1"><p>before'
HEADINGS = {
    "fields": {"Fields"},
    "tokens": {"Tokens"},
    "run": {"Training"},
    "samples": {"Samples", "Scores", "Novelty"},
}


def octahedron(widths: tuple[float, float, float]) -> torch.Tensor:
    """Weights of the field |x| / a + |y| / b + |z| / c - 1, scaled to be a distance near the axes' ends."""
    rows = torch.cat([torch.eye(3), -torch.eye(3)])
    scale = torch.tensor(widths).reciprocal().repeat(2) * min(widths)
    return torch.cat([rows.flatten(), torch.zeros(6), scale, torch.tensor([-min(widths)])])


def make_fields(path: Path, ids: tuple[str, ...]) -> FieldSet:
    weights = torch.stack([octahedron((0.3 + 0.1 * i, 0.6, 0.8)) for i in range(len(ids))])
    report = tuple(
        {"id": id, "iou": 0.8 + 0.02 * i, "sdf_l1": 0.001 * i, "loss": 0.01, "steps": 10, "seconds": 0.1}
        for i, id in enumerate(ids)
    )
    fields = FieldSet(
        SPEC, weights, ids, torch.zeros(len(ids), dtype=torch.long), ("chair",), weights.mean(0),
        settings={"init": "shared", "fit": {"steps": 10}}, report=report,
        skipped=({"id": "broken.obj", "reason": "no faces"},),
    )  # fmt: skip
    fields.save(path)
    return fields


def make_tokens(path: Path, ids: tuple[str, ...]) -> None:
    report = {"iou_before": {"train": 0.9, "heldout": 0.88}, "iou_after": {"train": 0.8, "heldout": None}}
    tokens = TokenSet(
        Vocabulary(length=4, codes=16),
        torch.arange(4 * len(ids)).reshape(-1, 4) % 7,
        ids,
        torch.full((len(ids),), -1),
        torch.arange(len(ids)) == 0,
        report=report,
        settings={"tokenizer": "histogram"},
    )
    with artifact.writing(path, "tokens") as folder:
        tokens.write(folder)


def make_run(path: Path, ids: tuple[str, ...]) -> None:
    with artifact.writing(path, "run") as folder:
        lines = [
            {"step": 20 * i, "loss": 3.0 / i, "val_loss": 3.5 / i if i % 2 else None, "lr": 1e-4} for i in range(1, 6)
        ]
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        save_png(folder / "pictures" / "step-000020.png", np.full((16, 64, 3), 200, np.uint8))
        result = {"steps": 100, "best_step": 60, "val_loss": 1.1, "bits_per_field": 6.3, "seconds": 5.0}
        config = {"model": "gpt", "size": "tiny", "tokenizer": "histogram", "train_ids": list(ids), "result": result}
        artifact.write_config(folder, "run", {**config, "report": {}, "command": "nfgen train tokens -o run"})


def make_samples(path: Path, ids: tuple[str, ...], label: str = "chair") -> None:
    frame = Transform((1.0, 2.0, 3.0), 0.5)
    samples = []
    with artifact.writing(path, "samples") as folder:
        for i, id in enumerate(ids):
            field, name = Field(SPEC, octahedron((0.4, 0.5 + 0.05 * i, 0.7))), f"sample-{i:04d}"
            mesh = field.mesh(16)
            mesh.vertices = frame.invert(mesh.vertices)
            field.save(folder / f"{name}.safetensors")
            write_mesh(mesh, folder / f"{name}.glb")
            save_png(folder / f"{name}.png", np.full((32, 32, 3), 100 + i, np.uint8))
            nearest = {"id": id, "distance": 0.01 * i}
            samples.append(
                Sample(f"{name}.glb", f"{name}.safetensors", f"{name}.png", [1], 0, i, label, False, nearest)
            )
        samples.append(Sample(None, "sample-0000.safetensors", "sample-0000.png", [2], 0, 9, None, True, None))
        write_list(folder, samples, {"run": "run", "n": len(ids), "frame": frame.to_json()})
    rng = np.random.default_rng(0)
    made, real, train = (rng.normal(size=(8, 16, 3)) * 0.3 for _ in range(3))
    scores = evaluate_clouds(made, real, train) | {"validity": validity_summary([trimesh.creation.box(), None])}
    files.write_json(path / "evaluation.json", scores)


def make_all(folder: Path, ids: tuple[str, ...] = tuple(f"shape-{i}" for i in range(COUNT))) -> dict[str, Path]:
    paths = {kind: folder / kind for kind in KINDS}
    make_fields(paths["fields"], ids)
    make_tokens(paths["tokens"], ids)
    make_run(paths["run"], ids)
    make_samples(paths["samples"], ids)
    return paths


class Page(HTMLParser):
    """What a browser makes of a page: its elements, and the text within headings."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.words = ""
        self._open = ""
        self.feed(self.text)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        self._open = name
        if name == "h2":
            self.headings.append("")

    def handle_endtag(self, name: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "h2":
            self.headings[-1] += data
        if self._open not in ("script", "style"):
            self.words += data + " "

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_all(tmp_path_factory.mktemp("artifacts") / "demo")


@pytest.fixture(scope="module")
def page(paths: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(list(paths.values()), tmp_path_factory.mktemp("page") / "all.html"))


@pytest.mark.parametrize("kinds", [*[(kind,) for kind in KINDS], KINDS, KINDS[::-1], ("samples", "fields")])
def test_any_mix_of_artifacts_in_any_order_gives_its_sections(
    kinds: tuple[str, ...], paths: dict[str, Path], tmp_path: Path
) -> None:
    page = Page(write_report([paths[kind] for kind in kinds], tmp_path / "page.html"))
    assert set(page.headings) == set.union({"How it was made"}, *(HEADINGS[kind] for kind in kinds))


def test_a_folder_of_artifacts_is_reported_whole_and_the_page_is_left_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    make_all(folder)
    (folder / "notes").mkdir()
    (folder / ".fields.nfgen-partial").mkdir()
    written = write_report([folder])
    assert written == folder / "index.html"
    assert set(Page(written).headings) == set.union({"How it was made"}, *HEADINGS.values())
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".fields.nfgen-partial"]
    assert write_report([folder]) == written


def test_default_place_is_in_the_first_artifact_and_beside_a_single_field(tmp_path: Path) -> None:
    make_fields(tmp_path / "fields", ("a", "b"))
    Field(SPEC, octahedron((0.5, 0.5, 0.5))).save(tmp_path / "one.safetensors")
    assert write_report([tmp_path / "fields", tmp_path / "one.safetensors"]) == tmp_path / "fields" / "index.html"
    assert write_report([tmp_path / "one.safetensors"]) == tmp_path / "one.html"
    assert write_report([tmp_path / "fields"], tmp_path) == tmp_path / "index.html"


def test_the_page_needs_nothing_but_itself(page: Page) -> None:
    sources = [attributes["src"] for _, attributes in page.elements if attributes.get("src")]
    assert sources
    assert all(str(source).startswith("data:image/") for source in sources)
    assert not page.all("link")
    assert not page.all("iframe")
    assert all(str(link["href"]).startswith("#") for link in page.all("a"))
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1
    assert "default-src 'none'" in str(policy[0])


def test_a_page_beside_its_artifacts_links_to_the_meshes(paths: dict[str, Path]) -> None:
    written = write_report([paths["samples"]], paths["samples"].parent / "beside page.html")
    links = [str(link["href"]) for link in Page(written).all("a") if "download" in link]
    assert len(links) == COUNT
    assert all((written.parent / link).is_file() for link in links)


def test_pictures_have_words_and_links_have_targets(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert all(str(link["href"])[1:] in ids for link in page.all("a"))
    # A picture that stands in for a model is named by the button that holds it.
    assert all(image["alt"] or image.get("class") == "poster" for image in page.all("img"))
    assert all(button.get("aria-label") for button in page.all("button") if "data-model" in button)
    assert all(svg.get("aria-label") for svg in page.all("svg"))
    models = {button["data-model"] for button in page.all("button") if "data-model" in button}
    assert models <= set(ids)
    assert {button.get("data-beside") for button in page.all("button") if button.get("data-beside")} <= models


def test_names_of_files_and_classes_never_become_markup(tmp_path: Path) -> None:
    make_all(tmp_path, (HOSTILE, *(f"s{i}" for i in range(COUNT - 1))))
    make_samples(tmp_path / "more", (HOSTILE,), label=HOSTILE)
    kinds = [*KINDS, "more"]
    page = Page(write_report([tmp_path / kind for kind in kinds], tmp_path / "page.html"))
    assert page.words.count(HOSTILE) >= 4
    scripts = [script for script in page.all("script") if script.get("type") != "application/octet-stream"]
    assert len(scripts) == 2
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>alert" not in page.text


def test_scores_stand_beside_ceiling_and_floor_with_intervals(page: Page, paths: dict[str, Path]) -> None:
    scores = json.loads((paths["samples"] / "evaluation.json").read_text())
    rows = {"cov": 100, "1_nna": 100, "mmd": 100}
    for part in (scores, scores["ceiling"], scores["floor"]["repeated"], scores["floor"]["noise"]):
        for key, factor in rows.items():
            digits = 2 if key == "mmd" else 1
            value, low, high = (f"{factor * part[key][end]:.{digits}f}" for end in ("value", "low", "high"))
            assert re.search(rf"{value}\s+\[{low}, {high}\]", page.words)
    for word in ("protocol nfgen", "seed 0", "16 points", "nfgen train tokens -o run", "6.3"):
        assert word in page.words


def test_scores_without_training_shapes_say_how_to_get_novelty(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples", ("a",))
    rng = np.random.default_rng(0)
    scores = evaluate_clouds(rng.normal(size=(8, 16, 3)), rng.normal(size=(8, 16, 3)))
    files.write_json(tmp_path / "samples" / "evaluation.json", scores)
    assert "nfgen evaluate --train" in Page(write_report([tmp_path / "samples"])).words


def alts(page: Page) -> list[str]:
    return [str(image["alt"]) for image in page.all("img")]


def test_field_sets_side_by_side_show_weights_and_what_lies_between_them(tmp_path: Path) -> None:
    for name in ("conditioned", "unconditioned"):
        make_fields(tmp_path / name, ("a", "b", "c"))
    page = Page(write_report([tmp_path / "conditioned", tmp_path / "unconditioned"], tmp_path / "page.html"))
    assert "Field sets side by side" in page.headings
    labels = [button["data-label"] for button in page.all("button") if "data-model" in button]
    layers = ("w_0", "b_0", "w_1", "b_1")
    for name in ("conditioned", "unconditioned"):
        assert {f"{name}: a", f"{name}: b", f"{name}: halfway between two fields"} <= set(labels)
    for layer in layers:
        # Of two fields in each of the two sets, and once in the part of each set.
        assert len([alt for alt in alts(page) if alt.startswith(f"Heat map of the weights {layer},")]) == 6
        assert len([alt for alt in alts(page) if alt.startswith(f"Heat map of the deltas {layer},")]) == 2


def test_a_fit_is_shown_over_its_steps(tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "fields", ("a", "b", "c"))
    steps = torch.tensor([0, 1, 40])
    stages = torch.stack([octahedron((0.8, 0.8, 0.8)).expand(2, -1), fields.weights[:2], fields.weights[:2]])
    kept = {"steps": steps, "weights": stages, "losses": torch.rand(40, 2)}
    files.write_tensors(tmp_path / "fields" / "snapshots.safetensors", kept)
    page = Page(write_report([tmp_path / "fields"]))
    for id in ("a", "b"):
        assert [alt for alt in alts(page) if alt.startswith(f"{id} after")] == [
            f"{id} after {n} steps" for n in (0, 1, 40)
        ]
    assert any("after each of the steps 0, 1, 40" in alt for alt in alts(page))
    assert any("Loss of a fit" in str(svg["aria-label"]) for svg in page.all("svg"))
    files.write_tensors(tmp_path / "fields" / "snapshots.safetensors", {**kept, "weights": stages[..., :5]})
    with pytest.raises(ArtifactError, match="of other fields"):
        write_report([tmp_path / "fields"])


def test_a_sequence_stands_beside_its_codebook(tmp_path: Path) -> None:
    make_tokens(tmp_path / "tokens", ("a", "b"))
    (tmp_path / "tokens" / "tokenizer").mkdir()
    file = tmp_path / "tokens" / "tokenizer" / "codebook.safetensors"
    files.write_tensors(file, {"vectors": torch.rand(16, 3).half()})
    page = Page(write_report([tmp_path / "tokens"]))
    assert "They begin 0 1 2 3" in re.sub(r"\s+", " ", page.words)
    assert any("16 codes" in alt and "its 3 numbers" in alt for alt in alts(page))
    assert any("The 3 numbers of each token of a," in alt for alt in alts(page))
    files.write_tensors(file, {"vectors": torch.rand(9, 3).half()})
    with pytest.raises(ArtifactError, match="no codebook of 16"):
        write_report([tmp_path / "tokens"])


def test_codes_that_stand_for_no_vector_are_shown_without(tmp_path: Path) -> None:
    """As vq's tokens for the box of a shape, which come behind those of its codebook."""
    none = torch.tensor([-1])
    vocabulary = Vocabulary(length=4, codes=16, ranges=((10, 16), (0, 10), (0, 10), (0, 10)))
    tokens = TokenSet(vocabulary, torch.tensor([[12, 3, 4, 9]]), ("a",), none, none == 0)
    with artifact.writing(tmp_path / "tokens", "tokens") as folder:
        tokens.write(folder)
    (tmp_path / "tokens" / "tokenizer").mkdir()
    file = tmp_path / "tokens" / "tokenizer" / "codebook.safetensors"
    files.write_tensors(file, {"vectors": torch.rand(10, 3).half()})
    assert any("10 codes" in alt for alt in alts(Page(write_report([tmp_path / "tokens"]))))


def test_reconstructions_and_the_command_lines_of_evaluations_are_shown(tmp_path: Path) -> None:
    make_fields(tmp_path / "fields", ("a", "b"))
    make_samples(tmp_path / "samples", ("a",))
    figures = {"cd": 0.0123, "f_score_1": 0.91, "f_score_2": 0.97, "iou": 0.88, "normal_consistency": 0.93}
    pairs = comparison_summary([{**figures, "hausdorff_95": 0.045}, {**figures, "hausdorff_95": None}])
    command = "nfgen evaluate fields --pairs"
    files.write_json(tmp_path / "fields" / "reconstruction.json", {**pairs, "seed": 4, "command": command})
    scores = files.read_json(tmp_path / "samples" / "evaluation.json")
    files.write_json(tmp_path / "samples" / "evaluation.json", {**scores, "command": "nfgen evaluate samples"})
    page = Page(write_report([tmp_path / "samples", tmp_path / "fields"]))
    assert "Reconstruction" in page.headings
    for words in ("1.23", "91", "97", "0.88", "0.93", "0.045", "seed 4", command, "nfgen evaluate samples"):
        assert words in page.words


def test_images_are_shown_as_pictures(tmp_path: Path) -> None:
    spec = FieldSpec(dims=2, frequencies=0, hidden=(4,), activation="relu", output_bias=True)
    rows = torch.cat([torch.eye(2), -torch.eye(2)]).flatten()
    weights = torch.cat([rows, torch.zeros(4), torch.ones(4), torch.tensor([-0.5])])
    FieldSet(spec, weights[None], ("square",), torch.tensor([-1])).save(tmp_path / "fields")
    with artifact.writing(tmp_path / "samples", "samples") as folder:
        Field(spec, weights).save(folder / "s.safetensors")
        picture = np.zeros((16, 16, 3), np.uint8)
        save_png(folder / "s.png", picture)
        save_png(folder / "s.image.png", picture)
        nearest = {"id": "square", "distance": 0.0}
        sample = Sample("s.image.png", "s.safetensors", "s.png", [1], 0, 0, None, False, nearest)
        write_list(folder, [sample], {"frame": None})
    page = Page(write_report([tmp_path / "samples", tmp_path / "fields"]))
    assert not [button for button in page.all("button") if "data-model" in button]
    tiles = [image for image in page.all("img") if "tile" in str(image.get("class"))]
    assert len(tiles) == 2


def unpack(text: str) -> tuple[np.ndarray, np.ndarray]:
    """The layout that models.py documents, read number by number."""
    content = zlib.decompress(base64.b64decode(text))
    vertices, faces = np.frombuffer(content, "<u4", 2).tolist()
    rest = content[8:]
    positions = np.empty((vertices, 3))
    for axis, i in itertools.product(range(3), range(vertices)):
        place = axis * vertices + i
        code = rest[place] | rest[place + 3 * vertices] << 8
        step = (code >> 1) if code % 2 == 0 else -((code + 1) >> 1)
        positions[i, axis] = step + (positions[i - 1, axis] if i else 0)
    rest = rest[6 * vertices :]
    indices, high = [], 0
    for i in range(3 * faces):
        code = rest[i] | rest[i + 3 * faces] << 8 | rest[i + 6 * faces] << 16
        indices.append(high - code)
        high += code == 0
    assert len(rest) == 9 * faces
    return positions / (2**POSITION_BITS - 1) * 2 - 1, np.reshape(indices, (faces, 3))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_packed_mesh_is_the_mesh(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-1, 1, (200, 3))
    faces = np.stack([rng.permutation(200)[:3] for _ in range(300)])
    got_vertices, got_faces = unpack(pack(vertices, faces))
    assert len(got_vertices) == len(np.unique(faces))
    np.testing.assert_allclose(got_vertices[got_faces], vertices[faces], atol=0.51 * 2 / (2**POSITION_BITS - 1))


def test_samples_are_shown_in_the_frame_of_the_fields(page: Page, paths: dict[str, Path]) -> None:
    texts = dict(re.findall(r'<script type="application/octet-stream" id="(model-\d+)">([^<]+)</script>', page.text))
    button = next(button for button in page.all("button") if button.get("data-label") == "Sample 0, chair")
    vertices, faces = unpack(texts[str(button["data-model"])])
    expected = Field.load(paths["samples"] / "sample-0000.safetensors").mesh(16)
    assert len(faces) == len(expected.faces)
    np.testing.assert_allclose(vertices.max(0), expected.vertices.max(0), atol=2e-4)
    np.testing.assert_allclose(vertices.min(0), expected.vertices.min(0), atol=2e-4)


def test_a_mesh_that_is_too_large_becomes_coarser_and_stays_in_place() -> None:
    rng = np.random.default_rng(0)
    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.8)
    rough = trimesh.Trimesh(ball.vertices * rng.uniform(0.97, 1.03, (len(ball.vertices), 1)), ball.faces)
    models = Models(expected=1000)
    assert models.add("rough", rough) == "model-0"
    assert models.add("rough", ball) == "model-0"
    text = re.search(r">([^<]+)<", models.scripts())
    assert text is not None
    assert len(text[1]) <= PAGE_BYTES // 1000
    vertices, faces = unpack(text[1])
    assert len(faces) > 100
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.8, atol=0.1)


def test_clustering_keeps_a_sheet_thinner_than_its_cells_in_one_piece() -> None:
    sheet = trimesh.creation.box((1.5, 1.5, 0.01)).subdivide().subdivide().subdivide().subdivide()
    vertices, faces = clustered(np.asarray(sheet.vertices), np.asarray(sheet.faces), 20.0)
    coarse = trimesh.Trimesh(vertices, faces, process=False)
    assert len(faces) < len(sheet.faces) / 2
    assert len(coarse.split(only_watertight=False)) == 1
    assert coarse.area > 1.5**2 * 0.8


def test_models_without_a_surface_are_none() -> None:
    assert Models(1).add("empty", trimesh.Trimesh()) is None


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda demo: demo / "nowhere", "does not exist"),
        (lambda demo: (demo / "empty").mkdir() or demo / "empty", "holds nothing"),
        (lambda demo: (demo / "samples/samples.json").write_text("[1") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "samples/samples.json").write_text("[3]") and demo / "samples", "not a list"),
        (lambda demo: (demo / "samples/sample-0001.glb").write_bytes(b"junk") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "samples/sample-0001.png").write_bytes(b"junk") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "samples/evaluation.json").write_text('{"mmd": {}}') and demo / "samples", "damaged"),
        (lambda demo: (demo / "samples/evaluation.json").write_text("{") and demo / "samples", "cannot read"),
        (lambda demo: (demo / "run/log.jsonl").write_text('{"step"') and demo / "run", "cannot read"),
        (lambda demo: (demo / "run/log.jsonl").write_text("[]\n") and demo / "run", "cannot read"),
        (
            lambda demo: (demo / "fields/shard-00000.safetensors").write_bytes(b"x") and demo / "fields",
            "claims a header",
        ),
        (lambda demo: demo / "run/log.jsonl", "not a folder"),
    ],
)
def test_what_cannot_be_shown_is_named_and_nothing_is_written(
    harm: Callable[[Path], Path], words: str, paths: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(paths["fields"].parent, tmp_path / "demo")
    path = harm(tmp_path / "demo")
    (tmp_path / "page.html").write_text(BEFORE)
    with pytest.raises(ArtifactError) as caught:
        write_report([path], tmp_path / "page.html")
    assert words in caught.value.problem
    assert caught.value.remedy
    assert (tmp_path / "page.html").read_text() == BEFORE


def test_a_list_cannot_reach_out_of_its_folder(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples", ("a",))
    save_png(tmp_path / "secret.png", np.zeros((4, 4, 3), np.uint8))
    entries = json.loads((tmp_path / "samples" / "samples.json").read_text())
    entries[0]["picture"] = "../secret.png"
    (tmp_path / "samples" / "samples.json").write_text(json.dumps(entries))
    with pytest.raises(ArtifactError, match=re.escape("../secret.png")):
        write_report([tmp_path / "samples"])


def test_a_report_of_nothing_is_refused() -> None:
    with pytest.raises(NfgenError, match="nothing"):
        write_report([])


def test_a_file_that_is_no_page_is_not_overwritten(paths: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"precious")
    with pytest.raises(ArtifactError, match="no page of nfgen"):
        write_report([paths["run"]], tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").read_bytes() == b"precious"


def test_a_mesh_that_was_deleted_leaves_its_card(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples", ("a", "b"))
    (tmp_path / "samples" / "sample-0000.glb").unlink()
    page = Page(write_report([tmp_path / "samples"]))
    assert len(page.all("article")) == 3
    assert len([button for button in page.all("button") if "data-model" in button]) == 1
