"""The tab for one's own shapes: what is read of them, and a training on them in the background."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from nfgen.errors import NfgenError
from nfgen.pipeline.config import MakeConfig

from . import markup
from .draw_tab import problem
from .grid import plain_html
from .runs import Runs
from .shelf import Shelf
from .things import Picture
from .trainings import Trainings
from .uploads import Uploads

EFFORTS = ["quick", "standard", "best"]
SECONDS = 2.0  # between looks at a training
FEWEST = 4
"""Shapes that a training needs: some are held out."""


class ShapesTab:
    """The tab's elements, and what they do.

    Args:
        trainings: None if users may not train.
        run: the choice of runs on the other tab, which gets what is trained here.
    """

    def __init__(self, runs: Runs, uploads: Uploads, trainings: Trainings | None, shelf: Shelf, run: Any) -> None:
        self._runs, self._uploads, self._trainings, self._shelf, self._run = runs, uploads, trainings, shelf, run
        plain_html(markup.line("Drop meshes, voxel grids, images or a ZIP of them, and see how they are read."))
        self._files = gr.File(file_count="multiple", label="Shapes", elem_id="files", height=180)
        self._look = gr.Button("Read them", variant="primary")
        self._found = plain_html("", elem_id="found")
        # A folder of uploads goes with its user's page.
        self._folder = gr.State(None, delete_callback=self._remove)
        self._training = gr.State(None)
        plain: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        outputs = [self._found, self._folder]
        if trainings is not None:
            outputs.append(self._build_training(plain))
        self._look.click(
            self._check, [self._files, self._folder], outputs,
            api_visibility="private", show_progress="minimal", concurrency_id="check", concurrency_limit=1,
        )  # fmt: skip

    def _build_training(self, plain: dict[str, Any]) -> Any:
        with gr.Column(visible=False, elem_id="learn") as learn:
            plain_html("<h2>Learn from them</h2>")
            with gr.Row():
                effort = gr.Dropdown(EFFORTS, value="quick", label="Effort", filterable=False)
                minutes = gr.Number(0, minimum=0, label="Minutes at most", info="0 = as the effort takes.")
            with gr.Row():
                start = gr.Button("Start", variant="primary")
                stop = gr.Button("Stop", variant="stop")
        state = plain_html("", elem_id="training")
        timer = gr.Timer(SECONDS, active=False)
        start.click(
            self._start, [self._folder, effort, minutes, self._training],
            [self._training, self._folder, state, timer], queue=False, **plain,
        )  # fmt: skip
        stop.click(self._stop, self._training, state, queue=False, **plain)
        timer.tick(self._watch, self._training, [state, timer, self._run], queue=False, **plain)
        return learn

    def _check(self, files: list[str] | None, before: str | None) -> Iterator[list[Any]]:
        more = [gr.skip()] * (self._trainings is not None)
        yield [markup.line("Reading …"), before, *more]
        yield self._read(files or [], before, more)

    def _read(self, files: list[str], before: str | None, more: list[Any]) -> list[Any]:
        try:
            found = self._uploads.check(files)
        except NfgenError as error:
            return [problem(error), before, *more]
        self._remove(before)
        sheet = self._shelf.put(Picture("shapes", found.sheet))
        usable = found.usable >= FEWEST
        lines = list(found.lines)
        if self._trainings is not None:
            more = [gr.update(visible=usable)]
            if not usable:
                lines.append(f"to learn from shapes, {FEWEST} of them are needed, better hundreds")
        return [markup.checked(lines, sheet), str(found.folder), *more]

    def _remove(self, folder: str | None) -> None:
        if folder is not None:
            self._uploads.remove(Path(folder))

    def _start(self, folder: str | None, effort: str, minutes: float | None, key: str | None) -> list[Any]:
        assert self._trainings is not None
        going = self._trainings.get(key)
        if going is not None and not going.ended:
            return [key, folder, gr.skip(), gr.skip()]
        if folder is None:
            line = markup.line("These shapes are in a training already. Drop them again for another one.", "problem")
            return [key, folder, line, gr.skip()]
        try:
            settings: dict[str, Any] = {"effort": effort} | ({"minutes": float(minutes)} if minutes else {})
            training = self._trainings.start(Path(folder), MakeConfig(**settings))
        except NfgenError as error:
            return [key, folder, problem(error), gr.skip()]
        return [training.key, None, markup.training(training, self._trainings.before(training)), gr.Timer(active=True)]

    def _stop(self, key: str | None) -> Any:
        assert self._trainings is not None
        training = self._trainings.get(key)
        if training is None:
            return gr.skip()
        self._trainings.stop(training)
        return markup.training(training, 0)

    def _watch(self, key: str | None) -> list[Any]:
        assert self._trainings is not None
        training = self._trainings.get(key)
        if training is None:
            return ["", gr.Timer(active=False), gr.skip()]
        shown = markup.training(training, self._trainings.before(training))
        if not training.ended:
            return [shown, gr.skip(), gr.skip()]
        if training.state != "done":
            return [shown, gr.Timer(active=False), gr.skip()]
        name = self._runs.add(training.run, "my shapes", "made/run")
        names = [*self._runs.names]
        return [shown, gr.Timer(active=False), gr.Dropdown(choices=names, value=name, visible=True)]
