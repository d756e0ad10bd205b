"""What a command takes: seconds, and memory, by how it is used."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

ENTRY = "import sys; from nfgen.cli.main import main; main()"
LOOKED_EVERY = 0.05  # seconds


def run(*words: object) -> dict[str, float]:
    """Run `nfgen WORDS` and return what it took.

    `own_mb` is the most memory that was its own (RssAnon), `files_mb` that of mapped files (RssFile), which the system
    takes back when it is short of memory, both looked at twenty times a second; `peak_mb` the most of both (VmHWM).

    Raises:
        RuntimeError: if the command fails.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", ENTRY, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    most = {"RssAnon": 0, "RssFile": 0}
    while True:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                key, _, value = line.partition(":")
                if key in most:
                    most[key] = max(most[key], int(value.split()[0]))
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        time.sleep(LOOKED_EVERY)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stderr is not None
    if status:
        raise RuntimeError(f"nfgen {' '.join(map(str, words))} failed: {process.stderr.read()[-2000:]}")
    process.stderr.close()
    return {
        "seconds": round(time.monotonic() - started, 2),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "own_mb": most["RssAnon"] >> 10,
        "files_mb": most["RssFile"] >> 10,
        "peak_mb": usage.ru_maxrss >> 10,
    }
