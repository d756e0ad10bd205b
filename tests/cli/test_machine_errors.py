"""What the machine refuses is a line of problem and a line of remedy; only mistakes of ours are unexpected."""

import errno
import signal

import pytest
import torch
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.pipeline import doctor
from nfgen.runtime.signals import uninterrupted


def too_large() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)


def overflowing() -> None:
    torch.empty(1 << 62, 1 << 62)


def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("work", "code", "words"),
    [
        (too_large, 2, "not enough memory"),
        (overflowing, 2, "not enough memory"),
        (lambda: raising(MemoryError()), 2, "not enough memory"),
        (lambda: raising(RuntimeError("can't start new thread")), 2, "no more threads"),
        (lambda: raising(RuntimeError("Resource temporarily unavailable")), 2, "no more threads"),
        (lambda: raising(OSError(errno.ENOSPC, "No space left on device", "/tmp/x")), 2, "/tmp/x: No space left"),
        (lambda: raising(PermissionError(errno.EACCES, "Permission denied", "/root/x")), 2, "/root/x: Permission"),
        (lambda: raising(FileNotFoundError(errno.ENOENT, "No usable temporary directory")), 2, "No usable temporary"),
        (lambda: raising(RuntimeError("shapes do not match")), 1, "unexpected RuntimeError"),
        (lambda: raising(KeyError("x")), 1, "unexpected KeyError"),
    ],
)
def test_what_the_machine_refuses_has_words(
    work: object, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", work)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == code
    problem, remedy = done.stderr.splitlines()
    assert words in problem
    assert remedy.strip()


@pytest.mark.parametrize("seed", [str(2**64), str(2**32), "-1"])
def test_seeds_that_no_generator_takes_are_refused(seed: str) -> None:
    done = CliRunner().invoke(main, ["shapes", "chair", "-n", "1", "-o", "never", "--seed", seed])
    assert done.exit_code == 2
    assert "seed must be" in done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="no such signal")
def test_a_process_started_deaf_to_ctrl_c_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="no such signal")
def test_ctrl_c_is_no_error_where_a_library_makes_one_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def imported() -> None:  # as extension modules do that catch what is raised while they are imported
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("std::bad_cast") from None

    monkeypatch.setattr(doctor, "examine", imported)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 130
    assert done.stderr == "nfgen: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "as before"
