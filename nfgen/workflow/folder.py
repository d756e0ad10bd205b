"""The folder that `make` writes: what may lie in it, and what may be removed."""

import os
from pathlib import Path

from nfgen.errors import ArtifactError
from nfgen.io import artifact, resuming
from nfgen.report.page import NAME as PAGE
from nfgen.report.page import require_own_page

PARTS = ("shapes", "reference", "fields", "tokens", "run", "samples")
"""Artifacts in it; the first two are the demo's."""
SHEET = "contact_sheet.png"


def make_room(out: Path, overwrite: bool) -> None:
    """Make the folder, or find what an earlier call left; with `overwrite` remove that, and nothing else.

    Raises:
        ArtifactError: if the folder holds anything that was not made here.
    """
    sheet, page, plan = out / SHEET, out / PAGE, out / resuming.PLAN
    try:
        out.mkdir(parents=True, exist_ok=True)
        if all(artifact.is_temporary(entry) for entry in out.iterdir()) or (plan.is_file() and not overwrite):
            return
        there = [out / part for part in PARTS if os.path.lexists(out / part)]
        foreign = [part for part in there if part.is_symlink() or not artifact.is_artifact(part)]
        if foreign or not (there or plan.is_file()):
            what = f"{foreign[0].name} in it is not nfgen's" if foreign else "holds nothing that nfgen made"
            raise ArtifactError(f"{out} exists already, and {what}", "choose another --out")
        if not overwrite:
            raise ArtifactError(f"{out} exists already", "choose another --out, or say --overwrite")
        require_own_page(page)
        if sheet.exists() and not _same(sheet, out / "samples" / SHEET):
            raise ArtifactError(f"{sheet} is not that of the samples", "move it away, or choose another --out")
        for part in there:
            artifact.remove_artifact(part)
        for file in (sheet, page, plan):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {out}: {error.strerror or error}", "choose another --out") from error


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
