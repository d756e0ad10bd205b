"""Places for samples on a tab, filled one after another, with the command that makes the same ones."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gradio as gr

from . import markup
from .things import Drawn

Update = dict[Any, Any]


def plain_html(value: str = "", **settings: Any) -> gr.HTML:
    """HTML with the looks of the page's own style sheet."""
    return gr.HTML(value, apply_default_css=False, js_on_load=None, **settings)


class Grid:
    """A line of what goes on, the places, and the command; what is there already does not move or lose its focus.

    Args:
        name: of the tab, for the elements' ids.
        most: samples at once.
        start: what the line says before the first one.
        act: a button of each sample beside Keep; "" = none.
    """

    def __init__(self, name: str, most: int, start: str, act: str = "") -> None:
        self.said = plain_html(markup.line(start), elem_classes="said")
        self.drawn = gr.State([])
        self.slots: list[Any] = []
        self.keep: list[Any] = []
        self.acts: list[Any] = []
        self._cards: list[Any] = []
        with gr.Row(elem_classes="grid", equal_height=False):
            for i in range(most):
                with gr.Column(visible=False, min_width=200, elem_classes="slot") as slot:
                    self._cards.append(plain_html(""))
                    with gr.Row(elem_classes="acts"):
                        self.keep.append(gr.Button("Keep", size="sm", min_width=60, elem_id=f"{name}-keep-{i}"))
                        if act:
                            self.acts.append(gr.Button(act, size="sm", min_width=60, elem_id=f"{name}-act-{i}"))
                self.slots.append(slot)
        self._command = plain_html("")

    @property
    def outputs(self) -> list[Any]:
        """What `filled` changes."""
        return [self.said, self._command, self.drawn, *self.slots, *self._cards, *self.acts]

    def filled(
        self,
        commands: list[str],
        keys: Iterable[str],
        n: int,
        sample_of: Callable[[str], Drawn],
        *,
        doing: str,
        acts: bool = False,
    ) -> Iterator[Update]:
        """What changes on the page while samples come.

        Args:
            keys: of the samples, each when it is there.
            n: how many there will be.
            doing: what is done before the first one.
            acts: whether the samples have the button beside Keep.
        """
        started, found = time.monotonic(), list[str]()
        begun = {self.said: markup.line(doing), self._command: markup.command(commands), self.drawn: []}
        yield begun | {slot: gr.update(visible=False) for slot in self.slots}
        for key in keys:
            i = len(found)
            found.append(key)
            yield {
                self.said: markup.line(f"{len(found)} of {n} …"),
                self.drawn: list(found),
                self.slots[i]: gr.update(visible=True),
                self._cards[i]: markup.card(key, sample_of(key)),
            } | ({self.acts[i]: gr.update(visible=acts)} if self.acts else {})
        what = "sample" if len(found) == 1 else "samples"
        yield {self.said: markup.line(f"{len(found)} {what} in {time.monotonic() - started:.1f} s.")}

    def failed(self, line: str) -> Update:
        """What changes when there are no samples: the line says why, and there is no command for them."""
        return {self.said: line, self._command: ""}
