"""Field set to tokens."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import batches
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.merge import PARTS
from nfgen.io import artifact, files, resuming
from nfgen.io.safetensors_stream import join_tensors
from nfgen.runtime.device import COMPUTED_ON, choose_device, describe, is_cpu, without_device
from nfgen.runtime.executor import Engine, create_engine
from nfgen.runtime.progress import hidden_progress, progress
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import FILE as TENSORS
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokenizers.config import TokenizeConfig
from nfgen.tokens.round_trip import token_report
from nfgen.tokens.token_set import (
    FILE,
    KIND,
    TOKENIZER,
    TokenSet,
    common_frame,
    common_up,
    compact,
    split,
    stored_synthetic,
    synthetic_tensors,
)

from .initial_model import shipped_model

SCRATCH = "training"
"""Folder of the tokenizer's checkpoints, while it is fitted."""
FIT_BYTES = 1 << 28
"""Of the weights that a tokenizer is fitted on, 18,000 fields of the talk's: more teach it little, and it holds several
copies."""
ENCODED_AT_ONCE = 256
"""Fields of a part, which is encoded by one task and kept for a resumed call."""
USUAL_VIEWS, MANY = 32, 5000
"""Views a field, by the largest number of fields that gets them."""
SYNTHETIC_A_FIELD, FEW = 32, 300
"""Made-up shapes a field, by the largest number of fields that gets them: more teach enough by themselves."""
SYNTHETIC = "synthetic.safetensors"
"""File among the parts."""
DIGEST = "tokenizer_digest"
"""Setting of tokens: a fingerprint of the file of the tokenizer that wrote them."""
PART = "part-{:05d}.safetensors"


def tokenize(
    fields: FieldSet | str | Path,
    out: str | Path,
    tokenizer: str | None = None,
    config: TokenizeConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    engine: Engine | str = "local",
    **settings: Any,
) -> TokenSet:
    """Fit a tokenizer on a field set, and write the tokens, the tokenizer and a report of its round trip.

    Args:
        fields: a field set, or the folder of one.
        out: folder to write.
        tokenizer: its name, if it is not the one of `config`.
        config: which tokenizer, and which fields it learns from; `settings` are single ones of it or of the tokenizer,
            such as `heldout=0.2, max_tokens=64`.
        resume: go on at the last checkpoint of an interrupted call, or with the tokenizer that it fitted and the
            fields that it encoded.
        engine: where fields are encoded, see `create_engine`; the tokenizer is fitted here.

    Raises:
        ConfigError: if the tokenizer or one of its settings is unknown.
    """
    fields, engine = fields if isinstance(fields, FieldSet) else FieldSet.load(fields), create_engine(engine)
    if tokenizer is not None:
        settings["tokenizer"] = tokenizer
    config = TokenizeConfig.given(config, settings)
    found = registry.find(config.tokenizer)
    given = config.tokenizer_settings
    if "seed" in found.Config.model_fields:
        given = {"seed": config.seed} | given
    chosen = registry.create(config.tokenizer, **given)
    chosen.settle(fields.spec)
    config = config.replace(
        tokenizer_settings=chosen.config.to_json(),
        views=chosen_views(config, len(fields)),
        synthetic=chosen_synthetic(config, fields, chosen),
    )
    if config.views and found.views is Tokenizer.views:
        # Says that it has none, before an hour of fitting.
        chosen.views(fields.weights[:1], fields.spec, config.views, config.seed)
    if config.synthetic and found.synthetic is Tokenizer.synthetic:
        chosen.synthetic(fields, config.synthetic, config.seed)
    # An impossible share is refused before anything is written.
    split(len(fields), config.heldout, config.seed)
    fixed = {k: v for k, v in config.tokenizer_settings.items() if k not in found.FREE_ON_RESUME}
    device = choose_device(config.device)
    plan = without_device(config.to_json()) | {
        "tokenizer_settings": fixed,
        "fields": files.digest({"weights": fields.weights}),
        "ids": files.json_digest(fields.ids),
        "classes": files.json_digest([fields.classes, fields.labels.tolist()]),
        "checks": files.digest(
            {
                k: v
                for k, v in (
                    ("transforms", fields.transforms),
                    ("points", fields.eval_points),
                    ("values", fields.eval_values),
                )
                if v is not None
            }
        ),
    }
    resumable = [f"{SCRATCH}/*", f"{TOKENIZER}/*"]
    with artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=resumable) as folder:
        resuming.agree_on_plan(folder, "tokenizing", plan)
        tokens = _tokenize_into(folder, fields, chosen, config, engine, device)
        for name in (SCRATCH, PARTS):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / resuming.PLAN).unlink()
    return tokens


def chosen_views(config: TokenizeConfig, fields: int) -> int:
    """How many augmented copies of each field are stored: few fields need them most."""
    if config.views is not None:
        return config.views
    return USUAL_VIEWS if registry.find(config.tokenizer).views is not Tokenizer.views and fields <= MANY else 0


