"""All commands with all kinds of bad input: never "unexpected", never a traceback, but a problem and a remedy."""

import contextlib
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nfgen.cli.main import main
from nfgen.pipeline import doctor

from .walking import ARTIFACTS, WORDS, Places, parameters, refusal, run, valued

LONG = "n" * 300
NOT_UTF8 = "\udcff"  # what Python makes of a byte that is no UTF-8

COMMANDS = list(WORDS)
WORKING = [name for name in COMMANDS if name not in ("app", "demo", "make")]


@pytest.fixture(scope="session")
def stored_places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tmp_path_factory.mktemp("walk"))


@pytest.fixture
def places(stored_places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """Whole artifacts, which no test may change."""
    monkeypatch.chdir(stored_places.folder)
    yield stored_places
    stored_places.clear()


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Artifacts to damage."""
    monkeypatch.chdir(tmp_path)
    return Places(tmp_path)


def test_no_command_is_forgotten() -> None:
    assert set(WORDS) == set(main.commands)


@pytest.mark.parametrize("command", WORKING)
def test_the_words_that_are_made_wrong_are_right(command: str, places: Places) -> None:
    words = places.words(command)
    done = run(words)
    assert done.exit_code == 0, done.output


NUMBERS = ["nan", "inf", "-1", "1e999", "99999999999", str(2**64), "x"]
TEXTS = ["", "x\0y", NOT_UTF8, LONG]


@pytest.mark.parametrize("command", COMMANDS)
def test_values_of_options(command: str, places: Places) -> None:
    words = places.words(command)
    dry = ["--dry-run"] if any("--dry-run" in one.opts for one in parameters(words)) else []
    for option in valued(words):
        # A dry run of `train` takes a while, and what it accepts is like what `fit` and `tokenize` accept.
        numbers = [] if option.name == "out" else NUMBERS[::3] if command == "train" else NUMBERS
        for value in TEXTS + numbers:
            changed = [*words, option.opts[-1], value, *dry]
            if command in ("demo", "make") and option.name == "out" and value not in ("", "x\0y"):
                continue  # a good place: it would begin
            refusal(run(changed), changed, must_refuse=value in ("", "x\0y"))
            places.clear()


def hostile_places(folder: Path) -> list[str]:
    """Paths that hold nothing of use to any command."""
    folder.mkdir()
    (folder / "empty").mkdir()
    (folder / "empty.stl").touch()
    (folder / "no.safetensors").write_bytes(b"\xff" * 64)
    (folder / "damaged").mkdir()
    (folder / "damaged" / "config.json").write_text("[]")
    (folder / f"{NOT_UTF8}.stl").write_bytes(b"solid")
    (folder / f"\x1b[2J{NOT_UTF8}").mkdir()
    names = sorted(entry.name for entry in folder.iterdir())
    return [*(str(folder / name) for name in names), "missing", "/dev/null", "/dev/null/below", LONG, f"{LONG}.stl"]


@pytest.mark.parametrize("command", COMMANDS)
def test_paths_that_hold_nothing(command: str, places: Places, tmp_path: Path) -> None:
    words = places.words(command)
    given = {places.word(word) for word in WORDS[command] if word.isupper() and word not in ("OUT", "TAKEN")}
    for place in hostile_places(tmp_path / "hostile"):
        for i, word in enumerate(words):
            if word in given:
                changed = [*words[:i], place, *words[i + 1 :]]
                refusal(run(changed), changed, must_refuse=command != "check")  # which says so line by line
                places.clear()


def unwritable(folder: Path) -> Iterator[str]:
    """Where nothing can be written, whoever one is."""
    (folder / "file").write_text("mine")
    yield from (str(folder / "file" / "below"), f"{folder}/{LONG}", "/proc/nfgen/it", "/dev/null/it")
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        (folder / "locked").mkdir(mode=0o500)
        yield str(folder / "locked" / "it")


@pytest.mark.skipif(sys.platform == "win32", reason="other names mean such places there")
@pytest.mark.parametrize("command", COMMANDS)
def test_places_that_nothing_can_be_written_to(command: str, places: Places, tmp_path: Path) -> None:
    words = places.words(command)
    if not any(option.name == "out" for option in valued(words)):
        return
    # Those that write a file into a folder may write it there, if they may.
    root = [] if command in ("evaluate", "report", "check") else ["/"]
    for place in (*unwritable(tmp_path), *root):
        changed = [*words, "-o", place]
        refusal(run(changed), changed, must_refuse=True)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_folder_one_is_in_is_not_written_over(command: str, own_places: Places, monkeypatch: object) -> None:
    words = own_places.words(command)
    if not any(option.name == "out" for option in valued(words)):
        return
    changed = [*words, "-o", "."]
    before = sorted(own_places.folder.iterdir())
    done = run(changed)
    refusal(done, changed)
    assert set(before) <= set(own_places.folder.iterdir())


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


@pytest.mark.parametrize("device", ["meta", "cuda:99", "nonsense", "cpu:7"])
def test_devices_that_are_none(device: str, places: Places) -> None:
    for command in WORKING:
        words = places.words(command)
        if any("--device" in option.opts for option in valued(words)):
            changed = [*words, "--device", device]
            refusal(run(changed), changed, must_refuse=device != "cpu:7")
            places.clear()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("command", [*WORKING, "--help"])
def test_an_output_that_is_full(command: str, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--help"] if command == "--help" else places.words(command)
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115
    try:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "stderr", said)
        with pytest.raises(SystemExit) as ended:
            main(words)
        monkeypatch.undo()
    finally:
        with contextlib.suppress(OSError):
            full.close()
    said.seek(0)
    told = said.read()
    assert ended.value.code in (1, 2)
    assert "No space left" in told
    assert "unexpected" not in told


@pytest.mark.parametrize("command", ["check", "fit", "generate", "evaluate", "report"])
def test_no_temporary_folder(command: str, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(places.folder / "missing"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(places.folder / "missing")])
    words = places.words(command)
    refusal(run(words), words)


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(28, "No space left on device"), PermissionError(13, "denied")]
)
def test_what_the_machine_refuses(error: Exception, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(doctor, "examine", refuse)
    refusal(run(["doctor"]), ["doctor"], must_refuse=True)


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="no such signal")
@pytest.mark.parametrize("command", ["fit", "train"])
def test_a_command_started_deaf_to_ctrl_c_stays_so(command: str, places: Places) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = run(places.words(command))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.exit_code == 0, done.output


def test_one_name_that_is_no_utf8_ends_nothing(own_places: Places) -> None:
    with contextlib.suppress(OSError):
        (own_places.folder / "shapes" / "0.stl").rename(own_places.folder / "shapes" / f"{NOT_UTF8}.stl")
    for words in (own_places.words("check"), own_places.words("fit"), [*own_places.words("evaluate")]):
        done = run(words)
        refusal(done, words)
        assert done.exit_code == 0, done.output
