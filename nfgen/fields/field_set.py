"""`FieldSet`: N fields of one spec, and what is known of the shapes that they were fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import artifact, files
from nfgen.shapes.base import Transform

from .field import Field
from .fit_report import FitReport, write_report
from .resolution import RESOLUTION
from .spec import FieldSpec

if TYPE_CHECKING:
    import trimesh

KIND = "fields"
SHARD = "shard-{:05d}"
BASE = "base.safetensors"
LOCAL = "local.json"
"""What concerns this machine alone: the paths of the shapes. A set that is shared goes without."""
STORED = {"eval_points": "check_points", "eval_values": "check_values", "uniform_eval": "uniform_checks"}
"""Names on disk that are not those of the attributes: those of version 0.1, which reads such sets too."""


@dataclass(frozen=True)
class FieldSet:
    """N fields of one spec.

    At the evaluation points the true shape is known: they judge a fit and a tokenizer's round trip.

    Tensors of a set that was read from disk are mapped to memory: of a million fields only those are read that are
    looked at. Who works on all of them had better take some at a time.
    """

    spec: FieldSpec
    weights: Float[Tensor, "fields weights"]
    ids: tuple[str, ...]
    labels: Int[Tensor, "fields"]
    """Index into `classes`, or -1 where there is none."""
    classes: tuple[str, ...] = ()
    base: Float[Tensor, "weights"] | None = None
    """The weights that deltas are taken from: where the fits started (None if each started somewhere else)."""
    transforms: Float[Tensor, "fields dims_and_two"] | None = None
    """Rows of `Transform.to_row`, one a field; sets of before lack their last number."""
    eval_points: Float[Tensor, "fields points dims"] | None = None
    """In the field frame; the first `uniform_eval` are uniform in [-1, 1]^d, the others near the surface. In half
    precision where the set was read from disk."""
    eval_values: Float[Tensor, "fields points"] | None = None
    """True signed distance (or brightness) at the evaluation points."""
    uniform_eval: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    """How the fields were made."""
    report: Sequence[dict[str, Any]] = ()
    """One entry a field: id, iou, sdf_l1, loss, steps, seconds; where there are any `lost`, the share of the
    surface that the solid does not have, and `notes` of how the file was read."""
    skipped: tuple[dict[str, str], ...] = ()
    """Shapes that could not be used: id, reason."""
    sources: tuple[str, ...] = ()
    """Where the shapes lie on this machine, as `local.json` beside the set says; `save` does not copy that file."""

    def __post_init__(self) -> None:
        count = len(self.ids)
        if self.weights.shape != (count, self.spec.size) or self.labels.shape != (count,):
            raise ConfigError(
                f"{count} ids do not fit weights {tuple(self.weights.shape)} of a spec of {self.spec.size}"
            )
        points = 0 if self.eval_points is None else self.eval_points.shape[1] if self.eval_points.ndim == 3 else -1
        for key, shape in (
            ("base", (self.spec.size,)),
            ("eval_points", (count, points, self.spec.dims)),
            ("eval_values", (count, points)),
        ):
            tensor = getattr(self, key)
            if tensor is not None and tensor.shape != shape:
                raise ConfigError(f"{key} of shape {tuple(tensor.shape)} does not fit {count} fields: not {shape}")
        placed, dims = self.transforms, self.spec.dims
        if placed is not None and placed.shape not in ((count, dims + 1), (count, dims + 2)):
            raise ConfigError(
                f"transforms of shape {tuple(placed.shape)} does not fit {count} fields: not {(count, dims + 2)}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Field:
        return Field(self.spec, self.weights[index])

    def mesh(self, index: int, resolution: int = RESOLUTION) -> "trimesh.Trimesh":
        """The surface of one field in the frame of its shape's file."""
        mesh = self[index].mesh(resolution)
        if self.transforms is not None:
            transform = Transform.from_row(self.transforms[index].tolist(), self.spec.dims)
            mesh.vertices = transform.invert(mesh.vertices)
        return mesh

    @property
    def deltas(self) -> Float[Tensor, "fields weights"]:
        """Weights minus the base; the weights themselves where there is no base."""
        return self.weights if self.base is None else self.weights - self.base

    def select(self, indices: Int[Tensor, "chosen"]) -> "FieldSet":
        """The fields at some indices, in that order."""
        chosen = indices.tolist()

        def pick(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[indices]

        return replace(
            self,
            weights=self.weights[indices],
            ids=tuple(self.ids[i] for i in chosen),
            labels=self.labels[indices],
            transforms=pick(self.transforms),
            eval_points=pick(self.eval_points),
            eval_values=pick(self.eval_values),
            report=self.report.select(chosen)
            if isinstance(self.report, FitReport)
            else tuple(self.report[i] for i in chosen)
            if self.report
            else (),
        )

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the set as an artifact of one shard."""
        with artifact.writing(path, KIND, overwrite=overwrite) as folder:
            write_report(folder, self.report, self.skipped)
            write_shard(folder, 0, self, reported=True)
            write_index(folder, self)

    @classmethod
    def load(cls, path: str | Path) -> "FieldSet":
        """Read a field set.

        Raises:
            ArtifactError: if the folder is not a field set or is damaged.
        """
        path = Path(path)
        config = artifact.read_config(path, KIND)
        try:
            spec, settings = FieldSpec.from_json(config["spec"]), config["settings"]
            if not isinstance(settings, dict):
                raise ConfigError("its settings are not a JSON object")
            base = files.read_tensors(path / BASE)["weights"] if config["has_base"] else None
            parts = [read_shard(path, i, spec) for i in range(config["shards"])]
            found = cls.joined(
                parts,
                spec=spec,
                classes=tuple(config["classes"]),
                base=base,
                uniform_eval=config[STORED["uniform_eval"]],
                settings={key: value for key, value in settings.items() if key != "sources"},
                sources=_read_sources(path, settings),
            )
            found._check_stored()
            return found
        except (KeyError, TypeError, ValueError, RuntimeError, IndexError, ConfigError) as error:
            raise ArtifactError(f"{path} is damaged: {error!r}", "make it again with nfgen fit") from error

    def _check_stored(self) -> None:
        """Refuse what a file may claim and no field set holds."""
        count, labels = len(self), self.labels
        of_type = {"weights": torch.float32, "labels": torch.int64, "base": torch.float32}
        for key, wanted in of_type.items():
            tensor = getattr(self, key)
            if tensor is not None and tensor.dtype != wanted:
                raise ConfigError(f"its {key} are {tensor.dtype}, not {wanted}")
        if count and not (int(labels.min()) >= -1 and int(labels.max()) < len(self.classes)):
            raise ConfigError(f"its labels are not those of {len(self.classes)} classes")
        if not all(isinstance(name, str) for name in (*self.ids, *self.classes)):
            raise ConfigError("its ids and classes are not texts")
        read = () if isinstance(self.report, FitReport) else self.report
        if not isinstance(self.settings, dict) or not all(isinstance(one, dict) for one in (*read, *self.skipped)):
            raise ConfigError("its settings and reports are not JSON objects")
        points = 0 if self.eval_points is None else self.eval_points.shape[1]
        if type(self.uniform_eval) is not int or not 0 <= self.uniform_eval <= points:
            raise ConfigError(f"its uniform_checks are {self.uniform_eval!r}, not one of {points} evaluation points")

    @classmethod
    def joined(cls, parts: Sequence["FieldSet"], **common: Any) -> "FieldSet":
        """One set of the fields of several; `common` are the attributes that belong to the whole."""

        def join(key: str) -> Tensor | None:
            tensors = [getattr(part, key) for part in parts if len(part)]
            if not tensors or tensors[0] is None:
                return None
            return tensors[0] if len(tensors) == 1 else torch.cat(tensors)

        weights, labels = join("weights"), join("labels")
        return cls(
            weights=torch.empty(0, common["spec"].size) if weights is None else weights,
            ids=tuple(id for part in parts for id in part.ids),
            labels=torch.empty(0, dtype=torch.long) if labels is None else labels,
            transforms=join("transforms"),
            eval_points=join("eval_points"),
            eval_values=join("eval_values"),
            report=parts[0].report if len(parts) == 1 else tuple(entry for part in parts for entry in part.report),
            skipped=tuple(entry for part in parts for entry in part.skipped),
            **common,
        )


def write_sources(folder: Path, sources: Sequence[str]) -> None:
    """Keep where the shapes of a set lie, so that a report can show them beside their fields."""
    files.write_json(folder / LOCAL, {"sources": list(sources)})


def _read_sources(folder: Path, settings: dict[str, Any]) -> tuple[str, ...]:
    """What `write_sources` wrote, or version 0.1 into the settings; none if there are none, or they are damaged."""
    stored = files.read_json(folder / LOCAL) if (folder / LOCAL).is_file() else settings
    found = stored.get("sources") if isinstance(stored, dict) else None
    return tuple(found) if isinstance(found, list) and all(isinstance(one, str) for one in found) else ()


def shard_exists(folder: Path, number: int) -> bool:
    """Whether a shard is whole: its JSON is written last."""
    return (folder / f"{SHARD.format(number)}.json").is_file()


def write_shard(folder: Path, number: int, fields: FieldSet, *, reported: bool = False) -> None:
    """Write a part of a set: its tensors, then its ids and reports.

    Args:
        reported: the reports stand in the set's `fit_report.json`, and are not written again.
    """
    files.write_tensors(folder / f"{SHARD.format(number)}.safetensors", stored_tensors(fields))
    reports = {"reports": len(fields.report)} if reported else {"fields": list(fields.report)}
    write_entries(folder, number, {"ids": list(fields.ids), "skipped": list(fields.skipped)} | reports)


def stored_tensors(fields: FieldSet) -> dict[str, Tensor]:
    """The tensors of a set as they are stored."""
    tensors = {"weights": fields.weights, "labels": fields.labels}
    for key in ("transforms", "eval_points", "eval_values"):
        tensor = getattr(fields, key)
        if tensor is not None:
            # Half precision moves a point by at most 2.4e-4, a hundredth of the thinnest part a fit can hold.
            tensors[STORED.get(key, key)] = tensor.half() if key in STORED else tensor
    return tensors


def write_entries(folder: Path, number: int, entries: dict[str, Any]) -> None:
    """Write what a shard holds beside tensors; it is whole then."""
    files.write_json(folder / f"{SHARD.format(number)}.json", entries)


def read_shard(folder: Path, number: int, spec: FieldSpec) -> FieldSet:
    """Read what `write_shard` wrote."""
    name = SHARD.format(number)
    tensors = files.read_tensors(folder / f"{name}.safetensors")
    entries = files.read_json(folder / f"{name}.json")
    ids = tuple(entries["ids"])
    return FieldSet(
        spec=spec,
        weights=tensors["weights"],
        ids=ids,
        labels=tensors["labels"],
        transforms=tensors.get("transforms"),
        eval_points=tensors.get(STORED["eval_points"]),
        eval_values=tensors.get(STORED["eval_values"]),
        report=tuple(entries["fields"])
        if "fields" in entries
        else FitReport(folder, range(len(ids) if entries["reports"] else 0)),
        skipped=tuple(entries["skipped"]),
    )


def write_index(folder: Path, fields: FieldSet) -> None:
    """Write what a set of one shard holds beside it and the report."""
    if fields.base is not None:
        files.write_tensors(folder / BASE, {"weights": fields.base})
    artifact.write_config(
        folder,
        KIND,
        {
            "spec": fields.spec.to_json(),
            "count": len(fields),
            "shards": 1,
            "classes": list(fields.classes),
            "has_base": fields.base is not None,
            STORED["uniform_eval"]: fields.uniform_eval,
            "settings": fields.settings,
        },
    )
