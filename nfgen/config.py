"""Configurations: typed, frozen settings; the one place of each setting's default, bounds and description."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from .errors import ConfigError


def require(holds: bool, key: str, rule: str, value: object) -> None:
    """Raise a `ConfigError` that names the key and its rule unless the rule holds."""
    if not holds:
        raise ConfigError(f"{key} {rule}, not {value!r}", f"change {key}")


MOST = 2**32 - 1
"""Of whole numbers in settings: seeds may be as large, and libraries take no larger ones."""


AUTO, NONE = "auto", "none"
"""Words that a setting takes instead of a name: what suits, and nothing."""


class Configuration(BaseModel):
    """Base of every configuration: strictly typed, frozen, with a docstring under each field.

    Bounds of one setting stand in its type, as in `Annotated[int, Field(ge=1)]`; rules between settings in
    `model_validator(mode="after")`, by `require`.

    Raises:
        ConfigError: on a setting that is unknown, missing, of the wrong type or out of range.
    """

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Names that stored settings had in earlier versions, and today's."""

    def __init__(self, /, **settings: Any) -> None:
        settings = {self.RENAMED.get(key, key): _tupled(value) for key, value in settings.items()}
        for key, value in settings.items():
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int):
                    require(abs(number) <= MOST, key, f"must be at most {MOST:,}", number)
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise _as_config_error(type(self), error) from None

    @classmethod
    def old_names(cls) -> dict[str, str]:
        """Names of earlier versions of its own settings and of those of its groups, and today's."""
        found: dict[str, str] = {}
        for field in cls.model_fields.values():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Configuration):
                found |= field.annotation.old_names()
        return found | dict(cls.RENAMED)

    @classmethod
    def components(cls, settings: Mapping[str, Any]) -> list[tuple[str, type["Configuration"]]]:
        """Fields that hold the settings of a component as a dict, and the configuration of the one in use.

        Args:
            settings: those known so far, by field; they say which component it is.
        """
        return []

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values: tuples are lists."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, settings: object) -> Self:
        """Build from JSON values, also from those that an earlier version stored.

        Raises:
            ConfigError: on an unknown key, a wrong type or a value out of range; the message names the key.
        """
        if not isinstance(settings, dict):
            raise ConfigError(f"{cls.__name__} must be a JSON object, not {settings!r}")
        return cls(**settings)

    def replace(self, **changes: Any) -> Self:
        """A copy with other values of some fields; what was left at its default stays so."""
        return type(self)(**dict(_set_in(self)) | changes)

    @classmethod
    def given(cls, config: Self | None, settings: Mapping[str, Any]) -> Self:
        """The configuration that a call was given, and single settings of it; its defaults where there is none.

        Raises:
            ConfigError: if it is no such configuration, or a setting is wrong.
        """
        require(config is None or isinstance(config, cls), "config", f"must be a {cls.__name__}", config)
        return (config or cls()).with_settings(settings)

    def said(self) -> dict[str, Any]:
        """What was set, and not left at its default, by the names that `flat` gives: `with_settings` takes it."""
        found = {}
        for name, place in flat(type(self), _set_in(self)).items():
            value: Any = self
            for field in place.path:
                value = _set_in(value).get(field, UNSET)
            if value is not UNSET and name == place.names[0]:
                found[name] = value
        return found

    def as_options(self) -> list[str]:
        """What was set, as options of the command line."""
        words: list[str] = []
        for name, value in self.said().items():
            option = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
            if isinstance(value, bool):
                words.append(option if value else f"--no-{option[2:]}")
            else:
                words += [option, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
        return words

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """A copy with other values of some settings, by the names that `flat` gives or by field.

        Another component (such as a tokenizer) starts from its own defaults.

        Raises:
            ConfigError: if there is no such setting, or a value is wrong; an unknown one is answered with the nearest.
        """
        today = self.old_names()
        renamed = {today.get(key, key): value for key, value in settings.items()}
        known = dict(_set_in(self))
        for field in {field for field, _ in self.components(known | renamed)}:
            chosen = field.removesuffix(COMPONENT)
            if renamed.get(chosen) is not None and renamed[chosen] != getattr(self, chosen):
                known.pop(field, None)
        places = flat(type(self), known | renamed)
        inner: dict[str, dict[str, Any]] = {}
        for key, value in renamed.items():
            if key in type(self).model_fields:
                nested = known.get(key, type(self).model_fields[key].default)
                known[key] = nested.with_settings(value) if _is_group(nested, value) else value
                continue
            if key not in places:
                raise unknown("setting", key, [name for name, place in places.items() if name == place.names[0]])
            field, name = places[key].path
            inner.setdefault(field, {})[name] = value
        for field, changes in inner.items():  # together, as there are rules between the settings of a group
            before = known.get(field, type(self).model_fields[field].get_default(call_default_factory=True))
            known[field] = before.replace(**changes) if isinstance(before, Configuration) else before | changes
        return type(self)(**known)


UNSET = object()
COMPONENT = "_settings"
"""Ending of a field that holds a component's settings; before it stands the field of the component's name."""


class Place(NamedTuple):
    """Where a setting stands in a configuration."""

    path: tuple[str, ...]
    """Its field, or the field of the group that it is in and its own."""
    owner: type[Configuration]
    field: FieldInfo
    names: tuple[str, ...]
    """What it is called in a flat list: one name, and others that work as well."""


def flat(cls: type[Configuration], settings: Mapping[str, Any] | None = None) -> dict[str, Place]:
    """All settings of a configuration, of its groups and of its components by one name each, in their order.

    The name is the field's own. Where another setting has it already, that of a component is called by the component
    too, as in `tokenizer_steps`; this longer name always works.

    Args:
        settings: of fields that say which components are in use.
    """
    found: dict[str, Place] = {}
    for name, field in cls.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, Configuration):
            for inner, of_group in group.model_fields.items():
                found[inner] = Place((name, inner), group, of_group, (inner,))
        elif not name.endswith(COMPONENT):
            found[name] = Place((name,), cls, field, (name,))
    for name, component in cls.components(settings or {}):
        for inner, of_component in component.model_fields.items():
            long = f"{name.removesuffix(COMPONENT)}_{inner}"
            if long in found or (inner in found and found[inner].path == (name, inner)):
                continue  # several components may be in question: the first describes what they share
            names = (long,) if inner in found else (inner, long)
            found |= dict.fromkeys(names, Place((name, inner), component, of_component, names))
    return found


