"""Feed damaged files to every reader: each must give its result or an NfgenError, in 2 s and 1 GB, and never crash.

    python benchmarks/fuzz.py --count 20000                # all readers, one after another
    python benchmarks/fuzz.py --count 20000 --only glb png
    python benchmarks/fuzz.py --count 20000 --resume done.json   # goes on where it was stopped

Input i of a reader depends on its name and i alone: a finding is seen again by `--only NAME --first I --count 1`.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "IGL_NUM_THREADS": "1"}

import argparse
import contextlib
import json
import mmap
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_seeds import READERS, Reader, make_seeds

from nfgen.errors import NfgenError
from nfgen.io.files import write_atomically

SECONDS, MEMORY = 2.0, 1 << 30
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 1000, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
WORDS = (b"nan", b"-1", b"1e999", b"0", b"99999999999", b"{}", b"[]", b"null", b'""', b"\n", b"\0" * 8, b"..", b"/")
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        0.5,
        -0.5,
        1e300,
        2**31,
        2**63,
        10**30,
        "",
        "x",
        "../x",
        [],
        {},
        [0],
        [-1, 2**40],
    ),
    *([["a"]], {"a": 1}, "9" * 400, [1e308] * 3),
)


class Progress(NamedTuple):
    """How far a reader has come."""

    next: int
    """Number of its next input."""
    found: int
    seconds: int


class Finding(NamedTuple):
    reader: str
    index: int
    what: str


def mutated(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """A few random changes of some bytes."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(content) + 1)
        kind = rng.randrange(10)
        if kind <= 2 and at < len(content):
            content[at] = rng.randrange(256)
        elif kind == 3 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 4:
            number, form = rng.choice(NUMBERS), rng.choice(("<I", ">I", "<Q", "<H", "<i"))
            size = struct.calcsize(form)
            content[at : at + size] = struct.pack(form.upper(), number % (1 << 8 * size))
        elif kind == 5:
            content[at : at + rng.choice((0, 1, 4))] = rng.choice(WORDS)
        elif kind == 6:
            del content[at : at + rng.choice((1, 2, 8, 64, 1 << 20))]
        elif kind == 7:
            piece = content[at : at + rng.choice((1, 4, 16, 256))]
            content[at:at] = piece * rng.choice((1, 2, 50))
        elif kind == 8:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            content[at : at + 32] = other[start : start + 32]
        else:
            digits = [i for i, byte in enumerate(content) if 48 <= byte <= 57]
            if digits:
                place = rng.choice(digits)
                content[place : place + 1] = str(rng.choice(NUMBERS) * rng.choice((1, 1, -1))).encode()
    return bytes(content)


