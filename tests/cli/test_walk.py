"""All commands with all kinds of bad input: never "unexpected", never a traceback, but a problem and a remedy."""

import contextlib
import io
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfgen.cli.main import main
from nfgen.pipeline import doctor

from .walking import LONG, WORDS, Places, parameters, refusal, run, valued

NOT_UTF8 = "\udcff"  # what Python makes of a byte that is no UTF-8

COMMANDS = list(WORDS)
WORKING = [name for name in COMMANDS if name not in ("app", "demo", "make")]


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
