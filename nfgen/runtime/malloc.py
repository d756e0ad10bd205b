"""Setting of glibc's malloc: freed memory is reused, not returned to the system."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h, see mallopt(3)
MOST = (1 << 31) - 1  # bytes; mallopt takes an int


def keep_freed_memory() -> bool:
    """Let the C library's malloc keep freed memory for the rest of this process.

    Arrays of megabytes are allocated and freed thousands of times a minute. By default glibc returns them to the
    system, which maps and clears each page of the next one again. The setting is global to the process, so programs
    make it, not libraries: the command does, and so do the processes of its engines; your own script may.

    Returns:
        Whether it was set; False on systems without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, MOST))
