"""The whole path on a built-in family, and a page of what came out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nfgen.io import artifact, resuming
from nfgen.pipeline.config import DemoConfig, MakeConfig
from nfgen.pipeline.make_shapes import write_shapes

from .workflow.folder import make_room
from .workflow.make import make, plan

REFERENCES = 64  # shapes made with another seed, to compare with


def run_demo(
    out: str | Path,
    config: DemoConfig | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
    **settings: Any,
) -> Path:
    """Make shapes of a family, and with them all that `make` does.

    Args:
        out: folder to write; it then holds shapes, reference, fields, tokens, run, samples and `index.html`.
        config: which shapes, how many and how long; `settings` are single ones of it, such as `kind="vase"`.
        say: called with each line of text for the user.

    Returns:
        The page.

    Raises:
        ArtifactError: if the folder holds something else, or what was made with other settings.
    """
    config, out = DemoConfig.given(config, settings), Path(out)
    shared = {key: value for key, value in config.said().items() if key not in ("kind", "n")}
    making = MakeConfig(effort=config.effort).with_settings(shared)
    shapes, reference = out / "shapes", out / "reference"
    make_room(out, overwrite)
    # Before the first shape, so that what lies there is known as this demo's when it goes on.
    resuming.agree_on_plan(out, "making", plan(shapes, reference, making))
    for name, count, seed in (("shapes", config.n, config.seed), ("reference", REFERENCES, config.seed + 1)):
        if not artifact.is_artifact(out / name):
            say(f"nfgen shapes {config.kind} -n {count} --seed {seed} -o {out / name}")
            write_shapes(config.kind, out / name, n=count, seed=seed)
    return make(shapes, out, making, reference=reference, say=say)
