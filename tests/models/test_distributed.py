"""Several processes train as one does: real ones, started by torchrun, that talk over the loopback."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.io import files
from nfgen.models.training.data import passes
from nfgen.models.training.distributed import find_worker
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.run import Run
from nfgen.pipeline.tokenize import tokenize
from nfgen.runtime import launcher
from nfgen.runtime.device import CPU, find_device, why
from nfgen.runtime.signals import uninterrupted

from .together import learn

pytest.importorskip("accelerate", reason="the extra accelerate is not installed")

TOGETHER = Path(__file__).parent / "together.py"
LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TINY = ["--layers", "1", "--width", "16", "--heads", "1", "--batch-size", "4", "--sample-every", "0"]
TOLERANCE = 1e-5
"""Of losses: two processes add the same float32 gradients in another order."""


def environment() -> dict[str, str]:
    launched = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    kept = {key: value for key, value in os.environ.items() if key not in launched}
    return {**kept, "OMP_NUM_THREADS": "1"}


def curve(run: Path) -> list[tuple[float, ...]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["val_loss"] or 0.0, line["lr"]) for line in lines]


def assert_same_curve(a: Path, b: Path, tolerance: float = TOLERANCE) -> None:
    first, second = torch.tensor(curve(a)).double(), torch.tensor(curve(b)).double()
    assert len(first) == 12
    torch.testing.assert_close(first, second, rtol=0, atol=tolerance)
    for name in ("best", "last"):
        one, other = (files.read_tensors(run / f"{name}.safetensors") for run in (a, b))
        assert {k: v.shape for k, v in one.items()} == {k: v.shape for k, v in other.items()}
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], rtol=0, atol=max(1e-4, 10 * tolerance))


ALONE = {
    "gpt": {},
    "regression": {"name": "regression"},
    # What is random in a pass is as in a pass of the same rows anywhere: two passes here, one in each process there.
    "diffusion": {"name": "diffusion", "accumulate": 2},
    "dropout": {"accumulate": 2, "model": {"dropout": 0.2, "class_dropout": 0.5, "head": "digits"}},
    "single": {"batch_size": 1},
}
"""What one process does, and two after it."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trainings by one process in `1`, by two in `2`; and one that went from one process to two and back."""
    folder = tmp_path_factory.mktemp("trained")
    for run, settings in ALONE.items():
        learn(folder / "1" / run, **settings)
    for run in ("gpt", "diffusion"):
        with pytest.raises(KeyboardInterrupt):
            learn(folder / "back" / run, **ALONE[run], interrupted_at=2)
    shutil.copytree(folder / "back" / "gpt", folder / "back" / "shard")
    together = [{"run": f"2/{run}", **settings, "accumulate": 1} for run, settings in ALONE.items()]
    together += [
        {"run": "2/accumulate", "accumulate": 2},
        {"run": "2/shard", "shard": True, "accumulate": 2},
        {"run": "2/minutes", "steps": None, "minutes": 0.01, "patience": 0},
        {"run": "back/gpt", "resume": True, "interrupted_at": 4},
        {"run": "back/diffusion", "name": "diffusion", "resume": True, "interrupted_at": 4},
        {"run": "back/shard", "shard": True, "resume": True, "interrupted_at": 4},
    ]
    done = subprocess.run(
        [*LAUNCH, str(TOGETHER), str(folder), json.dumps(together)], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for run in ("gpt", "diffusion", "shard"):
        assert files.read_json(folder / "back" / run / "training" / "state.json")["state"]["step"] == 8
        learn(folder / "back" / run, resume=True, **ALONE.get(run, {}))
    return folder


@pytest.mark.parametrize("run", ALONE)
def test_two_processes_have_the_curve_of_one(trained: Path, run: str) -> None:
    assert_same_curve(trained / "1" / run, trained / "2" / run)


@pytest.mark.gpu
def test_two_accelerators_have_the_curve_of_a_processor(tmp_path: Path) -> None:
    count = 0 if find_device() == CPU else torch.accelerator.device_count()
    if count < 2:
        pytest.skip(f"{count} accelerators, two are needed: {why()}")
    learn(tmp_path / "1" / "gpt")
    there: dict[str, object] = {"device": find_device().type}
    together = [{"run": "2/gpt", **there}, {"run": "2/shard", "shard": True, "accumulate": 2, **there}]
    command = [*LAUNCH, str(TOGETHER), str(tmp_path), json.dumps(together)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for one in together:
        assert_same_curve(tmp_path / "1" / "gpt", tmp_path / str(one["run"]), 1e-3)


@pytest.mark.parametrize("run", ["accumulate", "shard"])
def test_accumulated_gradients_and_spread_weights_change_nothing(trained: Path, run: str) -> None:
    assert_same_curve(trained / "1" / "gpt", trained / "2" / run)


@pytest.mark.parametrize(("run", "whole"), [("gpt", "gpt"), ("diffusion", "diffusion"), ("shard", "gpt")])
def test_a_checkpoint_goes_from_one_process_to_two_and_back(trained: Path, run: str, whole: str) -> None:
    assert_same_curve(trained / "back" / run, trained / "1" / whole)


@pytest.mark.parametrize("run", ["2/gpt", "2/shard"])
def test_samples_on_the_way_are_of_the_whole_model(trained: Path, run: str) -> None:
    one, other = (files.read_json(trained / name / "samples-9.json") for name in ("1/gpt", run))
    assert one == other


def test_two_processes_end_by_the_same_clock(trained: Path) -> None:
    state = files.read_json(trained / "2" / "minutes" / "training" / "state.json")["state"]
    assert state["seconds"] > 0.6
    assert curve(trained / "2" / "minutes")[-1][0] == state["step"]


def test_one_process_may_accumulate(trained: Path, tmp_path: Path) -> None:
    learn(tmp_path / "run", accumulate=4)
    assert_same_curve(tmp_path / "run", trained / "1" / "gpt")


@pytest.fixture(scope="module")
def tokens(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    tokenize(tiny_fields, folder, "codebook", codes=64, steps=5, heldout=0.25)
    return folder


def lines_of(text: str) -> list[str]:
    """What nfgen says; torchrun has its own lines."""
    return [line for line in text.splitlines() if line.startswith("nfgen: ")]


def test_ctrl_c_ends_both_with_one_line_and_one_process_goes_on(tokens: Path, tmp_path: Path) -> None:
    out, words = tmp_path / "run", [*TINY, "--patience", "0", "--evaluate-every", "5", "--quiet"]
    command = [*LAUNCH, "-m", "nfgen", "train", str(tokens), "--steps", "1000000", *words, "-o", str(out)]
    work = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    state = tmp_path / ".run.nfgen-partial" / "training" / "state.json"
    while not state.exists() and work.poll() is None:
        time.sleep(0.05)
    work.send_signal(signal.SIGINT)
    said, told = work.communicate()
    assert work.returncode != 0
    assert lines_of(told) == ["nfgen: interrupted"], told
    assert "go on with, by as many processes as you like: nfgen train" in told
    assert said == ""
    step = files.read_json(state)["state"]["step"]
    arguments = ["train", str(tokens), "--steps", str(step + 2), *words, "-o", str(out), "--resume"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert Run.load(out).result["steps"] == step + 2


def test_an_error_in_one_process_is_told_once_and_ends_both(tokens: Path, tmp_path: Path) -> None:
    command = [*LAUNCH, str(TOGETHER), "fail", "train", str(tokens), "--steps", "9", *TINY, "--quiet", "-o"]
    done = subprocess.run([*command, str(tmp_path / "run")], env=environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert lines_of(done.stderr) == ["nfgen: unexpected RuntimeError: the second one broke"], done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("rows", "size", "at_least", "count"), [(8, 8, 1, 2), (7, 8, 1, 2), (9, 2, 1, 4), (1, 5, 3, 2)]
)
def test_passes_of_all_processes_are_the_batch(rows: int, size: int, at_least: int, count: int) -> None:
    tokens = torch.arange(rows)[:, None]
    shared = [passes(tokens, tokens[:, 0], size, at_least, rank, count) for rank in range(count)]
    assert len({len(of_one) for of_one in shared}) == 1
    assert [[one.last for one in of_one] for of_one in shared] == [[False] * (len(shared[0]) - 1) + [True]] * count
    real = [one for of_one in shared for one in of_one if one.share]
    assert torch.cat([one.tokens for one in real]).flatten().tolist() == list(range(rows))
    assert sum(one.share for one in real) == pytest.approx(1)
    assert [one.first for one in real] == [int(one.tokens[0, 0]) for one in real]
    assert all(len(one.tokens) <= size for one in real)
    alone = passes(tokens, tokens[:, 0], size, at_least * count)
    assert [one.tokens.tolist() for one in alone] == [one.tokens.tolist() for one in real]


def test_ctrl_c_in_a_step_comes_to_who_listens() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert heard == []
        assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("rank", [0, 1])
def test_without_a_meeting_point_the_main_process_speaks(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    assert (launcher.count(), launcher.rank(), launcher.is_first_to_end()) == (1, 0, True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert launcher.count() == 1  # of some other program: a launcher says the rank, too
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert (launcher.count(), launcher.rank()) == (2, rank)
    assert launcher.is_first_to_end() == launcher.is_main() == (rank == 0)


@pytest.mark.parametrize(
    ("name", "said"), [("ACCELERATE_USE_FSDP", "--shard"), ("ACCELERATE_USE_DEEPSPEED", "DeepSpeed")]
)
def test_other_ways_of_accelerate_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(name, "true")
    with pytest.raises(ConfigError, match=name) as caught:
        find_worker(TrainConfig())
    assert said in caught.value.remedy


def test_a_missing_accelerate_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ConfigError, match="needs the package accelerate") as caught:
        find_worker(TrainConfig())
    assert "nfgen[accelerate]" in caught.value.remedy


def test_accumulation_is_counted_from_one() -> None:
    with pytest.raises(ConfigError, match="accumulate"):
        TrainConfig(accumulate=0)
