"""Workers end with the process that they work for, killed or interrupted."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nfgen.runtime.worker_pool import worker_pool


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
