"""`Field`: one SDF MLP, its spec and its flat weights, with what can be done with it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import files
from nfgen.runtime.device import CPU

from .meshing.marching_cubes import extract_mesh
from .mlp import evaluate_in_chunks, inside
from .resolution import RESOLUTION
from .spec import FieldSpec

if TYPE_CHECKING:
    import trimesh


class Field:
    """One field: a spec and its flat weights [P].

    Raises:
        ConfigError: if the weights are not of the spec's size.
    """

    def __init__(self, spec: FieldSpec, weights: Float[Tensor, "weights"]) -> None:
        if weights.shape != (spec.size,):
            raise ConfigError(f"weights of shape {tuple(weights.shape)} do not fit a field of {spec.size} weights")
        self.spec, self.weights = spec, weights

    def __call__(self, points: Float[Tensor, "points dims"]) -> Float[Tensor, "points"]:
        """The field's outputs at points in [-1, 1]^d, on the device of its weights."""
        return evaluate_in_chunks(self.spec, self.weights[None], points.to(self.weights.device))[0]

    def to(self, device: torch.device) -> "Field":
        """The same field on a device."""
        return Field(self.spec, self.weights.to(device))

    def mesh(self, resolution: int = RESOLUTION) -> "trimesh.Trimesh":
        """The surface as a watertight mesh, oriented outwards; no faces if the field has no surface."""
        return extract_mesh(self.spec, self.weights, resolution)

    def offset(self, distance: float) -> "Field":
        """The field whose surface lies so far outside this one's (inside, if negative): all distances are so much less.

        Raises:
            ConfigError: if its output is no signed distance, has no bias to change, or the distance is 1 or more.
        """
        if not (self.spec.output == "sdf" and self.spec.output_bias and abs(distance) < 1):
            raise ConfigError(
                f"these fields cannot be offset by {distance}",
                "give less than 1, and fields of distances with a bias at the output, such as those of vq",
            )
        weights = self.weights.clone()
        weights[-1] -= distance
        return Field(self.spec, weights)

    def image(self, size: int = 64) -> Float[Tensor, "rows columns"]:
        """A 2-D field on a pixel grid: brightness in [0, 1] (1 inside for signed distance and occupancy)."""
        values = self(pixel_centres(size, self.weights.device)).reshape(size, size)
        return torch.sigmoid(values) if self.spec.output == "brightness" else inside(self.spec, values).float()

    def signed_image(self, size: int = 64) -> Float[Tensor, "rows columns"]:
        """A 2-D field on a pixel grid, negative inside: the signed distance, or minus the logit."""
        values = self(pixel_centres(size, self.weights.device)).reshape(size, size)
        return values if self.spec.output == "sdf" else -values

    def save(self, path: str | Path) -> None:
        """Write a `.safetensors` file, whole or not at all: the weights, and the spec as JSON in its metadata."""
        content = save({"weights": self.weights.cpu().contiguous()}, {"spec": json.dumps(self.spec.to_json())})
        files.write_atomically(Path(path), content)

    @classmethod
    def load(cls, path: str | Path) -> "Field":
        """Read what `save` wrote.

        Raises:
            ArtifactError: if the file is not a field.
        """
        try:
            files.check_tensor_file(path)
            with safe_open(path, "pt") as file:
                spec = FieldSpec.from_json(files.parse_json((file.metadata() or {})["spec"]))
                weights = file.get_tensor("weights")
            if weights.dtype != torch.float32 or not torch.isfinite(weights).all():
                raise ValueError("its weights are not finite float32 numbers")
            return cls(spec, weights)
        except (OSError, SafetensorError, KeyError, ValueError, RecursionError, ConfigError) as error:
            raise ArtifactError(
                f"{path} is not a field: {error}", "give a .safetensors file that nfgen wrote"
            ) from error


def pixel_centres(size: int, device: torch.device = CPU) -> Float[Tensor, "pixels 2"]:
    """Points [size * size, 2] as (x, y): row by row from the top (y = +1) down, x from left to right."""
    line = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(-line, line, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)
