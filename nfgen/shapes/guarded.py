"""Reading files of strangers in worker processes that may take so much memory and time, and no more."""

import contextlib
import faulthandler
import os
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple, TextIO, TypeVar

import psutil

from nfgen.errors import ShapeError
from nfgen.runtime.machine import memory

from .formats.meshes import mesh_suffixes
from .shape_ref import ShapeRef

MOST_SECONDS = 300.0  # for one shape; a mesh of millions of faces takes a minute
MOST_BYTES = 8 << 30  # of one process, beyond what its libraries take
FREE_SECONDS, FREE_BYTES = 5.0, 1 << 30  # for any file, however small
SECONDS_A_BYTE, BYTES_A_BYTE = 2e-5, 256
"""Honest meshes take a tenth of it: 8 bytes of a packed face become some 300 bytes and 10 microseconds of work."""
SECONDS_A_POINT = 2e-4  # that are drawn and measured; honest ones take a tenth
MOST_UNPACKED = 20  # times a member's packed size that count: meshes shrink 5 to 20 times
PLAIN_BYTES = 256 << 10  # a mesh file of fewer lines than these costs little, whatever is in it
PLAIN_GLB_JSON = 4 << 10  # as those of a few small meshes that nfgen writes
UNFOLDING = frozenset({".3mf", ".glb", ".gltf", ".dae", ".zae", ".xaml", ".3dxml"})
"""Suffixes of meshes that a few bytes can make many of: packed, or placed many times."""

T = TypeVar("T")


class Budget(NamedTuple):
    """What one shape may take."""

    seconds: float
    """Of processor time: what else the machine does does not matter."""
    bytes: int
    """Of memory, beyond what the process has."""

    def __str__(self) -> str:
        return f"a file of its size may take {self.seconds:.0f} s and {self.bytes / (1 << 30):.1f} GB"


def is_plain(ref: ShapeRef, most: int = PLAIN_BYTES) -> bool:
    """Whether the size of a shape's file bounds what it costs: such a shape needs no process of its own.

    Args:
        most: bytes of a file that costs little; a GLB may have four times as many.
    """
    suffix = ref.file.suffix
    if ref.problem is not None or suffix not in mesh_suffixes():
        return True  # pictures and grids have limits of their own, which are small
    if ref.member is not None:
        return False
    try:
        size = ref.path.stat().st_size
        if suffix == ".glb":
            return size <= 4 * most and _places_few(ref)
        return suffix not in UNFOLDING and size <= most
    except OSError:
        return True  # reading says what is wrong


def _places_few(ref: ShapeRef) -> bool:
    """Whether a GLB places two meshes at most, of two parts together: it unfolds to four times its size at most."""
    with ref.path.open("rb") as file:
        length = int.from_bytes(file.read(16)[12:], "little")
        if length > PLAIN_GLB_JSON:
            return False
        text = file.read(length)
    # With a backslash a key could be written in another way.
    return b"\\" not in text and text.count(b'"mesh"') <= 2 and text.count(b'"POSITION"') <= 2


def memory_limit(processes: int) -> int:
    """Bytes that each of some processes may take for its shapes: what there is, in equal shares."""
    return max(FREE_BYTES, min(MOST_BYTES, memory()[1] // processes))


def budget_of(ref: ShapeRef, most_bytes: int = MOST_BYTES, seconds: float = 0.0) -> Budget:
    """What a shape may take: more for larger files.

    Args:
        most_bytes: of memory, whatever the size.
        seconds: more of them, for what is done after it has been read.
    """
    try:
        _, size, held = ref.file.state(ref.id)
        size = min(size, MOST_UNPACKED * held) if ref.member is not None else size
        if ref.file.suffix == ".gltf":  # whose content is in files beside it
            size = MOST_BYTES
    except (OSError, ShapeError, ValueError):
        size = 0
    return Budget(
        min(MOST_SECONDS, seconds + FREE_SECONDS + size * SECONDS_A_BYTE),
        min(most_bytes, FREE_BYTES + size * BYTES_A_BYTE),
    )


def guarded(
    do: Callable[[ShapeRef], T | ShapeError], refs: list[ShapeRef], most_bytes: int, seconds: float = 0.0
) -> list[T | ShapeError]:
    """Do something with shapes, in a worker process: it ends at a shape that takes longer than its budget.

    Memory is limited where the system can; beyond the limit a library gets none, and the shape is an error.
    """
    done: list[T | ShapeError] = []
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        for ref in refs:
            budget = budget_of(ref, most_bytes, seconds)
            try:
                with _deadline(budget.seconds, nowhere), _memory_limited(budget.bytes):
                    done.append(do(ref))
            except MemoryError:
                problem = f"{ref.id}: needs more memory than there is ({budget})"
                done.append(ShapeError(problem, "decimate the mesh"))
    return done


@contextlib.contextmanager
def _deadline(seconds: float, nowhere: TextIO) -> Iterator[None]:
    """End this process when the block has taken so much processor time, whatever library is at work."""
    timed = hasattr(signal, "setitimer")
    if timed:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends the process
        signal.setitimer(signal.ITIMER_PROF, seconds)
    # For what only waits, and for systems without such a timer: a thread that needs no lock of Python.
    faulthandler.dump_traceback_later(MOST_SECONDS, exit=True, file=nowhere)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if timed:
            signal.setitimer(signal.ITIMER_PROF, 0)


@contextlib.contextmanager
def _memory_limited(most_bytes: int) -> Iterator[None]:
    """Limit the memory of this process during the block, beyond what it has by now."""
    try:
        import resource
    except ImportError:
        yield
        return
    if not hasattr(resource, "RLIMIT_AS") or not hasattr(os, "fork"):
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + most_bytes
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS has the limit and does not keep it
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (before, hard))
