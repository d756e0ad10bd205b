"""The fitted tokenizer that a fit begins with, and what its settings are then."""

from typing import Any

from nfgen.config import AUTO, NONE, require
from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact
from nfgen.tokenizers.base import KIND
from nfgen.tokenizers.hub import pretrained_folder

from .config import OF_NETWORKS, VQConfig

SHIPPED = {(3, "sdf"): "base-3d"}
"""By dims and output of the fields."""
STEPS, RATE = 8000, 3e-3  # of a tokenizer that begins anew
TUNED_STEPS, TUNED_RATE = 1500, 1e-3  # of one that knows shapes already


def settled(config: VQConfig, spec: FieldSpec) -> VQConfig:
    """The settings of a fit on fields of a spec, none of them open.

    Raises:
        ConfigError: if there is no such base, it is for other fields, or its networks are not as the settings say.
    """
    config = _with_base(config, spec)
    anew = config.base == NONE
    untrained = anew and 0 in (config.steps, config.minutes)
    require(not untrained, "steps", "and minutes must be above 0 without a base: nothing would be learned", 0)
    return config.replace(
        steps=(STEPS if anew else TUNED_STEPS) if config.steps is None else config.steps,
        learning_rate=(RATE if anew else TUNED_RATE) if config.learning_rate is None else config.learning_rate,
    )


def _with_base(config: VQConfig, spec: FieldSpec) -> VQConfig:
    if config.base == NONE:
        return config
    name = SHIPPED.get((spec.dims, spec.output)) if config.base == AUTO else config.base
    if name is None:
        return config.replace(base=NONE)
    known, of = _networks(name)
    said = {key: value for key in OF_NETWORKS if key in config.said() and (value := getattr(config, key)) is not None}
    other = [key for key, value in said.items() if value != known[key]]
    if other and config.base == AUTO:
        return config.replace(base=NONE)
    if other:
        raise ConfigError(
            f"{other[0]} is {said[other[0]]!r}, but {known[other[0]]!r} in the base {name}",
            f"leave {other[0]} out, or begin anew with base none",
        )
    if (of.dims, of.output) != (spec.dims, spec.output):
        raise ConfigError(
            f"the base {name} is for {of.dims}-D {of.output} fields, not {spec.dims}-D {spec.output}",
            "leave base out",
        )
    return config.replace(base=name, **known)


def _networks(name: str) -> tuple[dict[str, Any], FieldSpec]:
    """The settings of the networks of a base, and the spec of its fields."""
    stored = artifact.read_config(pretrained_folder(name, None), KIND)
    try:
        if stored["tokenizer"] not in ("vq", "pretrained"):
            raise ArtifactError(f"{name} holds a {stored['tokenizer']} tokenizer, not vq", "give a vq tokenizer")
        config = VQConfig.from_json(stored["settings"])
        return {key: getattr(config, key) for key in OF_NETWORKS}, FieldSpec.from_json(stored["spec"])
    except (KeyError, TypeError, ConfigError) as error:
        raise ArtifactError(f"{name} is damaged: {error!r}", "give another base") from error
