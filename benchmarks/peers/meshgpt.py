"""MeshGPT, as `meshgpt-pytorch` has it, on the shapes that nfgen learns from, for given minutes, by the same metrics.

    pip install '.[peers]'
    python benchmarks/peers/meshgpt.py --train known.npz --reference unseen.npz --minutes 30 -n 50
    python benchmarks/peers/meshgpt.py --train shapes.npz --limit 400 -o meshgpt  # for systems.py --peer

Each shape is decimated to at most `--faces` triangles (quadric error), put into [-1, 1]^3, and its vertices and faces
are sorted from the ground up. Half of the minutes go to the autoencoder, half to the transformer, both smaller than the
package's defaults, which are for GPUs. Generation counts separately and may be stopped by `--generate-minutes`. All
minutes are of the processor: a busy machine takes nothing away.
"""

import datetime
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import igl
import numpy as np
import torch
import trimesh
from operators import declare_missing_operators
from torch import Tensor, nn

from nfgen import evaluate, find_shapes, show_progress
from nfgen.runtime.progress import progress

RESULTS = Path(__file__).parent.parent / "results" / "meshgpt.jsonl"
AUTOENCODER: dict[str, Any] = {
    "num_discrete_coors": 128,
    "encoder_dims_through_depth": (64, 128, 192),
    "decoder_dims_through_depth": (128, 128, 192, 192),
    "dim_codebook": 96,
    "codebook_size": 1024,
}
TRANSFORMER: dict[str, Any] = {"dim": 128, "attn_depth": 4, "attn_heads": 4, "attn_dim_head": 32}
TOKENS_A_FACE = 6  # three vertices of two residual codes
PAD = -1


@click.command()
@click.option("--train", "known", type=click.Path(exists=True, path_type=Path), required=True)
@click.option(
    "--reference", type=click.Path(exists=True, path_type=Path), help="Unseen shapes; without them nothing is scored."
)
@click.option("--limit", type=int, help="Use only the first so many shapes to train on.")
@click.option("--faces", default=400, show_default=True, help="Most faces of a shape.")
@click.option("--minutes", default=30.0, show_default=True, help="Of training.")
@click.option("--generate-minutes", default=10.0, show_default=True)
@click.option("-n", "count", default=50, show_default=True, help="Samples.")
@click.option("--batch-size", default=8, show_default=True)
@click.option("--learning-rate", default=1e-3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("-o", "--work", type=click.Path(path_type=Path), default=Path("meshgpt"), show_default=True)
def main(
    known: Path, reference: Path | None, limit: int | None, faces: int, minutes: float, generate_minutes: float,
    count: int, batch_size: int, learning_rate: float, seed: int, work: Path,
) -> None:  # fmt: skip
    """Train, generate, score; keep the figures."""
    show_progress(True)
    declare_missing_operators()
    from meshgpt_pytorch import MeshAutoencoder, MeshTransformer

    torch.manual_seed(seed)
    meshes = [decimated(ref.load().mesh(), faces) for ref in find_shapes(known)[:limit]]
    click.echo(f"{len(meshes)} shapes of {min(len(f) for _, f in meshes)} to {max(len(f) for _, f in meshes)} faces")
    autoencoder = MeshAutoencoder(**AUTOENCODER, pad_id=PAD)
    first = learn(autoencoder, autoencoder, meshes, batch_size, learning_rate, minutes / 2, seed, "autoencoder")
    transformer = MeshTransformer(autoencoder, **TRANSFORMER, max_seq_len=TOKENS_A_FACE * faces)
    second = learn(transformer, transformer, meshes, batch_size, learning_rate, minutes / 2, seed + 1, "transformer")
    started = time.process_time()
    written = generate(transformer, count, generate_minutes, work / "samples")
    about = {
        "parameters": sum(parameter.numel() for parameter in transformer.parameters()),
        "train_minutes": (first["seconds"] + second["seconds"]) / 60,
        "seconds_a_sample": (time.process_time() - started) / max(1, written),
    }
    (work / "samples" / "about.json").write_text(json.dumps(about))
    scored = reference is not None and written > 1
    scores = evaluate(work / "samples", reference, train=known, seed=seed, out=work) if scored else None
    figures = {
        "date": str(datetime.date.today()),
        "settings": {"shapes": len(meshes), "faces": faces, "minutes": minutes, "batch_size": batch_size, "seed": seed},
        **about,
        "autoencoder": first,
        "transformer": second,
        "samples": written,
        "scores": scores and {key: scores[key] for key in ("mmd", "cov", "1_nna", "generated", "reference")},
        "novelty": scores and scores["novelty"]["ratio"],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(figures) + "\n")
    click.echo(json.dumps(figures, indent=1))


def decimated(mesh: trimesh.Trimesh, faces: int) -> tuple[Tensor, Tensor]:
    """Vertices [v, 3] in [-1, 1]^3 and faces [f, 3] of a mesh of at most so many faces, sorted by height."""
    vertices, triangles = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int32)
    if len(triangles) > faces:
        vertices, triangles, *_ = igl.qslim(vertices, triangles, faces)
    small = trimesh.Trimesh(vertices, triangles, process=True)
    small.update_faces(small.nondegenerate_faces())
    small.remove_unreferenced_vertices()
    low, high = small.bounds
    vertices = (small.vertices - (low + high) / 2) / ((high - low).max() / 2)
    order = np.lexsort(vertices.T)  # the last axis, up, counts first
    rank = np.argsort(order)
    triangles = rank[small.faces]
    turned = np.take_along_axis(triangles, (triangles.argmin(1)[:, None] + np.arange(3)) % 3, axis=1)
    turned = turned[np.lexsort(turned.T[::-1])][:faces]
    return torch.from_numpy(vertices[order]).float(), torch.from_numpy(turned).long()


