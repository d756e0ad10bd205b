"""Tokens to a run: train a model, after its tokenizer if need be."""

import contextlib
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfgen.config import AUTO, NONE
from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import artifact, files, hub, resuming
from nfgen.io.safetensors_stream import writing_tensors
from nfgen.models.training.checkpoint import STATE
from nfgen.models.training.config import DEFAULT_STEPS
from nfgen.models.training.distributed import find_worker
from nfgen.models.training.strategy import Worker
from nfgen.models.training.trainer import train as train_model
from nfgen.pipeline.config import TrainConfig
from nfgen.runtime.device import COMPUTED_ON, choose_device, describe
from nfgen.runtime.progress import progress
from nfgen.tokenizers import registry as tokenizers
from nfgen.tokenizers.base import FILE as TENSORS
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokenizers.config import TokenizeConfig
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import KIND as TOKENS
from nfgen.tokens.token_set import TOKENIZER, TokenSet

from .balance import COUNTS, count_nearest
from .initial_model import new_model
from .run import KIND, PROBES, TRAIN_PROBES, Run, probe_values
from .sampling_choice import SAMPLING, choose_sampling
from .tokenize import DIGEST, tokenize
from .training_monitor import watching

FIELDS_AT_ONCE = 256
PASSES, TUNED_PASSES, FEWEST_STEPS = 140, 65, 300
"""Of a training by fields alone, where none are held out that tell when to stop: from random weights, or of a model
that knows shapes already."""
PAST_BEST, TUNED_PAST_BEST, EVALUATE_EVERY = 1.25, 2.0, 25
"""So many times the steps that reach the lowest held-out loss a training takes by fields alone, of the one or the
other; and how often that loss is measured."""
TUNED_RATE = 2e-3
"""Peak learning rate of a model that knows shapes already."""


def train(
    source: str | Path,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    tensorboard: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    **settings: Any,
) -> Run:
    """Train a model on tokens, or on a field set by a tokenizer that is fitted first.

    Several processes, which torchrun or accelerate started, share each batch; they must see the same folders. The main
    one alone writes, and fits the tokenizer while the others wait.

    Args:
        source: folder of tokens or of fields.
        out: folder to write: the run.
        config: how to train; `settings` are single ones of it, of the model or of the tokenizer, such as
            `minutes=2, dropout=0.2, max_tokens=64`.
        tensorboard: write the log, pictures and meshes for TensorBoard too, in the folder `tensorboard`.
        resume: go on where an interrupted training stopped.

    Raises:
        ConfigError: if a setting is unknown or does not fit the tokens.
        NfgenError: if the loss stops being finite.
    """
    config = TrainConfig.given(config, settings)
    worker = find_worker(config)
    if worker.main:
        choose_device(worker.device)
    source, out = Path(source), Path(out)
    kind = artifact.kind_of(source)
    if kind is None:
        artifact.read_config(source)  # raises what is wrong with it
    if kind == TOKENS:
        require_fitting_tokens(source, config)
    plan: dict[str, Any] = {str(kind): files.content_digest(source), "model": config.model, "size": config.size}
    if config.init not in (NONE, AUTO):
        plan["init"] = files.content_digest(hub.find(config.init))
    if kind != TOKENS:
        plan |= {"heldout": config.heldout, "views": config.views, "synthetic": config.synthetic}
        plan |= _tokenizer_plan(config.tokenizer, config.tokenizer_settings)
    resumable = ["training/state.json", f"{TOKENS}/config.json", f".{TOKENS}.nfgen-partial/*/*", artifact.CONFIG]
    with contextlib.ExitStack() as stack:
        folder = artifact.partial_of(out)
        if worker.main:
            writing = artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=resumable)
            stack.enter_context(writing)
        worker.barrier()
        if worker.main:
            resuming.agree_on_plan(folder, "training", plan)
        if not (folder / artifact.CONFIG).exists():
            tokens_folder = source
            if kind == "fields":
                tokens_folder = folder / TOKENS
                if worker.main and not tokens_folder.exists():
                    tokenize(source, tokens_folder, config=config.of_tokenizer, resume=resume)
                worker.barrier()
            _train_into(folder, tokens_folder, config, resume, tensorboard, worker)
        if worker.main:
            # What only an interrupted training needs; the figures of the tokens are in the config.
            for name in (STATE.parent.name, TOKENS):
                shutil.rmtree(folder / name, ignore_errors=True)
            (folder / resuming.PLAN).unlink(missing_ok=True)
    worker.barrier()
    return Run.load(out, device=config.device)


def with_steps(
    config: TrainConfig, model: str, fields: int, *, heldout: bool, views: bool, made_up: bool, tuned: bool
) -> TrainConfig:
    """The configuration with the length that nobody said, where it depends on the fields, and the learning rate.

    How often a GPT can pass over augmented copies of a few hundred fields before it copies them depends on how varied
    they are: 350 sofas bear some 200 passes, 240 chairs 70. The held-out loss is lowest then; a model that knows shapes
    already draws better ones a while later, when it still copies none (`benchmarks/LOG.md`).

    Args:
        fields: how many are learned from.
        heldout: whether there are others, whose loss is measured.
        views: whether there are augmented copies of them.
        made_up: whether there are other shapes, which come first and take as many steps as they do by default.
        tuned: whether the model begins with the weights of another one.
    """
    if tuned and config.learning_rate is None:
        config = config.replace(learning_rate=TUNED_RATE)
    if config.steps or config.minutes or model != "gpt" or not views:
        return config
    passes = math.ceil((TUNED_PASSES if tuned else PASSES) * fields / config.batch_size)
    if not (made_up and config.pretrain):
        if heldout:
            often = config.evaluate_every if "evaluate_every" in config.said() else EVALUATE_EVERY
            past_best = config.past_best or (TUNED_PAST_BEST if tuned else PAST_BEST)
            return config.replace(steps=DEFAULT_STEPS, past_best=past_best, evaluate_every=often)
        return config.replace(steps=min(DEFAULT_STEPS, passes if tuned else max(FEWEST_STEPS, passes)))
    if "pretrain" in config.model_fields_set:
        return config
    first = round(DEFAULT_STEPS * config.pretrain)
    return config.replace(steps=first + passes, pretrain=first / (first + passes))


