"""Kill fit, tokenize, train and generate at random moments, resume them, and compare with what was never interrupted.

    python benchmarks/soak.py --kills 50

Each run is the command itself, in a process of its own. After every SIGKILL, SIGTERM, SIGHUP and SIGINT (by
turns) the output must be absent or whole; at the end it must equal, byte for byte, that of an uninterrupted run, but
for measured times and the command line; and nothing else may lie beside it.
"""

import os

# One thread: sums are then taken in one order, and the processes do not wait for each other.
os.environ |= {"OMP_NUM_THREADS": "1", "IGL_NUM_THREADS": "1"}

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from nfgen.io import artifact, files

MEASURED = {"seconds", "tokens_per_second", "command"}
"""Keys of JSON that two runs cannot have in common."""

COMMANDS = {
    "fit": (
        "fit {shapes} --spec talk --steps 60 --batch-size 4 --points 256 --near 2048 --uniform 512 --workers 1 "
        "--near-eval 64 --uniform-eval 256 --cache {work}/cache"
    ),
    "tokenize": (
        "tokenize {base} --tokenizer vq --max-tokens 11 --levels 8,5 --probes 4 --width 16 --channels 32 "
        "--decoder-blocks 1 --steps 60 --batch-size 8 --points 64 --save-every 7 --views 2 --minutes 60 --heldout 0.2"
    ),
    "train": (
        "train {base} --tokenizer vq --max-tokens 11 --levels 8,5 --probes 4 --width 16 --channels 32 "
        "--decoder-blocks 1 --tokenizer-steps 20 --tokenizer-save-every 6 --tokenizer-batch-size 8 --points 64 "
        "--views 2 --heldout 0.2 --layers 1 --model-width 32 --heads 1 --steps 60 --batch-size 4 --evaluate-every 9 "
        "--log-every 3 --sample-every 20"
    ),
    "generate": "generate {model} -n 6 --resolution 32 --require-surface",
}
PREPARE = (
    "shapes chair -n 12 --resolution 24 -o {shapes}",
    "fit {shapes} --steps 60 --batch-size 4 --near 2048 --uniform 512 --workers 1 -o {base}",
    # A model that knows little: most of its fields have a surface, some have none.
    "train {base} --tokenizer codebook --tokenizer-codes 64 --layers 1 --model-width 32 --heads 1 --steps 20 "
    "--batch-size 4 --sample-every 0 --heldout 0.2 -o {model}",
)
EARLY = 0.2
"""Share of the kills that come before the output is begun."""
SIGNALS = {
    signal.SIGKILL: {-signal.SIGKILL},  # out of memory, or power
    signal.SIGTERM: {-signal.SIGTERM},  # a scheduler, or a shutdown
    signal.SIGHUP: {-signal.SIGHUP},  # a terminal is closed
    signal.SIGINT: {-signal.SIGINT, 130},  # Ctrl-C: 130 where the command has begun, and keeps a checkpoint
}
"""What ends a process, and the statuses that it may end with. All but SIGKILL may find its work done: status 0."""
PLACES = {"fit": "fields", "tokenize": "tokens", "train": "run", "generate": "out"}


def start(words: list[str], log: Path) -> int:
    """Start `nfgen WORDS` in a process group of its own."""
    command = [sys.executable, "-c", "from nfgen.cli.main import main; main()", *words]
    with log.open("ab") as said:
        to_log = [(os.POSIX_SPAWN_DUP2, said.fileno(), number) for number in (1, 2)]
        # Signals as at a terminal, though this script may run in the background or under nohup, which ignore some.
        usual = [one for one in SIGNALS if one != signal.SIGKILL]
        return os.posix_spawn(sys.executable, command, os.environ, file_actions=to_log, setpgroup=0, setsigdef=usual)


def finish(child: int) -> int:
    """Wait for a process: its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def has_ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def used(child: int) -> float:
    """Processor seconds of a process and its children: unlike those of a clock, what else runs here does not matter."""
    try:
        children = Path(f"/proc/{child}/task/{child}/children").read_text().split()
        ended = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[13:15]
        # man clock_getcpuclockid: the clock of a process.
        alive = sum(time.clock_gettime(~int(process) << 3 | 2) for process in (child, *children))
        return alive + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0  # it has just ended


def kill_at(child: int, seconds: float, number: signal.Signals) -> bool:
    """Send a signal to a process group when it has used so many processor seconds; False if it had ended before."""
    while not has_ended(child):
        left = seconds - used(child)
        if left <= 0:
            os.killpg(child, number)
            return True
        time.sleep(max(left / 2, 0.0005))  # to look on takes time, too
    return False


def partial(out: Path) -> Path:
    return artifact.partial_of(out)


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in MEASURED}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def content(folder: Path) -> dict[str, Any]:
    """Everything in a folder, by relative path."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        # The page tells when and how it was made. It is written into the finished folder, so that a kill may leave a
        # part of it there; `nfgen report` makes it again.
        if path.is_dir() or path.name == "index.html" or path.match(files.TEMPORARY):
            continue
        data: Any = path.read_bytes()
        if path.suffix == ".json":
            data = without_times(json.loads(data))
        elif path.suffix == ".jsonl":
            data = [without_times(json.loads(line)) for line in data.splitlines()]
        found[path.relative_to(folder).as_posix()] = data
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [key for key in sorted(one | other) if one.get(key) != other.get(key)]


