"""Freed memory is kept for the next result, not given back to the system."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h, see mallopt(3)
MOST = (1 << 31) - 1  # bytes: what mallopt, which takes an int, can be told


def keep_freed_memory() -> bool:
    """Have the C library's malloc keep what is freed, for as long as this process lives.

    Results of megabytes are made and dropped thousands of times a minute. By default glibc gives them back to the
    system, which maps and clears each page of the next one again. It is a setting of the whole process, hence one for
    programs and not for what they import: the command makes it, and so do the processes of its engines; a script of
    one's own may.

    Returns:
        Whether it was done; False on systems without glibc, where nothing changes.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, MOST))
