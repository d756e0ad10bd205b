"""What the figures of a run advise: a line each, the remedy in it; never what was done already."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from .config import GenerateConfig
from .sampling_choice import BODY, SAMPLING

Settings = Mapping[str, Any]
"""Of what the figures are of, by the names that `Configuration.said` gives."""

FEW_SHAPES = 50
POOR_FIT, POOR_TOKENS = 0.85, 0.75  # IoU
UNUSED_CODES = 0.1  # share of a codebook that is used, below which most codes are dead
IN_PIECES = 0.8  # share of samples in one body
THICKER = 0.006  # coordinate units
NONE: Settings = MappingProxyType({})


class Remedy(NamedTuple):
    """What would help, in words. A direction, as "more --steps", can be taken again and again."""

    text: str
    setting: str | None = None
    """That it sets to a value, by which it is done; None of directions."""
    value: str | float | bool | None = None

    def is_done(self, settings: Settings) -> bool:
        """Whether the settings have the value already, or more of it."""
        now = None if self.setting is None else settings.get(self.setting)
        if isinstance(self.value, str) or now is None:
            return now is not None and now == self.value
        return isinstance(now, int | float) and self.value is not None and now >= self.value


LONGER = Remedy("training the tokenizer for longer (--effort best)", "effort", "best")
WHOLE = Remedy(f"--require-body {BODY} draws the others again", "require_body", BODY)
THICK = Remedy(f"--offset {THICKER} thickens thin parts", "offset", THICKER)
BALANCED = Remedy("--balanced", "balanced", True)


def of_fields(ious: list[float]) -> list[str]:
    """Advice from the IoU of each fit with its shape."""
    lines, count, iou = list[str](), len(ious), sum(ious) / len(ious)
    if count < FEW_SHAPES:
        lines.append(f"{count} shapes are few: samples will resemble them closely; a hundred or more teach variation")
    if iou < POOR_FIT:
        lines.append(f"fits have an IoU of {iou:.2f}: more --steps of the fit, or a larger --spec, keep thin parts")
    return lines


def of_tokens(report: dict[str, Any], settings: Settings = NONE) -> list[str]:
    """Advice from the report of a round trip through tokens.

    Args:
        settings: of what made them; of `make` the effort is among them.
    """
    lines = []
    iou = (report.get("iou_after") or {}).get("heldout")
    usage = (report.get("codebook_usage") or {}).get("train")
    if iou is not None and iou < POOR_TOKENS:
        longer = LONGER if "effort" in settings else Remedy("training the tokenizer for longer (more --steps)")
        remedies = _left([longer, Remedy("more shapes")], settings)
        help_ = "helps" if len(remedies) == 1 else "help"
        lines.append(
            f"held-out shapes come back from their tokens with an IoU of {iou:.2f}: samples can be no better; "
            f"{_listed(remedies, 'or')} {help_}"
        )
    if usage is not None and usage < UNUSED_CODES:
        lines.append(f"{usage:.0%} of the codes are used: fewer --levels or codes would do, or more shapes")
    return lines


def of_scores(scores: dict[str, Any], settings: Settings = NONE) -> list[str]:
    """Advice from an evaluation of samples.

    Args:
        settings: of the samples, as `settings_of` gives them.
    """
    lines = []
    whole = (scores.get("validity") or {}).get("single_body")
    if whole is not None and whole < IN_PIECES:
        remedies = _left([WHOLE, THICK], settings) or ["more shapes, or a longer training, would help"]
        lines.append(f"{whole:.0%} of the samples are in one piece: {', '.join(remedies)}")
    found = (scores.get("copying") or {}).get("cd")
    if found and found["generated"]["copies"]:
        others = [Remedy("more shapes"), Remedy("stronger --view-augment"), Remedy("fewer steps of the model")]
        lines.append(
            f"samples lie nearer to training shapes than unseen shapes do (Z_U {found['generated']['z_u']:.1f}): "
            f"{_listed(_left([BALANCED, *others], settings), 'or')} copy less"
        )
    return lines


def settings_of(samples: Mapping[str, Any], run: Mapping[str, Any] = NONE) -> dict[str, Any]:
    """The settings of samples, and what their run chose: what was tried, and given up, is no advice either.

    Args:
        samples: the config of their folder.
        run: that of their run.

    Raises:
        ConfigError: they are damaged.
    """
    chosen = run.get(SAMPLING)
    said = GenerateConfig.of_samples(samples).said()
    return (dict(chosen) if isinstance(chosen, dict) else {}) | {name: value for name, value in said.items() if value}


def _left(remedies: Sequence[Remedy], settings: Settings) -> list[str]:
    return [remedy.text for remedy in remedies if not remedy.is_done(settings)]


def _listed(words: list[str], last: str) -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
