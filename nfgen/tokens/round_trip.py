"""The error of tokenization, measured in function space."""

from collections import defaultdict
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import batches
from nfgen.fields.slopes import near_slopes
from nfgen.fields.spec import FieldSpec
from nfgen.runtime.device import CPU
from nfgen.runtime.progress import hidden_progress, progress

from .vocabulary import Vocabulary

FIELDS_AT_ONCE = 64  # fields per batch of tokens and decoded weights
MOST_FIELDS = 4096  # evaluated of each part; their mean IoU has an error of one or two thousandths
FIGURES = (
    "tokens_per_field",
    "bits_per_field",
    "bits_per_weight",
    "codebook_usage",
    "perplexity",
    "weight_mse",
    "iou_before",
    "iou_after",
    "sdf_l1_before",
    "sdf_l1_after",
    "eikonal_before",
    "eikonal_after",
    "normal_cosine",
    "normal_angle_median",
    "normal_angle_95",
)


class RoundTripper(Protocol):
    """The part of a tokenizer that `token_report` needs."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def decoded_spec(self) -> FieldSpec: ...

    def encode(self, weights: Tensor, spec: FieldSpec | None = None) -> Tensor: ...

    def decode(self, tokens: Tensor) -> Tensor: ...


def token_report(
    tokenizer: RoundTripper, fields: FieldSet, heldout: Bool[Tensor, "fields"], device: torch.device = CPU
) -> dict[str, dict[str, Any]]:
    """Measure a tokenizer on a field set: each of `FIGURES` for `train` and `heldout`.

    - `tokens_per_field`: without specials. `bits_per_field`: sum over the tokens of log2 of the number of codes that
      are allowed there. `bits_per_weight`: the same per weight of the input fields.
    - `codebook_usage`: share of all codes that occur. `perplexity`: exp of the mean entropy (nats) of a token, given
      the codes allowed at its position; it equals their number if all are used equally often.
    - `weight_mse`: mean squared error of decoded weights. `iou_*`, `sdf_l1_*`: means over the fields of
      `field_accuracy`, of the fields themselves and of those decoded from their tokens.
    - Of distance fields, at evaluation points within 0.02 of the true surface: `eikonal_*`, mean of | |gradient| - 1 |;
      `normal_cosine`, mean cosine between the normals (gradients) of the decoded fields and of the fits they stand for;
      `normal_angle_median` and `normal_angle_95`, degrees between them. What both have to the true surface
      `nfgen evaluate --pairs` says, which has the shapes.

    If a part has more than 4,096 fields, that many are taken at equal intervals. Figures that do not exist are None:
    bits, usage and perplexity of continuous tokens, the weight error if fields are decoded to another architecture, and
    all figures of an empty part.

    Args:
        tokenizer: a fitted tokenizer.
        fields: the fields.
        heldout: the fields that it was not fitted on.
        device: on which they are encoded, decoded and evaluated.
    """
    if heldout.shape != (len(fields),):
        raise ConfigError(f"a held-out mask of shape {tuple(heldout.shape)} does not fit {len(fields)} fields")
    parts = {"train": _some((~heldout).nonzero()[:, 0]), "heldout": _some(heldout.nonzero()[:, 0])}
    with progress(sum(map(len, parts.values())), "round trip", "field") as bar, hidden_progress():
        figures = {name: _figures(tokenizer, fields, part, bar.update, device) for name, part in parts.items()}
    return {key: {name: figures[name][key] for name in parts} for key in FIGURES}


def _some(indices: Int[Tensor, "fields"]) -> Int[Tensor, "some"]:
    count = min(len(indices), MOST_FIELDS)
    return indices[torch.arange(count) * len(indices) // max(count, 1)]


def _figures(
    tokenizer: RoundTripper, fields: FieldSet, indices: Int[Tensor, "some"], on_fields: Any, device: torch.device
) -> dict[str, float | None]:
    figures: dict[str, float | None] = dict.fromkeys(FIGURES)
    if len(indices) == 0:
        return figures
    vocabulary = tokenizer.vocabulary
    figures["tokens_per_field"] = vocabulary.length
    counts = None if vocabulary.continuous else _Counts(vocabulary)
    sums: defaultdict[str, float] = defaultdict(float)
    slopes: defaultdict[str, list[Tensor]] = defaultdict(list)
    for some in batches(len(indices), FIELDS_AT_ONCE):
        part = fields.select(indices[some])
        given = part.weights.to(device)
        tokens = tokenizer.encode(given, fields.spec)
        decoded = tokenizer.decode(tokens)
        if counts is not None:
            counts.add(tokens.cpu())
        for key, spec, weights in (("before", fields.spec, given), ("after", tokenizer.decoded_spec, decoded)):
            judged = field_accuracy(spec, weights, part)
            sums[f"iou_{key}"] += float(judged.iou.cpu().double().sum())
            sums[f"sdf_l1_{key}"] += float(judged.sdf_l1.cpu().double().sum())
        own = near_slopes(fields.spec, given, part)
        made = near_slopes(tokenizer.decoded_spec, decoded, part)
        if own is not None and made is not None:
            slopes["eikonal_before"].append(own.eikonal().cpu())
            slopes["eikonal_after"].append(made.eikonal().cpu())
            slopes["normal_cosine"].append(made.cosine(own).cpu())
            slopes["angles"].append(made.angles(own).cpu())
        if tokenizer.decoded_spec == fields.spec:
            sums["weight_mse"] += float((decoded - given).cpu().double().square().mean(1).sum())
        on_fields(len(part))
    # The sum is NaN if distances do not exist.
    figures |= {key: total / len(indices) for key, total in sums.items() if total == total}
    if slopes:
        angles = torch.cat(slopes.pop("angles")).double()
        figures |= {key: float(torch.cat(values).double().nanmean()) for key, values in slopes.items()}
        figures |= {"normal_angle_median": _quantile(angles, 0.5), "normal_angle_95": _quantile(angles, 0.95)}
    if counts is not None:
        bits = counts.bits
        figures |= {"bits_per_field": bits, "bits_per_weight": bits / fields.spec.size}
        figures |= {"codebook_usage": counts.usage, "perplexity": counts.perplexity}
    return figures


def _quantile(values: Float[Tensor, "values"], share: float) -> float:
    """By sorting: torch's own quantile refuses more than 16 million values."""
    return float(values.kthvalue(max(1, round(share * len(values)))).values)


class _Counts:
    """Counts of each code, for each range of codes allowed at some position."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.codes = vocabulary.codes or 0
        low, high = vocabulary.bounds()
        self.bits = float((high - low).double().log2().sum())
        ranges, self.range_of_token = torch.unique(torch.stack([low, high], dim=1), dim=0, return_inverse=True)
        self.counts = torch.zeros(len(ranges), self.codes, dtype=torch.int64)

    def add(self, tokens: Int[Tensor, "fields tokens"]) -> None:
        for i, counts in enumerate(self.counts):
            counts += torch.bincount(tokens[:, self.range_of_token == i].flatten(), minlength=self.codes)

    @property
    def usage(self) -> float:
        return float((self.counts.sum(0) > 0).double().mean())

    @property
    def perplexity(self) -> float:
        """From the entropies of the ranges, weighted by their numbers of tokens."""
        totals = self.counts.sum(1, keepdim=True)
        entropies = torch.special.entr(self.counts / totals).sum(1)
        return float((entropies * totals[:, 0] / totals.sum()).sum().exp())
