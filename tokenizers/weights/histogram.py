"""`histogram`: scalar quantization, one token per weight."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.vocabulary import Vocabulary

from .code_grid import distinct_codes
from .config import HistogramConfig
from .normalization import Scaling, tensor_slices

MOST_VALUES = 1 << 22  # used to place the points; the error of a bin's mean is far below the bin's width
LLOYD_ROUNDS = 2000  # cheap: each searches `bins` values twice; the companded start is close to the optimum
QUANTILES = 4096  # from which the density is estimated for the companded start


class HistogramTokenizer(Tokenizer):
    """Scalar quantization: token b is the b-th smallest value; weights outside the range go to the nearest end.

    `encode(decode(t)) == t` for every sequence of codes. If a tensor has fewer distinct values than bins, the spare
    codes decode to values just above its largest.
    """

    name = "histogram"
    Config = HistogramConfig

    def _fit(self, fields: FieldSet) -> None:
        self._scaling = Scaling.of(fields, self.config.target, "none")
        deltas = self._scaling.apply(fields.weights)
        step = self._scaling.grid_step(deltas, width=1)
        generator = torch.Generator().manual_seed(self.config.seed)
        tables = []
        for here in self._scopes():
            values = _at_most(deltas[:, here].flatten(), MOST_VALUES, generator).double().sort().values
            points = PLACEMENTS[self.config.kind](values, self.config.bins)
            tables.append(distinct_codes(points[:, None], step, at_least=self.config.bins)[:, 0])
        self._points = torch.stack(tables)

    def _scopes(self) -> list[slice]:
        return [slice(0, self.spec.size)] if self.config.scope == "global" else tensor_slices(self.spec)

    @property
    def vocabulary(self) -> Vocabulary:
        """One token per weight, with the same number of codes everywhere."""
        return Vocabulary(length=self.spec.size, codes=self.config.bins, classes=self.classes)

    def encode(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None
    ) -> Int[Tensor, "fields weights"]:
        """Tokens [N, P]: the nearest value of each weight."""
        self._check_weights(weights, spec)
        values = self._scaling.apply(weights)
        parts = []
        for points, here in zip(self._points, self._scopes(), strict=True):
            parts.append(torch.bucketize(values[:, here].contiguous(), _midpoints(points).to(values.device)))
        return torch.cat(parts, dim=1)

    def decode(self, tokens: Int[Tensor, "fields weights"]) -> Float[Tensor, "fields weights"]:
        """Weights [N, P]."""
        self._check_tokens(tokens)
        parts = [
            points.to(tokens.device)[tokens[:, here]] for points, here in zip(self._points, self._scopes(), strict=True)
        ]
        return self._scaling.undo(torch.cat(parts, dim=1))

    def code_vectors(self) -> Float[Tensor, "bins scopes"]:
        """The value of each bin in each scope."""
        self._check_fitted()
        return self._points.mT

    def tensors(self) -> dict[str, Tensor]:
        """The sorted values [scopes, bins], and offset and scale of each weight."""
        self._check_fitted()
        return {"points": self._points} | self._scaling.tensors()

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self._require_shape(tensors, "points", (len(self._scopes()), self.config.bins))
        self._points, self._scaling = tensors["points"], Scaling.restored(tensors, self.spec)


def _at_most(values: Float[Tensor, "values"], count: int, generator: torch.Generator) -> Float[Tensor, "some"]:
    if len(values) <= count:
        return values
    return values[torch.randint(len(values), (count,), generator=generator)]


def _midpoints(points: Float[Tensor, "bins"]) -> Float[Tensor, "edges"]:
    return (points[1:] + points[:-1]) / 2


def _uniform(values: Float[Tensor, "values"], bins: int) -> Float[Tensor, "bins"]:
    low, high = values[0], values[-1]
    return low + (torch.arange(bins, dtype=torch.float64, device=values.device) + 0.5) / bins * (high - low)


def _quantile(values: Float[Tensor, "values"], bins: int) -> Float[Tensor, "bins"]:
    edges = torch.linspace(0, len(values), bins + 1, dtype=torch.float64, device=values.device).round().long()
    return _bin_means(values, edges, values.new_full((bins,), float(values[-1])))


def _lloyd_max(values: Float[Tensor, "values"], bins: int) -> Float[Tensor, "bins"]:
    """Points of least squared error (Max 1960; Lloyd 1982): each is the mean of the values closest to it."""
    points = _companded(values, bins)
    tolerance = 1e-6 * float(values[-1] - values[0])
    sums = _running_sums(values)
    for _ in range(LLOYD_ROUNDS):
        inner = torch.searchsorted(values, _midpoints(points))
        edges = torch.cat([inner.new_tensor([0]), inner, inner.new_tensor([len(values)])])
        means = _bin_means(values, edges, points, sums)
        shift = float((means - points).abs().max())
        points = means
        if shift <= tolerance:
            break
    return points


def _companded(values: Float[Tensor, "values"], bins: int) -> Float[Tensor, "bins"]:
    """Points whose density is the cube root of that of the values; optimal for many bins (Panter and Dite 1951).

    Between neighbouring quantiles the density is 1 / gap, so the integral of its cube root is gap^(2/3).
    """
    places = torch.linspace(0, len(values) - 1, min(len(values), QUANTILES), dtype=torch.float64, device=values.device)
    quantiles = values[places.long()].cpu().numpy()
    shares = np.cumsum(np.append(0.0, np.diff(quantiles) ** (2 / 3)))
    targets = (np.arange(bins) + 0.5) / bins * shares[-1]
    return torch.from_numpy(np.interp(targets, shares, quantiles)).to(values.device)


def _running_sums(values: Float[Tensor, "values"]) -> Float[Tensor, "values_and_one"]:
    return torch.cat([values.new_zeros(1), values.cumsum(0)])


def _bin_means(
    values: Float[Tensor, "values"],
    edges: Int[Tensor, "bins_and_one"],
    empty: Float[Tensor, "bins"],
    sums: Float[Tensor, "values_and_one"] | None = None,
) -> Float[Tensor, "bins"]:
    """Means of sorted values between edges; `empty` for bins without values."""
    sums = _running_sums(values) if sums is None else sums
    counts = edges.diff()
    return torch.where(counts > 0, sums[edges].diff() / counts.clamp(min=1), empty)


PLACEMENTS = {"uniform": _uniform, "quantile": _quantile, "lloyd-max": _lloyd_max}
