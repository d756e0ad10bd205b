"""Tokens to a run: train a model, after its tokenizer if need be."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfgen.config import Configuration
from nfgen.errors import ConfigError
from nfgen.io import artifact
from nfgen.io.safetensors_stream import writing_tensors
from nfgen.models import registry as models
from nfgen.models.presets import preset
from nfgen.models.training.checkpoint import STATE
from nfgen.models.training.config import TrainConfig
from nfgen.models.training.distributed import find_worker
from nfgen.models.training.strategy import Worker
from nfgen.models.training.trainer import train as train_model
from nfgen.runtime.progress import progress
from nfgen.tokenizers import registry as tokenizers
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import KIND as TOKENS
from nfgen.tokens.token_set import TOKENIZER, TokenSet

from .recipes import with_recipe
from .run import KIND, PROBES, TRAIN_PROBES, Run, probe_values
from .tokenize import tokenize
from .training_monitor import watching

FIELDS_AT_ONCE = 256


def train(
    source: str | Path,
    out: str | Path,
    *,
    tokenizer: str | None = None,
    tokenizer_settings: dict[str, Any] | None = None,
    model: str | None = None,
    size: str = "tiny",
    model_settings: dict[str, Any] | None = None,
    config: TrainConfig | None = None,
    heldout: float = 0.1,
    views: int = 0,
    tensorboard: bool = False,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Train a model on tokens, or on a field set by a tokenizer that is fitted first.

    Several processes, which torchrun or accelerate started, share each batch; they must see the same folders. The main
    one alone writes, and fits the tokenizer while the others wait.

    Args:
        source: folder of tokens or of fields.
        out: folder to write: the run.
        tokenizer: for fields; `vq` if not said.
        model: `gpt`, or for continuous tokens `regression` or `diffusion`; if not said, `gpt` or `regression` as the
            tokenizer's vocabulary is.
        size: tiny, small, medium, big or mnist; `model_settings` override single settings.
        tensorboard: write the log, pictures and meshes for TensorBoard too, in the folder `tensorboard`.
        resume: go on where an interrupted training stopped.

    Raises:
        ConfigError: if a setting is unknown or does not fit the tokens.
        NfgenError: if the loss stops being finite.
    """
    config = config or TrainConfig()
    worker = find_worker(config)
    source, out = Path(source), Path(out)
    kind = artifact.kind_of(source) or artifact.read_config(source)  # the latter raises: it is no artifact
    resumable = ["training/state.json", f"{TOKENS}/config.json", f".{TOKENS}.nfgen-partial/*/*", artifact.CONFIG]
    with contextlib.ExitStack() as stack:
        folder = artifact.partial_of(out)
        if worker.main:
            writing = artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=resumable)
            stack.enter_context(writing)
        worker.wait()
        if not (folder / artifact.CONFIG).exists():
            tokens_folder = source
            if kind == "fields":
                tokens_folder = folder / TOKENS
                if worker.main:
                    _tokenize_once(
                        source,
                        tokens_folder,
                        tokenizer or "vq",
                        heldout,
                        config.seed,
                        views,
                        tokenizer_settings or {},
                        resume,
                    )
                worker.wait()
            elif tokenizer is not None or tokenizer_settings:
                raise ConfigError(f"{source} holds tokens: their tokenizer is fitted already", "leave --tokenizer out")
            _train_into(folder, tokens_folder, model, size, model_settings or {}, config, resume, tensorboard, worker)
        if worker.main:
            # What only an interrupted training needs; the figures of the tokens are in the config.
            for name in (STATE.parent.name, TOKENS):
                shutil.rmtree(folder / name, ignore_errors=True)
    worker.wait()
    return Run.load(out)


def _tokenize_once(
    source: Path,
    out: Path,
    tokenizer: str,
    heldout: float,
    seed: int,
    views: int,
    settings: dict[str, Any],
    resume: bool,
) -> None:
    if not out.exists():
        tokenize(source, out, tokenizer, heldout=heldout, seed=seed, views=views, resume=resume, **settings)
        return
    done, free = TokenSet.load(out).settings, tokenizers.find(tokenizer).FREE_ON_RESUME
    wanted = {"tokenizer": tokenizer, "heldout": heldout, **settings}
    changed = [key for key, value in wanted.items() if done.get(key) != value and key not in free]
    if changed:
        raise ConfigError(
            f"{changed[0]} was {done.get(changed[0])!r} in the interrupted training, not {wanted[changed[0]]!r}",
            f"resume with the same {changed[0]}, or train without --resume",
        )


