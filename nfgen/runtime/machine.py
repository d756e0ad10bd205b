"""What this machine has, asked in the same way on every system."""

import os
import sys

import psutil


def processors() -> int:
    """How many processors this process may use."""
    process = psutil.Process()
    # macOS binds no process to processors.
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else os.cpu_count() or 1


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
