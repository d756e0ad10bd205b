"""Splits flat weights into units, one per token: single weights, chunks, or neuron rows."""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nfgen.errors import ConfigError
from nfgen.fields.mlp import neuron_rows
from nfgen.fields.spec import FieldSpec

from .config import Unit


class Units:
    """Splits flat weights [N, P] into [N, length, width]; shorter units are padded with zeros.

    Raises:
        ConfigError: if a chunk is larger than the field.
    """

    def __init__(self, spec: FieldSpec, unit: Unit, chunk: int) -> None:
        if unit == "chunk" and chunk > spec.size:
            raise ConfigError(f"a chunk of {chunk} is larger than the field's {spec.size} weights", "lower chunk")
        self._size = spec.size
        self.indices = _indices(spec, unit, chunk)
        flat = self.indices.flatten()
        self._inverse = torch.empty(spec.size + 1, dtype=torch.int64)
        self._inverse[flat] = torch.arange(len(flat))

    @property
    def length(self) -> int:
        return len(self.indices)

    @property
    def width(self) -> int:
        return self.indices.shape[1]

    def split(self, values: Float[Tensor, "fields weights"]) -> Float[Tensor, "fields units width"]:
        """Split into units."""
        return functional.pad(values, (0, 1))[:, self.indices.to(values.device)]

    def join(self, units: Float[Tensor, "fields units width"]) -> Float[Tensor, "fields weights"]:
        """The inverse of `split`; values in the padding are dropped."""
        return rearrange(units, "n l w -> n (l w)")[:, self._inverse[: self._size].to(units.device)]


def _indices(spec: FieldSpec, unit: Unit, chunk: int) -> Int[Tensor, "units width"]:
    """Index into flat weights of each number of each unit; P, one past the end, is padding."""
    numbers = torch.arange(spec.size)
    if unit == "row":
        rows = neuron_rows(spec, numbers[None])
        width = max(row.shape[-1] for row in rows)
        return torch.cat([functional.pad(row[0], (0, width - row.shape[-1]), value=spec.size) for row in rows])
    width = chunk if unit == "chunk" else 1
    return rearrange(functional.pad(numbers, (0, -spec.size % width), value=spec.size), "(l w) -> l w", w=width)
