"""Meshes inside the page: small ones are the meshes, too large ones become coarser."""

import base64
import itertools
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import trimesh

from nfgen.fields.field import Field
from nfgen.report.mesh_codec import PAGE_BYTES, POSITION_BITS, Models, clustered, pack

from .pages import (
    Page,
)


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
