"""The verbs of nfgen: fit, tokenize, train, generate. The one file that brings tokenizers and models together."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from . import artifact
from .configuration import Configuration
from .contact_sheet import Picture, contact_sheet, save_png
from .decoding import decode_fields
from .errors import ConfigError, NfgenError
from .field import Field, evaluate_in_chunks
from .field_set import FieldSet
from .models import registry as models
from .models.base import SequenceModel
from .models.draw import SamplingConfig
from .models.presets import preset
from .models.sampling import sample
from .models.train_config import TrainConfig
from .models.training import train as train_model
from .progress import progress
from .round_trip import token_report
from .samples import Sample, image_picture, surface_or_none, write_list, write_sample
from .shapes.shape import Transform
from .token_set import KIND as TOKENS
from .token_set import TOKENIZER, TokenSet, common_frame, split
from .tokenizers import registry as tokenizers
from .tokenizers.base import Tokenizer

RUN = "run"
PROBES = 1024  # fixed points whose values tell how alike two fields are: enough to rank neighbours
TRUNCATION = 0.1  # coordinate units, as in fitting
TRIES = 10  # --require-surface gives up when so many times the wanted number of samples was drawn
PICTURES_ON_THE_WAY = 4


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
    if "seed" in tokenizers.find(tokenizer).Config.__dataclass_fields__:
        settings.setdefault("seed", seed)
    chosen = tokenizers.create(tokenizer, **settings)
    with artifact.writing(out, TOKENS, overwrite=overwrite) as folder:
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


@dataclass(frozen=True)
class Run:
    """A trained model and its tokenizer."""

    model: SequenceModel
    tokenizer: Tokenizer
    frame: Transform | None
    train_ids: tuple[str, ...]
    train_probes: Float[Tensor, "fields probes"]
    """Truncated values of the decoded training fields at the probe points."""
    result: dict[str, Any]
    """How the training ended."""

    @property
    def summary(self) -> str:
        """One line on how the training went."""
        loss = "no held-out loss" if self.result["val_loss"] is None else f"held-out loss {self.result['val_loss']:.4g}"
        bits = self.result["bits_per_field"]
        return (
            f"{loss}{'' if bits is None else f' ({bits:.0f} bits a field)'} "
            f"after {self.result['steps']} steps, {self.result['seconds']:.0f} s"
        )

    @classmethod
    def load(cls, path: str | Path, which: str = "best", device: str = "cpu") -> "Run":
        """Read a run.

        Raises:
            ArtifactError: if the folder is not a run, or is damaged.
        """
        path = Path(path)
        config = artifact.read_config(path, RUN)
        if which not in ("best", "last"):
            raise ConfigError(f"there are no {which!r} weights", "choose best or last")
        return cls(
            model=models.load_model(path, "best" if which == "best" else "last", device),
            tokenizer=tokenizers.load(path / TOKENIZER),
            frame=None if config["frame"] is None else Transform.from_json(config["frame"]),
            train_ids=tuple(config["train_ids"]),
            train_probes=artifact.read_tensors(path / "train_probes.safetensors")["values"].float(),
            result=config["result"],
        )

    def nearest(self, fields: list[Field]) -> list[dict[str, Any]]:
        """For each field the training field of most similar values."""
        values = probe_values(fields)
        distances = torch.cdist(values, self.train_probes) / PROBES**0.5
        found = distances.min(dim=1)
        return [
            {"id": self.train_ids[i], "distance": round(d, 6)}
            for i, d in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ]

    def labels(self, name: str | None) -> int | None:
        """The index of a class.

        Raises:
            ConfigError: if there is no class of that name.
        """
        classes = self.model.vocabulary.classes
        if name is not None and name not in classes:
            known = f"known are: {', '.join(classes)}" if classes else "this run was trained without classes"
            raise ConfigError(f"there is no class {name!r}", known)
        return None if name is None else classes.index(name)


def probe_values(fields: list[Field]) -> Float[Tensor, "fields probes"]:
    """Values of fields of one spec at fixed random points of [-1, 1]^d, signed distances truncated."""
    if not fields:
        return torch.empty(0, PROBES)
    spec = fields[0].spec
    points = torch.rand(PROBES, spec.dims, generator=torch.Generator().manual_seed(0)) * 2 - 1
    values = evaluate_in_chunks(spec, torch.stack([field.weights for field in fields]), points)
    return torch.tanh(values / TRUNCATION) * TRUNCATION if spec.output == "sdf" else torch.sigmoid(values)


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
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Train a model on tokens, or on a field set by a tokenizer that is fitted first.

    Args:
        source: folder of tokens or of fields.
        out: folder to write: the run.
        tokenizer: for fields; `vq` if not said.
        model: `gpt` or `regression`; the tokenizer's vocabulary decides if not said.
        size: tiny, small, medium or big; `model_settings` override single settings.
        resume: go on where an interrupted training stopped.

    Raises:
        ConfigError: if a setting is unknown or does not fit the tokens.
        NfgenError: if the loss stops being finite.
    """
    source, config = Path(source), config or TrainConfig()
    kind = artifact.kind_of(source) or artifact.read_config(source)  # the latter raises: it is no artifact
    resumable = ["training/state.json", "tokens/config.json"]
    with artifact.writing(out, RUN, resume=resume, overwrite=overwrite, resumable=resumable) as folder:
        tokens_folder = source
        if kind == "fields":
            tokens_folder = folder / "tokens"
            if not tokens_folder.exists():
                tokenize(
                    source,
                    tokens_folder,
                    tokenizer or "vq",
                    heldout=heldout,
                    seed=config.seed,
                    views=views,
                    **(tokenizer_settings or {}),
                )
        elif tokenizer is not None or tokenizer_settings:
            raise ConfigError(f"{source} holds tokens: their tokenizer is fitted already", "leave --tokenizer out")
        _train_into(folder, tokens_folder, model, size, model_settings or {}, config, resume)
    return Run.load(out)


