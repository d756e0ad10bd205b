"""From a folder of shapes to new ones by one call: fit, tokenize, train, generate, evaluate, report."""

import contextlib
import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nfgen.fields.field_set import FieldSet
from nfgen.fitting.config import FitConfig
from nfgen.io import artifact, files
from nfgen.metrics.mmd_cov_nna import ENOUGH
from nfgen.pipeline import advice
from nfgen.pipeline.config import GenerateConfig, MakeConfig, MeshingConfig, TrainConfig
from nfgen.pipeline.dry_run.estimate import duration
from nfgen.pipeline.dry_run.stages import plan_tokenize, plan_train
from nfgen.pipeline.fit import fit
from nfgen.pipeline.generate import generate
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.runtime.device import AUTO, without_device
from nfgen.runtime.provenance import made_by
from nfgen.tokenizers.config import TokenizeConfig

from .errors import ArtifactError, NfgenError
from .evaluation import evaluate, score_lines
from .evaluation.config import EvaluateConfig
from .report import write_report
from .report.page import NAME as PAGE
from .report.page import require_own_page

PARTS = ("shapes", "reference", "fields", "tokens", "run", "samples")
"""Folders that may lie in what is made; the first two are the demo's."""
SHEET = "contact_sheet.png"
SNAPSHOTS = 10  # of the first fits
FIT_POINTS = 512  # of a step
TOKENIZER_SHARE, MODEL_SHARE = 0.45, 0.15  # of the minutes, if there is a limit
NO_LIMIT = 1e6  # minutes
DROPOUT = 0.2
POINTS = 1024  # of a cloud: half of the usual, a quarter of the time
SAMPLE_EVERY = 200  # steps of the model


class Steps(NamedTuple):
    """How long to train. Steps, not minutes: so a slow or busy machine takes longer, and makes the same."""

    fit_steps: int
    tokenizer_steps: int
    views: int
    """Augmented token sequences of each shape."""
    model_steps: int


EFFORTS = {
    "quick": Steps(fit_steps=600, tokenizer_steps=1500, views=8, model_steps=600),
    "standard": Steps(fit_steps=2400, tokenizer_steps=6000, views=32, model_steps=2500),
    "best": Steps(fit_steps=2400, tokenizer_steps=18000, views=32, model_steps=4000),
}


