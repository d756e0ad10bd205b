"""Generated meshes against shapes that nothing learned from, and against those that were learned from."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import trimesh
from lab import Lab

from nfgen.evaluation.measure import measure_shapes
from nfgen.metrics import chamfer_matrix, novelty_scores, score, surface_clouds

Matrix = np.ndarray


class Judge:
    """The clouds of unseen and known shapes; distances among them are computed once for all systems."""

    def __init__(self, lab: Lab) -> None:
        known, unseen = lab.refs
        self.lab, self.points, self.seed = lab, lab.sizes.cloud, lab.seed
        self.unseen = measure_shapes(unseen, self.points, self.seed, "unseen").clouds
        self.known = measure_shapes(known, self.points, self.seed + 1, "known").clouds

    @functools.cached_property
    def _among(self) -> tuple[Matrix, Matrix, Matrix]:
        """Distances unseen to unseen, unseen to known, known to known."""
        return chamfer_matrix(self.unseen), chamfer_matrix(self.unseen, self.known), chamfer_matrix(self.known)

    def score(self, meshes: Sequence[trimesh.Trimesh | None]) -> dict[str, Any]:
        """MMD, COV and 1-NNA with intervals, novelty, and the share of meshes that have a surface.

        Scores are None where fewer than two meshes have one.
        """
        solid = [mesh for mesh in meshes if mesh is not None and len(mesh.faces) and mesh.area > 0]
        surface = {"surface": len(solid) / len(meshes)}
        if len(solid) < 2:
            return surface | dict.fromkeys(("mmd", "cov", "1_nna", "novelty", "copies"))
        unseen, between, known = self._among
        clouds = surface_clouds(solid, self.points, self.seed)[0]
        to_unseen = chamfer_matrix(clouds, self.unseen)
        found = score(chamfer_matrix(clouds), to_unseen, unseen, self.seed)
        new = novelty_scores(chamfer_matrix(clouds, self.known), to_unseen, between, unseen, known, self.seed)
        return surface | {**found, "novelty": new["ratio"], "copies": new["samples"]["share_near_copies"]}

    def ceiling(self) -> dict[str, Any]:
        """What as many known shapes score: the best that samples can be expected to reach."""

        def scored() -> dict[str, Any]:
            unseen, between, known = self._among
            chosen = np.random.default_rng(self.seed).permutation(len(known))[: len(unseen)]
            return dict(score(known[np.ix_(chosen, chosen)], between[:, chosen].T, unseen, self.seed))

        return self.lab.figures("ceiling", [len(self.known), len(self.unseen), self.points], scored)
