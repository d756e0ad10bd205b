"""The samples that a user keeps, below all tabs: small, to save, and to edit."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from nfgen.errors import NfgenError

from . import markup
from .drawing import Drawing
from .grid import Grid, plain_html
from .things import Drawn

MOST_KEPT = 24
PLAIN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
"""Rules of what is answered at once."""


class Tray:
    """What is kept, by its keys. Its place on the page is where `place` is called."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing
        self.kept = gr.State([])
        self.changes: list[Any] = []
        """Events that change what is kept, to go on after them."""
        self._shown = plain_html("", elem_id="tray", render=False)
        self._forget = gr.Button("Let them go", size="sm", visible=False, elem_id="forget", render=False)

    def place(self) -> None:
        """Put it here."""
        self._shown.render()
        self._forget.render()
        outputs = [self.kept, *self._parts]
        self.changes.append(self._forget.click(lambda: ([], "", gr.update(visible=False)), None, outputs, **PLAIN))

    def connect(self, grid: Grid) -> None:
        """Keep a sample of the grid when its button is pressed."""
        for i, button in enumerate(grid.keep):
            outputs = [self.kept, *self._parts, grid.said]
            self.changes.append(button.click(self._keeping(i), [grid.drawn, self.kept], outputs, **PLAIN))

    def choices(self, kept: list[str]) -> list[tuple[str, str]]:
        """Names and keys of those that are still in memory."""
        return [(f"Kept {number}", key) for number, key, _ in self._numbered(kept)]

    @property
    def _parts(self) -> list[Any]:
        return [self._shown, self._forget]

    def _numbered(self, kept: list[str]) -> list[tuple[int, str, Drawn]]:
        found = []
        for number, key in enumerate(kept, start=1):
            try:
                found.append((number, key, self._drawing.drawn(key)))
            except NfgenError:
                continue
        return found

    def _keeping(self, i: int) -> Callable[[list[str], list[str]], tuple[Any, ...]]:
        def keep(drawn: list[str], kept: list[str]) -> tuple[Any, ...]:
            try:
                key = drawn[i]
                self._drawing.drawn(key)
            except (IndexError, NfgenError):
                return kept, gr.skip(), gr.skip(), markup.line("This sample is no longer in memory.", "problem")
            if key in kept:
                return kept, gr.skip(), gr.skip(), markup.line("It is kept already.")
            kept = [*kept, key][-MOST_KEPT:]
            shown = markup.kept(self._numbered(kept))
            return kept, shown, gr.update(visible=True), markup.line(f"{len(kept)} kept.")

        return keep
