"""Models by name; only the one in use is imported."""

from pathlib import Path
from typing import Any, Literal

from nfgen.config import AUTO, Configuration
from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import files
from nfgen.io.state_dict import check_state_dict
from nfgen.runtime import plugins
from nfgen.runtime.device import find_device
from nfgen.tokens.vocabulary import Vocabulary

from .base import SequenceModel
from .stored_names import with_current_names

BUILT_IN = {
    "gpt": "nfgen.models.gpt:GPT",
    "regression": "nfgen.models.regression:RegressionTransformer",
    "diffusion": "nfgen.models.diffusion:DiffusionTransformer",
}
GROUP = "nfgen.models"
"""Entry-point group for models of other packages."""

MODEL = "model.json"
SHARED = "model.safetensors"
"""The usual name of a weights file on the Hugging Face Hub."""


def names() -> list[str]:
    """Names of all models, built-in ones first."""
    return plugins.names(GROUP, BUILT_IN)


def find(name: str) -> type[SequenceModel]:
    """The class of a model.

    Raises:
        ConfigError: if there is none of that name, or another package's cannot be used.
    """
    return plugins.find(name, "model", GROUP, BUILT_IN, SequenceModel)  # type: ignore[type-abstract]


def model_for(vocabulary: Vocabulary) -> str:
    """Name of the default model of a vocabulary: regression if it is continuous, else gpt."""
    return "regression" if vocabulary.continuous else "gpt"


def create(name: str, vocabulary: Vocabulary, config: Configuration | None = None, **settings: Any) -> SequenceModel:
    """A new model with random weights (torch's global generator).

    Args:
        name: one of `names`.
        vocabulary: of its tokens.
        config: its settings; None = `settings`, and defaults for the others.
        settings: single settings of its `Config`.

    Raises:
        ConfigError: if the model does not support the vocabulary, or a setting is wrong.
    """
    found = find(name)
    return found(vocabulary, config if config is not None else found.Config.from_json(settings))


def weights_file(run: Path, checkpoint: str = "best") -> Path:
    """The file of a run's weights: in a shared run, `best.safetensors` is called `model.safetensors`."""
    shared = run / SHARED
    return shared if checkpoint == "best" and shared.exists() else run / f"{checkpoint}.safetensors"


def load_model(run: str | Path, checkpoint: Literal["best", "last"] = "best", device: str = AUTO) -> SequenceModel:
    """The trained model of a run folder, in eval mode.

    Args:
        run: a folder with `model.json`, `best.safetensors` and `last.safetensors`; a shared run has
            `model.safetensors`, the best weights, instead.
        checkpoint: the weights of lowest held-out loss, or the last ones.
        device: device of the model.

    Raises:
        ArtifactError: if the folder holds no model, or it is damaged.
    """
    run = Path(run)
    described = files.read_json(run / MODEL)
    tensors = with_current_names(files.read_tensors(weights_file(run, checkpoint)))
    try:
        files.check_finite(tensors)
        vocabulary = Vocabulary.from_json(described["vocabulary"])
        found = find(described["model"])
        config = found.Config.from_json(described["settings"])
        check_state_dict(lambda: found(vocabulary, config), tensors)
        model = found(vocabulary, config)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        reason = str(error).splitlines()[0]
        raise ArtifactError(f"the model in {run} is damaged: {reason}", "train it again") from error
    return model.to(find_device(device)).eval()