def unknown(what: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that there is not: it says the nearest ones, or all."""
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(known)}"
    return ConfigError(f"there is no {what} {name!r}", remedy)


def _set_in(holder: object) -> Mapping[str, Any]:
    """What was set in a configuration, or in the dict of a component's settings."""
    if isinstance(holder, Configuration):
        return {key: getattr(holder, key) for key in holder.model_fields_set}
    return holder if isinstance(holder, Mapping) else {}


def _is_group(before: object, value: object) -> bool:
    return isinstance(before, Configuration) and isinstance(value, Mapping)


def _tupled(value: Any) -> Any:
    """JSON has lists only; settings that are frozen are tuples."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _as_config_error(cls: type[Configuration], error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = str(first["loc"][0]) if first["loc"] else cls.__name__
    if first["type"] == "extra_forbidden":
        other = unknown("setting", key, cls.model_fields)
        return ConfigError(f"{cls.__name__} has no setting {key!r}", other.remedy)
    if first["type"] == "missing":
        return ConfigError(f"{cls.__name__} needs the setting {key!r}", f"known are: {', '.join(cls.model_fields)}")
    rule = re.sub(r"^\w+ should", "must", first["msg"]).split(" after validation")[0]
    rule = rule.replace("valid integer", "whole number")
    return ConfigError(f"{key} {rule}, not {first['input']!r}", f"change {key}")
