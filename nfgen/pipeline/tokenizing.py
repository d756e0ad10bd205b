"""Field set to tokens."""

import shutil
from pathlib import Path
from typing import Any

from nfgen import artifact, storage
from nfgen.field_set import FieldSet
from nfgen.round_trip import token_report
from nfgen.token_set import KIND, TOKENIZER, TokenSet, common_frame, split
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import Tokenizer

SCRATCH = "training"
"""Folder of the tokenizer's check points, while it is fitted."""


def tokenize(
    fields: FieldSet | str | Path,
    out: str | Path,
    tokenizer: str = "vq",
    *,
    heldout: float = 0.1,
    seed: int = 0,
    views: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    **settings: Any,
) -> TokenSet:
    """Fit a tokenizer on a field set, and write the tokens, the tokenizer and a report of its round trip.

    Args:
        fields: a field set, or the folder of one.
        out: folder to write.
        tokenizer: its name; `settings` are those of its configuration.
        heldout: share of the fields that neither the tokenizer nor a model learns from.
        views: token sequences of augmented copies to store for each field, if the tokenizer can augment.
        resume: go on at the last check point of an interrupted call, or with the tokenizer that it fitted.

    Raises:
        ConfigError: if the tokenizer or one of its settings is unknown.
    """
    fields = fields if isinstance(fields, FieldSet) else FieldSet.load(fields)
    found = registry.find(tokenizer)
    if "seed" in found.Config.__dataclass_fields__:
        settings.setdefault("seed", seed)
    chosen = registry.create(tokenizer, **settings)
    if views and found.views is Tokenizer.views:
        chosen.views(fields.weights, fields.spec, views, seed)  # says that it has none, before an hour of fitting
    plan = {
        "tokenizer": tokenizer,
        "settings": {k: v for k, v in chosen.config.to_json().items() if k not in found.FREE_ON_RESUME},
        "heldout": heldout,
        "seed": seed,
        "views": views,
        "fields": storage.digest({"weights": fields.weights}),
    }
    resumable = [f"{SCRATCH}/*", f"{TOKENIZER}/*"]
    with artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=resumable) as folder:
        artifact.agree_on_plan(folder, "tokenizing", plan)
        tokens = _tokenize_into(folder, fields, chosen, heldout, seed, views)
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        (folder / artifact.PLAN).unlink()
    return tokens


def _tokenize_into(
    folder: Path, fields: FieldSet, tokenizer: Tokenizer, heldout: float, seed: int, views: int
) -> TokenSet:
    mask = split(len(fields), heldout, seed)
    if (folder / TOKENIZER).exists():
        tokenizer = registry.load(folder / TOKENIZER)
    else:
        tokenizer.fit(fields.select((~mask).nonzero()[:, 0]), folder / SCRATCH)
        tokenizer.save(folder / TOKENIZER)
    tokens = TokenSet(
        vocabulary=tokenizer.vocabulary,
        tokens=tokenizer.encode(fields.weights, fields.spec),
        ids=fields.ids,
        labels=fields.labels,
        heldout=mask,
        views=tokenizer.views(fields.weights, fields.spec, views, seed) if views else None,
        frame=common_frame(fields.transforms),
        report=token_report(tokenizer, fields, mask) if fields.check_points is not None else {},
        settings={"tokenizer": tokenizer.name, **tokenizer.config.to_json(), "heldout": heldout, "split_seed": seed},
    )
    tokens.write(folder)
    return tokens
