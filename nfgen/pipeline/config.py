"""Settings of the verbs: making shapes, training, generating, exporting, publishing, and the demo of all."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from nfgen.config import AUTO, NONE, Configuration
from nfgen.fields.resolution import Resolution
from nfgen.io.mesh_formats import MeshFormat
from nfgen.models.config import Share, settings_of
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.training.config import TrainerConfig
from nfgen.shapes.reading import ReadingConfig
from nfgen.tokenizers.config import TokenizeConfig

from .mesh_config import MeshingConfig, SurfaceConfig

Effort = Literal["quick", "standard", "best"]


class ShapesConfig(Configuration):
    """Which shapes of a family are made."""

    n: PositiveInt = 64
    """Number of shapes."""
    resolution: Resolution = 96
    """Marching cubes cells along each axis; at the default the thinnest parts are some 2.5 cells."""
    seed: NonNegativeInt = 0
    """Of all random numbers; shape i depends on it and on i alone."""


class TrainConfig(TrainerConfig, TokenizeConfig):
    """How a model is trained, after its tokenizer if need be."""

    model: str | None = None
    """gpt; for continuous tokens regression, or diffusion; none = gpt or regression, as the tokens are."""
    size: Literal["tiny", "small", "medium", "big", "mnist"] = "tiny"
    """Layers, width and heads of the model by a name; single ones override it."""
    init: Annotated[str, BeforeValidator(lambda name: name or NONE)] = AUTO
    """The model to begin with. `auto`: the one that ships beside the base of the tokens' tokenizer, if it has the size
    and the parts that are asked for; a run, by its folder or hf://owner/name: its tokens are of the same tokenizer, or
    of one that began with the same base, and its size holds; `none`: random weights."""
    model_settings: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it
    """Settings of the model."""

    @classmethod
    def components(cls, settings: Mapping[str, Any]) -> list[tuple[str, type[Configuration]]]:
        likely = ("gpt", "regression")  # which one it is follows from the tokens
        models = [settings["model"]] if settings.get("model") else likely
        return [*(("model_settings", settings_of(name)) for name in models), *super().components(settings)]

    @property
    def of_tokenizer(self) -> TokenizeConfig:
        """The part that says how fields are tokenised."""
        return TokenizeConfig(
            **{key: getattr(self, key) for key in TokenizeConfig.model_fields if key in self.model_fields_set}
        )


class AcceptanceConfig(Configuration):
    """Which samples are drawn again."""

    require_surface: bool = False
    """Draw again for fields that have no surface."""
    require_body: Share = 0.0
    """Draw again for those, too, whose largest body holds less than this share of the volume, such as 0.95; 0 = none.
    """
    distinct: bool = False
    """Draw again for samples that are variations of one another: whose nearest training field is that of an earlier
    one already (of ⌈2 n / training fields⌉ earlier ones, where that is more than one). A model draws what it knows with
    replacement, a collection holds nothing twice. So samples are no longer independent."""
    balanced: bool = False
    """Draw again what the model draws too often, so that samples are spread evenly over the training fields: more
    varied, and newer. Samples stay independent."""


class SamplesConfig(Configuration):
    """How samples of a run are drawn and meshed."""

    n: PositiveInt = 16
    """Number of samples."""
    label: str | None = None
    """Name of the class to generate; none = any."""
    checkpoint: Literal["best", "last"] = "best"
    """Weights of the run: those of the lowest held-out loss, or the last ones."""
    batch_size: PositiveInt | None = None
    """Samples at once; none = as many as memory allows."""
    seed: NonNegativeInt = 0
    """Of all random numbers; sample i depends on it and on i alone."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""
    sampling: SamplingConfig = SamplingConfig()
    """How tokens are drawn."""
    meshing: MeshingConfig = MeshingConfig()
    """How samples become meshes."""

    RENAMED: ClassVar = {"class": "label", "which": "checkpoint", "weights": "checkpoint", "batch": "batch_size"}


class GenerateConfig(SamplesConfig):
    """Which fields are generated."""

    prefix: str | None = None
    """First tokens of every sample: ids by comma, or a field's file whose first tokens are taken; none = free."""
    prefix_length: PositiveInt | None = None
    """Number of the prefix's tokens; none = all ids, half of the field."""
    acceptance: AcceptanceConfig = AcceptanceConfig()
    """Which samples are drawn again."""

    @classmethod
    def of_samples(cls, config: Mapping[str, Any]) -> Self:
        """The settings in the config of a folder of samples. Version 0.1 stored some, beside other things."""
        stored = config.get("settings")
        early = ("n", "seed", "class", "sampling", "resolution", "thicken", "distinct")
        found = stored if isinstance(stored, dict) else {key: config[key] for key in early if key in config}
        return cls().with_settings(found)


