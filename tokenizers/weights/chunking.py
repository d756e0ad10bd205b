"""How flat weights are cut into the units that become tokens: single weights, chunks, or neuron rows."""

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
    """A cut of flat weights [N, P] into [N, length, width]; the numbers that pad the last or shorter units are zeros.

    Raises:
        ConfigError: if a chunk is larger than the field.
    """

    def __init__(self, spec: FieldSpec, unit: Unit, chunk: int) -> None:
        if unit == "chunk" and chunk > spec.size:
            raise ConfigError(f"a chunk of {chunk} is larger than the field's {spec.size} weights", "lower chunk")
        self._size = spec.size
        self.places = _places(spec, unit, chunk)
        flat = self.places.flatten()
        self._back = torch.empty(spec.size + 1, dtype=torch.int64)
        self._back[flat] = torch.arange(len(flat))

    @property
    def length(self) -> int:
        return len(self.places)

    @property
    def width(self) -> int:
        return self.places.shape[1]

    def split(self, values: Float[Tensor, "fields weights"]) -> Float[Tensor, "fields units width"]:
        """Cut into units."""
        return functional.pad(values, (0, 1))[:, self.places]

    def join(self, units: Float[Tensor, "fields units width"]) -> Float[Tensor, "fields weights"]:
        """The inverse of `split`; what stands in the padding is dropped."""
        return rearrange(units, "n l w -> n (l w)")[:, self._back[: self._size]]


def _places(spec: FieldSpec, unit: Unit, chunk: int) -> Int[Tensor, "units width"]:
    """The place in flat weights of each number of each unit; P, one past the end, is padding."""
    numbers = torch.arange(spec.size)
    if unit == "row":
        rows = neuron_rows(spec, numbers[None])
        width = max(row.shape[-1] for row in rows)
        return torch.cat([functional.pad(row[0], (0, width - row.shape[-1]), value=spec.size) for row in rows])
    width = chunk if unit == "chunk" else 1
    return rearrange(functional.pad(numbers, (0, -spec.size % width), value=spec.size), "(l w) -> l w", w=width)
