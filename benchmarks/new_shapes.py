"""What makes samples of a GPT new and varied: the same tokens, learned from and sampled in several ways.

    nfgen fit chairs.npz -o fields
    nfgen tokenize fields --heldout 0.4533 -o tokens
    python benchmarks/new_shapes.py tokens chairs.npz --work new_shapes

Samples are compared with the shapes that were held out, in independent sets of as many. Runs that are in the work
folder already are not trained again.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch

from nfgen import GenerateConfig, Run, show_progress, train
from nfgen.evaluation.measure import measure_shapes
from nfgen.io.files import write_json
from nfgen.metrics import chamfer_matrix, copying_scores, cov, largest_share, mmd, one_nna
from nfgen.metrics.clouds import Floats, surface_cloud
from nfgen.pipeline.draw import draw
from nfgen.shapes import find_shapes

POINTS, CELLS, BODY, OFFSET, WHOLE = 1024, 48, 0.95, 0.006, 0.99


class Sampled(NamedTuple):
    """How a run is sampled."""

    checkpoint: str
    balanced: bool
    temperature: float = 1.0


WAYS = [Sampled("last", False), Sampled("last", True)]

TRIED: dict[str, tuple[dict[str, Any], list[Sampled]]] = {
    "from random weights": ({"init": "none"}, WAYS),
    "from the model that ships": ({}, WAYS),
}
"""Settings of the training, and ways to sample it, by the name of a row."""


@click.command()
@click.argument("tokens", type=click.Path(exists=True, path_type=Path))
@click.argument("shapes", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), default=Path("new_shapes"), show_default=True)
@click.option("--sets", default=2, show_default=True, help="Of samples, each as large as the held-out shapes are many.")
@click.option("--seed", default=0, show_default=True)
def main(tokens: Path, shapes: Path, work: Path, sets: int, seed: int) -> None:
    """Train on TOKENS, which hold out some of SHAPES, and score."""
    show_progress(True)
    refs = find_shapes(shapes)
    real = measure_shapes(refs, POINTS, seed, "real", in_file_frame=True)
    found = []
    for name, (settings, ways) in TRIED.items():
        folder = work / name.replace(" ", "_")
        if not folder.exists():
            train(tokens, folder, patience=0, sample_every=0, seed=seed, **settings)
        for way in ways:
            run = Run.load(folder, way.checkpoint)
            learned = set(run.train_ids)
            inside = np.array([refs[place].id in learned for place in real.kept])
            scores = scored(run, way, real.clouds[inside], real.clouds[~inside], sets, seed)
            facts = {key: run.result[key] for key in ("steps", "best_step", "bits_per_field", "seconds")}
            found.append({"training": name, **way._asdict(), **facts, **scores})
            click.echo(json.dumps(found[-1]))
            counts = {"known": int(inside.sum()), "heldout": int((~inside).sum())}
            write_json(work / "new_shapes.json", {"rows": found, **counts})


def scored(run: Run, way: Sampled, known: Floats, heldout: Floats, sets: int, seed: int) -> dict[str, Any]:
    """Mean scores of sets of samples, beside as many known shapes."""
    settings = {"require_body": BODY, "offset": OFFSET, "resolution": CELLS, "distinct": False, **way._asdict()}
    config = GenerateConfig(n=sets * len(heldout), seed=seed).with_settings(settings)
    clouds, whole = [], 0
    for sample in draw(run, config):
        cloud = surface_cloud(sample.decoded.mesh, POINTS, seed, sample.index)
        assert cloud is not None
        clouds.append(cloud if run.frame is None else run.frame.invert(cloud.astype(np.float64)))
        whole += (largest_share(sample.decoded.mesh) or 0) >= WHOLE
    unseen, parts = chamfer_matrix(heldout, known), []
    for start in range(0, len(clouds), len(heldout)):
        some = np.stack(clouds[start : start + len(heldout)]).astype(np.float32)
        near = chamfer_matrix(some, known)
        copying, novelty = copying_scores(near, unseen), np.median(near.min(axis=1)) / np.median(unseen.min(axis=1))
        news = {"z_u": copying["z_u"], "near_copies": copying["copy_rate"]["value"], "novelty": float(novelty)}
        parts.append(against(heldout, some) | news)
    mean = {key: float(np.mean([part[key] for part in parts])) for key in parts[0]}
    rng = np.random.default_rng(seed)
    others = [against(heldout, known[rng.permutation(len(known))[: len(heldout)]]) for _ in range(sets)]
    ceiling = {key: float(np.mean([one[key] for one in others])) for key in others[0]}
    return mean | {"sets": parts, "one_piece": whole / len(clouds), "real": ceiling}


def against(heldout: Floats, some: Floats) -> dict[str, float]:
    """Scores of a set of shapes beside held-out ones."""
    across = chamfer_matrix(some, heldout)
    among = chamfer_matrix(heldout)
    return {"1_nna": one_nna(chamfer_matrix(some), across, among), "cov": cov(across), "mmd": mmd(across)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
