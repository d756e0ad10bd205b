"""Model cards: the README.md by which the Hugging Face Hub shows what a folder holds."""

import json
from collections.abc import Mapping
from typing import Any

PICTURE = "samples.png"
SCORES = {"mmd": "MMD", "cov": "COV", "1_nna": "1-NNA"}
ROUND_TRIP = {"iou_before": "IoU of the fields", "iou_after": "IoU after the round trip", "bits_per_field": "bits"}

Rows = list[tuple[str, str, float, str]]
"""Metrics: key, name, value, and what is said of the value beside it."""


def run_card(
    config: Mapping[str, Any],
    model: Mapping[str, Any],
    parameters: int,
    *,
    name: str,
    address: str | None = None,
    license: str | None = None,
    scores: Mapping[str, Any] | None = None,
) -> str:
    """The card of a run, beside which lies a file `samples.png`.

    Args:
        config: of the run.
        model: what `SequenceModel.describe` gives.
        name: title, and what the examples call it.
        address: by which the examples load it; None = a repository of this name on the Hub.
        scores: of `nfgen evaluate`, if there are any.
    """
    vocabulary, what = model["vocabulary"], "images" if config.get("dims") == 2 else "3-D shapes"
    tags = ["nfgen", "neural-fields", "implicit-neural-representation", model["model"]]
    rows = _training_rows(config) + _round_trip_rows(config["report"]) + (_score_rows(scores) if scores else [])
    size = f"{vocabulary['codes']:,} codes" if vocabulary["codes"] else f"{vocabulary['width']} numbers each"
    classes = f", conditioned on {len(vocabulary['classes'])} classes" if vocabulary["classes"] else ""
    facts = {
        "model": f"{model['model']}, {parameters:,} parameters",
        "tokenizer": f"{config['tokenizer']}: {vocabulary['length']} tokens a field, {size}{classes}",
        "trained on": f"{len(config['train_ids'])} fields",
    }
    parts = [
        _head(tags, license, name, rows),
        f"# {name}\n\nGenerates {what} as neural fields: it writes tokens, which decode to the weights of small MLPs. "
        "Made with nfgen.",
        f"![samples]({PICTURE})",
        _table(["", ""], list(facts.items())),
        "## Use",
        f"    pip install 'nfgen[hub]'\n    nfgen generate hf://OWNER/{name} -n 16 -o out"
        if address is None
        else f"    nfgen generate {address} -n 16 -o out",
        f'```python\nimport nfgen\n\nrun = nfgen.Run.from_pretrained("{address or f"OWNER/{name}"}")\n'
        'nfgen.generate(run, "out", n=16)\n```',
        "## Metrics",
        _table(["metric", "value", ""], [(label, f"{value:.4g}", note) for _, label, value, note in rows]),
        _protocol(scores) if scores else "",
        *_settings({"train": config["train"], "model": model["settings"], "tokens": config["tokens"]}),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tokenizer_card(
    name: str,
    tokenizer: str,
    settings: Mapping[str, Any],
    spec: Mapping[str, Any],
    *,
    address: str | None = None,
    license: str | None = None,
    about: str = "",
) -> str:
    """The card of a tokenizer alone.

    Args:
        address: by which the example loads it; None = a repository of this name on the Hub.
        about: Markdown on what it learned from and how good it is.
    """
    parts = [
        _head(["nfgen", "neural-fields", "tokenizer"], license, name, []),
        f"# {name}\n\nA fitted `{tokenizer}` tokenizer of nfgen: weights of neural fields to tokens and back.",
        f'```python\nimport nfgen\n\ntokenizer = nfgen.load_tokenizer("{address or f"OWNER/{name}"}")\n```',
        about,
        *_settings({"settings": settings, "fields": spec}),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _training_rows(config: Mapping[str, Any]) -> Rows:
    result = config["result"]
    rows: Rows = []
    if result["val_loss"] is not None:
        rows.append(("val_loss", "held-out loss", result["val_loss"], f"step {result['best_step']}"))
    if result["bits_per_field"] is not None:
        rows.append(("bits_per_field", "held-out bits a field", result["bits_per_field"], ""))
    return rows


def _round_trip_rows(report: Mapping[str, Any]) -> Rows:
    return [
        (f"{key}_{part}", label, value, "tokenizer, " + {"train": "training", "heldout": "held-out"}[part] + " fields")
        for key, label in ROUND_TRIP.items()
        for part in ("train", "heldout")
        if key in report and (value := report[key].get(part)) is not None
    ]


def _score_rows(scores: Mapping[str, Any]) -> Rows:
    return [
        (key, label, scores[key]["value"], _interval(scores[key])) for key, label in SCORES.items() if scores.get(key)
    ]


def _interval(score: Mapping[str, Any]) -> str:
    """The interval of a score in words; those of a few shapes have none."""
    low, high = score.get("low"), score.get("high")
    return "no interval" if low is None or high is None else f"95 %: {low:.4g} … {high:.4g}"


def _protocol(scores: Mapping[str, Any]) -> str:
    return (
        f"{scores['generated']} samples against {scores['reference']} real shapes that were not trained on, "
        f"protocol {scores['protocol']}, {scores['points']} points a shape."
    )


def _settings(values: dict[str, Any]) -> list[str]:
    return ["## Settings", f"```json\n{json.dumps(values, indent=1)}\n```"]


def _head(tags: list[str], license: str | None, name: str, rows: Rows) -> str:
    head: dict[str, Any] = {"library_name": "nfgen", "tags": tags} | ({"license": license} if license else {})
    if rows:
        metrics = [{"type": key, "name": label, "value": value} for key, label, value, _ in rows]
        task = {"type": "unconditional-generation", "name": "Generation of neural fields"}
        dataset = {"type": "custom", "name": "the shapes that it was trained on"}
        head["model-index"] = [{"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}]
    return front_matter(head)


def front_matter(head: Mapping[str, Any]) -> str:
    """What the Hub reads of a card, in YAML, of which JSON is a part: so values are written as JSON."""
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in head.items()), "---"])


def _table(head: list[str], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