How = Literal["vary", "complete", "interpolate", "mix"]
OF_EDITS: dict[How, tuple[str, ...]] = {
    "vary": ("share", "keep_box"),
    "complete": ("region", "cells", "keep_box"),
    "interpolate": (),
    "mix": ("axis", "plane"),
}
"""Settings that one way of editing has alone."""


class EditConfig(SamplesConfig):
    """How shapes are edited. Coordinates are those of fields: [-1, 1]^3, z up."""

    n: PositiveInt = 8
    """Number of samples; of interpolate the steps with both ends, of mix the planes, evenly spread."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Of vary: share of the cells that are drawn again, other ones in each sample."""
    region: tuple[float, ...] | None = None
    """Of complete: a box in space, as its lowest and its highest corner (-1,-1,-1,1,1,0 is the lower half); cells whose
    centres lie in it are kept, the others drawn."""
    cells: tuple[NonNegativeInt, ...] | None = None
    """Of complete: numbers of the cells to keep, in raster order from the ground up, instead of a region."""
    keep_box: bool = True
    """Of vary and complete: keep the shape's bounding box; otherwise it is drawn, too."""
    axis: Literal["x", "y", "z"] = "z"
    """Of mix: the axis on which the plane stands; the first shape is on the side of its smaller coordinates."""
    plane: float | None = None
    """Of mix: where the plane crosses the axis; none = n planes, evenly spread through the first shape."""
    fit_steps: PositiveInt = 2400
    """Adam steps of the field that is fitted to a file of a shape."""

    @property
    def of_generation(self) -> GenerateConfig:
        """The part that generation knows, as far as it was set."""
        own = {name for names in OF_EDITS.values() for name in names} | {"fit_steps"}
        return GenerateConfig().with_settings({k: v for k, v in self.said().items() if k not in own})


class ExportConfig(Configuration):
    """What is exported, and to which files."""

    format: Literal[MeshFormat, "onnx"] | None = None
    """Of the files; none = by the suffix of the file to write, or glb."""
    limit: PositiveInt | None = None
    """Number of fields of a folder, from the first; none = all."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""
    meshing: SurfaceConfig = SurfaceConfig()
    """How fields become meshes."""


class ReportConfig(Configuration):
    """What is written beside a page."""

    turntable: Literal["gif", "mp4"] | None = None
    """Also write an animation of the first models; none = none is written."""


class PushConfig(Configuration):
    """How a run is published."""

    space: bool = False
    """As a Space: a page to draw from the run, as `nfgen app` serves it."""
    license: str | None = None
    """For the card, as mit or cc-by-4.0; none = none is named."""
    private: bool = False
    """If the repository is made: only you can see it."""
    message: str = "Upload with nfgen"
    """Of the commit."""


class MakeConfig(Configuration):
    """How long to learn from shapes, and how many to make."""

    effort: Effort = "standard"
    """How long to train: quick, standard or best; steps, so that a slow machine takes longer for the same quality."""
    minutes: PositiveFloat | None = None
    """Ends the trainings so that all of it takes about so long, whatever the quality; none = as the effort takes."""
    n: PositiveInt = 24
    """Number of samples."""
    format: MeshFormat = "glb"
    """Of the samples' files."""
    heldout: Share = 0.1
    """Share of the shapes that nothing is learned from: what the samples are compared with."""
    seed: NonNegativeInt = 0
    """Of all random numbers."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""
    reading: ReadingConfig = ReadingConfig()
    """How files are read where they do not say it themselves."""


class DemoConfig(Configuration):
    """How large the demo is."""

    kind: str = "chair"
    """Family of shapes: airplane, chair, mug, table or vase."""
    n: Annotated[int, Field(ge=8)] = 200
    """Number of shapes to learn from."""
    effort: Effort = "quick"
    """How long to train: quick, standard or best; steps, so that a slow machine takes longer for the same quality."""
    minutes: PositiveFloat | None = None
    """Ends the trainings so that all of it takes about so long, whatever the quality; none = as the effort takes."""
    seed: NonNegativeInt = 0
    """Of all random numbers."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""
