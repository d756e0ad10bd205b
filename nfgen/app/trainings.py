"""Trainings in the background: `nfgen make` on uploaded shapes, one after another, each in a process of its own."""

import contextlib
import os
import queue
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Literal

import nfgen
from nfgen.errors import ConfigError
from nfgen.pipeline.config import MakeConfig

STEPS = ("fit", "tokenize", "train", "generate", "evaluate", "report")
"""What `nfgen make` says of its work, in this order."""
WAITING = 8  # trainings in the queue at most
LINES = 300  # of what it says that are kept
SHAPES, MADE = "shapes", "made"
STEP = re.compile(r"^\[ *[\d.]+ min\] nfgen (\w+)")
PROGRESS = re.compile(r"^([\w -]+): (\d+)/(\d+) \S+(?:,? .*)?$")
PATIENCE = 20.0  # seconds that an interrupted one has to end by itself

State = Literal["waiting", "running", "done", "failed", "stopped"]


def command_of(config: MakeConfig) -> list[str]:
    """The command of a training, in its folder."""
    return ["nfgen", "make", SHAPES, *config.as_options(), "-o", MADE]


class Training:
    """One training, and how far it is."""

    def __init__(self, folder: Path, config: MakeConfig) -> None:
        self.key = secrets.token_urlsafe(16)
        self.folder = folder
        self.command = command_of(config)
        self.state: State = "waiting"
        self.lines = deque[str](maxlen=LINES)
        self.step = 0
        """Number of the step that runs, from 0."""
        self.doing: tuple[str, int, int] | None = None
        """What the step does, how much of it is done, and of how much."""
        self.started = time.monotonic()
        self.seconds = 0.0
        """That it took in the end."""
        self.process: subprocess.Popen[str] | None = None

    @property
    def made(self) -> Path:
        """The folder that it writes."""
        return self.folder / MADE

    @property
    def run(self) -> Path:
        """The trained run, once there is one."""
        return self.made / "run"

    @property
    def page(self) -> Path:
        """The report, once there is one."""
        return self.made / "index.html"

    @property
    def ended(self) -> bool:
        """Whether it will not go on."""
        return self.state in ("done", "failed", "stopped")

    def hear(self, line: str) -> None:
        """Take a line that the command printed."""
        line = line.rstrip()
        if (step := STEP.match(line)) and step[1] in STEPS:
            self.step, self.doing = STEPS.index(step[1]), None
        elif progress := PROGRESS.match(line):
            self.doing = (progress[1], int(progress[2]), max(1, int(progress[3])))
        if line:
            self.lines.append(line)


class Trainings:
    """All trainings of the app; one runs at a time.

    Args:
        folder: in which each gets a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue = queue.Queue[Training](WAITING)
        self._all: dict[str, Training] = {}
        self._closed = False
        threading.Thread(target=self._work, daemon=True).start()

    def start(self, shapes: Path, config: MakeConfig) -> Training:
        """Learn from a folder of shapes, which is moved, as soon as those before have ended.

        Raises:
            ConfigError: too many wait already.
        """
        if self._queue.full():
            raise ConfigError(f"{WAITING} trainings are waiting already", "try again later")
        number = next(i for i in range(1, 1_000_000) if not (self._folder / f"training-{i}").exists())
        training = Training(self._folder / f"training-{number}", config)
        training.folder.mkdir(parents=True)
        shapes.rename(training.folder / SHAPES)
        self._all[training.key] = training
        self._queue.put(training)
        return training

    def get(self, key: str | None) -> Training | None:
        """A training by its key, if there is one."""
        return None if key is None else self._all.get(key)

    def before(self, training: Training) -> int:
        """How many it waits for."""
        others = list(self._all.values())
        return sum(not other.ended for other in others[: others.index(training)])

    def stop(self, training: Training) -> None:
        """End a training; what it has made stays."""
        if training.ended:
            return
        training.state = "stopped"
        process = training.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
            return
        process.terminate()

    def close(self) -> None:
        """End all of them."""
        self._closed = True
        for training in list(self._all.values()):
            self.stop(training)

    def _work(self) -> None:
        while True:
            training = self._queue.get()
            if training.state == "waiting" and not self._closed:
                try:
                    self._run(training)
                except OSError as error:
                    training.hear(str(error.strerror))
                    training.state = "failed"

    def _run(self, training: Training) -> None:
        root = str(Path(str(nfgen.__file__)).parent.parent)
        paths = filter(None, (root, os.environ.get("PYTHONPATH")))
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(paths)}
        training.state, training.started = "running", time.monotonic()
        # -P: what lies in the folder of uploads is no module.
        words = [sys.executable, "-P", "-m", "nfgen", *training.command[1:]]
        with subprocess.Popen(
            words,
            cwd=training.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            training.process = process
            if training.ended:  # stopped meanwhile
                process.terminate()
            for line in process.stdout or ():
                training.hear(line)
        training.seconds = time.monotonic() - training.started
        if training.state == "running":
            training.state = "done" if process.returncode == 0 else "failed"
