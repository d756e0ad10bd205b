"""Which model a training makes, and which trained one it begins with."""

import logging
from pathlib import Path

from nfgen.config import AUTO, NONE, Configuration
from nfgen.io import hub
from nfgen.io.shipped import here
from nfgen.models import registry as models
from nfgen.models.base import SequenceModel
from nfgen.models.presets import preset
from nfgen.runtime.device import CPU
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokenizers.vq.base import SHIPPED

from .config import TrainConfig

WITHOUT_WEIGHTS = {"dropout", "class_dropout", "label_smoothing"}
"""Settings of a GPT that do not matter to one that begins with the weights of another."""

log = logging.getLogger(__name__)


def new_model(config: TrainConfig, tokenizer: Tokenizer) -> tuple[str, Configuration, SequenceModel | None]:
    """Name and settings of the model that a configuration asks for, and the one to begin with.

    Args:
        tokenizer: that of the tokens.

    Raises:
        ConfigError: if there is no such model, size or setting.
        ArtifactError: if there is no such run to begin with.
    """
    folder = _model_to_begin_with(config, tokenizer)
    init = None if folder is None else models.load_model(folder, device=str(CPU))
    if init is not None and config.init != AUTO and config.model in (None, init.name):
        return init.name, init.config.replace(**config.model_settings), init
    model = config.model or models.model_for(tokenizer.vocabulary)
    settings = preset(model, config.size, **config.model_settings)
    if init is not None and config.init == AUTO:
        if not _suits(init, model, settings, tokenizer):
            return model, settings, None
        log.info("the %s begins with the one that ships with nfgen and knows shapes already", model)
    return model, settings, init


def _model_to_begin_with(config: TrainConfig, tokenizer: Tokenizer) -> Path | None:
    """The folder of the model to begin with, whether it suits or not."""
    if config.init == AUTO:
        return shipped_model(tokenizer)
    return None if config.init == NONE else hub.find(config.init)


def shipped_model(tokenizer: Tokenizer) -> Path | None:
    """The folder of the model that ships beside a tokenizer's base and has learned its tokens, if there is one."""
    base = getattr(tokenizer.config, "base", None)
    if base is None or base not in SHIPPED.values():
        return None
    return here(base) if (here(base) / models.MODEL).is_file() else None


def _suits(init: SequenceModel, model: str, settings: Configuration, tokenizer: Tokenizer) -> bool:
    """Whether a model has the size and the parts that are asked for, and knows such tokens."""
    same = tokenizer.vocabulary.replace(classes=()) == init.vocabulary.replace(classes=())
    ours, theirs = (
        {k: v for k, v in one.to_json().items() if k not in WITHOUT_WEIGHTS} for one in (settings, init.config)
    )
    return same and model == init.name and ours == theirs