def mutated_json(value: Any, rng: random.Random) -> Any:
    """One leaf, key or branch of a JSON value becomes something else."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        changed, key = value.copy(), rng.choice(keys)
        if rng.random() < 0.12:
            del changed[key]
        elif rng.random() < 0.1 and isinstance(changed, dict):
            changed[rng.choice(("x", "", "tokenizer", str(key) + "_"))] = changed.pop(key)
        else:
            changed[key] = mutated_json(changed[key], rng)
        return changed
    return rng.choice(VALUES)


def one_input(reader: Reader, seeds: dict[str, bytes], rng: random.Random) -> tuple[str, bytes]:
    """A damaged file: its name below the working folder, and what is in it."""
    name = rng.choice(sorted(seeds))
    data = seeds[name]
    if name.endswith(".json") and rng.random() < 0.7:
        return name, json.dumps(mutated_json(json.loads(data), rng)).encode()
    if reader.inside is not None and rng.random() < 0.7:
        return name, reader.inside(data, lambda part: mutated(part, rng, [part]), rng)
    return name, mutated(data, rng, list(seeds.values()))


def feed(
    name: str,
    indices: Iterable[int],
    folder: Path,
    at: Callable[[int], None] = lambda i: None,
    results: Path | None = None,
) -> list[Finding]:
    """Read damaged inputs in this process; what went wrong, also added to a file line by line, for a later crash."""
    reader, findings = READERS[name], list[Finding]()
    seeds = make_seeds(name, folder)
    for index in indices:
        at(index)
        known = len(findings)
        rng = random.Random(f"{name}:{index}")
        file, content = one_input(reader, seeds, rng)
        path = folder / file
        path.write_bytes(content)
        started, before = time.process_time(), peak()
        # Time of this process, not of the clock: others may work on this machine.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader.read(path if reader.file else folder / name)
        except NfgenError as error:
            if "\n" in error.problem:
                findings.append(Finding(name, index, f"an error of several lines: {error.problem!r}"))
        except TooSlow:
            findings.append(Finding(name, index, f"took {time.process_time() - started:.1f} s"))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            findings.append(Finding(name, index, f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if peak() - before > MEMORY:
            findings.append(Finding(name, index, f"took {(peak() - before) >> 20} MB"))
        path.write_bytes(seeds[file])
        if results is not None and len(findings) > known:
            with results.open("a") as lines:
                lines.writelines(json.dumps(finding) + "\n" for finding in findings[known:])
    return findings


class TooSlow(BaseException):
    """Not an Exception, so that no reader swallows it."""


def too_slow(*_: object) -> None:
    raise TooSlow


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def feed_apart(name: str, first: int, count: int) -> list[Finding]:
    """`feed` in a process of its own, and in another one after each crash."""
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        shared, results, work = mmap.mmap(-1, 8), Path(folder) / "findings.jsonl", Path(folder) / "work"
        while first < count:
            work.mkdir()
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGPROF, too_slow)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                status = 1
                with contextlib.suppress(Exception):
                    feed(name, range(first, count), work, lambda i: struct.pack_into("q", shared, 0, i), results)
                    status = 0
                os._exit(status)
            status = wait(child, shared)
            if status == 0:
                break
            (at,) = struct.unpack("q", shared[:])
            findings.append(Finding(name, at, f"ended the process with status {status}"))
            first = at + 1
            shutil.rmtree(work)  # the file that ended the process must not become a seed
        if results.exists():
            findings += [Finding(*json.loads(line)) for line in results.read_text().splitlines()]
    return findings


def wait(child: int, shared: mmap.mmap) -> int:
    """Status of a process; it is killed when an input takes five minutes of the clock, deaf to signals."""
    seen, since = b"", time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if shared[:] != seen:
            seen, since = shared[:], time.monotonic()
        elif time.monotonic() - since > 300:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="inputs of each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--turn", type=int, default=2000, help="inputs until the next reader has its turn")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keeps what is done, and goes on from there")
    parser.add_argument("--only", nargs="*", default=list(READERS), metavar="READER", help=", ".join(READERS))
    arguments = parser.parse_args()
    first, end = arguments.first, arguments.first + arguments.count
    state = {name: Progress(first, 0, 0) for name in arguments.only}
    if arguments.resume and arguments.resume.exists():
        stored = json.loads(arguments.resume.read_text())
        state |= {name: Progress(*stored[name]) for name in arguments.only if name in stored}
    while first < end:
        turn = min(first + arguments.turn, end)
        for name in arguments.only:
            at, found, seconds = state[name]
            if at >= turn:
                continue
            started = time.monotonic()
            findings = feed_apart(name, at, turn)
            state[name] = Progress(turn, found + len(findings), seconds + round(time.monotonic() - started))
            done = turn - arguments.first
            print(f"{name}: {done} inputs, {state[name].found} findings, {state[name].seconds} s", flush=True)
            for finding in findings[:20]:
                print(f"  {finding.index}: {finding.what[:300]}", flush=True)
            if arguments.resume:
                write_atomically(arguments.resume, json.dumps(state).encode())
        first = turn
    total = sum(one.found for one in state.values())
    return min(total, 1)


if __name__ == "__main__":
    sys.exit(main())
