"""Configurations: frozen dataclasses that go to JSON and come back strictly checked."""

import dataclasses
import json
import math
import types
import typing
from typing import Any, ClassVar, Self

from .errors import ConfigError


def require(holds: bool, key: str, rule: str, value: object) -> None:
    """Raise a `ConfigError` that names the key and its rule unless the rule holds."""
    if not holds:
        raise ConfigError(f"{key} {rule}, not {value!r}", f"change {key}")


@dataclasses.dataclass(frozen=True)
class Configuration:
    """Base of every configuration; subclasses are frozen dataclasses with a docstring under each field.

    Raises:
        ConfigError: on a value of the wrong type, or a number that is not finite.
    """

    _hints: ClassVar[dict[type, dict[str, Any]]] = {}

    def __post_init__(self) -> None:
        for key, hint in self._types().items():
            value = getattr(self, key)
            require(_matches(value, hint), key, f"must be {_wording(hint)}", value)

    @classmethod
    def _types(cls) -> dict[str, Any]:
        if cls not in cls._hints:
            hints = typing.get_type_hints(cls)
            cls._hints[cls] = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
        return cls._hints[cls]

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values, as they will be read back: tuples are lists."""
        settings: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return settings

    @classmethod
    def from_json(cls, settings: object) -> Self:
        """Build from JSON values.

        Raises:
            ConfigError: on an unknown key, a wrong type or a value out of range; the message names the key.
        """
        if not isinstance(settings, dict):
            raise ConfigError(f"{cls.__name__} must be a JSON object, not {settings!r}")
        types_ = cls._types()
        unknown = sorted(set(settings) - set(types_))
        if unknown:
            raise ConfigError(f"{cls.__name__} has no setting {unknown[0]!r}", f"known are: {', '.join(types_)}")
        required = {f.name for f in dataclasses.fields(cls) if f.default is f.default_factory is dataclasses.MISSING}
        missing = sorted(required - set(settings))
        if missing:
            raise ConfigError(f"{cls.__name__} needs the setting {missing[0]!r}", f"known are: {', '.join(types_)}")
        return cls(**{key: _untupled(value, types_[key]) for key, value in settings.items()})


def _untupled(value: object, hint: Any) -> object:
    """JSON has lists only: give tuples back where the hint says tuple."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for option in options:
        if isinstance(value, list) and typing.get_origin(option) is tuple:
            inner = typing.get_args(option)[0]
            return tuple(_untupled(item, inner) for item in value)
    return value


def _matches(value: object, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_matches(value, option) for option in arguments)
    if origin is typing.Literal:
        return any(value == option and type(value) is type(option) for option in arguments)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(_matches(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(_matches, value, arguments))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _wording(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_wording(option) for option in arguments)
    if origin is tuple:
        names = _wording(arguments[0]) if typing.get_origin(arguments[0]) else getattr(arguments[0], "__name__", "")
        return f"a list of {names}" if names else "a list"
    return {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        str: "a text",
        type(None): "nothing",
    }.get(hint, getattr(hint, "__name__", str(hint)))
