"""`FitConfig` and `PointSamplingConfig`: how fields are fitted, and to which points of a shape."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nfgen.config import Configuration, require
from nfgen.fields.spec import FieldSpec
from nfgen.shapes.reading import ReadingConfig


class PointSamplingConfig(Configuration):
    """Which points of a shape a fit sees, and by which it is judged."""

    near: NonNegativeInt = 12288
    """Points about the surface."""
    uniform: NonNegativeInt = 4096
    """Points in [-1, 1]^d."""
    near_eval: NonNegativeInt = 1024
    """Points about the surface that only judge."""
    uniform_eval: PositiveInt = 2048
    """Points in [-1, 1]^d that only judge: IoU is taken over them."""
    normalize: Literal["each", "none"] = "each"
    """Meshes: `each` is put into [-1, 1]^3 by its bounding box, `none` is there already."""
    copies: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Further fields of each shape, mirrored and scaled by up to 10 % along each axis."""

    RENAMED: ClassVar = {"augment": "copies", "near_checks": "near_eval", "uniform_checks": "uniform_eval"}

    @model_validator(mode="after")
    def _check(self) -> Self:
        require(self.near + self.uniform > 0, "near", "and uniform must not both be 0", 0)
        return self


class FitConfig(Configuration):
    """How fields are fitted."""

    spec: FieldSpec | str = "talk"
    """Architecture: talk, talk-2d, nef-gpt, mnist or hyperdiffusion; on the command line also a JSON file."""
    init: str = "shared"
    """Where fits start: `random` (unconditioned: each its own), `first` (conditioned: all from the first shape's field,
    the talk's method), `shared` (all from one field fitted to the pooled points of many shapes), or the path of a field
    or field set whose weights or base to start from."""
    optimizer: Literal["adam", "muon"] = "adam"
    """`adam`, or `muon` on the matrices: a third to half of the steps for the same IoU."""
    steps: PositiveInt = 2400
    """Steps of the optimizer."""
    points: PositiveInt = 512
    """Points of each shape in one step."""
    learning_rate: PositiveFloat = 2e-2
    """Peak of the one-cycle schedule."""
    truncation: PositiveFloat = 0.1
    """Distance, in coordinate units, beyond which an SDF only has to have the right sign."""
    pull: NonNegativeFloat = 1e-5
    """Weight of the squared distance to the base: keeps fields near each other in weight space."""
    tolerance: NonNegativeFloat = 0.0
    """A field stops early when its loss falls below this; 0 = never."""
    loss: Literal["default", "tanh-mse"] = "default"
    """`default`: L1 of truncated distances, or cross-entropy; `tanh-mse` for occupancy: squared error between the tanh
    of the logit and +-1 (NeF-GPT)."""
    batch_size: PositiveInt = 64
    """Fields fitted at once, which are also the fields of one shard on disk."""
    seed: NonNegativeInt = 0
    """Of all random numbers."""
    limit: PositiveInt | None = None
    """Use only this many of the first shapes; none = all."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""
    samples: PointSamplingConfig = PointSamplingConfig()
    """Which points of a shape are seen."""
    reading: ReadingConfig = ReadingConfig()
    """How files are read where they do not say it themselves."""

    RENAMED: ClassVar = {"batch": "batch_size"}

    def __init__(self, /, **settings: Any) -> None:
        if isinstance(settings.get("init"), Path):
            settings["init"] = str(settings["init"])
        # Version 0.1 stored the settings of the optimiser as a group of its own.
        super().__init__(**settings.pop("fit", {}), **settings)
