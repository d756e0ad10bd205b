"""Point clouds as the metrics take them: sampled by area, checked, thinned, normalised."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import numpy.typing as npt

from nfgen.errors import NfgenError, ShapeError

if TYPE_CHECKING:
    import trimesh

Floats = npt.NDArray[np.float32]


def as_clouds(clouds: npt.ArrayLike, name: str = "clouds") -> Floats:
    """Check an array or tensor of point clouds and give it as float32 [clouds, points, 3].

    Raises:
        NfgenError: not of this shape, without clouds or points, or with NaN or infinite coordinates.
    """
    try:
        array = np.ascontiguousarray(np.asarray(clouds, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise NfgenError(f"{name} is not an array of numbers ({error})", "give float32 [clouds, points, 3]") from None
    if array.ndim != 3 or array.shape[2] != 3:
        raise NfgenError(f"{name} has shape {list(array.shape)}", "give point clouds as [clouds, points, 3]")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise NfgenError(f"{name} is empty: {list(array.shape)}", "leave empty shapes out; give one cloud at least")
    broken = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2)))
    if len(broken):
        raise NfgenError(
            f"{name} holds NaN or infinite coordinates, first in cloud {broken[0]} ({len(broken)} of {len(array)})",
            "leave these shapes out or sample them again",
        )
    return array


def surface_clouds(meshes: "Sequence[trimesh.Trimesh | None]", points: int, seed: int = 0) -> tuple[Floats, list[int]]:
    """Sample every mesh's surface uniformly by area; empty meshes are left out.

    Returns:
        Clouds [kept, points, 3] in the meshes' coordinates, and the indices of the meshes that were kept. A mesh's
        points depend on the seed and its place in the list only.

    Raises:
        ShapeError: no mesh has a surface.
        NfgenError: fewer than one point asked for.
    """
    clouds = {i: surface_cloud(mesh, points, seed, i) for i, mesh in enumerate(meshes)}
    kept = {i: cloud for i, cloud in clouds.items() if cloud is not None}
    if not kept:
        raise ShapeError(f"none of {len(meshes)} meshes has a surface", "give meshes with faces of positive area")
    return np.stack(list(kept.values())), list(kept)


def surface_cloud(mesh: "trimesh.Trimesh | None", points: int, seed: int, index: int) -> Floats | None:
    """Points [points, 3] on one mesh of `surface_clouds`, at that place of the list; None if it has no surface.

    Raises:
        NfgenError: fewer than one point asked for.
    """
    import trimesh

    if points < 1:
        raise NfgenError(f"{points} points a cloud", "ask for one point at least (2048 is the usual count)")
    if not has_surface(mesh):
        return None
    sampled, _ = trimesh.sample.sample_surface(mesh, points, seed=np.random.default_rng([seed, index]))
    return np.asarray(sampled, dtype=np.float32)


def has_surface(mesh: "trimesh.Trimesh | None") -> "TypeGuard[trimesh.Trimesh]":
    """Whether there is a mesh, with a face of positive area."""
    return mesh is not None and len(mesh.faces) > 0 and mesh.area > 0


def thin(clouds: Floats, points: int, seed: int = 0) -> Floats:
    """Keep a random subset of `points` points of every cloud; smaller clouds are returned unchanged.

    Every cloud draws its own subset, so clouds that were sampled in the same order do not stay aligned.
    """
    if clouds.shape[1] <= points:
        return clouds
    order = np.random.default_rng(seed).random(clouds.shape[:2]).argpartition(points, axis=1)[:, :points]
    thinned: Floats = np.take_along_axis(clouds, order[..., None], axis=1)
    return thinned


def z_score(clouds: Floats) -> Floats:
    """Shift each cloud by its mean [3] and divide it by a single standard deviation, over all its coordinates.

    The normalisation of HyperDiffusion's evaluation (Erkoç et al., ICCV 2023, https://arxiv.org/abs/2303.17015).

    Raises:
        ShapeError: a cloud whose points all coincide.
    """
    centred = clouds.astype(np.float64) - clouds.mean(axis=1, keepdims=True, dtype=np.float64)
    deviation = centred.std(axis=(1, 2), keepdims=True)
    flat = np.flatnonzero(deviation == 0)
    if len(flat):
        raise ShapeError(f"all points of cloud {flat[0]} coincide", "leave shapes without extent out")
    return (centred / deviation).astype(np.float32)
