"""What the speed benchmarks share: measuring in turns, and a line of results."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def in_turns(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each piece of work in each round.

    All pieces of a round stand side by side, so that a busy machine is as busy for each; processor time of all threads
    does not count the waiting for others.
    """
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = time.process_time()
            work()
            spent[name].append(time.process_time() - started)
    return spent


def ratio(peer: list[float], ours: list[float]) -> dict[str, float]:
    """How many times faster ours is: best against best, and the spread over rounds."""
    each = [a / b for a, b in zip(peer, ours, strict=True)]
    return {
        "best": round(min(peer) / min(ours), 2),
        "median": round(statistics.median(each), 2),
        "low": round(min(each), 2),
        "high": round(max(each), 2),
    }


def report(name: str, figures: dict[str, Any]) -> None:
    """Print figures and append them to results/NAME.jsonl."""
    figures = {
        **figures,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    for key, value in figures.items():
        print(f"{key:32} {value}")
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(figures) + "\n")
