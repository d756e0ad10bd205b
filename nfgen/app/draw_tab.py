"""The tab that draws from a run: what can be set, the samples as they come, and those that are kept."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from nfgen.errors import NfgenError
from nfgen.fields.resolution import RESOLUTION

from . import markup
from .drawing import Drawing, Wish
from .runs import Offer, Runs

ANY = "any class"
OPTIONS_HERE = "Change it under More settings"
RESOLUTIONS = (32, 64, 96, RESOLUTION, 192)
MOST_KEPT = 24
Update = dict[Any, Any]


class DrawTab:
    """The tab's elements, and what they do."""

    def __init__(self, runs: Runs, drawing: Drawing, most: int) -> None:
        self._runs, self._drawing = runs, drawing
        first = runs[runs.names[0]]
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=270, elem_classes="settings"):
                self._build_settings(first, most)
            with gr.Column(scale=4, min_width=300):
                self._said = plain_html(markup.line("Press Draw."), elem_classes="said")
                self._build_slots(most)
                self._command = gr.Textbox(
                    label="The command that makes the same samples",
                    interactive=False,
                    visible=False,
                    lines=1,
                    max_lines=4,
                    buttons=["copy"],
                    elem_classes="command",
                )
                self._tray = plain_html("", elem_id="tray")
                self._forget = gr.Button("Let them go", size="sm", visible=False, elem_id="forget")
        self._drawn = gr.State([])
        self._kept = gr.State([])
        self._connect()

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

    def _build_slots(self, most: int) -> None:
        """Places for samples, filled one after another: what is there already does not move or lose its focus."""
        self._slots: list[Any] = []
        self._cards: list[Any] = []
        self._keep: list[Any] = []
        self._vary: list[Any] = []
        with gr.Row(elem_classes="grid", equal_height=False):
            for i in range(most):
                with gr.Column(visible=False, min_width=200, elem_classes="slot") as slot:
                    self._cards.append(plain_html(""))
                    with gr.Row(elem_classes="acts"):
                        self._keep.append(gr.Button("Keep", size="sm", min_width=60, elem_id=f"keep-{i}"))
                        self._vary.append(gr.Button("Vary", size="sm", min_width=60, elem_id=f"vary-{i}"))
                self._slots.append(slot)

    def _connect(self) -> None:
        wish = [
            self.run, self._label, self._n, self._temperature, self._contrast, self._distinct, self._whole,
            self._resolution, self._seed,
        ]  # fmt: skip
        shown = [self._said, self._command, self._drawn, *self._slots, *self._cards, *self._vary]
        # One draw at a time, others wait in a line: two at once would only be slower together.
        rules: dict[str, Any] = {
            "api_visibility": "private", "show_progress": "minimal", "show_progress_on": self._said,
            "concurrency_id": "draw", "concurrency_limit": 1,
        }  # fmt: skip
        plain: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
        going: list[Any] = [self._go.click(self._draw, wish, shown, **rules)]
        seed = self._others.click(lambda seed: int(seed or 0) + 1, self._seed, self._seed, **plain)
        going.append(seed.then(self._draw, wish, shown, **rules))
        for i, button in enumerate(self._vary):
            inputs = [*wish, self._share, self._drawn]
            going.append(button.click(self._varying(i), inputs, shown, **rules))
        self._stop.click(
            lambda: markup.line("Stopped. What was drawn stays."), None, self._said, cancels=going, **plain
        )
        tray = [self._kept, self._tray, self._forget, self._said]
        for i, button in enumerate(self._keep):
            button.click(self._keeping(i), [self._drawn, self._kept], tray, **plain)
        self._forget.click(lambda: ([], "", gr.update(visible=False)), None, tray[:3], **plain)
        settings = [
            self._about, self._label, self._temperature, self._contrast, self._distinct, self._whole,
            self._resolution, self._share,
        ]  # fmt: skip
        self.run.change(self._settings, self.run, settings, **plain)

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
        started = time.monotonic()
        keys: list[str] = []
        try:
            wish = _wish(values)
            given = None if vary is None else self._drawing.drawn(vary)
            if given is not None and given.run != wish.run:
                wish = wish._replace(run=given.run)
            config = self._drawing.config(wish, given, share)
            command = self._drawing.command(wish, config)
            prefixes = self._drawing.offer(wish.run).prefixes
            yield {
                self._said: markup.line("Drawing tokens …"),
                self._command: gr.update(value=command, visible=True),
                self._drawn: [],
            } | {slot: gr.update(visible=False) for slot in self._slots}
            for key in self._drawing.samples(wish, config):
                i = len(keys)
                keys.append(key)
                yield {
                    self._said: markup.line(f"{len(keys)} of {wish.n} …"),
                    self._drawn: list(keys),
                    self._slots[i]: gr.update(visible=True),
                    self._cards[i]: markup.card(key, self._drawing.drawn(key)),
                    self._vary[i]: gr.update(visible=prefixes),
                }
            what = "sample" if len(keys) == 1 else "samples"
            yield {self._said: markup.line(f"{len(keys)} {what} in {time.monotonic() - started:.1f} s.")}
        except NfgenError as error:
            yield {self._said: problem(error)}

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
            samples = [(one, self._drawing.drawn(one)) for one in kept]
            return kept, markup.kept(samples), gr.update(visible=True), markup.line(f"{len(kept)} kept.")

        return keep


def plain_html(value: str = "", **settings: Any) -> gr.HTML:
    """HTML with the looks of the page's own style sheet."""
    return gr.HTML(value, apply_default_css=False, js_on_load=None, **settings)


def problem(error: NfgenError) -> str:
    """The line that says a user's mistake, and what to do about it."""
    remedy = OPTIONS_HERE if "--" in error.remedy else error.remedy  # there are no options of the command line here
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
