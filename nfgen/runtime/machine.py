"""What this machine has, asked in the same way on every system."""

import os
import sys

import psutil

BUSY = 0.5  # processors


def processors() -> int:
    """How many processors this process may use."""
    process = psutil.Process()
    # macOS binds no process to processors.
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else os.cpu_count() or 1


def busy_processors(seconds: float = 0.2) -> float:
    """How many processors other programs keep busy, measured for so long."""
    return psutil.cpu_percent(seconds) / 100 * (psutil.cpu_count() or 1)


def slowed_threads() -> str | None:
    """A warning if several threads would wait for each other, as other programs take turns with them; else None.

    Threads of one product meet at its end, and those that wait keep their processor: with a busy program on one of two,
    a step of the vq tokenizer took over 10 s by two threads, and 0.26 s by one.
    """
    if "OMP_NUM_THREADS" in os.environ or processors() == 1:
        return None
    busy = busy_processors()
    if busy < BUSY:
        return None
    free = max(1, round(processors() - busy))
    return f"other programs keep {busy:.1f} of {psutil.cpu_count()} processors busy: set OMP_NUM_THREADS={free}"


def memory() -> tuple[int, int]:
    """Bytes of memory: all, and what is available."""
    found = psutil.virtual_memory()
    return found.total, found.available


def peak_memory() -> int:
    """Most memory that this process has had, in bytes; on a system that does not say, what it has now."""
    now = psutil.Process().memory_info()
    if hasattr(now, "peak_wset"):  # Windows
        return int(now.peak_wset)
    try:
        import resource
    except ImportError:
        return int(now.rss)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_running(process: int) -> bool:
    """Whether there is a process of a number."""
    return bool(psutil.pid_exists(process))
