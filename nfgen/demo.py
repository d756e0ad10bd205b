"""The whole path on a built-in family, and a page of what came out."""

import contextlib
import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nfgen.io import artifact, files
from nfgen.pipeline.config import DemoConfig, TrainConfig
from nfgen.pipeline.fit import fit_fields
from nfgen.pipeline.generate import generate
from nfgen.pipeline.make_shapes import write_shapes
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.runtime.provenance import made_by

from .errors import ArtifactError
from .evaluation import evaluate, score_lines
from .report import write_report
from .report.page import NAME as PAGE
from .report.page import require_own_page

PARTS = ("shapes", "reference", "fields", "tokens", "run", "samples")
SHEET = "contact_sheet.png"
SAMPLES_MADE = 24
REFERENCES = 64  # shapes made with another seed, to compare with
# Shares of the minutes, from measured runs on two cores; shapes, fitting, meshing and scoring take the rest.
TOKENIZER_SHARE, MODEL_SHARE = 0.45, 0.15
VIEWS = 8
SNAPSHOTS = 10  # of the first fits
POINTS = 1024  # of a cloud: half of the usual, a quarter of the time
RESOLUTION = 96
OFFSET = 0.01  # after so short a training thin parts break. To draw again is no remedy: a shorter one may break all


def run_demo(
    out: str | Path,
    config: DemoConfig | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
    **settings: Any,
) -> Path:
    """Make shapes, fit fields, tokenize, train, generate, evaluate and report.

    Args:
        out: folder to write; it then holds shapes, reference, fields, tokens, run, samples and `index.html`.
        config: which shapes, how many and how long; `settings` are single ones of it, such as `minutes=2`.
        say: called with each line of text for the user.

    Returns:
        The page.

    Raises:
        ArtifactError: if the folder holds anything, and is not a demo to overwrite.
    """
    config = DemoConfig.given(config, settings)
    kind, minutes, seed = config.kind, config.minutes, config.seed
    out, started = Path(out), time.monotonic()
    _make_room(out, overwrite)

    here = shlex.quote(str(out))

    @contextlib.contextmanager
    def step(command: str) -> Iterator[None]:
        say(f"[{(time.monotonic() - started) / 60:4.1f} min] nfgen {command}")
        with made_by(shlex.split(command)):
            yield

    with step(f"shapes {kind} -n {config.n} --seed {seed} -o {here}/shapes"):
        write_shapes(kind, out / "shapes", n=config.n, seed=seed, overwrite=overwrite)
    with step(f"shapes {kind} -n {REFERENCES} --seed {seed + 1} -o {here}/reference"):
        write_shapes(kind, out / "reference", n=REFERENCES, seed=seed + 1, overwrite=overwrite)
    with step(f"fit {here}/shapes --snapshots {SNAPSHOTS} -o {here}/fields"):
        fit_fields(out / "shapes", out / "fields", snapshots=SNAPSHOTS, overwrite=overwrite)
    limit = TOKENIZER_SHARE * minutes
    with step(f"tokenize {here}/fields --tokenizer vq --minutes {limit:.1f} --views {VIEWS} -o {here}/tokens"):
        tokenize(out / "fields", out / "tokens", "vq", seed=seed, views=VIEWS, minutes=limit, overwrite=overwrite)
    with step(f"train {here}/tokens --minutes {MODEL_SHARE * minutes:.1f} --dropout 0.2 -o {here}/run"):
        train(
            out / "tokens",
            out / "run",
            model_settings={"dropout": 0.2},
            config=TrainConfig(minutes=MODEL_SHARE * minutes, seed=seed, sample_every=200),
            overwrite=overwrite,
        )
    with step(f"generate {here}/run -n {SAMPLES_MADE} --offset {OFFSET} --resolution {RESOLUTION} -o {here}/samples"):
        generate(
            out / "run",
            out / "samples",
            n=SAMPLES_MADE,
            seed=seed,
            offset=OFFSET,
            resolution=RESOLUTION,
            overwrite=overwrite,
        )
    with step(
        f"evaluate {here}/samples --reference {here}/reference --train {here}/shapes --fields {here}/fields "
        f"--points {POINTS}"
    ):
        scores = evaluate(
            out / "samples", out / "reference", train=out / "shapes", fields=out / "fields", points=POINTS
        )
    for line in score_lines(scores):
        say(line)
    with step(f"report {here} -o {here}/index.html"):
        files.write_atomically(out / SHEET, (out / "samples" / SHEET).read_bytes())
        page = write_report([out], out / PAGE)
    say(f"all of it took {(time.monotonic() - started) / 60:.1f} minutes; the meshes are in {out / 'samples'}")
    return page


def _make_room(out: Path, overwrite: bool) -> None:
    """Make the folder; of an earlier demo in it remove the artifacts, the page and the sheet, and nothing else."""
    sheet, page = out / SHEET, out / PAGE
    try:
        out.mkdir(parents=True, exist_ok=True)
        if all(artifact.is_temporary(entry) for entry in out.iterdir()):
            return
        there = [out / part for part in PARTS if os.path.lexists(out / part)]
        foreign = [part for part in there if part.is_symlink() or not artifact.is_artifact(part)]
        if foreign or not there:
            what = f"{foreign[0].name} in it is not nfgen's" if foreign else "holds no demo"
            raise ArtifactError(f"{out} exists already, and {what}", "choose another --out")
        if not overwrite:
            raise ArtifactError(f"{out} exists already", "choose another --out, or say --overwrite")
        require_own_page(page)
        if sheet.exists() and not _same(sheet, out / "samples" / SHEET):
            raise ArtifactError(f"{sheet} is not that of a demo", "move it away, or choose another --out")
        for part in there:
            artifact.remove_artifact(part)
        sheet.unlink(missing_ok=True)
        page.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {out}: {error.strerror or error}", "choose another --out") from error


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
