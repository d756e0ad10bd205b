"""In which order should a GPT write the cells of a vq tokenizer? The same training for each, and its held-out loss.

    python benchmarks/token_order.py TOKENS --steps 600

The box stays first. `raster` is the order of the tokenizer: layer by layer from the ground up.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import click
import torch
from speed import report
from torch import Tensor

from nfgen import TokenSet, TrainConfig, show_progress
from nfgen.models.presets import preset
from nfgen.models.training.trainer import train
from nfgen.pipeline.train import view_drawer
from nfgen.tokenizers import registry
from nfgen.tokenizers.vq.networks import Cells, raster
from nfgen.tokens.token_set import TOKENIZER


def orders(cells: Cells, seed: int) -> dict[str, Tensor]:
    """Each order as the raster numbers of the cells, first to last."""
    places = raster(cells.counts).double()
    middle = (torch.tensor(cells.counts) - 1) / 2
    if cells.mirror:
        middle[0] = -0.5  # the first axis counts from the middle outwards
    distance = (places - middle).norm(dim=1)
    numbers = torch.arange(cells.number)
    return {
        "raster": numbers,
        "from the top": numbers.flip(0),
        "upright columns": numbers.view(cells.counts[::-1]).permute(*reversed(range(len(cells.counts)))).flatten(),
        "from the middle": distance.argsort(stable=True),
        "from outside": distance.argsort(stable=True, descending=True),
        "random": torch.randperm(cells.number, generator=torch.Generator().manual_seed(seed)),
    }


@click.command()
@click.argument("folder", metavar="TOKENS", type=click.Path(exists=True, path_type=Path))
@click.option("--steps", default=600, show_default=True)
@click.option("--size", default="tiny", show_default=True)
@click.option("--dropout", default=0.2, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(folder: Path, steps: int, size: str, dropout: float, seed: int) -> None:
    """Train on each order and keep the held-out losses."""
    show_progress(True)
    tokens = TokenSet.load(folder)
    networks = registry.load(folder / TOKENIZER).networks
    cells = networks.encoder.cells
    boxes, slots = len(cells.counts), tokens.settings["tokenizer_settings"]["slots"]
    known = (~tokens.heldout).nonzero()[:, 0]
    config = TrainConfig(steps=steps, evaluate_every=max(1, steps // 6), sample_every=0, patience=0, seed=seed)
    losses = {}
    for name, order in orders(cells, seed).items():
        columns = torch.cat([torch.arange(boxes), boxes + (order[:, None] * slots + torch.arange(slots)).flatten()])
        moved = replace(
            tokens,
            tokens=tokens.tokens[:, columns].clone(),
            views=None if tokens.views is None else tokens.views[:, :, columns].clone(),
        )
        with tempfile.TemporaryDirectory() as run:
            result = train(
                "gpt", preset("gpt", size, dropout=dropout), tokens.vocabulary, moved.tokens, tokens.labels,
                tokens.heldout, run, config, augment=view_drawer(moved, known, seed),
            )  # fmt: skip
        losses[name] = result.val_loss
        click.echo(f"{name:16} {result.val_loss:.3f} nats a token")
    held = int(tokens.heldout.sum())
    report("token_order", {"tokens": tokens.vocabulary.length, "heldout": held, "steps": steps, "nats_a_token": losses})


if __name__ == "__main__":
    main()