def make(
    shapes: str | Path,
    out: str | Path,
    config: MakeConfig | None = None,
    *,
    reference: str | Path | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
    **settings: Any,
) -> Path:
    """Learn from shapes and make new ones. An interrupted call goes on where it stopped when it is made again.

    Args:
        shapes: folder, file, zip or glob of meshes, voxel grids or images.
        out: folder to write; it then holds fields, tokens, run, samples and `index.html`.
        config: how long to learn, how many to make; `settings` are single ones of it, such as `effort="quick"`.
        reference: real shapes to compare the samples with; by default those that were held out.
        overwrite: begin again, not where an earlier call stopped.
        say: called with each line of text for the user.

    Returns:
        The page.

    Raises:
        ArtifactError: if the folder holds something else, or what was made with other settings.
    """
    config, out, started = MakeConfig.given(config, settings), Path(out), time.monotonic()
    device = config.device
    on = () if device == AUTO else ("--device", device)
    effort = EFFORTS[config.effort]
    make_room(out, overwrite)
    artifact.agree_on_plan(out, "making", plan(shapes, reference, config))

    @contextlib.contextmanager
    def step(*words: object, seconds: float | None = None) -> Iterator[None]:
        command = ["nfgen", *map(str, words), *(() if words[0] == "report" else on)]
        about = "" if seconds is None else f"   # about {duration(seconds)}"
        say(f"[{(time.monotonic() - started) / 60:4.1f} min] {shlex.join(command)}{about}")
        with made_by(command[1:]):
            yield

    fields_at, tokens_at, run_at, samples_at = (out / part for part in PARTS[2:])
    fitting = FitConfig(
        steps=effort.fit_steps, points=FIT_POINTS, seed=config.seed, reading=config.reading, device=device
    )
    if not artifact.is_artifact(fields_at):
        with step("fit", shapes, "--steps", fitting.steps, "--points", fitting.points, "-o", fields_at):
            fit(shapes, fields_at, fitting, snapshots=SNAPSHOTS, resume=True)
    fields = FieldSet.load(fields_at)

    limit = config.minutes or NO_LIMIT
    tokenizer = {"steps": effort.tokenizer_steps, "minutes": TOKENIZER_SHARE * limit}
    tokenizing = TokenizeConfig(
        tokenizer="vq",
        heldout=config.heldout,
        views=effort.views,
        seed=config.seed,
        device=device,
        tokenizer_settings=tokenizer,
    )
    if not artifact.is_artifact(tokens_at):
        seconds = min(plan_tokenize(fields, config=tokenizing).total_seconds, 60 * tokenizer["minutes"])
        words = ("--tokenizer", "vq", "--steps", effort.tokenizer_steps, "--views", effort.views, "-o", tokens_at)
        with step("tokenize", fields_at, *words, seconds=seconds):
            tokenize(fields, tokens_at, config=tokenizing, resume=True)

    training = TrainConfig(
        steps=effort.model_steps,
        minutes=config.minutes and MODEL_SHARE * config.minutes,
        patience=0,
        seed=config.seed,
        sample_every=SAMPLE_EVERY,
        device=device,
        model_settings={"dropout": DROPOUT},
    )
    if not artifact.is_artifact(run_at):
        seconds = plan_train(tokens_at, training).total_seconds
        options = ("--steps", effort.model_steps, "--patience", 0, "--dropout", DROPOUT, "-o", run_at)
        with step("train", tokens_at, *options, seconds=seconds):
            train(tokens_at, run_at, training, resume=True)

    lines: list[str] = []
    generating = GenerateConfig(
        n=config.n, seed=config.seed, device=device, meshing=MeshingConfig(format=config.format)
    )
    if not artifact.is_artifact(samples_at):
        with step("generate", run_at, "-n", config.n, "--format", config.format, "-o", samples_at):
            try:
                generate(run_at, samples_at, generating, resume=True)
            except NfgenError as error:  # what this run chose to ask of its samples it cannot give
                lines.append(f"samples are taken as they come: {error.problem}")
                generate(run_at, samples_at, generating, distinct=False, require_body=0.0, overwrite=True)
    lines += advice.of_fields([entry["iou"] for entry in fields.report])
    lines += advice.of_tokens(files.read_json(tokens_at / "report.json"))
    if fields.spec.dims == 3:
        real = shapes if reference is None else reference
        judging = EvaluateConfig(points=POINTS, reading=config.reading, pictures=config.n >= ENOUGH, device=device)
        try:
            with step("evaluate", samples_at, "--reference", real, "--train", shapes, "--fields", fields_at):
                scores = evaluate(samples_at, real, judging, train=shapes, fields=fields_at)
        except NfgenError as error:  # such as no surface, or nothing held out: the samples are there all the same
            lines.append(f"the samples were not scored: {error.problem}; {error.remedy}")
        else:
            lines += advice.of_scores(scores)
            for line in score_lines(scores):
                say(line)
    with step("report", out, "-o", out / PAGE):
        files.write_atomically(out / SHEET, (samples_at / SHEET).read_bytes())
        page = write_report([out], out / PAGE)
    say(f"all of it took {duration(time.monotonic() - started)}; the meshes are in {samples_at}")
    for line in lines:
        say(f"advice: {line}")
    return page


def plan(shapes: str | Path, reference: str | Path | None, config: MakeConfig) -> dict[str, Any]:
    """What two calls must have in common, that the second goes on where the first stopped."""
    return without_device(config.to_json()) | {
        "shapes": str(shapes),
        "reference": None if reference is None else str(reference),
    }


def make_room(out: Path, overwrite: bool) -> None:
    """Make the folder, or find what an earlier call left; with `overwrite` remove that, and nothing else.

    Raises:
        ArtifactError: if the folder holds anything that was not made here.
    """
    sheet, page, plan = out / SHEET, out / PAGE, out / artifact.PLAN
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
