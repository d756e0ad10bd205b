"""Every experiment runs from end to end, in a form in which nothing is learned, and again from what it kept."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("matplotlib", reason="experiments draw with matplotlib: pip install 'nfgen[experiments]'")

EXPERIMENTS = Path(__file__).parent.parent.parent / "benchmarks" / "experiments"

Run = Callable[[str], tuple[dict[str, Any], str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs an experiment; gives its figures and what it printed. All share one folder of work."""
    out = tmp_path_factory.mktemp("experiments")

    def run_one(name: str) -> tuple[dict[str, Any], str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(EXPERIMENTS)
            command = importlib.import_module(name).main
        done = CliRunner().invoke(command, ["--tiny", "-o", str(out)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads((out / f"{name}.json").read_text()), done.stdout

    return run_one


# One test: on several workers each part would make the shapes and fields again.
def test_the_experiments_run_and_measure(run: Run) -> None:
    figures, printed = {}, {}
    for name in ("initialisation", "regression", "permutation", "tokenization", "systems"):
        figures[name], printed[name] = run(name)
        written = [
            Path(line.removeprefix("wrote ")) for line in printed[name].splitlines() if line.startswith("wrote ")
        ]
        assert {path.suffix for path in written} >= {".json", ".png"}
        assert all(path.stat().st_size > 0 for path in written)

    arms = figures["initialisation"]["3-D"]["arms"]
    assert arms["first"]["cosine_weights"] > arms["random"]["cosine_weights"] + 0.2
    for arm in arms.values():
        assert arm["line_same_shape"][0] == arm["line_same_shape"][-1] == 0
        assert arm["barrier_same_shape"] == pytest.approx(max(arm["line_same_shape"]), rel=0.5)

    asked = figures["regression"]["asked"]
    assert asked["regression"]["different"] == 1
    assert asked["regression"]["largest_difference_of_a_weight"] == 0
    assert asked["gpt"]["different"] > 1

    permutation = figures["permutation"]
    assert permutation["law"]["float64"] < 1e-13
    assert permutation["vq"]["equal_tokens"] > 0.9
    systems = permutation["systems"]
    cosine = {name: one["cosine"] for name, one in systems.items()}
    assert cosine["rows, aligned (one shared init)"] > cosine["rows, random inits, matched"]

    trips = {name: one["round_trip"] for name, one in figures["tokenization"]["systems"].items()}
    assert trips["identity"]["iou_after"] == trips["identity"]["iou_before"]
    assert trips["histogram 16"]["bits_per_weight"]["train"] == 4
    assert trips["vq"]["bits_per_field"]["train"] < trips["histogram 16"]["bits_per_field"]["train"]

    for one in figures["systems"]["systems"].values():
        assert one["parameters"] > 0
        assert one["seconds_a_sample"] > 0
    assert figures["systems"]["systems"]["identity + regression"]["distinct"] == 1

    # What is kept is not made again.
    assert run("systems")[1] == printed["systems"]
