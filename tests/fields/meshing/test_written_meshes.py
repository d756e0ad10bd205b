"""A written mesh is a closed surface in every format, also for a reader that merges equal vertices."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from nfgen.fields.field import Field
from nfgen.fields.meshing.marching_cubes import grid_points, mesh_from_grid
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.io.meshes import write_mesh
from nfgen.shapes.synthetic import FAMILIES, make_shapes

from ...closed_meshes import WRITABLE, faults

SPECS = (
    FieldSpec(hidden=(16, 16), output_bias=True),
    FieldSpec(hidden=(16,), activation="silu", output_bias=True, output="occupancy"),
    FieldSpec(frequencies=0, hidden=(24, 16), activation="relu", output_bias=True),
    FieldSpec(frequencies=0, hidden=(8, 8), activation="sine", output_bias=True, output="occupancy"),
)
FIELDS_OF_A_RESOLUTION = {8: 12, 13: 8, 24: 4, 64: 1}


def random_field(seed: int, resolution: int) -> Field:
    """A field whose surface passes through a corner of the grid, as closely as its precision allows, and reaches the
    sides of the cube."""
    spec = SPECS[seed % len(SPECS)]
    generator = torch.Generator().manual_seed(seed)
    weights = initial_weights(spec, 1, generator)[0]
    weights[: spec.layers[-1].start] *= 1 if spec.activation == "sine" else 2
    values = Field(spec, weights)(grid_points(resolution + 1))
    middle = values[((values - values.median()).abs() / values.std()) < 0.5]
    weights[-1] -= middle[torch.randint(len(middle), (1,), generator=generator)[0]]
    return Field(spec, weights)


def faults_when_read(mesh: trimesh.Trimesh, path: Path) -> Counter[str]:
    """Those of a mesh that is written in each format and read again with equal vertices merged."""
    assert len(mesh.faces) > 0
    found: Counter[str] = Counter()
    for format in WRITABLE:
        write_mesh(mesh, path.with_suffix(f".{format}"))
        again = trimesh.load_mesh(path.with_suffix(f".{format}"), process=True)
        again.merge_vertices(merge_tex=True, merge_norm=True)
        of_format = faults(again)
        if len(again.vertices) != len(mesh.vertices):
            of_format["merged vertices"] = 1
        found += of_format + Counter({format: int(bool(of_format))})
    return found


@pytest.mark.parametrize(("resolution", "count"), FIELDS_OF_A_RESOLUTION.items())
def test_meshes_of_fields_are_closed_surfaces_in_every_format(resolution: int, count: int, tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for seed in range(count):
        found += faults_when_read(random_field(seed, resolution).mesh(resolution), tmp_path / "mesh")
    assert found == Counter()


def noise(n: int) -> np.ndarray:
    """All ways in which signs can stand around a cell, ambiguous ones too; values of every size, and zeros."""
    generator = np.random.default_rng(n)
    values = generator.standard_normal((n, n, n)) * 10.0 ** generator.integers(-12, 4, (n, n, n))
    values[generator.random((n, n, n)) < 0.1] = 0
    return values.astype(np.float32)


def box(n: int) -> np.ndarray:
    """Its faces are planes of the grid's corners."""
    return grid_points(n).abs().amax(dim=1).sub(0.5).reshape(n, n, n).numpy()


@pytest.mark.parametrize(
    "values", [noise(9), noise(20), box(9), box(33), -box(17), np.full((5, 5, 5), -1.0, np.float32)],
    ids=["noise", "more noise", "box", "large box", "hollow cube", "full cube"],
)  # fmt: skip
def test_meshes_of_grids_are_closed_surfaces_in_every_format(values: np.ndarray, tmp_path: Path) -> None:
    mesh = mesh_from_grid(values)
    assert faults_when_read(mesh, tmp_path / "mesh") == Counter()
    assert np.abs(mesh.vertices).max() <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_meshes_of_families_are_closed_surfaces_in_every_format(family: str, tmp_path: Path) -> None:
    for _, mesh, _ in make_shapes(family, 2, seed=1, resolution=48):
        assert faults_when_read(mesh, tmp_path / "mesh") == Counter()