def learn(
    model: nn.Module, loss: Callable[..., Tensor], meshes: list[tuple[Tensor, Tensor]], batch_size: int, rate: float,
    minutes: float, seed: int, name: str,
) -> dict[str, float]:  # fmt: skip
    """Train for a time; the steps done, and the mean loss of the last tenth of them."""
    generator = torch.Generator().manual_seed(seed)
    adam = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
    started, losses = time.process_time(), []
    model.train()
    with progress(100, name, "%") as bar:
        for step in itertools.count():
            done = (time.process_time() - started) / (60 * minutes)
            if done >= 1:
                break
            for group in adam.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 50) * (1 - 0.9 * done)
            some = torch.randint(len(meshes), (batch_size,), generator=generator).tolist()
            vertices, faces = (
                nn.utils.rnn.pad_sequence([meshes[i][part] for i in some], batch_first=True, padding_value=PAD)
                for part in (0, 1)
            )
            adam.zero_grad()
            value = loss(vertices=vertices, faces=faces)
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            losses.append(value.item())
            bar.update(int(100 * done) - bar.done, loss=losses[-1], step=step)
    last = losses[-max(1, len(losses) // 10) :]
    return {"steps": len(losses), "loss": sum(last) / len(last), "seconds": time.process_time() - started}


@torch.inference_mode()
def generate(transformer: Any, count: int, minutes: float, folder: Path) -> int:
    """Write samples as OBJ until there are enough or time is up; the number of those that have faces."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.obj"):
        old.unlink()
    transformer.eval()
    started, written = time.process_time(), 0
    with progress(count, "generate", "sample") as bar:
        for index in range(count):
            if time.process_time() - started > 60 * minutes:
                break
            corners, mask = transformer.generate(batch_size=1, temperature=1.0)
            corners = corners[0][mask[0]].reshape(-1, 3).numpy()
            mesh = trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=True)
            if len(mesh.faces) and mesh.area > 0:
                mesh.export(folder / f"sample-{index:04d}.obj")
                written += 1
            bar.update(1)
    return written


if __name__ == "__main__":
    main()
