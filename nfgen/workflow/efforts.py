"""What an effort means: the configuration of each verb."""

from typing import Any, NamedTuple

from nfgen.evaluation.config import EvaluateConfig
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.metrics.mmd_cov_nna import ENOUGH
from nfgen.pipeline.config import GenerateConfig, MakeConfig, TrainConfig
from nfgen.pipeline.mesh_config import MeshingConfig
from nfgen.tokenizers.config import TokenizeConfig
from nfgen.tokenizers.vq.base import settled
from nfgen.tokenizers.vq.config import NONE, VQConfig

TOKENIZER_SHARE, MODEL_SHARE = 0.45, 0.15  # of the minutes, if there is a limit
DROPOUT = 0.2
SAMPLE_EVERY = 200  # steps of the model
POINTS = 1024  # of a cloud: half of the usual, a quarter of the time


class Steps(NamedTuple):
    """How long to train. Steps, not minutes: so a slow or busy machine takes longer, and makes the same."""

    fit_steps: int
    tokenizer_steps: int
    tuning_steps: int
    """The same where the tokenizer knows shapes already."""
    views: int
    """Augmented token sequences of each shape."""
    model_steps: int


EFFORTS = {
    "quick": Steps(fit_steps=600, tokenizer_steps=1500, tuning_steps=400, views=8, model_steps=600),
    "standard": Steps(fit_steps=2400, tokenizer_steps=6000, tuning_steps=1500, views=32, model_steps=2500),
    "best": Steps(fit_steps=2400, tokenizer_steps=18000, tuning_steps=6000, views=32, model_steps=4000),
}


class Verbs(NamedTuple):
    """The configuration of each verb after `fit`."""

    tokenize: TokenizeConfig
    train: TrainConfig
    generate: GenerateConfig
    evaluate: EvaluateConfig


def fit_config(config: MakeConfig) -> FitConfig:
    """How `make` fits; what is not set here is as the verb has it by default."""
    return FitConfig(steps=EFFORTS[config.effort].fit_steps, reading=config.reading, **_shared(config))


def verbs_of(config: MakeConfig, spec: FieldSpec) -> Verbs:
    """How `make` calls the verbs after `fit`, for fields of a spec."""
    steps, minutes, shared = EFFORTS[config.effort], config.minutes, _shared(config)
    known = settled(VQConfig(), spec).base != NONE
    return Verbs(
        tokenize=TokenizeConfig(
            heldout=config.heldout,
            views=steps.views,
            tokenizer_settings={
                "steps": steps.tuning_steps if known else steps.tokenizer_steps,
                "minutes": None if minutes is None else TOKENIZER_SHARE * minutes,
            },
            **shared,
        ),
        train=TrainConfig(
            steps=steps.model_steps,
            minutes=None if minutes is None else MODEL_SHARE * minutes,
            patience=0,
            sample_every=SAMPLE_EVERY,
            model_settings={"dropout": DROPOUT},
            **shared,
        ),
        generate=GenerateConfig(n=config.n, meshing=MeshingConfig(format=config.format), **shared),
        evaluate=EvaluateConfig(points=POINTS, reading=config.reading, pictures=config.n >= ENOUGH, **shared),
    )


def _shared(config: MakeConfig) -> dict[str, Any]:
    """All verbs have the same defaults of these: what was not said need not be said to each."""
    said = config.said()
    return {key: said[key] for key in ("seed", "device") if key in said}