def train_from_settings(
    source: str | Path,
    out: str | Path,
    settings: dict[str, Any],
    *,
    tokenizer: str | None = None,
    model: str | None = None,
    size: str | None = None,
    preset: str | None = None,
    **arguments: Any,
) -> "Run":
    """`train`, with settings of tokenizer, model and training in one dict: see `sort_settings`.

    What is not said is as in the recipe of the name `preset`, if there is one.
    """
    settings, tokenizer, model, size = filled_in(source, settings, tokenizer, model, size, preset)
    continuous = artifact.kind_of(source) == TOKENS and TokenSet.load(source).vocabulary.continuous
    named = model or ("regression" if continuous or tokenizer == "identity" else "gpt")
    of_tokenizer, of_model, of_training = sort_settings(settings, tokenizer, named)
    return train(
        source,
        out,
        tokenizer=tokenizer,
        tokenizer_settings=of_tokenizer,
        model=model,
        size=size,
        model_settings=of_model,
        config=TrainConfig.from_json(of_training),
        **arguments,
    )


def filled_in(
    source: str | Path,
    settings: dict[str, Any],
    tokenizer: str | None,
    model: str | None,
    size: str | None,
    preset: str | None,
) -> tuple[dict[str, Any], str | None, str | None, str]:
    """Settings, tokenizer, model and size of a training; what is not said is as in the recipe, or the default."""
    settings = with_recipe(preset, "train", {"model": model, "size": size, **settings})
    model, size = settings.pop("model", None), settings.pop("size", "tiny")
    if artifact.kind_of(source) == "fields":
        of_fields = with_recipe(preset, "tokenize", {"tokenizer": tokenizer})
        tokenizer = of_fields.pop("tokenizer", "vq")
        settings = {f"tokenizer_{key}": value for key, value in of_fields.items()} | settings
    return settings, tokenizer, model, size


def sort_settings(
    settings: dict[str, Any], tokenizer: str | None, model: str | None
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Tell settings of the tokenizer, the model and the training apart by their names.

    A name that more than one of them has is the training's, then the model's; `tokenizer_` or `model_` before it
    says otherwise.

    Raises:
        ConfigError: if none of them has such a setting.
    """
    owners: dict[str, type[Configuration] | None] = {
        "train": TrainConfig,
        "model": models.find(model or "gpt").Config,
        "tokenizer": tokenizers.find(tokenizer).Config if tokenizer else None,
    }
    sorted_: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for key, value in settings.items():
        for owner, config in owners.items():
            name = key.removeprefix(f"{owner}_")
            if config is not None and name in config.model_fields:
                sorted_[owner][name] = value
                break
        else:
            known = sorted({name for config in owners.values() if config for name in config.model_fields})
            raise ConfigError(f"there is no setting {key!r}", f"known are: {', '.join(known)}")
    return sorted_["tokenizer"], sorted_["model"], sorted_["train"]


def _train_into(
    folder: Path,
    tokens_folder: Path,
    model: str | None,
    size: str,
    settings: dict[str, Any],
    config: TrainConfig,
    resume: bool,
    tensorboard: bool,
    worker: Worker,
) -> None:
    tokens, tokenizer = TokenSet.load(tokens_folder), tokenizers.load(tokens_folder / TOKENIZER)
    if worker.main and not (folder / TOKENIZER).exists():
        tokenizer.save(folder / TOKENIZER)
    model = model or models.model_for(tokens.vocabulary)
    known = (~tokens.heldout).nonzero()[:, 0]
    with watching(folder, tokenizer, tensorboard and worker.main) as watcher:
        result = train_model(
            model,
            preset(model, size, **settings),
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
        )
    if not worker.main:
        return
    _write_probes(folder / TRAIN_PROBES, tokenizer, tokens.tokens, known)
    artifact.write_config(
        folder,
        KIND,
        {
            "model": model,
            "size": size,
            "tokenizer": tokenizer.name,
            "train": config.to_json(),
            "tokens": tokens.settings,
            "report": tokens.report,
            "result": asdict(result),
            "frame": None if tokens.frame is None else tokens.frame.to_json(),
            "train_ids": [tokens.ids[i] for i in known.tolist()],
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
    claims = {"values": (torch.float16, (len(known), PROBES))}
    with writing_tensors(path, claims) as writer, progress(len(known), "training fields", "field") as bar:
        for some in known.split(FIELDS_AT_ONCE):
            writer.append("values", probe_values(decode_fields(tokenizer, tokens[some])).half())
            bar.update(len(some))
