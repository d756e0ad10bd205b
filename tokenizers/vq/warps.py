"""Smooth warps of space, which augment fields without a new fit.

The field of an augmented shape is `field(warp(points))`. So warps map points of the augmented shape to points of the
original one.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.runtime.device import upload

# Largest changes at strength 1, chosen so that warped chairs still look like chairs.
LOG_SCALE = 0.15  # of each axis
SHIFT = 0.06
ROTATION = 0.08  # about the up axis, radians
TAPER = 0.12  # growth of the cross-section along the up axis
LEAN = 0.06  # shift of the second axis along the up axis
STRETCH = 0.12  # monotone remapping of each axis: moves a seat up or a back forward
STRETCH_FREQUENCY = (2.2, 5.5)  # radians a unit; STRETCH times the larger is below 1, so that the map stays monotone
ELASTIC = 0.025
ELASTIC_FREQUENCY = 3.5

Interval = tuple[Float[Tensor, "fields dims"], Float[Tensor, "fields dims"]]
"""Lowest and highest coordinates of shapes."""


@dataclass(frozen=True)
class Warp:
    """One random warp for each of N fields. The last axis is up; the first is the one that is mirrored."""

    sign: Float[Tensor, "fields 1"]
    frequency: Float[Tensor, "fields 1 dims"]
    phase: Float[Tensor, "fields 1 dims"]
    stretch: Float[Tensor, "fields 1 dims"]
    slope: Float[Tensor, "fields dims"]
    """Taper of each axis but the last, then the lean."""
    angle: Float[Tensor, "fields 1"]
    elastic: Float[Tensor, "fields dims dims"]
    elastic_phase: Float[Tensor, "fields dims dims"]
    scale: Float[Tensor, "fields 1 dims"]
    shift: Float[Tensor, "fields 1 dims"]
    placed_scale: Float[Tensor, "fields 1 1"]
    """Of `keeping_place`, applied before everything else; 1 and 0 = where the rest leaves the shape."""
    placed_shift: Float[Tensor, "fields 1 dims"]

    @classmethod
    def random(cls, count: int, dims: int, generator: torch.Generator, *, strength: float, mirror: bool) -> Self:
        """Random warps, on the CPU; strength 0 gives the identity, randomly mirrored if `mirror`."""

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=generator) * 2 - 1

        low, high = STRETCH_FREQUENCY
        # An odd remapping of the mirrored axis keeps symmetric shapes symmetric.
        phase = uniform(1, dims) * torch.pi * torch.tensor([0.0 if mirror else 1.0] + [1.0] * (dims - 1))
        limits = torch.tensor([TAPER] * (dims - 1) + [LEAN])
        return cls(
            sign=torch.where(uniform(1) < 0, -1.0, 1.0) if mirror else torch.ones(count, 1),
            frequency=low + (high - low) * (uniform(1, dims) + 1) / 2,
            phase=phase,
            stretch=uniform(1, dims) * STRETCH * strength,
            slope=uniform(dims) * limits * strength,
            angle=uniform(1) * ROTATION * strength,
            elastic=uniform(dims, dims) * ELASTIC * strength,
            elastic_phase=uniform(dims, dims) * torch.pi,
            scale=torch.exp(uniform(1, dims) * LOG_SCALE * strength),
            shift=uniform(1, dims) * SHIFT * strength,
            placed_scale=torch.ones(count, 1, 1),
            placed_shift=torch.zeros(count, 1, dims),
        )

    def keeping_place(self, before: Interval, after: Interval) -> "Warp":
        """These warps, then moved and scaled alike along all axes, so that each shape keeps its middle and its largest
        side: shapes of one set often share these, and a model would learn the warps' instead.

        Args:
            before: lowest and highest coordinates of the shapes, each [fields, dims]; where there is no shape (lowest >
                highest), nothing is moved.
            after: the same of the warped shapes.
        """
        (low, high), (warped_low, warped_high) = before, after
        middle, warped_middle = (low + high) / 2, (warped_low + warped_high) / 2
        middle = torch.cat([middle[:, :1] * self.sign, middle[:, 1:]], dim=1)  # the mirror image's place is mirrored
        scale = (warped_high - warped_low).amax(1, keepdim=True) / (high - low).amax(1, keepdim=True)
        shift = warped_middle - middle * scale
        none = ((low >= high) | (warped_low >= warped_high)).any(1, keepdim=True)
        return replace(
            self,
            placed_scale=torch.where(none, 1.0, scale)[:, None],
            placed_shift=torch.where(none, 0.0, shift)[:, None],
        )

    def to(self, device: torch.device) -> "Warp":
        return Warp(**{key: upload(value, device) for key, value in vars(self).items()})

    def __getitem__(self, rows: Int[Tensor, "chosen"] | slice) -> "Warp":
        return Warp(**{key: value[rows] for key, value in vars(self).items()})

    def __setitem__(self, rows: Int[Tensor, "chosen"] | slice, other: "Warp") -> None:
        for key, value in vars(self).items():
            value[rows] = getattr(other, key)

    def __call__(self, points: Float[Tensor, "fields points dims"]) -> Float[Tensor, "fields points dims"]:
        """Points of augmented shapes to points of the original ones."""
        placed = points * self.placed_scale + self.placed_shift
        mirrored = torch.cat([placed[..., :1] * self.sign[:, None], placed[..., 1:]], dim=-1)
        stretched = mirrored + self.stretch * torch.sin(self.frequency * mirrored + self.phase)
        *across, up = stretched.unbind(-1)
        across = [axis * (1 + self.slope[:, i : i + 1] * up) for i, axis in enumerate(across)]
        across[-1] = across[-1] + self.slope[:, -1:] * up
        if len(across) == 2:
            x, y = across
            cosine, sine = torch.cos(self.angle), torch.sin(self.angle)
            across = [cosine * x - sine * y, sine * x + cosine * y]
        rotated = torch.stack([*across, up], dim=-1)
        waves = torch.sin(ELASTIC_FREQUENCY * rotated[..., None, :] + self.elastic_phase[:, None])
        return (rotated + torch.einsum("npij,nij->npi", waves, self.elastic)) * self.scale + self.shift
