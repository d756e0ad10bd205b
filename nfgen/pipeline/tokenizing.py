"""Field set to tokens."""

from pathlib import Path
from typing import Any

from nfgen import artifact
from nfgen.field_set import FieldSet
from nfgen.round_trip import token_report
from nfgen.token_set import KIND, TOKENIZER, TokenSet, common_frame, split
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import Tokenizer


def tokenize(
    fields: FieldSet | str | Path,
    out: str | Path,
    tokenizer: str = "vq",
    *,
    heldout: float = 0.1,
    seed: int = 0,
    views: int = 0,
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

    Raises:
        ConfigError: if the tokenizer or one of its settings is unknown.
    """
    fields = fields if isinstance(fields, FieldSet) else FieldSet.load(fields)
    if "seed" in registry.find(tokenizer).Config.__dataclass_fields__:
        settings.setdefault("seed", seed)
    chosen = registry.create(tokenizer, **settings)
    with artifact.writing(out, KIND, overwrite=overwrite) as folder:
        return _tokenize_into(folder, fields, chosen, heldout, seed, views)


def _tokenize_into(
    folder: Path, fields: FieldSet, tokenizer: Tokenizer, heldout: float, seed: int, views: int
) -> TokenSet:
    mask = split(len(fields), heldout, seed)
    tokenizer.fit(fields.select((~mask).nonzero()[:, 0]))
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
    tokenizer.save(folder / TOKENIZER)
    tokens.write(folder)
    return tokens
