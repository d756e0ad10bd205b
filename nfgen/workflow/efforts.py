"""What an effort means: the configuration of each verb."""

from typing import NamedTuple

from nfgen.evaluation.config import EvaluateConfig
from nfgen.fitting.config import FitConfig
from nfgen.metrics.mmd_cov_nna import ENOUGH
from nfgen.pipeline.config import GenerateConfig, MakeConfig, TrainConfig
from nfgen.pipeline.mesh_config import MeshingConfig
from nfgen.tokenizers.config import TokenizeConfig

TOKENIZER_SHARE, MODEL_SHARE = 0.45, 0.15  # of the minutes, if there is a limit
DROPOUT = 0.2
SAMPLE_EVERY = 100  # steps of the model
POINTS = 1024  # of a cloud: half of the usual, a quarter of the time


class Steps(NamedTuple):
    """How long to train. Steps, not minutes: so a slow or busy machine takes longer, and makes the same."""

    fit_steps: int
    tokenizer_steps: int
    views: int
    """Augmented token sequences of each shape."""
    model_steps: int | None = None
    """None = as many as `train` takes by default."""


EFFORTS = {
    "quick": Steps(fit_steps=600, tokenizer_steps=1500, views=8, model_steps=300),
    "standard": Steps(fit_steps=2400, tokenizer_steps=6000, views=32),
    "best": Steps(fit_steps=2400, tokenizer_steps=18000, views=32),
}


class Verbs(NamedTuple):
    """The configuration of each verb."""

    fit: FitConfig
    tokenize: TokenizeConfig
    train: TrainConfig
    generate: GenerateConfig
    evaluate: EvaluateConfig


def verbs_of(config: MakeConfig) -> Verbs:
    """How `make` calls the verbs; what is not set here is as each verb has it by default."""
    steps, minutes = EFFORTS[config.effort], config.minutes
    said = config.said()
    # All verbs have the same defaults of these: what was not said need not be said to each.
    shared = {key: said[key] for key in ("seed", "device") if key in said}
    return Verbs(
        fit=FitConfig(steps=steps.fit_steps, reading=config.reading, **shared),
        tokenize=TokenizeConfig(
            heldout=config.heldout,
            views=steps.views,
            tokenizer_settings={
                "steps": steps.tokenizer_steps,
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
