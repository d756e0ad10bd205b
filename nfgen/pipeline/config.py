"""Settings of a run: a training, its model and its tokenizer."""

from collections.abc import Mapping
from typing import Any, Literal

from nfgen.config import Configuration
from nfgen.models.config import settings_of
from nfgen.models.training.config import TrainerConfig
from nfgen.tokenizers.config import TokenizeConfig


class TrainConfig(TrainerConfig, TokenizeConfig):
    """How a model is trained, after its tokenizer if need be."""

    model: str | None = None
    """gpt; for continuous tokens regression, or diffusion; none = gpt or regression, as the tokens are."""
    size: Literal["tiny", "small", "medium", "big", "mnist"] = "tiny"
    """Layers, width and heads of the model by a name; single ones override it."""
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
