"""The gradient of fields in space: the direction is the normal of the surface, the length of a true distance is 1."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .field_set import FieldSet
from .mlp import evaluate
from .spec import FieldSpec

NEAR = 0.02  # 1 % of the side of [-1, 1]^d: points that are nearer to the true surface are looked at; coordinate units
MOST = 256  # such points a field: their mean is known to a few hundredths, and a gradient costs three evaluations


class Slopes(NamedTuple):
    """Gradients of fields at points near the true surfaces."""

    gradients: Float[Tensor, "fields points dims"]
    there: Bool[Tensor, "fields points"]
    """Which of the points count: fields have different numbers of them."""

    def eikonal(self) -> Float[Tensor, "fields"]:
        """Mean of | |gradient| - 1 | of each field; NaN of fields without points."""
        return _mean((self.gradients.norm(dim=-1) - 1).abs(), self.there)

    def cosine(self, other: "Slopes") -> Float[Tensor, "fields"]:
        """Mean cosine between the gradients of two fields at the same points; NaN of fields without points."""
        return _mean(torch.cosine_similarity(self.gradients, other.gradients, dim=-1), self.there)

    def angles(self, other: "Slopes") -> Float[Tensor, "all_points"]:
        """Degrees between the gradients of two fields, of the points of all fields."""
        cosine = torch.cosine_similarity(self.gradients, other.gradients, dim=-1)[self.there]
        return cosine.clamp(-1, 1).arccos().rad2deg()


def field_gradients(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], points: Float[Tensor, "fields points dims"]
) -> Float[Tensor, "fields points dims"]:
    """Gradients of fields in space, each at its own points; a field at a time."""
    found = torch.empty_like(points)
    for index, (own, at) in enumerate(zip(weights, points, strict=True)):
        with torch.enable_grad():
            at = at.detach().clone().requires_grad_()
            (found[index],) = torch.autograd.grad(evaluate(spec, own[None], at[None]).sum(), at)
    return found


def near_slopes(spec: FieldSpec, weights: Float[Tensor, "fields weights"], fields: FieldSet) -> Slopes | None:
    """Slopes of fields at the evaluation points of a field set that are within 0.02 of the true surface.

    Args:
        spec: of the weights.
        weights: of N fields, the i-th of which stands for the set's i-th shape.

    Returns:
        None if the outputs are no distances, or no field has such points.
    """
    if spec.output != "sdf" or fields.eval_points is None or fields.eval_values is None:
        return None
    points = fields.eval_points.to(weights.device, torch.float32)
    values = fields.eval_values.to(weights.device, torch.float32)
    near = values.abs() < NEAR
    count = min(MOST, int(near.sum(1).max()) if len(near) else 0)
    if count == 0:
        return None
    first = (~near).to(torch.uint8).argsort(dim=1, stable=True)[:, :count]
    chosen = points.gather(1, first[..., None].expand(-1, -1, points.shape[-1]))
    return Slopes(field_gradients(spec, weights, chosen), near.gather(1, first))


def _mean(values: Float[Tensor, "fields points"], there: Bool[Tensor, "fields points"]) -> Float[Tensor, "fields"]:
    return torch.where(there, values, 0).sum(1) / there.sum(1)
