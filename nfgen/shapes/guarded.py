"""Reading files of strangers in worker processes that may take so much memory and time, and no more."""

import faulthandler
import os
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import psutil

from nfgen.errors import ShapeError
from nfgen.runtime.machine import memory

from .formats.meshes import mesh_suffixes
from .shape_ref import ShapeRef

MOST_SECONDS = 300.0  # for one shape; a mesh of millions of faces takes a minute
MOST_BYTES = 8 << 30  # of one process, beyond what its libraries take
LEAST_BYTES = 2 << 30
PLAIN_BYTES = 256 << 10  # a mesh file of fewer lines than these costs little, whatever is in it
UNFOLDING = frozenset({".3mf", ".glb", ".gltf", ".dae", ".zae", ".xaml", ".3dxml"})
"""Suffixes of meshes that a few bytes can make many of: packed, or placed many times."""

T = TypeVar("T")


def is_plain(ref: ShapeRef) -> bool:
    """Whether the size of a shape's file bounds what it costs: such a shape needs no process of its own."""
    if ref.problem is not None or ref.file.suffix not in mesh_suffixes():
        return True  # pictures and grids have limits of their own, which are small
    try:
        return ref.member is None and ref.file.suffix not in UNFOLDING and ref.path.stat().st_size <= PLAIN_BYTES
    except OSError:
        return True  # reading says what is wrong


def memory_limit(processes: int) -> int:
    """Bytes that each of some processes may take for its shapes: what there is, in equal shares."""
    return max(LEAST_BYTES, min(MOST_BYTES, memory()[1] // processes))


def limits_in_words(most_bytes: int) -> str:
    """As they stand in messages."""
    return f"a shape may take {MOST_SECONDS:.0f} s and {most_bytes / (1 << 30):.1f} GB"


def guarded(do: Callable[[ShapeRef], T | ShapeError], refs: list[ShapeRef], most_bytes: int) -> list[T | ShapeError]:
    """Do something with shapes, in a worker process: it ends at a shape that takes too long.

    Memory is limited where the system can; beyond the limit a library gets none, and the shape is an error.
    """
    _limit_memory(most_bytes)
    done: list[T | ShapeError] = []
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        for ref in refs:
            # A thread that needs no lock of Python: it ends the process whatever library is at work.
            faulthandler.dump_traceback_later(MOST_SECONDS, exit=True, file=nowhere)
            try:
                done.append(do(ref))
            except MemoryError:
                words = limits_in_words(most_bytes)
                done.append(ShapeError(f"{ref.id}: needs more memory than there is ({words})", "decimate the mesh"))
            finally:
                faulthandler.cancel_dump_traceback_later()
    return done


@cache
def _limit_memory(most_bytes: int) -> None:
    """Limit this process, once: what it has by now is that of its libraries."""
    try:
        import resource
    except ImportError:
        return
    if not hasattr(resource, "RLIMIT_AS") or not hasattr(os, "fork"):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + most_bytes
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (OSError, ValueError):
        return  # macOS has the limit and does not keep it
