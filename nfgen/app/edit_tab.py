"""The tab that edits kept samples: which ones, in what way, what of them is kept, and the samples as they come."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from nfgen.errors import NfgenError
from nfgen.pipeline.config import EditConfig
from nfgen.pipeline.edit import DRAWN

from . import markup
from .draw_tab import IN_LINE, RESOLUTIONS, problem
from .drawing import Drawing
from .editing import Change, Editing
from .grid import Grid, Update, plain_html
from .tray import PLAIN, Tray

WAYS = [
    ("Vary: draw a share anew", "vary"),
    ("Complete: keep what lies in a box", "complete"),
    ("Go from one shape to another", "interpolate"),
    ("Mix: one below, one above", "mix"),
]
SIDES = [("from left to right (x)", "x"), ("from front to back (y)", "y"), ("from bottom to top (z)", "z")]
ENDS = {
    "x": ("from (left)", "to (right)"),
    "y": ("from (front)", "to (back)"),
    "z": ("from (bottom)", "to (top)"),
}
BOX = (-1.0, 1.0, -1.0, 1.0, -1.0, 0.0)  # the lower half, where the box begins: from and to, by axis
START = "Samples that are kept are changed here: choose one, and press Edit."


class EditTab:
    """The tab's elements, and what they do.

    Args:
        most: samples of one edit at most.
    """

    def __init__(self, editing: Editing, drawing: Drawing, tray: Tray, most: int) -> None:
        self._editing, self._drawing, self._tray = editing, drawing, tray
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=270, elem_classes="settings"):
                self._build_settings(most)
            with gr.Column(scale=4, min_width=300):
                self._chosen = plain_html("", elem_id="chosen")
                self._grid = Grid("edit", most, START)
        tray.connect(self._grid)
        self._connect()

    def _build_settings(self, most: int) -> None:
        self._first = gr.Dropdown([], label="Shape", filterable=False, elem_id="first")
        self._how = gr.Radio(WAYS, value="vary", label="What to do")
        self._second = gr.Dropdown([], label="Other shape", filterable=False, visible=False, elem_id="second")
        self._share = gr.Slider(
            0.1, 1, value=EditConfig().share, step=0.05, label="Share drawn anew",
            info="Of the cells in space; other ones in each sample.",
        )  # fmt: skip
        with gr.Column(visible=False, elem_id="box") as self._box:
            self._corners = [
                gr.Slider(-1, 1, value=BOX[2 * axis + end], step=0.05, label=f"{name} {word}")
                for axis, (_, name) in enumerate(SIDES)
                for end, word in enumerate(ENDS[name])
            ]
        self._axis = gr.Dropdown(SIDES, value="z", label="The first, then the other", filterable=False, visible=False)
        self._n = gr.Slider(1, most, value=min(4, most), step=1, label="How many")
        self._seed = gr.Number(0, precision=0, minimum=0, label="Seed")
        self._go = gr.Button("Edit", variant="primary")
        self._stop = gr.Button("Stop", size="md", min_width=80)
        with gr.Accordion("More settings", open=False):
            self._usual = gr.Checkbox(True, label="Temperature as the run chose")
            self._temperature = gr.Slider(0, 2, value=1, step=0.05, label="Temperature")
            self._resolution = gr.Dropdown(
                [(f"{cells} cells a side", cells) for cells in RESOLUTIONS],
                value=EditConfig().meshing.resolution, label="Fineness of the mesh", filterable=False,
            )  # fmt: skip

    def _connect(self) -> None:
        shapes = [self._how, self._first, self._second]
        shown = [*shapes, *self._corners]
        # While a slider is drawn, only its last place counts.
        last: dict[str, Any] = {**PLAIN, "trigger_mode": "always_last"}
        for element in (self._first, self._second, *self._corners):
            element.change(self._preview, shown, self._chosen, **last)
        parts = [self._second, self._share, self._box, self._axis, self._seed, self._usual, self._temperature]
        self._how.change(self._fitting, self._how, parts, **PLAIN).then(self._preview, shown, self._chosen, **PLAIN)
        inputs = [
            *shown, self._share, self._axis, self._n, self._seed, self._usual, self._temperature, self._resolution,
        ]  # fmt: skip
        grid = self._grid
        going = self._go.click(self._edit, inputs, grid.outputs, **IN_LINE, show_progress_on=grid.said)
        self._stop.click(lambda: markup.line("Stopped. What was made stays."), None, grid.said, cancels=going, **PLAIN)

    def follow(self, tab: gr.Tab) -> None:
        """Offer what is kept when that changes, and when the tab is opened: before, its elements hear of nothing."""
        inputs, outputs = [self._tray.kept, self._first, self._second], [self._first, self._second]
        shown = [self._how, self._first, self._second, *self._corners]
        for happens in (tab.select, *(event.then for event in self._tray.changes)):
            happens(self._offered, inputs, outputs, **PLAIN).then(self._preview, shown, self._chosen, **PLAIN)

    def _offered(self, kept: list[str], first: str | None, second: str | None) -> list[Any]:
        """The kept samples as choices; the first two are chosen where nothing was."""
        choices = self._tray.choices(kept)
        keys = [key for _, key in choices]
        first = first if first in keys else next(iter(keys), None)
        second = second if second in keys else next((key for key in keys if key != first), None)
        return [gr.update(choices=choices, value=value) for value in (first, second)]

    def _fitting(self, how: str) -> list[Any]:
        """What a way of editing asks for."""
        two, drawn = how not in DRAWN, how in DRAWN
        visible = (two, how == "vary", how == "complete", how == "mix", drawn, drawn, drawn)
        return [gr.update(visible=one) for one in visible]

    def _preview(self, how: str, first: str | None, second: str | None, *corners: float) -> str:
        """The shapes that are chosen, and the box around what is kept."""
        found = []
        for words, key in (("Shape", first), ("Other shape", second))[: 1 if how in DRAWN else 2]:
            try:
                sample = self._drawing.drawn(key or "")
            except NfgenError:
                continue
            boxed = how == "complete" and sample.mesh is not None
            box = ",".join(map(str, _region(corners))) if boxed else ""
            found.append((words + (", and the box that is kept" if boxed else ""), key or "", sample, box))
        return markup.chosen(found) if found else ""

    def _edit(self, how: Any, first: str | None, second: str | None, *values: Any) -> Iterator[Update]:
        corners, (share, axis, n, seed, usual, temperature, resolution) = values[:6], values[6:]
        try:
            change = Change(
                how, (first or "", second or ""), int(n), int(seed or 0), None if usual else float(temperature),
                float(share), _region(corners), axis, int(resolution),
            )  # fmt: skip
            config = self._editing.config(change)
            recipe = self._editing.recipe(change, config)
            keys = self._editing.samples(change, config, recipe)
            yield from self._grid.filled(recipe.lines(), keys, change.n, self._drawing.drawn, doing="Editing tokens …")
        except NfgenError as error:
            yield self._grid.failed(problem(error, options=True))


def _region(corners: tuple[float, ...]) -> tuple[float, ...]:
    """The lowest and the highest corner, of what is set from and to along each axis."""
    return (*map(float, corners[::2]), *map(float, corners[1::2]))
