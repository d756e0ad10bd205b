"""Fit, tokenize, train, generate, evaluate, report: each is left out if what it makes is there."""

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nfgen.config import Configuration
from nfgen.errors import NfgenError
from nfgen.evaluation import evaluate, score_lines
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact, files, resuming
from nfgen.pipeline import advice
from nfgen.pipeline.config import GenerateConfig, MakeConfig
from nfgen.pipeline.dry_run.estimate import Plan, duration
from nfgen.pipeline.dry_run.stages import plan_tokenize, plan_train
from nfgen.pipeline.fit import contents_of, fit, list_shapes
from nfgen.pipeline.generate import generate
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.report import write_report
from nfgen.report.page import NAME as PAGE
from nfgen.runtime.device import without_device
from nfgen.runtime.provenance import made_by

from .efforts import verbs_of
from .folder import PARTS, SHEET, make_room

SNAPSHOTS = 10  # of the first fits
CONTENTS = "contents of shapes"
"""Fingerprints of the shapes' files, in the plan."""

Say = Callable[[str], None]
"""Called with each line of text for the user."""


def make(
    shapes: str | Path,
    out: str | Path,
    config: MakeConfig | None = None,
    *,
    reference: str | Path | None = None,
    overwrite: bool = False,
    say: Say = print,
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
        ArtifactError: if the folder holds something else, or what was made with other settings or of other shapes.
    """
    config, out, started = MakeConfig.given(config, settings), Path(out), time.monotonic()
    make_room(out, overwrite)
    resuming.agree_on_plan(out, "making", plan(shapes, reference, config))
    verbs, step = verbs_of(config), _Steps(say)
    _agree_on_contents(out, contents_of(list_shapes(shapes, verbs.fit)[1]))
    fields_at, tokens_at, run_at, samples_at = (out / part for part in PARTS[2:])
    lines: list[str] = []

    step.unless_made(
        fields_at, "fit", shapes, verbs.fit,
        lambda: fit(shapes, fields_at, verbs.fit, snapshots=SNAPSHOTS, resume=True),
    )  # fmt: skip
    step.unless_made(
        tokens_at, "tokenize", fields_at, verbs.tokenize,
        lambda: tokenize(fields_at, tokens_at, config=verbs.tokenize, resume=True), plan_tokenize,
    )  # fmt: skip
    step.unless_made(
        run_at, "train", tokens_at, verbs.train,
        lambda: train(tokens_at, run_at, verbs.train, resume=True), plan_train,
    )  # fmt: skip
    step.unless_made(
        samples_at, "generate", run_at, verbs.generate,
        lambda: lines.extend(_generated(run_at, samples_at, verbs.generate)),
    )  # fmt: skip

    fields = FieldSet.load(fields_at)
    lines += advice.of_fields([entry["iou"] for entry in fields.report])
    lines += advice.of_tokens(files.read_json(tokens_at / "report.json"), {"effort": config.effort})
    if fields.spec.dims == 3:
        real = shapes if reference is None else reference
        beside = ("--reference", real, "--train", shapes, "--fields", fields_at)
        try:
            with step("evaluate", samples_at, *beside, *verbs.evaluate.as_options()):
                scores = evaluate(samples_at, real, verbs.evaluate, train=shapes, fields=fields_at)
        except NfgenError as error:  # such as no surface, or nothing held out: the samples are there all the same
            lines.append(f"the samples were not scored: {error.problem}; {error.remedy}")
        else:
            done = advice.settings_of(artifact.read_config(samples_at), artifact.read_config(run_at))
            lines += advice.of_scores(scores, done)
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


def _agree_on_contents(out: Path, contents: dict[str, str]) -> None:
    """Check that the shapes still hold what they held at first. The plan of a demo is older than its shapes."""
    known = files.read_json(out / resuming.PLAN)
    if CONTENTS not in known:
        files.write_json(out / resuming.PLAN, known | {CONTENTS: contents})
    resuming.agree_on_plan(out, "making", {CONTENTS: contents})


class _Steps:
    """Says each step with its time and the command that would do the same, which its artifact stores."""

    def __init__(self, say: Say) -> None:
        self.say, self.started = say, time.monotonic()

    @contextlib.contextmanager
    def __call__(self, *words: object, about: str = "") -> Iterator[None]:
        command = list(map(str, words))
        minutes = (time.monotonic() - self.started) / 60
        self.say(f"[{minutes:4.1f} min] nfgen {shlex.join(command)}{about}")
        with made_by(command):
            yield

    def unless_made(
        self,
        made: Path,
        verb: str,
        source: str | Path,
        config: Configuration,
        work: Callable[[], object],
        estimate: Callable[..., Plan] | None = None,
    ) -> None:
        """Make an artifact, unless it is there."""
        if artifact.is_artifact(made):
            return
        about = "" if estimate is None else f"   # about {duration(estimate(source, config=config).total_seconds)}"
        with self(verb, source, *config.as_options(), "-o", made, about=about):
            work()


def _generated(run: Path, out: Path, config: GenerateConfig) -> list[str]:
    """Generate; if the run cannot give what it chose to ask of its samples, take them as they come, and say so."""
    try:
        generate(run, out, config, resume=True)
    except NfgenError as error:
        generate(run, out, config, distinct=False, balanced=False, require_body=0.0, overwrite=True)
        return [f"samples are taken as they come: {error.problem}"]
    return []
