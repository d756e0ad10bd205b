"""Nothing is lost: killed, interrupted, out of disk or diverged, work goes on from where it was, to the same bits."""

import json
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.errors import ArtifactError, NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact, files
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.generate import generate
from nfgen.pipeline.sample_journal import JOURNAL, Journal
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.runtime.determinism import make_deterministic
from nfgen.runtime.worker_pool import worker_pool
from nfgen.tokenizers.vq import training
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokens.token_set import TokenSet
from nfgen.viz.contact_sheet import save_png

# A dozen steps teach no codebook; what counts here is that they are the same steps.
pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")

ROOT = Path(__file__).parent.parent.parent
VQ: dict[str, Any] = {
    "max_tokens": 11,
    "levels": (8, 5),
    "codebook": 16,
    "probes": 4,
    "width": 16,
    "channels": 32,
    "decoder_blocks": 1,
    "steps": 12,
    "batch_size": 6,
    "points": 32,
    "save_every": 4,
    "minutes": 60.0,
}
SMALL = {"layers": 1, "width": 32, "heads": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def run(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    tokenize(tiny_fields, folder / "tokens", "codebook", codes=64, steps=5, heldout=0.25)
    train(folder / "tokens", folder / "run", model_settings=SMALL, config=TrainConfig(steps=40, batch_size=4))
    return folder / "run"


def stopping(function: Callable[..., Any], after: int, error: BaseException) -> Callable[..., Any]:
    """The function, which raises an error instead of its call number `after`."""
    calls = iter(range(10**6))

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls) == after:
            raise error
        return function(*arguments, **named)

    return call


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(("tokenizer", "kind"), [("vq", "fsq"), ("vq", "vq"), ("graph", "fsq")])
def test_a_tokenizer_goes_on_from_its_check_point_to_the_same_bits(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str, kind: str
) -> None:
    settings = {**VQ, "quantizer": kind, "heldout": 0.25, "views": 2}
    tokenize(tiny_fields, tmp_path / "whole", tokenizer, **settings)
    # As a kill would: nothing is written at the end, so that the checkpoint of step 8 is the last.
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(training._step, 10, RuntimeError()))
        with pytest.raises(RuntimeError):
            tokenize(tiny_fields, tmp_path / "cut", tokenizer, **settings)
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(training._step, 4, AssertionError("steps are done again")))
        tokenize(tiny_fields, tmp_path / "cut", tokenizer, resume=True, **settings)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def test_ctrl_c_keeps_the_step_that_it_came_in(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = VQTokenizer(**VQ).fit(tiny_fields)
    step, calls = training._step, iter(range(10**6))

    def pressed(*arguments: Any) -> Any:
        if next(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", pressed)
        with pytest.raises(KeyboardInterrupt):
            VQTokenizer(**VQ).fit(tiny_fields, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(step, 6, AssertionError("steps are done again")))
        resumed = VQTokenizer(**VQ).fit(tiny_fields, tmp_path)
    for key, tensor in whole.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[key]), key


def test_a_tokenizer_is_resumed_only_as_it_was(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(training._step, 6, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            tokenize(tiny_fields, tmp_path / "cut", "vq", **VQ)
    with pytest.raises(ArtifactError, match="had other tokenizer_settings"):
        tokenize(tiny_fields, tmp_path / "cut", "vq", resume=True, **{**VQ, "width": 8})
    other = replace(tiny_fields, weights=tiny_fields.weights + 1)
    with pytest.raises(ArtifactError, match="had other fields"):
        tokenize(other, tmp_path / "cut", "vq", resume=True, **VQ)
    (tmp_path / ".cut.nfgen-partial" / "training" / "vq.safetensors").write_bytes(b"rubbish of some length")
    with pytest.raises(ArtifactError, match="claims a header"):
        tokenize(tiny_fields, tmp_path / "cut", "vq", resume=True, **VQ)


def test_a_loss_that_is_not_finite_keeps_the_last_check_point_and_goes_on_from_it(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, calls = training.function_loss, iter(range(10**6))

    def diverging(*arguments: Any) -> torch.Tensor:
        return loss(*arguments) * (float("nan") if next(calls) == 6 else 1)

    with monkeypatch.context() as patch:
        patch.setattr(training, "function_loss", diverging)
        with pytest.raises(NfgenError, match="no longer finite at step 6") as caught:
            tokenize(tiny_fields, tmp_path / "out", "vq", **VQ)
    assert "step 4 is kept" in caught.value.remedy
    assert "lower learning_rate" in caught.value.remedy
    tokenize(tiny_fields, tmp_path / "out", "vq", resume=True, **{**VQ, "learning_rate": 1e-4})
    assert all(
        tensor.isfinite().all() for tensor in VQTokenizer.load(tmp_path / "out" / "tokenizer").tensors().values()
    )


def test_weights_that_are_not_finite_never_replace_a_checkpoint(tiny_fields: FieldSet, tmp_path: Path) -> None:
    networks = torch.nn.Linear(2, 2)
    kept = training.Checkpoint(tmp_path, networks, [], {}, torch.Generator())
    kept.save(1, 0.0)
    before = content(tmp_path)
    with torch.no_grad():
        networks.weight[0, 0] = float("inf")
    with pytest.raises(NfgenError, match="no longer finite"):
        kept.save(2, 0.0)
    assert content(tmp_path) == before


@pytest.mark.parametrize("written", [0, 3])
def test_a_generation_goes_on_after_its_last_whole_sample(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    from nfgen.pipeline import meshed_sample

    written_in_all: list[object] = []
    with monkeypatch.context() as patch:
        write = meshed_sample.write_sample
        patch.setattr(
            meshed_sample, "write_sample", lambda *all, **named: written_in_all.append(1) or write(*all, **named)
        )
        generate(run, tmp_path / "whole", n=5, resolution=16)
    with monkeypatch.context() as patch:
        # Between the mesh of a sample and its picture.
        patch.setattr("nfgen.pipeline.sample_set.save_png", stopping(save_png, written, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            generate(run, tmp_path / "cut", n=5, resolution=16)
    assert (tmp_path / ".cut.nfgen-partial" / JOURNAL).exists() == (written > 0)
    with monkeypatch.context() as patch:
        again = stopping(
            meshed_sample.write_sample, len(written_in_all) - written, AssertionError("samples are written again")
        )
        patch.setattr(meshed_sample, "write_sample", again)
        generate(run, tmp_path / "cut", n=5, resolution=16, resume=True)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def test_half_a_line_of_the_journal_is_no_sample(tmp_path: Path) -> None:
    Journal(tmp_path).add(0, None, empty=True)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"index": 1, "sam')
    journal = Journal(tmp_path)
    assert (journal.seen, journal.samples) == (1, [])
    journal.add(1, None, empty=True)
    assert Journal(tmp_path).seen == 2


def test_a_training_that_was_killed_at_its_very_end_is_not_trained_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(steps=40, batch_size=4)
    with monkeypatch.context() as patch:
        # The first is that of the tokenizer inside, the second that of the run.
        patch.setattr("nfgen.io.artifact._replace", stopping(artifact._replace, 1, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            train(run.parent / "tokens", tmp_path / "run", model_settings=SMALL, config=config)
    with monkeypatch.context() as patch:
        patch.setattr("nfgen.pipeline.train.train_model", stopping(train, 0, AssertionError("trained again")))
        train(run.parent / "tokens", tmp_path / "run", model_settings=SMALL, config=config, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(path.name for path in run.iterdir())


def test_a_kill_between_two_renames_loses_neither_artifact(tmp_path: Path) -> None:
    for size in (1, 2):
        with artifact.writing(tmp_path / f"thing{size}", "thing") as folder:
            artifact.write_config(folder, "thing", {"size": size})
    # As a writer that replaces thing1 by thing2 leaves it when it is killed between its two renames.
    (tmp_path / "thing1").rename(tmp_path / ".thing1.nfgen-replaced")
    (tmp_path / "thing2").rename(tmp_path / ".thing1.nfgen-partial")
    with pytest.raises(ArtifactError, match="exists already"), artifact.writing(tmp_path / "thing1", "thing"):
        pass
    assert artifact.read_config(tmp_path / "thing1") == {"size": 1}
    with artifact.writing(tmp_path / "thing1", "thing", resume=True, overwrite=True) as folder:
        assert files.read_json(folder / "config.json")["size"] == 2
    assert artifact.read_config(tmp_path / "thing1") == {"size": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["thing1"]


def test_what_is_finished_is_not_resumed(tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "thing", "thing") as folder:
        artifact.write_config(folder, "thing", {})
    with pytest.raises(ArtifactError, match="is finished"), artifact.writing(tmp_path / "thing", "thing", resume=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


@pytest.fixture
def _undone() -> Iterator[None]:
    threads, enabled = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(enabled)


@pytest.mark.usefixtures("_undone")
def test_every_stage_has_deterministic_algorithms(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # so that what is set here goes with the test
    make_deterministic()
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    for name in ("one", "two"):
        tokenize(tiny_fields, tmp_path / name / "tokens", "vq", **VQ)
        config = TrainConfig(steps=3, batch_size=4)
        train(tmp_path / name / "tokens", tmp_path / name / "run", model_settings=SMALL, config=config)
        generate(tmp_path / name / "run", tmp_path / name / "out", n=2, resolution=16)
    for part in ("tokens/tokenizer", "run/tokenizer"):
        assert content(tmp_path / "one" / part) == content(tmp_path / "two" / part)
    best, fields = "run/best.safetensors", "out/sample-0001.safetensors"
    for file in (best, fields):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made by Linux's means")
def test_a_full_disk_is_one_error_and_leaves_earlier_artifacts_whole(
    tiny_fields: FieldSet, run: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=2m"):
        tokenize(tiny_fields, disk / "tokens", "histogram", bins=8)
        before = content(disk / "tokens")
        (disk / "others").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize - 12_288))
        for number, write in enumerate(
            [
                lambda out: tiny_fields.save(out),
                lambda out: generate(run, out, n=20, resolution=32),
                lambda out: train(run.parent / "tokens", out, model_settings=SMALL, config=TrainConfig(steps=5)),
                lambda out: tokenize(tiny_fields, out, "vq", **{**VQ, "steps": 5}),
                lambda out: tokenize(tiny_fields, disk / "tokens", "vq", overwrite=True, **{**VQ, "steps": 5}),
            ]
        ):
            with pytest.raises(ArtifactError, match="No space left on device"):
                write(disk / f"out{number}")
            assert content(disk / "tokens") == before
            assert not list(disk.rglob(files.TEMPORARY))
            assert not (disk / f"out{number}").exists()
            for left in disk.glob(".*.nfgen-partial"):
                subprocess.run(["rm", "-r", left], check=True)
        assert len(TokenSet.load(disk / "tokens")) == len(tiny_fields)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made by Linux's means")
def test_a_folder_that_may_only_be_read_is_one_error(tiny_fields: FieldSet, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m,ro"), pytest.raises(ArtifactError, match="Read-only file system"):
        tokenize(tiny_fields, tmp_path / "disk" / "tokens", "histogram", bins=8)


LONG = {
    "fit": (
        "fit {shapes} --init random --batch-size 1 --steps 300 --points 64 --near 64 --uniform 64 --near-eval 16 "
        "--uniform-eval 64 --workers 1",
        "parts/shard-00000.json",
    ),
    "tokenize": (
        "tokenize {fields} --max-tokens 8 --channels 32 --steps 100000 --save-every 50",
        "training/vq.safetensors",
    ),
    "train": (
        "train {tokens} --layers 1 --width 16 --heads 1 --steps 100000 --batch-size 4 --evaluate-every 20 "
        "--sample-every 0",
        "training/state.json",
    ),
    "generate": ("generate {run} -n 100000 --resolution 16", JOURNAL),
}
"""Commands that go on for minutes, and what they keep after a moment."""


@pytest.mark.parametrize("name", LONG)
def test_a_second_process_is_refused_and_ctrl_c_ends_the_first_in_the_midst_of_its_work(
    name: str, tiny_fields: FieldSet, run: Path, tmp_path: Path
) -> None:
    tiny_fields.save(tmp_path / "fields")
    np.savez(tmp_path / "shapes.npz", voxels=np.pad(np.ones((64, 6, 6, 6), bool), ((0, 0), *[(1, 1)] * 3)))
    command, kept = LONG[name]
    places = {"shapes": tmp_path / "shapes.npz", "fields": tmp_path / "fields", "tokens": run.parent / "tokens"}
    out = tmp_path / "my out"
    words = [*(word.format(run=run, **places) for word in command.split()), "-o", str(out)]
    # Whoever started the tests in the background may have made them deaf to Ctrl-C.
    hearing = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    running = [sys.executable, "-c", f"{hearing}; from nfgen.cli.main import main; main()", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(running, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        while not (tmp_path / ".my out.nfgen-partial" / kept).exists():
            assert child.poll() is None
            time.sleep(0.02)
        for more in ([], ["--resume"], ["--overwrite"]):
            second = CliRunner().invoke(main, [*words, "--quiet", *more])
            assert second.exit_code == 2
            assert f"another process is writing {out}" in second.stderr
        child.send_signal(signal.SIGINT)
        _, said = child.communicate()
    finally:
        child.kill()
    assert child.returncode == 130
    assert said.splitlines()[-2:] == [
        "nfgen: interrupted",
        f"       go on with: {shlex.join(['nfgen', *words, '--resume'])}",
    ]
    assert (tmp_path / ".my out.nfgen-partial" / kept).exists()
    assert not out.exists()


def test_workers_end_with_a_process_that_is_killed() -> None:
    code = (
        "import multiprocessing, os, time\n"
        "from nfgen.runtime.worker_pool import worker_pool\n"
        "if __name__ == '__main__':\n"
        "    with worker_pool(1) as submit:\n"
        "        print(submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    for _ in range(30_000):  # ten minutes, for the busiest of machines
        if has_ended(worker):
            return
        time.sleep(0.02)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker goes on without its parent")


def has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def interrupt_a_pool_at_work(done: Path) -> None:
    with worker_pool(1) as submit:
        submit(time.sleep, 600)
        submit(done.touch)
        raise KeyboardInterrupt


def test_ctrl_c_does_not_wait_for_a_shape_in_work(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt_a_pool_at_work(tmp_path / "done")
    assert not multiprocessing.active_children()
    assert not (tmp_path / "done").exists()


def test_killed_at_random_moments_every_command_ends_with_the_same_bits() -> None:
    """The short form of `make soak`."""
    command = [sys.executable, ROOT / "benchmarks" / "soak.py", "--kills", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all equal an uninterrupted run") == 4


def test_memory_stays_flat_over_many_generations(run: Path) -> None:
    """The short form of `benchmarks/long_use.py`."""
    command = [sys.executable, ROOT / "benchmarks" / "long_use.py", "--calls", "30", "--run", run, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["growth_mb"] < 30
