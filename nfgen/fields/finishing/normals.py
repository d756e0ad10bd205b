"""Normals of a mesh from the gradient of its field, which is finer than the mesh."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from nfgen.fields.field import Field
from nfgen.fields.meshing.spline_field import SplineField
from nfgen.fields.slopes import field_gradients
from nfgen.runtime.device import CPU

if TYPE_CHECKING:
    import trimesh

AT_ONCE = 4096  # points whose activations are held for the gradient
ALIKE = 0.5  # cosine to the mesh's own normal below which that is taken: cut bases, and thin parts seen through


def field_normals(field: Field, mesh: "trimesh.Trimesh") -> NDArray[np.float64]:
    """Unit normals [v, 3], outwards: the field's gradient, or the mesh's normal where the two point elsewhere.

    Args:
        field: of which the mesh is the surface, or near it.
    """
    own = np.asarray(mesh.vertex_normals, np.float64)
    points = torch.tensor(np.array(mesh.vertices), dtype=torch.float32, device=CPU).clamp(-1, 1)
    found = _gradients(field, points).double().cpu().numpy()
    found *= 1 if field.spec.output == "sdf" else -1
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    found = np.divide(found, lengths, out=np.zeros_like(found), where=(lengths > 0) & np.isfinite(lengths))
    good = np.einsum("vc,vc->v", found, own) > ALIKE
    normals = np.where(good[:, None], found, own)
    # Vertices of nothing but slivers have no normal of their own.
    normals[np.linalg.norm(normals, axis=1) < ALIKE] = [0, 0, 1]
    return normals


def _gradients(field: Field, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    spec, weights = field.spec, field.weights.clone()  # weights of inference have no gradients
    splines = SplineField.recognise(spec, weights.to(CPU), 1)
    if splines is not None:
        return torch.cat([splines.gradients(some) for some in points.split(AT_ONCE)])
    parts = points.to(weights.device).split(AT_ONCE)
    return torch.cat([field_gradients(spec, weights[None], some[None])[0] for some in parts])
