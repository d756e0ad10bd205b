"""The tokens of a shape that is to be edited: of a sample, of a field, or of a file that a field is fitted to."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.field_set import KIND as FIELDS
from nfgen.fields.field_set import FieldSet
from nfgen.fitting.config import FitConfig
from nfgen.io import artifact
from nfgen.tokens.decoding import decode_fields

from .fit import fit
from .run import Run
from .sample_set import KIND as SAMPLES
from .sample_set import read_list


def read_source(run: Run, source: str | Path, fit_config: FitConfig) -> Int[Tensor, "tokens"]:
    """The tokens of a shape, by the tokenizer of a run.

    Args:
        source: a file of a folder of samples, another field's `.safetensors`, the file of a shape, or `FOLDER#WHICH`:
            the number of a sample, or the number or id of a field.
        fit_config: how a field is fitted to the file of a shape; of its spec, the tokenizer's is taken.

    Raises:
        ConfigError: if there is no such sample or field, or the file holds several shapes.
        NfgenError: if the shape cannot be used.
    """
    path = Path(source)
    folder, _, which = str(source).rpartition("#")
    if not path.exists() and folder:
        kind = artifact.kind_of(Path(folder))
        if kind == SAMPLES:
            entries = read_list(folder)
            return _of_entry(run, Path(folder), entries[_index(which, len(entries), source)])
        if kind == FIELDS:
            fields = FieldSet.load(folder)
            index = fields.ids.index(which) if which in fields.ids else _index(which, len(fields), source)
            return _encoded(run, fields[index])
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, not a shape", f"name one of a field set or of samples, as {path}#0")
    if artifact.kind_of(path.parent) == SAMPLES:
        for entry in read_list(path.parent):
            if path.name in (entry["field"], entry.get("file"), entry.get("picture")):
                return _of_entry(run, path.parent, entry)
    return _encoded(run, Field.load(path) if path.suffix == ".safetensors" else _fitted(run, path, fit_config))


def _index(text: str, count: int, source: str | Path) -> int:
    if not text.isdecimal() or int(text) >= count:
        raise ConfigError(f"there is no {source}", f"give a number from 0 to {count - 1}")
    return int(text)


def _of_entry(run: Run, folder: Path, entry: dict[str, Any]) -> Tensor:
    return tokens_of_sample(run, Field.load(folder / entry["field"]), torch.tensor(entry.get("tokens") or []))


def tokens_of_sample(run: Run, field: Field, tokens: Tensor) -> Int[Tensor, "tokens"]:
    """The tokens of a sample by the tokenizer of a run.

    Args:
        tokens: that it was decoded from, by any tokenizer; or none.

    Returns:
        Those if the run's tokenizer decodes them to the field; otherwise those that the field is encoded to.
    """
    vocabulary = run.tokenizer.vocabulary
    if field.spec == run.tokenizer.decoded_spec and tokens.shape == (vocabulary.length,):
        low, high = vocabulary.bounds()
        if ((tokens >= low) & (tokens < high)).all():
            (decoded,) = decode_fields(run.tokenizer, tokens[None])
            # But for the last weight, by which an offset moves the surface.
            if torch.allclose(decoded.weights[:-1], field.weights[:-1], rtol=1e-3, atol=1e-4):
                return tokens
    return _encoded(run, field)


def _encoded(run: Run, field: Field) -> Tensor:
    return run.tokenizer.encode(field.weights[None], field.spec)[0]


def _fitted(run: Run, path: Path, config: FitConfig) -> Field:
    config = config.replace(spec=run.tokenizer.spec, init="random", limit=2)
    with tempfile.TemporaryDirectory() as folder:
        fields = fit(path, Path(folder) / "fields", config, workers=1)
        if len(fields) > 1:
            raise ConfigError(f"{path} holds several shapes", "fit it (nfgen fit), and name one, as FIELDS#0")
        return Field(fields.spec, fields.weights[0].clone())
