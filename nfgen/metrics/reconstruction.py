"""How near a decoded shape is to the true one, pair by pair."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from nfgen.errors import NfgenError, ShapeError
from nfgen.metrics.clouds import has_surface
from nfgen.metrics.surfaces import NEAR, SurfacePoints, normal_figures, surface_points

if TYPE_CHECKING:
    import trimesh

FRAME_SIDE = 2.0  # shapes live in [-1, 1]^3
SURFACE_POINTS = 100_000  # of fewer, equal surfaces disagree: 10,000 on the frame's own cube score 0.41 at 1 %
VOLUME_POINTS = 100_000  # the standard error of an IoU of a thin shape (2 % of the cube) is then about 0.01

Points = npt.NDArray[np.float64]
Inside = Callable[[Points], npt.NDArray[np.bool_]]
Gradient = Callable[[Points], Points]
"""Of a distance in space, [N, 3] at points [N, 3]."""


def surface_agreement(
    points: npt.ArrayLike,
    normals: npt.ArrayLike,
    true_points: npt.ArrayLike,
    true_normals: npt.ArrayLike,
    length: float = FRAME_SIDE,
) -> dict[str, float]:
    """Compare two surfaces by points sampled by area and the unit normals there.

    Args:
        points: [N, 3] of the reconstruction.
        normals: [N, 3].
        true_points: [M, 3].
        true_normals: [M, 3].
        length: what the F-scores' 1 % and 2 % are of: by default the side of the frame's cube, 2, so that thresholds
            are 0.02 and 0.04 (side of the reconstructed volume: Tatarchenko et al. 2019, arXiv:1905.03678).

    Returns:
        `cd`: means of squared nearest distances, both ways, added. `f_score_1`, `f_score_2`: harmonic mean of the
        shares of points, both ways, that have the other surface within the threshold. `normal_consistency`: mean
        absolute cosine between normals of nearest points, averaged over both ways (Mescheder et al. 2019,
        https://arxiv.org/abs/1812.03828). `hausdorff_95`: the larger of both ways' 95th percentiles of distance.

    Raises:
        NfgenError: empty or not finite arrays, not [N, 3], not as many normals as points.
    """
    p, n = _points(points, normals, "the reconstruction")
    q, m = _points(true_points, true_normals, "the true shape")
    forth, to_true = cKDTree(q).query(p)
    back, to_ours = cKDTree(p).query(q)
    cosine_forth = np.abs((n * m[to_true]).sum(axis=1)).mean()
    cosine_back = np.abs((m * n[to_ours]).sum(axis=1)).mean()
    return {
        "cd": float((forth**2).mean() + (back**2).mean()),
        "f_score_1": _f_score(forth, back, 0.01 * length),
        "f_score_2": _f_score(forth, back, 0.02 * length),
        "normal_consistency": float(cosine_forth + cosine_back) / 2,
        "hausdorff_95": float(max(np.percentile(forth, 95), np.percentile(back, 95))),
    }


def iou(inside: npt.ArrayLike, true_inside: npt.ArrayLike) -> float:
    """Intersection over union of two occupancies, bool of equal shape at the same points; 1 where both are empty.

    Raises:
        NfgenError: shapes that differ, or not boolean.
    """
    first, second = np.asarray(inside), np.asarray(true_inside)
    if first.shape != second.shape or first.size == 0:
        raise NfgenError(f"occupancies of shapes {first.shape} and {second.shape}", "sample both at the same points")
    if first.dtype != bool or second.dtype != bool:
        raise NfgenError(
            f"occupancies are {first.dtype} and {second.dtype}", "give booleans, such as `sdf < 0`, true inside"
        )
    union = np.count_nonzero(first | second)
    return float(np.count_nonzero(first & second) / union) if union else 1.0


def volume_iou(inside: Inside, true_inside: Inside, points: int = VOLUME_POINTS, seed: int = 0) -> float:
    """IoU of two solids at uniform points of [-1, 1]^3; each function takes [N, 3] and gives bool [N], true inside."""
    at = np.random.default_rng(seed).uniform(-FRAME_SIDE / 2, FRAME_SIDE / 2, (points, 3))
    return iou(inside(at), true_inside(at))


def compare_meshes(
    mesh: "trimesh.Trimesh | None",
    true_mesh: "trimesh.Trimesh",
    inside: Inside | None = None,
    true_inside: Inside | None = None,
    seed: int = 0,
    *,
    true: SurfacePoints | None = None,
    gradient: Gradient | None = None,
) -> dict[str, float | None]:
    """All figures of one pair of meshes in the frame; `iou` only where both solids can be asked.

    A reconstruction without a surface has F-scores and consistency of 0, and no distances (None).

    Args:
        mesh: the reconstruction.
        true_mesh: the true surface.
        inside: of the reconstruction.
        true_inside: of the true shape.
        seed: of all points.
        true: points where the true normals are known better than from the true mesh; see `normal_figures`.
        gradient: of the distance that the reconstruction was meshed from; adds `eikonal`, the mean of
            | |gradient| - 1 | at points within 0.02 of the true surface.

    Raises:
        ShapeError: the true mesh has no surface.
    """
    overlap = None
    if inside is not None and true_inside is not None:
        overlap = volume_iou(inside, true_inside, seed=seed)
    if not has_surface(true_mesh):
        raise ShapeError("the true mesh has no surface", "leave this pair out")
    true = true or surface_points(true_mesh, seed=seed)
    smoothness = {**normal_figures(mesh, true), "eikonal": None if gradient is None else _eikonal(gradient, true, seed)}
    if not has_surface(mesh):
        nothing = {"f_score_1": 0.0, "f_score_2": 0.0, "normal_consistency": 0.0}
        return {"cd": None, "hausdorff_95": None, **nothing, "iou": overlap, **smoothness}
    # Other seeds for the two, or equal meshes would be sampled at equal points and look better than they can.
    ours, theirs = _sample(mesh, np.random.default_rng([seed, 0])), _sample(true_mesh, np.random.default_rng([seed, 1]))
    return {**surface_agreement(*ours, *theirs), "iou": overlap, **smoothness}


def _eikonal(gradient: Gradient, true: SurfacePoints, seed: int) -> float:
    beside = np.random.default_rng([seed, 2]).uniform(-NEAR, NEAR, (len(true.points), 1)) * true.normals
    return float(np.abs(np.linalg.norm(gradient(true.points + beside), axis=1) - 1).mean())


def comparison_summary(pairs: list[dict[str, float | None]]) -> dict[str, Any]:
    """Mean and median of each figure over the pairs that have it, how many have it, and the pairs themselves.

    Raises:
        NfgenError: no pairs.
    """
    if not pairs:
        raise NfgenError("no pairs to summarise", "give one reconstruction and its true shape at least")
    summary: dict[str, Any] = {}
    for name in pairs[0]:
        values = [value for pair in pairs if (value := pair[name]) is not None]
        middle = {"mean": float(np.mean(values)), "median": float(np.median(values))} if values else {}
        summary[name] = {"mean": None, "median": None, **middle, "pairs": len(values)}
    return {**summary, "pairs": pairs}


def _sample(mesh: "trimesh.Trimesh", rng: np.random.Generator) -> tuple[Points, Points]:
    import trimesh

    points, faces = trimesh.sample.sample_surface(mesh, SURFACE_POINTS, seed=rng)
    return np.asarray(points), np.asarray(mesh.face_normals[faces])


def _points(points: npt.ArrayLike, normals: npt.ArrayLike, name: str) -> tuple[Points, Points]:
    p, n = np.asarray(points, dtype=np.float64), np.asarray(normals, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != 3 or p.shape != n.shape or len(p) == 0:
        raise NfgenError(f"{name} has points {p.shape} and normals {n.shape}", "give both as [points, 3], one at least")
    if not (np.isfinite(p).all() and np.isfinite(n).all()):
        raise NfgenError(f"{name} holds NaN or infinite values", "sample it again, or leave this pair out")
    return p, n


def _f_score(forth: Points, back: Points, threshold: float) -> float:
    precision, recall = float((forth <= threshold).mean()), float((back <= threshold).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
