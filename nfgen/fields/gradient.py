"""The gradient of a loss in the weights of fields, written out by hand.

Autograd gives the same numbers in 1.2 to 1.3 times the time. Among other things it fills a vector as long as the
weights for every layer's view of them, and adds all of these up.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .mlp import ACTIVATIONS, SINE_FREQUENCY, affine, flatten, unflatten
from .spec import FieldSpec

_aten = torch.ops.aten
BACKWARD: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda given, z: _aten.threshold_backward(given, z, 0),
    "relu2": lambda given, z: given * z.clamp(min=0).mul_(2),
    "gelu": lambda given, z: _aten.gelu_backward(given, z),
    "silu": lambda given, z: _aten.silu_backward(given, z),
    "sine": lambda given, z: given * torch.cos(SINE_FREQUENCY * z).mul_(SINE_FREQUENCY),
}
"""The loss's derivative in an activation's input z, from that in its output."""


def losses_and_gradient(
    spec: FieldSpec,
    weights: Float[Tensor, "fields weights"],
    features: Float[Tensor, "fields points features"],
    loss: Callable[[Float[Tensor, "fields points"]], Float[Tensor, "fields"]],
) -> tuple[Float[Tensor, "fields"], Float[Tensor, "fields weights"]]:
    """The loss of each field, and its gradient in that field's weights.

    Args:
        features: Fourier features of each field's own points.
        loss: of the fields' outputs at them, one number a field; differentiable.

    Raises:
        ConfigError: if the weights are not of the spec's size.
    """
    with torch.no_grad():
        layers = unflatten(spec, weights)
        inputs, sums = [features], []
        for matrix, bias in layers:
            sums.append(affine(inputs[-1], matrix, bias))
            if len(sums) < len(layers):
                inputs.append(ACTIVATIONS[spec.activations[len(sums) - 1]](sums[-1]))
    outputs = sums.pop()[..., 0].requires_grad_()
    losses = loss(outputs)
    (given,) = torch.autograd.grad(losses.sum(), outputs)
    with torch.no_grad():
        given, gradients = given[..., None], []
        while layers:
            matrix, bias = layers.pop()
            before = inputs.pop()
            # Both are the same; the first is slow for an odd number of inputs, the second for a single output.
            products = torch.bmm(before.mT, given).mT if matrix.shape[1] > 1 else torch.bmm(given.mT, before)
            gradients.append((products, None if bias is None else given.sum(1)))
            if layers:
                given = BACKWARD[spec.activations[len(layers) - 1]](torch.bmm(given, matrix), sums.pop())
        return losses.detach(), flatten(gradients[::-1])
