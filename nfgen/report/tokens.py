"""Tokens: error of the round trip, use of the codebook, and the first sequences."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from nfgen.io import files
from nfgen.tokens.token_set import KIND, TokenSet
from nfgen.viz.charts import Series, line_chart
from nfgen.viz.html import number, percent

from .artifacts import Found
from .codebook import first_sequence, read_codebook
from .data_uris import code_map_uri, full_colour, heat_map_uri
from .markup import KeyFigure, PixelMap, render

SHOWN = 24  # sequences in the picture of tokens
FIGURES = (
    ("tokens per field", "tokens_per_field", number),
    ("bits per field", "bits_per_field", number),
    ("bits per weight", "bits_per_weight", number),
    ("codebook used", "codebook_usage", percent),
    ("perplexity of a token", "perplexity", number),
    ("IoU before", "iou_before", number),
    ("IoU after", "iou_after", number),
    ("SDF error before", "sdf_l1_before", number),
    ("SDF error after", "sdf_l1_after", number),
    ("eikonal error before", "eikonal_before", number),
    ("eikonal error after", "eikonal_after", number),
    ("cosine of normals with the fits'", "normal_cosine", number),
    ("degrees from the fits' normals, median", "normal_angle_median", number),
    ("degrees from the fits' normals, 95 %", "normal_angle_95", number),
    ("squared error of weights", "weight_mse", number),
)


def round_trip_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Name and figures (training, held out) of a tokenizer's round trip; empty if there are none."""
    return [
        [name, wording(report[key].get("train")), wording(report[key].get("heldout"))]
        for name, key, wording in FIGURES
        if isinstance(report.get(key), dict)
    ]


def tokens_section(found: Found) -> Markup:
    """Round trip, use of the codebook, and the first sequences."""
    tokens = TokenSet.load(found.path)
    vocabulary = tokens.vocabulary
    shape = (
        f"{vocabulary.length} vectors of {vocabulary.width}"
        if vocabulary.continuous
        else f"{vocabulary.length} tokens of {vocabulary.codes:,} codes"
    )
    discrete = not vocabulary.continuous and len(tokens) > 0
    return render(
        "tokens",
        title=found.title("Tokens"),
        figures=[
            ("tokenizer", str(tokens.settings.get("tokenizer", "–"))),
            ("a field is", shape),
            ("fields", f"{len(tokens):,}, {int(tokens.heldout.sum()):,} held out"),
            ("classes", ", ".join(vocabulary.classes) or None),
        ],
        rows=round_trip_rows(tokens.report),
        usage=None if vocabulary.continuous else _usage(tokens),
        sequences=_sequences(tokens),
        sequence=first_sequence(tokens) if discrete else None,
        codebook=read_codebook(found, tokens) if discrete else None,
    )


def _usage(tokens: TokenSet) -> Markup:
    counts = np.bincount(tokens.tokens.numpy().reshape(-1), minlength=tokens.vocabulary.codes or 0)
    shares = np.sort(counts)[::-1] / counts.sum()
    used = int((counts > 0).sum())
    # Unused codes cannot be shown on a logarithmic axis.
    shown = Series("codes", [float(i) for i in range(1, used + 1)], shares[:used].tolist())
    even = Series("if all were used equally often", [1.0, float(len(counts))], [1 / len(counts)] * 2)
    title = f"Use of the codebook: {used:,} of {len(counts):,} codes occur"
    return line_chart([shown, even], title, "codes, most used first", "share of all tokens")


def _sequences(tokens: TokenSet) -> PixelMap:
    shown = min(SHOWN, len(tokens))
    if tokens.vocabulary.continuous:
        values = tokens.tokens[:shown].reshape(shown, -1).numpy()
        limit = full_colour(values)
        uri, meaning = heat_map_uri(values, limit), f"warm is positive, cool negative, full colour at {limit:.3g}"
    else:
        uri = code_map_uri(tokens.tokens[:shown].numpy(), tokens.vocabulary.codes or 1)
        meaning = "each code has its hue"
    label = f"Tokens of the first {shown} fields, one per row, the first token on the left; {meaning}."
    return PixelMap(uri, label, 12 * shown)


def read_round_trip(found: Found) -> dict[str, Any]:
    """The round-trip figures stored with tokens or a run; empty if there are none."""
    kept = files.read_json(found.path / "report.json") if found.kind == KIND else found.config.get("report")
    return kept if isinstance(kept, dict) else {}


def round_trip_figures(found: Found) -> Iterator[KeyFigure]:
    """IoU of held-out fields after the round trip, for the head of the page."""
    before, after = (read_round_trip(found).get(key) for key in ("iou_before", "iou_after"))
    if isinstance(after, dict) and after.get("heldout") is not None:
        was = before.get("heldout") if isinstance(before, dict) else None
        yield KeyFigure("IoU after tokens, held out", f"{after['heldout']:.3f}", f"{number(was)} before")