class Soak:
    """One command that is killed over and over."""

    def __init__(self, name: str, work: Path, places: dict[str, Path], rng: random.Random) -> None:
        self.name, self.work, self.rng = name, work, rng
        self.words = COMMANDS[name].format(work=work, **places).split()
        self.log = work / f"{name}.log"
        reference = places[PLACES[name]]
        self.start_up, self.work_time = self._measure(reference)
        self.wanted = content(reference)
        self.early = self.resumed = self.runs = 0
        self.by_signal = Counter[signal.Signals]()

    def _measure(self, out: Path) -> tuple[float, float]:
        """Processor seconds before the output is begun, and after, of an uninterrupted run."""
        child = start([*self.words, "-o", str(out)], self.log)
        before = after = 0.0
        while not has_ended(child):
            now = used(child)
            before = before if out.exists() or partial(out).exists() else now
            after = max(after, now)
            time.sleep(0.01)
        if finish(child):
            raise SystemExit(f"{self.name} does not run: {self.log.read_text()}")
        return before, after - before

    def run(self, kills: int) -> None:
        """Kill at least so often, over as many outputs as that takes."""
        while self.by_signal.total() < kills:
            self._one_output(self.rng.randint(1, min(6, kills)))
            self.runs += 1
            print(f"{self.name}: {self.by_signal.total()} kills, {self.runs} outputs", file=sys.stderr, flush=True)

    def _one_output(self, kills: int) -> None:
        folder = self.work / "trial"
        folder.mkdir()
        out = folder / "out"
        words = [*self.words, "-o", str(out)]
        for _ in range(kills):
            child = start(words, self.log)
            # Most of a short life is its start, when there is nothing to lose: most kills come later.
            early = self.rng.random() < EARLY
            span = (0.0, self.start_up) if early else (self.start_up, self.start_up + self.work_time)
            number = list(SIGNALS)[self.by_signal.total() % len(SIGNALS)]  # by turns
            killed = kill_at(child, self.rng.uniform(*span), number)
            status = finish(child)
            self.by_signal[number] += killed
            self.early += killed and early
            if status and not (killed and status in SIGNALS[number]):
                sent = f"after {number.name}" if killed else "by itself"
                raise SystemExit(f"{self.name} ended with status {status} {sent}: {self.log.read_text()[-2000:]}")
            if out.exists():
                self._require_whole(out, "after a kill")
                break
            words = [*self.words, "--resume", "-o", str(out)]
        if not out.exists():
            self.resumed += partial(out).exists()
            if finish(start(words, self.log)):
                raise SystemExit(f"{self.name} failed to resume: {self.log.read_text()[-2000:]}")
        self._require_whole(out, "at the end")
        # A kill after the last rename may leave the lock's file, which the next writer of that name removes.
        litter = [path.name for path in folder.iterdir() if path.name not in ("out", ".out.nfgen-lock")]
        if litter:
            raise SystemExit(f"{self.name}: left {litter}")
        shutil.rmtree(folder)

    def _require_whole(self, out: Path, when: str) -> None:
        wrong = differences(self.wanted, content(out))
        if wrong:
            raise SystemExit(f"{self.name}: {when} {wrong[:5]} of {out} differ from an uninterrupted run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of each command, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), metavar="COMMAND", help=", ".join(COMMANDS))
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        places = {name: work / name for name in ("shapes", "base", "model", *PLACES.values())}
        for line in PREPARE:
            if finish(start(line.format(**places).split(), work / "prepare.log")):
                raise SystemExit((work / "prepare.log").read_text())
        for name in arguments.commands:
            soak = Soak(name, work, places, rng)
            started = time.monotonic()
            soak.run(arguments.kills)
            litter = [
                str(path) for path in (work / "cache").rglob("*") if path.is_file() and path.suffix != ".safetensors"
            ]
            if litter:
                raise SystemExit(f"{name}: left {litter} in the cache")
            counts = ", ".join(f"{number.name} {count}" for number, count in sorted(soak.by_signal.items()))
            print(
                f"{name}: {soak.by_signal.total()} kills ({counts}; {soak.early} in {soak.start_up:.1f} s of start-up, "
                f"the others in {soak.work_time:.1f} s of work) over {soak.runs} outputs, {soak.resumed} resumed "
                f"from a partial folder; all equal an uninterrupted run; {time.monotonic() - started:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