def train_from_settings(
    source: str | Path,
    out: str | Path,
    settings: dict[str, Any],
    *,
    tokenizer: str | None = None,
    model: str | None = None,
    **arguments: Any,
) -> "Run":
    """`train`, with settings of tokenizer, model and training in one dict: see `sort_settings`."""
    if tokenizer is None and artifact.kind_of(source) == "fields":
        tokenizer = "vq"
    continuous = artifact.kind_of(source) == TOKENS and TokenSet.load(source).vocabulary.continuous
    named = model or ("regression" if continuous or tokenizer == "identity" else "gpt")
    of_tokenizer, of_model, of_training = sort_settings(settings, tokenizer, named)
    return train(
        source,
        out,
        tokenizer=tokenizer,
        tokenizer_settings=of_tokenizer,
        model=model,
        model_settings=of_model,
        config=TrainConfig.from_json(of_training),
        **arguments,
    )


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
            if config is not None and name in config.__dataclass_fields__:
                sorted_[owner][name] = value
                break
        else:
            known = sorted({name for config in owners.values() if config for name in config.__dataclass_fields__})
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
) -> None:
    tokens, tokenizer = TokenSet.load(tokens_folder), tokenizers.load(tokens_folder / TOKENIZER)
    if not (folder / TOKENIZER).exists():
        tokenizer.save(folder / TOKENIZER)
    model = model or models.model_for(tokens.vocabulary)
    known = (~tokens.heldout).nonzero()[:, 0]
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
        augment=_view_drawer(tokens, known, config.seed),
        on_sample=_picture_drawer(folder, tokenizer),
    )
    # What only an interrupted training needs; the figures of the tokens are in the config.
    shutil.rmtree(folder / "training", ignore_errors=True)
    shutil.rmtree(folder / "tokens", ignore_errors=True)
    fields = [field for some in known.split(256) for field in decode_fields(tokenizer, tokens.tokens[some])]
    artifact.write_tensors(folder / "train_probes.safetensors", {"values": probe_values(fields).half()})
    artifact.write_config(
        folder,
        RUN,
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


def _view_drawer(tokens: TokenSet, known: Tensor, seed: int) -> Callable[[int], Tensor] | None:
    """For each epoch one sequence a field: its own, or that of an augmented copy."""
    if tokens.views is None:
        return None
    choices = torch.cat([tokens.tokens[known, None], tokens.views[known]], dim=1)

    def draw(epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        chosen = torch.randint(choices.shape[1], (len(choices),), generator=generator)
        return choices[torch.arange(len(choices)), chosen]

    return draw


def _picture_drawer(folder: Path, tokenizer: Tokenizer) -> Callable[[SequenceModel, int], None]:
    def draw(model: SequenceModel, step: int) -> None:
        (folder / "pictures").mkdir(exist_ok=True)
        fields = decode_fields(tokenizer, sample(model, PICTURES_ON_THE_WAY))
        save_png(folder / "pictures" / f"step-{step:06d}.png", contact_sheet([_picture(field) for field in fields]))

    return draw


def _picture(field: Field) -> np.ndarray:
    from .render import render_mesh

    return image_picture(field) if field.spec.dims == 2 else render_mesh(field.mesh(64))


def generate(
    run: Run | str | Path,
    n: int,
    out: str | Path,
    *,
    config: SamplingConfig | None = None,
    seed: int = 0,
    label: str | None = None,
    prefix: Tensor | None = None,
    batch_size: int | None = None,
    require_surface: bool = False,
    resolution: int = 128,
    format: str = "glb",
    which: str = "best",
    device: str = "cpu",
    overwrite: bool = False,
) -> list[Sample]:
    """Generate n new fields, and write of each its mesh (or image), the field and a picture.

    Args:
        run: a run, or the folder of one.
        config: temperature and the like.
        label: name of the class to generate; any if not said.
        prefix: tokens [m] that every sequence begins with.
        require_surface: draw again for fields that have no surface.
        resolution: marching cubes cells along each axis.

    Raises:
        ConfigError: if a class, prefix or number is wrong.
        NfgenError: if surfaces are required and too few samples have one.
    """
    run_path = "" if isinstance(run, Run) else str(run)
    run = run if isinstance(run, Run) else Run.load(run, which, device)
    if n < 1:
        raise ConfigError(f"n must be positive, not {n}", "give -n 1 or more")
    if not 8 <= resolution <= 1024:
        raise ConfigError(f"resolution must be 8 to 1024, not {resolution}", "128 shows all that a small field holds")
    config = config or SamplingConfig()
    empties = 0
    samples: list[Sample] = []
    pictures: list[Picture] = []
    with artifact.writing(out, "samples", overwrite=overwrite) as folder:
        drawn = _draw(run, n, config, seed, label, prefix, batch_size)
        with progress(n, "mesh", "sample") as bar:
            for index, tokens, field, nearest in drawn:
                mesh = surface_or_none(field, resolution) if field.spec.dims == 3 else None
                empty = mesh is None if field.spec.dims == 3 else False
                empties += empty
                if empty and require_surface:
                    if index >= TRIES * n:
                        raise NfgenError(
                            f"only {len(samples)} of {index + 1} samples have a surface",
                            "train for longer, or lower --temperature",
                        )
                    continue
                file, stored, picture = write_sample(
                    folder, f"sample-{len(samples):04d}", field, mesh, run.frame, format
                )
                samples.append(
                    Sample(
                        file,
                        stored,
                        stored.replace(".safetensors", ".png"),
                        tokens.tolist(),
                        seed,
                        index,
                        label,
                        empty,
                        nearest,
                    )
                )
                pictures.append(picture)
                bar.update(1, empty=empties)
                if len(samples) == n:
                    break
        settings = {
            "run": run_path,
            "n": n,
            "seed": seed,
            "class": label,
            "sampling": config.to_json(),
            "empty": empties,
            "resolution": resolution,
            "frame": None if run.frame is None else run.frame.to_json(),
        }
        write_list(folder, samples, pictures, settings)
    return samples


def read_prefix(run: Run, text: str, length: int | None) -> Tensor:
    """First tokens from text: ids by comma, or the path of a field whose first `length` tokens are taken.

    Raises:
        ConfigError: if the text is neither, or the tokens of the run are not ids.
    """
    if text.endswith(".safetensors"):
        field = Field.load(text)
        return run.tokenizer.encode(field.weights[None], field.spec)[0, : length or run.model.vocabulary.length // 2]
    try:
        ids = [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a prefix", "give ids by comma, as 12,5,77, or a field's .safetensors"
        ) from None
    if run.model.vocabulary.continuous:
        raise ConfigError("tokens of this run are numbers, not ids", "give a field's .safetensors as --prefix")
    return torch.tensor(ids[:length])


def _draw(
    run: Run,
    n: int,
    config: SamplingConfig,
    seed: int,
    label: str | None,
    prefix: Tensor | None,
    batch_size: int | None,
) -> Iterator[tuple[int, Tensor, Field, dict[str, Any]]]:
    """Samples without end, n at a time; sample i is the same however many are drawn."""
    index = run.labels(label)
    first = 0
    while True:
        tokens = sample(run.model, n, config, seed=seed, first=first, label=index, prefix=prefix, batch_size=batch_size)
        fields = decode_fields(run.tokenizer, tokens)
        yield from zip(range(first, first + n), tokens, fields, run.nearest(fields), strict=True)
        first += n
