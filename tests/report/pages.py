"""Small artifacts of every kind, and what a browser makes of a page of them."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import torch
import trimesh

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact, files
from nfgen.io.meshes import write_mesh
from nfgen.metrics import evaluate_clouds, validity_summary
from nfgen.pipeline.sample_set import Sample, write_list
from nfgen.shapes.base import Transform
from nfgen.tokens.token_set import TokenSet
from nfgen.tokens.vocabulary import Vocabulary
from nfgen.viz.contact_sheet import save_png

SPEC = FieldSpec(frequencies=0, hidden=(6,), activation="relu", output_bias=True)
COUNT = 6
KINDS = ("fields", "tokens", "run", "samples")


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


def alts(page: Page) -> list[str]:
    return [str(image["alt"]) for image in page.all("img")]
