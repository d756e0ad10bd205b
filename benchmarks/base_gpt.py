"""The GPT that ships beside the base tokenizer: it knows how tokens of solids follow each other before it sees a field.

    python benchmarks/base_gpt.py base/base-3d

It learns from random solids and shapes of the built-in families, all warped, so that it needs neither shapes nor fits.
The tokens and the training are kept in the work folder, so that an interrupted call goes on; then the model, and what
the card says of it, are written beside the tokenizer.
"""

from pathlib import Path

import click
import torch
from torch import Tensor

from nfgen import VQTokenizer, show_progress
from nfgen.io import files
from nfgen.models.base import SequenceModel
from nfgen.models.presets import preset
from nfgen.models.registry import MODEL, SHARED, load_model
from nfgen.models.training.config import TrainerConfig
from nfgen.models.training.result import TrainResult
from nfgen.models.training.trainer import train
from nfgen.runtime.device import CPU
from nfgen.tokenizers.vq.synthetic import MadeUp

HEADING = "## The GPT beside it"
WARPS = 3
"""Of each solid: to make it takes as long as to encode it twice."""
HELD_OUT = 0.02
EVALUATE_EVERY = 500


@click.command()
@click.argument("tokenizer", type=click.Path(exists=True, path_type=Path))
@click.option("--solids", default=16_000, show_default=True, help="Made-up shapes, a fiftieth of them held out.")
@click.option("--steps", default=6_000, show_default=True, help="Of the training.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("base"), show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(tokenizer: Path, solids: int, steps: int, work: Path, seed: int) -> None:
    """Train, and write the model into the folder of the TOKENIZER."""
    show_progress(True)
    known = VQTokenizer.load(tokenizer)
    tokens = encoded_solids(known, work / "solids.safetensors", solids, seed)
    none = torch.full((len(tokens),), -1)
    heldout = torch.arange(len(tokens)) >= len(tokens) - max(1, round(solids * HELD_OUT)) * WARPS
    # To the end: of so many shapes none is learned by heart.
    config = TrainerConfig(steps=steps, patience=0, evaluate_every=EVALUATE_EVERY, sample_every=0, seed=seed)
    run = work / "solids_gpt"
    settings = preset("gpt", "tiny")
    result = train("gpt", settings, known.vocabulary, tokens, none, heldout, run, config, resume=True)
    write_model(load_model(run, "last"), result, tokenizer, solids)


def encoded_solids(tokenizer: VQTokenizer, path: Path, solids: int, seed: int) -> Tensor:
    """Tokens of made-up shapes, each in several warps; those of a file if it is there."""
    if not path.exists():
        found = MadeUp(tokenizer.networks, tokenizer.config, CPU, seed).solids(tokenizer.spec, solids, WARPS)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_tensors(path, {"tokens": found.tokens})
    return files.read_tensors(path)["tokens"]


def write_model(model: SequenceModel, result: TrainResult, out: Path, solids: int) -> None:
    """A model as a file beside a tokenizer, whose card tells of it."""
    files.write_tensors(out / SHARED, model.state_dict())
    files.write_json(out / MODEL, model.describe())
    about = (
        f"{HEADING}\n\n"
        f"`nfgen train` begins with it where tokens are of this tokenizer or of one that was tuned from it. "
        f"{model.parameter_count:,} parameters; {result.steps:,} steps on {solids:,} random solids and shapes of the "
        f"built-in families; {result.bits_per_field:.0f} bits for one that it has not seen; digest of the weights "
        f"`{files.content_digest(out / SHARED)}`.\n"
    )
    card = out / "README.md"
    others = card.read_text(encoding="utf-8").partition(f"\n{HEADING}")[0].rstrip("\n")
    card.write_text(f"{others}\n\n{about}", encoding="utf-8")


if __name__ == "__main__":
    main()
