"""Ctrl-C ends a command in the midst of its work, which it keeps and no second process disturbs."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.sample_journal import JOURNAL

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
    running = [sys.executable, "-c", "from nfgen.cli.main import main; main()", *words]
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
