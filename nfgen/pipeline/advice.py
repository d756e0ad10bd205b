"""What the figures of a run advise: a line each, the remedy in it."""

from typing import Any

FEW_SHAPES = 50
POOR_FIT, POOR_TOKENS = 0.85, 0.75  # IoU
UNUSED_CODES = 0.1  # share of a codebook that is used, below which most codes are dead
IN_PIECES = 0.8  # share of samples in one body


def of_fields(ious: list[float]) -> list[str]:
    """Advice from the IoU of each fit with its shape."""
    lines, count, iou = list[str](), len(ious), sum(ious) / len(ious)
    if count < FEW_SHAPES:
        lines.append(f"{count} shapes are few: samples will resemble them closely; a hundred or more teach variation")
    if iou < POOR_FIT:
        lines.append(f"fits have an IoU of {iou:.2f}: more --steps of the fit, or a larger --spec, keep thin parts")
    return lines


def of_tokens(report: dict[str, Any]) -> list[str]:
    """Advice from the report of a round trip through tokens."""
    lines = []
    iou = (report.get("iou_after") or {}).get("heldout")
    usage = (report.get("codebook_usage") or {}).get("train")
    if iou is not None and iou < POOR_TOKENS:
        lines.append(
            f"held-out shapes come back from their tokens with an IoU of {iou:.2f}: samples can be no better; train "
            "the tokenizer for longer (--effort best), or on more shapes"
        )
    if usage is not None and usage < UNUSED_CODES:
        lines.append(f"{usage:.0%} of the codes are used: fewer --levels or codes would do, or more shapes")
    return lines


def of_scores(scores: dict[str, Any]) -> list[str]:
    """Advice from an evaluation of samples."""
    lines = []
    whole = (scores.get("validity") or {}).get("single_body")
    if whole is not None and whole < IN_PIECES:
        lines.append(
            f"{whole:.0%} of the samples are in one piece: --require-body 0.95 draws the others again, --offset 0.006 "
            "thickens thin parts"
        )
    found = (scores.get("copying") or {}).get("cd")
    if found and found["generated"]["copies"]:
        lines.append(
            f"samples lie nearer to training shapes than unseen shapes do (Z_U {found['generated']['z_u']:.1f}): "
            "--like-unseen, more shapes, stronger --view-augment, or fewer steps of the model copy less"
        )
    return lines
