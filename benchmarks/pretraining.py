"""What it helps a GPT to learn from made-up shapes first: the same tokens with and without them.

    nfgen fit chairs.npz -o fields
    nfgen tokenize fields --tune 8 --heldout 0.2 -o tokens
    python benchmarks/pretraining.py tokens chairs.npz --work pretraining

Samples are compared with the shapes that were held out, in independent sets of as many. Runs that are in the work
folder already are not trained again.
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from nfgen import GenerateConfig, Run, show_progress, train
from nfgen.evaluation.measure import measure_shapes
from nfgen.io.files import write_json
from nfgen.metrics import chamfer_matrix, copying_scores, cov, mmd, one_nna
from nfgen.metrics.clouds import Floats, surface_cloud
from nfgen.pipeline.draw import draw
from nfgen.shapes import find_shapes

POINTS, CELLS, BODY, OFFSET = 1024, 48, 0.95, 0.006
TRIED: dict[str, tuple[dict[str, Any], list[float]]] = {
    "fields alone": ({"pretrain": 0.0, "steps": 500}, [0.9, 1.0]),
    "made-up shapes first": ({}, [0.9, 1.0]),
}
"""Settings of the training, and temperatures, by the name of a row."""


@click.command()
@click.argument("tokens", type=click.Path(exists=True, path_type=Path))
@click.argument("shapes", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), default=Path("pretraining"), show_default=True)
@click.option("--sets", default=2, show_default=True, help="Of samples, each as large as the held-out shapes are many.")
@click.option("--steps", type=int, help="Of the training with made-up shapes. [default: as nfgen train]")
@click.option("--seed", default=0, show_default=True)
def main(tokens: Path, shapes: Path, work: Path, sets: int, steps: int | None, seed: int) -> None:
    """Train on TOKENS, which hold out some of SHAPES, and score."""
    show_progress(True)
    found = []
    for name, (settings, temperatures) in TRIED.items():
        folder = work / name.replace(" ", "_")
        if not folder.exists():
            given = settings | ({"steps": steps} if steps and "steps" not in settings else {})
            train(tokens, folder, patience=0, sample_every=0, evaluate_every=50, seed=seed, **given)
        run = Run.load(folder)
        learned = set(run.train_ids)
        refs = find_shapes(shapes)
        real = measure_shapes(refs, POINTS, seed, "real", in_file_frame=True)
        inside = np.array([refs[place].id in learned for place in real.kept])
        known, heldout = real.clouds[inside], real.clouds[~inside]
        for temperature in temperatures:
            scores = scored(run, temperature, known, heldout, sets, seed)
            found.append({"training": name, "temperature": temperature, **facts(run), **scores})
            click.echo(json.dumps(found[-1]))
            write_json(work / "pretraining.json", {"rows": found, "heldout": len(heldout), "known": len(known)})


def facts(run: Run) -> dict[str, Any]:
    """Of a run's training."""
    return {key: run.result[key] for key in ("steps", "best_step", "bits_per_field", "seconds")}


def scored(run: Run, temperature: float, known: Floats, heldout: Floats, sets: int, seed: int) -> dict[str, Any]:
    """Mean scores of sets of samples of the weights of lowest held-out loss, beside as many known shapes."""
    config = GenerateConfig(n=sets * len(heldout), seed=seed).with_settings(
        {"temperature": temperature, "require_body": BODY, "offset": OFFSET, "resolution": CELLS}
    )
    clouds, drawn = [], 0
    for sample in draw(run, config):
        cloud = surface_cloud(sample.decoded.mesh, POINTS, seed, sample.index)
        assert cloud is not None
        clouds.append(cloud if run.frame is None else run.frame.invert(cloud.astype(np.float64)))
        drawn = sample.index + 1
    among, unseen = chamfer_matrix(heldout), chamfer_matrix(heldout, known)

    def against_heldout(some: Floats) -> dict[str, float]:
        across = chamfer_matrix(some, heldout)
        return {"1_nna": one_nna(chamfer_matrix(some), across, among), "cov": cov(across), "mmd": mmd(across)}

    parts = []
    for start in range(0, len(clouds), len(heldout)):
        some = np.stack(clouds[start : start + len(heldout)]).astype(np.float32)
        near = chamfer_matrix(some, known)
        copying, novelty = copying_scores(near, unseen), np.median(near.min(axis=1)) / np.median(unseen.min(axis=1))
        news = {"z_u": copying["z_u"], "near_copies": copying["copy_rate"]["value"], "novelty": float(novelty)}
        parts.append(against_heldout(some) | news)
    mean = {key: float(np.mean([part[key] for part in parts])) for key in parts[0]}
    others = np.random.default_rng(seed).permutation(len(known))[: len(heldout)]
    return mean | {"sets": parts, "accepted": len(clouds) / drawn, "real": against_heldout(known[others])}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