def _tokenizer_plan(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    free = tokenizers.find(name).FREE_ON_RESUME
    return {"tokenizer": name, "tokenizer settings": {k: v for k, v in settings.items() if k not in free}}


def require_fitting_tokens(source: Path, config: TrainConfig) -> None:
    """Refuse tokens that were made otherwise than the settings say, or beside which another tokenizer lies: their model
    would write what it cannot decode.

    Raises:
        ConfigError: a setting of the tokenizer is another than that of the tokens.
        ArtifactError: if the tokenizer is not the one that wrote the tokens.
    """
    tokens, tokenizer = TokenSet.load(source), tokenizers.load(source / TOKENIZER)
    changed = _changed(config.of_tokenizer, tokens.settings)
    if changed:
        raise ConfigError(
            f"{source} holds tokens, whose {changed[0]} is another: their tokenizer is fitted already",
            f"leave {changed[0]} out, or train on the fields",
        )
    written = tokens.settings.get(DIGEST)  # None: before version 0.2
    same = written is None or written == files.content_digest(source / TOKENIZER / TENSORS)
    if not same or tokens.vocabulary != tokenizer.vocabulary:
        raise ArtifactError(f"{source / TOKENIZER} is not the tokenizer of these tokens", "make the tokens again")


def _changed(config: TokenizeConfig, stored: dict[str, Any]) -> list[str]:
    """Settings that a configuration sets and that tokens were made with otherwise; those not stored are not known."""
    of_tokenizer = stored.get("tokenizer_settings", stored)  # version 0.1 had them beside the others
    wanted = config.to_json()
    pairs = [
        (key, wanted[key], stored.get(key))
        for key in config.model_fields_set - {"tokenizer_settings", "seed", "device"}
    ]
    pairs += [(key, value, of_tokenizer.get(key)) for key, value in wanted["tokenizer_settings"].items()]
    return [key for key, value, was in pairs if was is not None and was != value]


def _train_into(
    folder: Path,
    tokens_folder: Path,
    config: TrainConfig,
    resume: bool,
    tensorboard: bool,
    worker: Worker,
) -> None:
    tokens, tokenizer = TokenSet.load(tokens_folder), tokenizers.load(tokens_folder / TOKENIZER)
    if worker.main and not (folder / TOKENIZER).exists():
        tokenizer.save(folder / TOKENIZER)
    model, settings, init = new_model(config, tokenizer)
    known = (~tokens.heldout).nonzero()[:, 0]
    synthetic = tokens.synthetic if config.pretrain else None
    has = {"heldout": len(known) < len(tokens), "views": tokens.views is not None, "made_up": synthetic is not None}
    config = with_steps(config, model, len(known), **has, tuned=init is not None)
    with watching(folder, tokenizer, tensorboard and worker.main) as watcher:
        result = train_model(
            model,
            settings,
            tokens.vocabulary,
            tokens.tokens,
            tokens.labels,
            tokens.heldout,
            folder,
            config,
            resume=resume,
            augment=view_drawer(tokens, known, config.seed),
            on_sample=watcher.sample,
            on_log=watcher.log,
            worker=worker,
            init=init,
            synthetic=synthetic,
        )
    if not worker.main:
        return
    of_tokens = TokenizeConfig.model_fields.keys() - {"seed", "device"}
    made = {key: value for key, value in tokens.settings.items() if key in of_tokens}
    _write_probes(folder / TRAIN_PROBES, tokenizer, tokens.tokens, known)
    chosen = choose_sampling(folder, model, tokenizer, tokens.tokens[known])
    artifact.write_config(
        folder,
        KIND,
        {
            "model": model,
            "size": config.size,
            "tokenizer": tokenizer.name,
            "train": config.replace(model=model, **made).to_json(),
            "tokens": tokens.settings,
            "report": tokens.report,
            "result": asdict(result),
            COMPUTED_ON: describe(worker.device),
            "frame": None if tokens.frame is None else tokens.frame.to_json(),
            "up": tokens.up,
            "train_ids": [tokens.ids[i] for i in known.tolist()],
            SAMPLING: chosen,
            COUNTS: count_nearest(folder, tokenizer, chosen) if chosen else None,
        },
    )


def view_drawer(tokens: TokenSet, known: Tensor, seed: int) -> Callable[[int], Tensor] | None:
    """For each epoch one sequence a field: its own, or that of an augmented copy."""
    own, views = tokens.tokens, tokens.views
    if views is None:
        return None
    augmented, count = views, views.shape[1]

    def draw(epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        chosen = torch.randint(count + 1, (len(known),), generator=generator)
        drawn = augmented[known, (chosen - 1).clamp(min=0)]
        drawn[chosen == 0] = own[known[chosen == 0]]
        return drawn

    return draw


def _write_probes(path: Path, tokenizer: Tokenizer, tokens: Tensor, known: Tensor) -> None:
    """Values of the decoded training fields, by which a new field's nearest one is found."""
    layout = {"values": (torch.float16, (len(known), PROBES))}
    with writing_tensors(path, layout) as writer, progress(len(known), "training fields", "field") as bar:
        for some in known.split(FIELDS_AT_ONCE):
            writer.append("values", probe_values(decode_fields(tokenizer, tokens[some])).half())
            bar.update(len(some))
