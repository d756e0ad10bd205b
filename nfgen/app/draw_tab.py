"""The tab that draws from a run: what can be set, and the samples as they come."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from nfgen.errors import NfgenError
from nfgen.fields.resolution import RESOLUTION

from . import markup
from .drawing import Drawing, Wish
from .grid import Grid, Update, plain_html
from .runs import Offer, Runs
from .tray import PLAIN, Tray

ANY = "any class"
OPTIONS_HERE = "Change it under More settings"
RESOLUTIONS = (32, 64, 96, RESOLUTION, 192)
# One draw or edit at a time, others wait in a line: two at once would only be slower together.
IN_LINE: dict[str, Any] = {
    "api_visibility": "private", "show_progress": "minimal", "concurrency_id": "draw", "concurrency_limit": 1,
}  # fmt: skip


class DrawTab:
    """The tab's elements, and what they do."""

    def __init__(self, runs: Runs, drawing: Drawing, tray: Tray, most: int) -> None:
        self._runs, self._drawing = runs, drawing
        first = runs[runs.names[0]]
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=270, elem_classes="settings"):
                self._build_settings(first, most)
            with gr.Column(scale=4, min_width=300):
                self._grid = Grid("draw", most, "Press Draw.", "Vary")
        self._connect()
        tray.connect(self._grid)

    def _build_settings(self, first: Offer, most: int) -> None:
        self.run = gr.Dropdown(
            self._runs.names, value=first.name, label="Run", filterable=False, visible=len(self._runs.names) > 1
        )
        self._about = plain_html(markup.line(first.about))
        self._label = gr.Dropdown(filterable=False, label="Class", **_classes(first))
        self._n = gr.Slider(1, most, value=min(4, most), step=1, label="How many")
        self._temperature = gr.Slider(
            0, 2, step=0.05, label="Temperature", info="Lower is more usual, higher is more varied.",
            value=first.defaults.sampling.temperature,
        )  # fmt: skip
        self._seed = gr.Number(
            0, precision=0, minimum=0, label="Seed", info="The same seed and settings give the same samples."
        )
        self._go = gr.Button("Draw", variant="primary")
        with gr.Row():
            self._others = gr.Button("Draw others", size="md", min_width=100)
            self._stop = gr.Button("Stop", size="md", min_width=80)
        with gr.Accordion("More settings", open=False):
            self._contrast = gr.Slider(
                0, 1, step=0.05, label="Contrast",
                info="Weighs what makes a shape one of these more than what all of them share; 0 = off.",
                value=first.defaults.sampling.contrastive_weight, visible=first.contrast,
            )  # fmt: skip
            self._distinct = gr.Checkbox(first.defaults.acceptance.distinct, label="No two alike")
            self._whole = gr.Checkbox(
                first.defaults.acceptance.require_body > 0, label="In one piece", visible=first.dims == 3
            )
            self._resolution = gr.Dropdown(
                [(f"{cells} cells a side", cells) for cells in RESOLUTIONS],
                value=first.defaults.meshing.resolution, label="Fineness of the mesh", filterable=False,
                visible=first.dims == 3,
            )  # fmt: skip
            self._share = gr.Slider(
                0.1, 0.9, value=0.5, step=0.1, label="Vary keeps", visible=first.prefixes,
                info="The share of a sample's tokens that stays, from the first; the rest is drawn anew.",
            )  # fmt: skip

    def _connect(self) -> None:
        wish = [
            self.run, self._label, self._n, self._temperature, self._contrast, self._distinct, self._whole,
            self._resolution, self._seed,
        ]  # fmt: skip
        grid, shown = self._grid, self._grid.outputs
        rules = {**IN_LINE, "show_progress_on": grid.said}
        going: list[Any] = [self._go.click(self._draw, wish, shown, **rules)]
        seed = self._others.click(lambda seed: int(seed or 0) + 1, self._seed, self._seed, **PLAIN)
        going.append(seed.then(self._draw, wish, shown, **rules))
        for i, button in enumerate(grid.acts):
            inputs = [*wish, self._share, grid.drawn]
            going.append(button.click(self._varying(i), inputs, shown, **rules))
        self._stop.click(lambda: markup.line("Stopped. What was drawn stays."), None, grid.said, cancels=going, **PLAIN)
        settings = [
            self._about, self._label, self._temperature, self._contrast, self._distinct, self._whole,
            self._resolution, self._share,
        ]  # fmt: skip
        self.run.change(self._settings, self.run, settings, **PLAIN)

    def _settings(self, name: str) -> list[Any]:
        """Another run has other classes, and has chosen other settings."""
        offer = self._runs[name]
        before = offer.defaults
        return [
            markup.line(offer.about),
            gr.update(**_classes(offer)),
            before.sampling.temperature,
            gr.update(value=before.sampling.contrastive_weight, visible=offer.contrast),
            before.acceptance.distinct,
            gr.update(value=before.acceptance.require_body > 0, visible=offer.dims == 3),
            gr.update(value=before.meshing.resolution, visible=offer.dims == 3),
            gr.update(visible=offer.prefixes),
        ]

    def _draw(self, *values: Any) -> Iterator[Update]:
        yield from self._shown(values)

    def _varying(self, i: int) -> Callable[..., Iterator[Update]]:
        def vary(*values: Any) -> Iterator[Update]:
            *wish, share, drawn = values
            yield from self._shown(wish, drawn[i] if i < len(drawn) else "", share)

        return vary

    def _shown(self, values: Any, vary: str | None = None, share: float = 0.5) -> Iterator[Update]:
        """What changes on the page while samples are drawn."""
        try:
            wish = _wish(values)
            given = None if vary is None else self._drawing.drawn(vary)
            if given is not None and given.run != wish.run:
                wish = wish._replace(run=given.run)
            config = self._drawing.config(wish, given, share)
            recipe = self._drawing.recipe(wish, config)
            keys = self._drawing.samples(wish, config, recipe)
            yield from self._grid.filled(
                recipe.lines(), keys, wish.n, self._drawing.drawn,
                doing="Drawing tokens …", acts=self._runs[wish.run].prefixes,
            )  # fmt: skip
        except NfgenError as error:
            yield self._grid.failed(problem(error))


def problem(error: NfgenError, *, options: bool = False) -> str:
    """The line that says a user's mistake, and what to do about it.

    Args:
        options: whether those of the command line may be named, which the page itself does not have.
    """
    remedy = OPTIONS_HERE if "--" in error.remedy and not options else error.remedy
    return markup.line(" ".join(_sentence(text) for text in (error.problem, remedy) if text), "problem")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _classes(offer: Offer) -> dict[str, Any]:
    return {"choices": [ANY, *offer.classes], "value": ANY, "visible": bool(offer.classes)}


def _wish(values: Any) -> Wish:
    run, label, n, temperature, contrast, distinct, whole, resolution, seed = values
    return Wish(
        run, None if label in (None, ANY) else label, int(n), float(temperature), float(contrast), bool(distinct),
        bool(whole), int(resolution), int(seed or 0),
    )  # fmt: skip
