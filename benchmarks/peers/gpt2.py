"""Our GPT beside `transformers`' GPT-2 of the same layers, width and heads: same tokens, same batches, same steps.

    pip install '.[peers]'
    python benchmarks/peers/gpt2.py TOKENS --steps 300

Both are trained by the loop below, in float32, with the same optimizer, learning rates and averaged weights; GPT-2
starts each sequence with the same BOS or class, and predicts ids of the whole vocabulary, specials included. Where the
tokens have augmented views, both learn from those.
"""

import copy
import datetime
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from operators import declare_missing_operators
from torch import Tensor, nn
from torch.nn import functional

from nfgen.models.presets import preset
from nfgen.models.registry import create
from nfgen.models.training.data import Batches, mixed, parts
from nfgen.models.training.optim import optimizer, update_average
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.train import view_drawer
from nfgen.runtime.learning_rate_schedule import warmup_cosine
from nfgen.tokens.token_set import TokenSet

RESULTS = Path(__file__).parent.parent / "results" / "gpt2.jsonl"
EVALUATIONS = 5
ROWS = 16  # sequences at once in evaluation

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Mean nats a token of a model on tokens and labels."""


@click.command()
@click.argument("folder", metavar="TOKENS", type=click.Path(exists=True, path_type=Path))
@click.option("--size", default="tiny", show_default=True)
@click.option("--dropout", default=0.1, show_default=True)
@click.option("--steps", default=300, show_default=True)
@click.option("--batch-size", default=64, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(folder: Path, size: str, dropout: float, steps: int, batch_size: int, seed: int) -> None:
    """Print a row of Markdown for each model, and keep the figures."""
    tokens = TokenSet.load(folder)
    vocabulary = tokens.vocabulary
    if vocabulary.continuous:
        raise click.UsageError(f"{folder} holds continuous tokens; GPT-2 needs codes")
    config = TrainConfig(steps=steps, batch_size=batch_size, seed=seed)
    settings: Any = preset("gpt", size, dropout=dropout, class_dropout=0.0)
    views = view_drawer(tokens, (~tokens.heldout).nonzero()[:, 0], seed)
    batches = Batches(vocabulary, tokens.tokens, tokens.labels, tokens.heldout, batch_size, seed, views)
    torch.manual_seed(seed)
    ours = create("gpt", vocabulary, settings)
    torch.manual_seed(seed)
    sizes = {"n_layer": settings.layers, "n_head": settings.heads, "n_embd": settings.width}
    specials = {"bos_token_id": vocabulary.specials["BOS"], "eos_token_id": vocabulary.specials["EOS"]}
    drops = {f"{part}_pdrop": dropout for part in ("resid", "embd", "attn")}
    declare_missing_operators()
    from transformers import GPT2Config, GPT2LMHeadModel

    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary.size, n_positions=vocabulary.length, **sizes, **drops, **specials, use_cache=False
        )
    )

    def loss_of_theirs(model: nn.Module, some: Tensor, labels: Tensor) -> Tensor:
        read = torch.cat([vocabulary.starts(labels)[:, None], some[:, :-1]], dim=1)
        return functional.cross_entropy(model(input_ids=read).logits.flatten(0, 1), some.flatten())

    def loss_of_ours(model: nn.Module, some: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = model.loss(some, labels)
        return loss

    click.echo("| model | parameters | held-out nats a token, on the way | seconds |")
    click.echo("|---|---|---|---|")
    cases: list[tuple[str, Any, Loss]] = [("nfgen gpt", ours, loss_of_ours), ("GPT-2", theirs, loss_of_theirs)]
    for name, model, loss in cases:
        started = time.monotonic()
        losses = train(model, loss, batches, config, ours.learning_rate)
        entry = {
            "date": str(datetime.date.today()),
            "model": name,
            "settings": {"size": size, "dropout": dropout, **config.to_json()},
            "tokens": tokens.settings,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "losses": losses,
            "seconds": time.monotonic() - started,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        shown = ", ".join(f"{loss:.3f} at {step}" for step, loss in losses.items())
        click.echo(f"| {name} | {entry['parameters']:,} | {shown} | {entry['seconds']:.0f} |")


def train(model: Any, loss: Loss, batches: Batches, config: TrainConfig, peak: float) -> dict[int, float]:
    """Train a model, and give the held-out losses of its averaged weights, by step."""
    average = copy.deepcopy(model).eval().requires_grad_(False)
    adam, steps = optimizer(model, config), config.last_step or 0
    losses = {}
    model.train()
    for step in range(steps):
        torch.manual_seed(mixed(config.seed, step))
        for group in adam.param_groups:
            group["lr"] = warmup_cosine(peak, step, config.warmup_steps, step / steps, config.final_learning_rate)
        adam.zero_grad()
        loss(model, *batches.at(step)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        adam.step()
        update_average(average, model, config.average, step)
        if (step + 1) % max(1, steps // EVALUATIONS) == 0:
            losses[step + 1] = heldout_loss(average, loss, batches)
    return losses


@torch.inference_mode()
def heldout_loss(model: nn.Module, loss: Loss, batches: Batches) -> float:
    """Mean nats a token of the held-out sequences."""
    total = 0.0
    for some, labels in parts(batches.heldout_tokens, batches.heldout_labels, ROWS):
        total += float(loss(model, some, labels)) * len(some)
    return total / len(batches.heldout_tokens)


if __name__ == "__main__":
    main()
