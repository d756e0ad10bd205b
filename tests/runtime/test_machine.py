"""What is asked of the machine: whether several threads would wait for other programs."""

import psutil
import pytest
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.runtime import machine


@pytest.fixture
def two_processors(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(machine, "processors", lambda: 2)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    return monkeypatch


@pytest.mark.parametrize(("percent", "free"), [(0, None), (20, None), (50, 1), (100, 1)])
def test_a_busy_machine_is_better_served_by_fewer_threads(
    percent: float, free: int | None, two_processors: pytest.MonkeyPatch
) -> None:
    two_processors.setattr(psutil, "cpu_percent", lambda seconds: percent)
    said = machine.slowed_threads()
    assert said is None if free is None else said is not None and said.endswith(f"OMP_NUM_THREADS={free}")
    two_processors.setenv("OMP_NUM_THREADS", "2")
    assert machine.slowed_threads() is None, "who says it himself is not told"


def test_commands_that_compute_for_long_warn_of_it(two_processors: pytest.MonkeyPatch) -> None:
    two_processors.setattr(psutil, "cpu_percent", lambda seconds: 50)
    words = "warning: other programs keep 1.0 of 2 processors busy: set OMP_NUM_THREADS=1"
    assert words in CliRunner().invoke(main, ["fit", "nowhere", "-o", "never"]).stderr
    assert words not in CliRunner().invoke(main, ["info", "nowhere"]).stderr


@pytest.mark.parametrize("command", ["make", "demo"])
def test_an_interrupted_make_says_that_the_same_command_goes_on(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.commands[command], "callback", interrupted)
    words = [command, *(["shapes"] if command == "make" else []), "-o", "made"]
    done = CliRunner().invoke(main, [*words, "--overwrite"])
    assert done.exit_code == 130
    assert f"go on with: nfgen {' '.join(words)}" in done.stderr
