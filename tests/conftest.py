"""Real objects that many tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate, initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.runtime.progress import show_progress

from .browsing import chromium

TINY = FieldSpec(frequencies=1, hidden=(16, 16))
FIELDS_A_CLASS = 6
UNIFORM_CHECKS, NEAR_CHECKS = 512, 128


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every process of xdist must find the same tests, but an address in a name is another one in each."""
    named_by_address = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if named_by_address:
        raise pytest.UsageError(f"give these tests ids that are the same in every process: {named_by_address}")


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Every test begins as a library call does, whatever command an earlier test ran in this process."""
    show_progress(False)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> Iterator[None]:
    """Is heard: a shell that starts the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


COARSE = {
    "nfgen.pipeline.sample_set.PICTURE_SIZE": 64,
    "nfgen.pipeline.training_monitor.CELLS": 16,
    "nfgen.viz.lighting.DIRECTIONS": 16,
    "nfgen.viz.lighting.SUN_MAP": 64,
    "nfgen.viz.scene.LONGEST_EDGE": 0.5,
}
"""How pictures look is tested in `tests/viz`, where they are as users see them."""
FEW = {"nfgen.pipeline.tokenize.USUAL_VIEWS": 2, "nfgen.pipeline.tokenize.SYNTHETIC_A_FIELD": 2}


def smaller(values: dict[str, float]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(name, value)
        yield


@pytest.fixture(scope="module", autouse=True)
def coarse_pictures() -> Iterator[None]:
    """Pictures are small and their light is rough: drawing took half of the time of tests of commands."""
    yield from smaller(COARSE)


@pytest.fixture(scope="module", autouse=True)
def few_views() -> Iterator[None]:
    """What nobody asked for, copies of fields and made-up shapes, is little: it took most of the time of tokenizing."""
    yield from smaller(FEW)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def tiny_fields() -> FieldSet:
    """Twelve fields of 448 weights, fitted from one base: six spheres, then six boxes, of different sizes."""
    generator = torch.Generator().manual_seed(0)
    count = 2 * FIELDS_A_CLASS
    centres = 0.4 * torch.rand(count, 1, 3, generator=generator) - 0.2
    sizes = 0.35 + 0.25 * torch.rand(count, 1, 3, generator=generator)

    def distances(points: Tensor) -> Tensor:
        from_centre = points - centres
        spheres = from_centre.norm(dim=-1) - sizes[:, :, 0]
        beyond = from_centre.abs() - sizes
        boxes = beyond.clamp(min=0).norm(dim=-1) + beyond.amax(-1).clamp(max=0)
        return torch.cat([spheres[:FIELDS_A_CLASS], boxes[FIELDS_A_CLASS:]])

    def sample(uniform: int, near: int) -> Tensor:
        points = torch.rand(count, uniform + near, 3, generator=generator) * 2 - 1
        some = points[:, uniform:]
        # Towards the centre by the distance is onto the surface for spheres, and near it for boxes.
        towards = torch.nn.functional.normalize(centres - some, dim=-1)
        points[:, uniform:] = (some + towards * distances(some)[..., None]).clamp(-1, 1)
        # Half precision is what a field set keeps of its evaluation points.
        return points.half().float()

    def fitted(weights: Tensor, steps: int, pooled: bool) -> Tensor:
        points = sample(256, 128)
        wanted = distances(points)
        if pooled:
            points, wanted = points.flatten(0, 1)[None], wanted.flatten()[None]
        weights = weights.clone().requires_grad_()
        adam = torch.optim.Adam([weights], lr=5e-3)
        for _ in range(steps):
            adam.zero_grad()
            (evaluate(TINY, weights, points) - wanted).abs().mean(1).sum().backward()
            adam.step()
        return weights.detach()

    base = fitted(initial_weights(TINY, 1, generator), 60, pooled=True)
    checks = sample(UNIFORM_CHECKS, NEAR_CHECKS)
    return FieldSet(
        spec=TINY,
        weights=fitted(base.expand(count, -1), 150, pooled=False),
        ids=tuple(f"{name}-{i}" for name in ("sphere", "box") for i in range(FIELDS_A_CLASS)),
        labels=torch.arange(2).repeat_interleave(FIELDS_A_CLASS),
        classes=("sphere", "box"),
        base=base[0],
        eval_points=checks,
        eval_values=distances(checks),
        uniform_eval=UNIFORM_CHECKS,
    )


@pytest.fixture
def fields(tiny_fields: FieldSet, tmp_path: Path) -> Path:
    """The tiny fields as an artifact."""
    tiny_fields.save(tmp_path / "fields")
    return tmp_path / "fields"
