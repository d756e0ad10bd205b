"""How well fields match the true shapes, in function space."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.errors import ConfigError

from .field_set import FieldSet
from .mlp import evaluate_in_chunks, inside
from .spec import FieldSpec

TRUNCATION = 0.1  # coordinate units: fits do not care for the distance beyond, so neither does the figure


class FieldAccuracy(NamedTuple):
    """How well each field matches its shape."""

    iou: Float[Tensor, "fields"]
    """Intersection over union of the insides at the uniform evaluation points; 1 where both are empty."""
    sdf_l1: Float[Tensor, "fields"]
    """Mean absolute error of the signed distance, cut to +-0.1, at all evaluation points; NaN of other outputs."""


def field_accuracy(spec: FieldSpec, weights: Float[Tensor, "fields weights"], fields: FieldSet) -> FieldAccuracy:
    """Compare fields with the true shapes of a field set.

    Args:
        spec: of the weights; it may be another one than the set's.
        weights: of N fields, the i-th of which stands for the set's i-th shape.

    Raises:
        ConfigError: if the set has no evaluation points, or the fields are not such that they could match its shapes.
    """
    if fields.eval_points is None or fields.eval_values is None or not fields.uniform_eval:
        raise ConfigError("the field set has no evaluation points", "fit the fields again, with --uniform-eval 2048")
    bright = spec.output == "brightness"
    other = fields.spec
    if spec.dims != other.dims or bright != (other.output == "brightness"):
        raise ConfigError(
            f"{spec.dims}-D {spec.output} fields cannot be judged by {other.dims}-D {other.output} shapes"
        )
    if len(weights) != len(fields):
        raise ConfigError(f"{len(weights)} fields cannot be judged by {len(fields)} shapes")
    truth = fields.eval_values.to(weights.device, torch.float32)
    outputs = evaluate_in_chunks(spec, weights, fields.eval_points.to(weights.device, torch.float32))
    uniform = slice(0, fields.uniform_eval)
    there, wanted = inside(spec, outputs[:, uniform]), truth[:, uniform] > 0.5 if bright else truth[:, uniform] < 0
    both, either = (there & wanted).sum(1), (there | wanted).sum(1)
    iou = torch.where(either > 0, both / either.clamp(min=1), 1.0)
    if spec.output != "sdf":
        return FieldAccuracy(iou, torch.full_like(iou, torch.nan))
    error = outputs.clamp(-TRUNCATION, TRUNCATION) - truth.clamp(-TRUNCATION, TRUNCATION)
    return FieldAccuracy(iou, error.abs().mean(1))
