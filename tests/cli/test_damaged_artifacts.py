"""All commands with damaged artifacts of each kind: never a traceback, but a problem and a remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .walking import ARTIFACTS, LONG, Places, refusal, run


def in_json(file: str, change: Callable[[object], object]) -> Callable[[Path], None]:
    """A file of JSON with something else in it."""

    def damage(folder: Path) -> None:
        value = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(change(value)))

    return damage


def in_first(key: str, value: object) -> Callable[[Path], None]:
    """The first entry of `samples.json` with something else in it."""
    return in_json("samples.json", lambda entries: [entries[0] | {key: value}, *entries[1:]])


def writing(file: str, content: str | bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


PLY_OF_BILLIONS = (
    "ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    f"element face {2**31}\nproperty list uchar int vertex_indices\nend_header\n" + "\0" * 36
)
SCORES = {"mmd": {"value": 1.0}, "cov": {"value": 0.5}, "1_nna": {"value": 0.5}, "novelty": None}
NESTED = "[" * 100_000
DAMAGE: dict[str, dict[str, Callable[[Path], None]]] = {
    "samples": {
        "field: null": in_first("field", None),
        "field of 300 letters": in_first("field", LONG),
        "field with NUL": in_first("field", "a\0b"),
        "field of half a letter": in_first("field", "\ud800"),
        "file with NUL": in_first("file", "a\0b.glb"),
        "file of 300 letters": in_first("file", f"{LONG}.glb"),
        "picture of 300 letters": in_first("picture", f"{LONG}.png"),
        "empty: x": in_first("empty", "x"),
        "class: a list": in_first("class", [1]),
        "nearest: x": in_first("nearest", "x"),
        "nearest without figures": in_first("nearest", {"id": 3}),
        "nearest: infinity": in_first("nearest", {"id": "a", "distance": "x"}),
        "no list": writing("samples.json", "{}"),
        "a list of numbers": writing("samples.json", "[1, 2]"),
        "no samples": writing("samples.json", "[]"),
        "no JSON": writing("samples.json", b"\xff"),
        "nested list": writing("samples.json", NESTED),
        "a key less": in_json("samples.json", lambda entries: [{"field": "sample-0000.safetensors"}]),
        "a frame of words": in_json("config.json", lambda config: config | {"frame": "x"}),
        "no frame": in_json("config.json", lambda config: {k: v for k, v in config.items() if k != "frame"}),
        "no settings": in_json("config.json", lambda config: {k: config[k] for k in ("format", "type", "nfgen")}),
        "config of a number": writing("config.json", "3"),
        "no field": writing("sample-0000.safetensors", b"\0" * 100),
        "no mesh": writing("sample-0000.glb", b"glTF"),
        "PLY of billions": lambda folder: (
            in_first("file", "it.ply")(folder),
            writing("it.ply", PLY_OF_BILLIONS)(folder),
        )[0],
        "no picture": writing("sample-0000.png", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
        "no contact sheet": lambda folder: (folder / "contact_sheet.png").unlink(),
        "a contact sheet that is none": writing("contact_sheet.png", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
        "scores without intervals": writing("evaluation.json", json.dumps(SCORES)),
        "scores of words": writing("evaluation.json", json.dumps(dict.fromkeys(SCORES, "x"))),
        "scores of lists": writing("evaluation.json", json.dumps({"mmd": {"value": []}, "generated": "x"})),
        "scores of a number": writing("evaluation.json", "7"),
    },
    "run": {
        "log with Infinity": writing("log.jsonl", '{"step": 1, "loss": Infinity}\n'),
        "log with huge steps": writing("log.jsonl", f'{{"step": {10**400}, "loss": 1.0}}\n'),
        "log with huge losses": writing(
            "log.jsonl", f'{{"step": 1, "loss": {10**400}}}\n{{"step": 1e308, "loss": -1e308}}\n'
        ),
        "log of words": writing("log.jsonl", '{"step": "x", "loss": "y"}\n'),
        "log that is none": writing("log.jsonl", b"\xff\n"),
        "result of words": in_json("config.json", lambda config: config | {"result": "x"}),
        "results of lists": in_json("config.json", lambda c: c | {"result": {key: [] for key in c["result"]}}),
        "results that are huge": in_json("config.json", lambda c: c | {"result": dict.fromkeys(c["result"], 10**400)}),
        "ids of numbers": in_json("config.json", lambda config: config | {"train_ids": [3]}),
        "ids: null": in_json("config.json", lambda config: config | {"train_ids": None}),
        "report of words": in_json("config.json", lambda config: config | {"report": "x"}),
        "no settings": in_json("config.json", lambda config: {k: config[k] for k in ("format", "type", "nfgen")}),
        "model of words": writing("model.json", '"x"'),
        "model of lists": in_json("model.json", lambda model: {key: [] for key in model}),
        "vocabulary: null": in_json("model.json", lambda model: model | {"vocabulary": None}),
        "no weights": writing("best.safetensors", b""),
        "no tokenizer": writing("tokenizer/config.json", "{}"),
        "tokenizer's spec of words": in_json("tokenizer/config.json", lambda config: config | {"spec": "x"}),
    },
    "tokens": {
        "no settings": in_json("config.json", lambda config: {k: config[k] for k in ("format", "type", "nfgen")}),
        "vocabulary: null": in_json("config.json", lambda config: config | {"vocabulary": None}),
        "ids of numbers": in_json("config.json", lambda config: config | {"ids": [3]}),
        "no tokens": writing("tokens.safetensors", b"{}"),
        "report of words": writing("report.json", '"x"'),
        "reports of lists": in_json("report.json", lambda report: {key: [] for key in report}),
    },
    "fields": {
        "no settings": in_json("config.json", lambda config: {k: config[k] for k in ("format", "type", "nfgen")}),
        "spec of words": in_json("config.json", lambda config: config | {"spec": "x"}),
        "report of words": writing("fit_report.json", '"x"'),
        "reports of words": writing("fit_report.json", '{"fields": ["x"], "skipped": ["y"]}'),
        "reports without figures": writing("fit_report.json", '{"fields": [{}, {}, {}, {}], "skipped": [{}]}'),
        "no weights": writing("shard-00000.safetensors", b""),
        "shard of words": writing("shard-00000.json", '"x"'),
        "settings of words": in_json("config.json", lambda config: config | {"settings": "x"}),
    },
}
READERS: dict[str, list[list[str]]] = {
    "samples": [
        ["info", "SAMPLES"], ["info", "SAMPLES", "--json"], ["report", "SAMPLES", "-o", "OUT"],
        ["export", "SAMPLES", "--resolution", "8", "-o", "OUT"],
        ["evaluate", "SAMPLES", "--reference", "SHAPES", "--points", "16", "--no-pictures"],
        ["push", "RUN", "--samples", "SAMPLES", "-o", "OUT"],
    ],
    "run": [
        ["info", "RUN"], ["info", "RUN", "--json"], ["report", "RUN", "-o", "OUT"],
        ["generate", "RUN", "-n", "1", "--resolution", "8", "-o", "OUT"],
        ["push", "RUN", "--samples", "SAMPLES", "-o", "OUT"],
    ],
    "tokens": [
        ["info", "TOKENS"], ["report", "TOKENS", "-o", "OUT"], ["train", "TOKENS", "--dry-run", "-o", "OUT"],
        ["evaluate", "TOKENS", "--reference", "SHAPES", "--pairs"],
    ],
    "fields": [
        ["info", "FIELDS"], ["report", "FIELDS", "-o", "OUT"], ["export", "FIELDS", "--resolution", "8", "-o", "OUT"],
        ["tokenize", "FIELDS", "--tokenizer", "identity", "--dry-run", "-o", "OUT"],
        ["evaluate", "FIELDS", "--reference", "SHAPES", "--pairs"],
    ],
}  # fmt: skip
"""The commands that read an artifact of a kind."""


@pytest.mark.parametrize(("kind", "damage"), [(kind, name) for kind, all in DAMAGE.items() for name in all])
def test_damaged_artifacts(kind: str, damage: str, own_places: Places) -> None:
    DAMAGE[kind][damage](own_places.folder / kind)
    for words in READERS[kind]:
        changed = [own_places.word(word) for word in words]
        refusal(run(changed), changed)
        own_places.clear()


def test_every_kind_is_damaged() -> None:
    assert set(DAMAGE) == set(READERS) == set(ARTIFACTS)
