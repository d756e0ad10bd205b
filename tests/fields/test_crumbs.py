"""Crumbs: what is left of a mesh is closed, and holds what it held."""

import numpy as np
import pytest
import torch
import trimesh

from nfgen.fields.field import Field
from nfgen.fields.finishing.crumbs import without_crumbs
from nfgen.fields.spec import FieldSpec
from nfgen.metrics import mesh_validity
from nfgen.metrics.validity import surface_volumes

from ..closed_meshes import faults

LEAST = 0.05


def ball(radius: float, place: float, *, cavity: bool = False) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(2, radius).apply_translation((place, 0, 0))
    if cavity:
        mesh.invert()
    return mesh


def test_small_bodies_and_small_cavities_go_and_large_ones_stay() -> None:
    parts = [ball(1, 0), ball(0.5, 0.4, cavity=True), ball(0.1, -0.5, cavity=True), ball(0.6, 3), ball(0.2, 5)]
    cleared = without_crumbs(trimesh.util.concatenate(parts), LEAST)
    assert cleared.dropped == 2
    found = mesh_validity(cleared.mesh)
    assert (found.bodies, found.cavities, found.watertight) == (2, 1, True)
    assert cleared.share == pytest.approx((0.1**3 + 0.2**3) / (1 + 0.6**3 + 0.2**3))
    assert cleared.mesh.volume == pytest.approx(sum(part.volume for part in (parts[0], parts[1], parts[3])))


@pytest.mark.parametrize("seed", range(20))
def test_meshes_of_random_fields_stay_closed_and_lose_only_crumbs(seed: int) -> None:
    spec = FieldSpec(frequencies=3, hidden=(16,))
    mesh = Field(spec, torch.randn(spec.size, generator=torch.Generator().manual_seed(seed))).mesh(24)
    cleared = without_crumbs(mesh, LEAST)
    assert not faults(cleared.mesh)
    before, after = (surface_volumes(one)[1] for one in (mesh, cleared.mesh))
    assert len(after) == len(before) - cleared.dropped
    total, largest = before[before > 0].sum(), np.abs(before).max()
    lost = np.setdiff1d(before.round(9), after.round(9))
    assert (np.abs(lost) < LEAST * total).all()
    assert (np.abs(after) >= min(LEAST * total, largest) - 1e-9).all()
    assert without_crumbs(cleared.mesh, LEAST).dropped == 0


def test_the_largest_body_stays_whatever_is_asked_for() -> None:
    cleared = without_crumbs(trimesh.util.concatenate([ball(1, 3 * place) for place in range(4)]), 0.9)
    assert mesh_validity(cleared.mesh).bodies == 1
    assert cleared.dropped == 3