def chosen_synthetic(config: TokenizeConfig, fields: FieldSet, tokenizer: Tokenizer) -> int:
    """How many made-up shapes are stored, to learn from first: none where there is a model that knows shapes already.

    Args:
        tokenizer: which will encode, its settings settled.
    """
    if config.synthetic is not None:
        return config.synthetic
    able = type(tokenizer).synthetic is not Tokenizer.synthetic and shipped_model(tokenizer) is None
    few = fields.spec.dims == 3 and len(fields) <= FEW
    return SYNTHETIC_A_FIELD * len(fields) if able and few else 0


def _tokenize_into(
    folder: Path,
    fields: FieldSet,
    tokenizer: Tokenizer,
    config: TokenizeConfig,
    engine: Engine,
    device: torch.device,
) -> TokenSet:
    seed, mask = config.seed, split(len(fields), config.heldout, config.seed)
    if (folder / TOKENIZER).exists():
        tokenizer = registry.load(folder / TOKENIZER).to(device)
    else:
        tokenizer.fit(fields.select(_fitted_on(~mask, fields.spec, seed)), folder / SCRATCH, device)
        tokenizer.save(folder / TOKENIZER)
    _encode(folder / PARTS, fields, tokenizer, config.views or 0, seed, engine)
    whole = {"labels": fields.labels, "heldout": mask}
    if config.synthetic:
        whole |= _synthetic(folder / PARTS / SYNTHETIC, fields.select((~mask).nonzero()[:, 0]), tokenizer, config)
    _join(folder, whole)
    encoded = files.read_tensors(folder / FILE)
    tokens = TokenSet(
        vocabulary=tokenizer.vocabulary,
        tokens=encoded["tokens"],
        ids=fields.ids,
        labels=fields.labels,
        heldout=mask,
        views=encoded.get("views"),
        synthetic=stored_synthetic(encoded),
        frame=common_frame(fields.transforms, fields.spec.dims),
        up=common_up(fields.transforms, fields.spec.dims),
        report=token_report(tokenizer, fields, mask, device) if fields.uniform_eval else {},
        settings=config.to_json()
        | {
            DIGEST: files.content_digest(folder / TOKENIZER / TENSORS),
            COMPUTED_ON: describe(device),
        },
    )
    tokens.write_index(folder)
    return tokens


def _fitted_on(known: Tensor, spec: FieldSpec, seed: int) -> Tensor:
    """Indices of the known fields, or of as many at random as may be in memory."""
    indices, most = known.nonzero()[:, 0], max(1, FIT_BYTES // (4 * spec.size))
    if len(indices) <= most:
        return indices
    chosen = torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed))[:most]
    return indices[chosen.sort().values]


def _encode(parts: Path, fields: FieldSet, tokenizer: Tokenizer, views: int, seed: int, engine: Engine) -> None:
    """Encode what is not encoded yet, and write it part by part."""
    parts.mkdir(exist_ok=True)
    every = list(enumerate(batches(len(fields), ENCODED_AT_ONCE)))
    missing = [(number, here) for number, here in every if not (parts / PART.format(number)).exists()]

    def tasks() -> Iterator[tuple[int, Tensor]]:
        for number, here in missing:
            # A copy, since in a mapped file numbers lie otherwise, and sums may round by how they lie.
            yield number, fields.weights[here].clone()

    encode = partial(encode_part, tokenizer, fields.spec, views, seed)
    with progress(sum(here.stop - here.start for _, here in missing), "encode", "field") as bar:
        for place, tensors in engine.map(encode, tasks(), accelerated=not is_cpu(tokenizer.device)):
            number, here = missing[place]
            files.write_tensors(parts / PART.format(number), tensors)
            bar.update(here.stop - here.start)


def encode_part(
    tokenizer: Tokenizer, spec: FieldSpec, views: int, seed: int, task: tuple[int, Tensor]
) -> dict[str, Tensor]:
    """Tokens, and views if asked, of the part of a number."""
    number, weights = task
    with hidden_progress():
        found = {"tokens": tokenizer.encode(weights, spec)}
        if views:
            # Other warps for each part. Torch's generator keeps 32 bits of a seed; the odd factor spreads the numbers.
            found["views"] = tokenizer.views(weights, spec, views, (seed + number * 0x9E3779B1) % (1 << 32))
    return {key: compact(tokens) for key, tokens in found.items()}


def _synthetic(path: Path, known: FieldSet, tokenizer: Tokenizer, config: TokenizeConfig) -> dict[str, Tensor]:
    """Tokens of made-up shapes, of the fields that are not held out; kept for a resumed call."""
    if not path.exists():
        made = tokenizer.synthetic(known, config.synthetic or 0, config.seed)
        files.write_tensors(path, synthetic_tensors(made))
    return files.read_tensors(path)


def _join(folder: Path, others: dict[str, Tensor]) -> None:
    """All parts to the file of tokens, one at a time."""
    count = len(others["labels"])
    paths = [folder / PARTS / PART.format(number) for number, _ in enumerate(batches(count, ENCODED_AT_ONCE))]
    join_tensors(folder / FILE, paths, count, others)
