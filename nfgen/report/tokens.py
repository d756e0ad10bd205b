"""Tokens: what the round trip through them costs, how the codebook is used, and what sequences look like."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nfgen.io import files
from nfgen.tokens.token_set import KIND, TokenSet
from nfgen.viz.charts import Series, line_chart
from nfgen.viz.html import Child, Html, facts, figure, number, percent, table, tag

from .artifacts import Found
from .codebook import sequence_and_codebook
from .data_uris import code_map_uri, heat_map_uri

SHOWN = 24  # sequences in the picture of tokens
FIGURES = (
    ("tokens a field", "tokens_per_field", number),
    ("bits a field", "bits_per_field", number),
    ("bits a weight", "bits_per_weight", number),
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


def round_trip_table(report: Mapping[str, Any]) -> Html | None:
    """The figures of a tokenizer's round trip; None if there are none."""
    rows = [
        [name, wording(report[key].get("train")), wording(report[key].get("heldout"))]
        for name, key, wording in FIGURES
        if isinstance(report.get(key), dict)
    ]
    if not rows:
        return None
    return table(["", "learned from", "held out"], rows, "Fields before and after the round trip through tokens")


def tokens_section(found: Found) -> Html:
    """Round trip, use of the codebook, and the first sequences."""
    tokens = TokenSet.load(found.path)
    vocabulary = tokens.vocabulary
    shape = (
        f"{vocabulary.length} vectors of {vocabulary.width}"
        if vocabulary.continuous
        else f"{vocabulary.length} tokens of {vocabulary.codes:,} codes"
    )
    return tag(
        "section",
        tag("h2", found.title("Tokens")),
        facts(
            [
                ("tokenizer", str(tokens.settings.get("tokenizer", "–"))),
                ("a field is", shape),
                ("fields", f"{len(tokens):,}, {int(tokens.heldout.sum()):,} held out"),
                ("classes", ", ".join(vocabulary.classes) or None),
            ]
        ),
        tag("div", round_trip_table(tokens.report), None if vocabulary.continuous else _usage(tokens), class_="beside"),
        _sequences(tokens),
        sequence_and_codebook(found, tokens),
        class_="tokens",
    )


def _usage(tokens: TokenSet) -> Html:
    counts = np.bincount(tokens.tokens.numpy().reshape(-1), minlength=tokens.vocabulary.codes or 0)
    shares = np.sort(counts)[::-1] / counts.sum()
    used = int((counts > 0).sum())
    # Unused codes have no place on a logarithmic axis.
    shown = Series("codes", [float(i) for i in range(1, used + 1)], shares[:used].tolist())
    even = Series("if all were used alike", [1.0, float(len(counts))], [1 / len(counts)] * 2)
    title = f"Use of the codebook: {used:,} of {len(counts):,} codes occur"
    return line_chart([shown, even], title, "codes, the most used first", "share of all tokens")


def _sequences(tokens: TokenSet) -> Html:
    shown = min(SHOWN, len(tokens))
    if tokens.vocabulary.continuous:
        values = tokens.tokens[:shown].reshape(shown, -1).numpy()
        limit = float(np.quantile(np.abs(values), 0.99))
        uri, meaning = heat_map_uri(values, limit), f"warm is positive, cool negative, full colour at {limit:.3g}"
    else:
        uri = code_map_uri(tokens.tokens[:shown].numpy(), tokens.vocabulary.codes or 1)
        meaning = "each code has its hue"
    label = f"Tokens of the first {shown} fields, one a row, the first token on the left; {meaning}."
    return figure(tag("img", src=uri, alt=label, class_="pixels wide", style=f"height:{12 * shown}px"), label)


def read_round_trip(found: Found) -> dict[str, Any]:
    """The figures of the round trip that tokens, or a run, keep; empty if there are none."""
    kept = files.read_json(found.path / "report.json") if found.kind == KIND else found.config.get("report")
    return kept if isinstance(kept, dict) else {}


def round_trip_figures(found: Found) -> Iterator[tuple[str, Child]]:
    """What is left of the quality of unseen fields, for the head of the page."""
    before, after = (read_round_trip(found).get(key) for key in ("iou_before", "iou_after"))
    if isinstance(after, dict) and after.get("heldout") is not None:
        was = before.get("heldout") if isinstance(before, dict) else None
        yield "IoU after tokens, held out", [f"{after['heldout']:.3f}", tag("small", f"{number(was)} before")]
