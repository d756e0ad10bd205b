"""Options of a command, derived from its configuration: one for each setting, with its type, default and bounds."""

import difflib
import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from nfgen.errors import ConfigError

if TYPE_CHECKING:
    from nfgen.config import Configuration, Place

OPTIONS, GIVEN, BASE = "nfgen.options", "nfgen.given", "nfgen.base"
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
LONGEST_FILE, MOST_LISTS = 1 << 16, 1000  # letters, and lists and tables, of a settings file in YAML or TOML
BESIDE = ("format", "type", "nfgen", "command", "run", "frame", "up", "empty", "dropped", "draws", "glb_up", "kind")
"""What version 0.1 stored in the config of samples and shapes beside their settings."""
NOT_SETTINGS = ("sources", "tokenizer_digest", "computed_on")
"""What artifacts store among their settings, and is none: from what they were made, and where."""
FILES = {"scores": "evaluation.json"}
"""Files of settings that are not an artifact's `config.json`, by what they are of."""
METAVARS: Mapping[Any, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT", bool: "BOOLEAN"}


class SettingOption(click.Option):
    """The option of one setting; its value goes to the command's configuration, if it was given."""

    def __init__(self, name: str, place: "Place", spellings: Sequence[str]) -> None:
        self.section = place.owner
        self.long_names = [f"--{other.replace('_', '-')}" for other in place.names[1:]]
        hint = place.field.annotation
        kinds = set(_kinds(hint))
        form: dict[str, Any] = {"default": None}
        flags = [f"--{name.replace('_', '-')}"] if not spellings else list(spellings)
        if kinds <= {bool, type(None)}:
            declared = [f"{flags[0]}/--no-{flags[0][2:]}"]
        else:
            declared = flags + self.long_names
            form = {"type": str, "metavar": _metavar(hint)}
        default = place.field.get_default(call_default_factory=True)
        bounds = _bounds(hint, place.field.metadata)
        shown = "; ".join(filter(None, [f"default: {_shown(default)}", bounds]))
        text = " ".join((place.field.description or "").split())
        super().__init__(
            [*declared, f"setting_{name}"],
            help=f"{text} [{shown}]",
            expose_value=False,
            callback=lambda ctx, _, value: _keep(ctx, name, value, kinds),
            **form,
        )

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        all_names = self.opts
        self.opts = [name for name in all_names if name not in self.long_names]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = all_names


class ConfigCommand(click.Command):
    """A command that takes the settings of a configuration as options, and from a file by `--config`.

    The function gets the configuration as `config`. Its class is imported when the command is used, not before.

    Args:
        config: the class, as `module:Class`.
        kind: of the artifact that the command writes, whose `config.json` is such a file as well, if there is one.
        stage: the name of the command's part in a recipe (`--preset`), if recipes have one.
        spellings: what settings are called on the command line where it is not their own name.
    """

    def __init__(
        self,
        *args: Any,
        config: str,
        kind: str | None = None,
        stage: Literal["fit", "tokenize", "train"] | None = None,
        spellings: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._config, self._kind, self._stage, self._spellings = config, kind, stage, spellings or {}
        example = "" if kind is None else f", as the {FILES.get(kind, 'config.json')} of {kind}"
        self.params.append(
            click.Option(
                ["--config"],
                type=click.Path(path_type=Path, dir_okay=False),
                expose_value=False,
                help=f"Settings from a YAML, TOML or JSON file{example}; options override it.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[BASE] = base = self._base(args)
        given = {name: said for name in ("tokenizer", "model") if (said := _said(args, f"--{name}"))}
        from nfgen.config import flat

        known = {key: getattr(base, key) for key in base.model_fields_set} | given
        places = {place.names[0]: place for place in flat(type(base), known).values()}
        ctx.meta[OPTIONS] = [
            SettingOption(name, place, self._spellings.get(name, ())) for name, place in places.items()
        ]
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*ctx.meta.get(OPTIONS, []), *super().get_params(ctx)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and not isinstance(parameter, click.Argument):
                title = _title(parameter.section) if isinstance(parameter, SettingOption) else "Options"
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        ctx.params["config"] = ctx.meta[BASE].with_settings(ctx.meta.get(GIVEN, {}))
        return super().invoke(ctx)

    def _base(self, args: Sequence[str]) -> "Configuration":
        """The configuration before the options: its defaults, those of a recipe, and those of a file."""
        module, _, name = self._config.partition(":")
        config: Configuration = getattr(import_module(module), name)()
        preset, file = _said(args, "--preset"), _said(args, "--config")
        if self._stage is not None and preset is not None:
            from nfgen.pipeline.recipes import options_of

            config = config.with_settings(options_of(preset, self._stage))
        return config if file is None else config.with_settings(read_settings(Path(file), self._kind))


def read_settings(path: Path, kind: str | None) -> dict[str, Any]:
    """Settings from a YAML, TOML or JSON file, or from the `config.json` of an artifact of a kind.

    Raises:
        ConfigError: if there is no such file, or it is of another kind of artifact, or holds no settings.
    """
    found = _content(path)
    if isinstance(found, dict) and {"type", "format"} <= found.keys():
        if found["type"] != kind:
            remedy = "write a line a setting, as `steps: 600`" if kind is None else f"give the config.json of {kind}"
            raise ConfigError(f"{path} is of {found['type']}, not of this command", remedy)
        bare = {key: value for key, value in found.items() if key not in BESIDE}
        found = found.get("settings", found.get("train", bare))
    elif isinstance(found, dict) and kind in FILES:
        found = found.get("settings", found)
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no settings", "write a line a setting, as `steps: 600`")
    return {str(key).replace("-", "_"): value for key, value in found.items() if key not in NOT_SETTINGS}


def _content(path: Path) -> Any:
    if path.suffix == ".json":
        from nfgen.io.files import read_json

        return read_json(path)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST_FILE + 1)
        if len(text) > LONGEST_FILE:
            raise ValueError(f"it is longer than {LONGEST_FILE:,} letters")
        if text.count("[") + text.count("{") > MOST_LISTS:  # YAML's reader takes quadratic time for nested ones
            raise ValueError(f"it has more than {MOST_LISTS:,} lists and tables")
        if path.suffix == ".toml":
            import tomllib

            return tomllib.loads(text)
        import yaml

        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ValueError("it has aliases")  # a few of which can stand for more values than fit in memory
        return yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", "give the path of a settings file") from error
    except Exception as error:  # each format's reader has errors of its own
        raise ConfigError(f"cannot read {path}: {error}", "write it as YAML, TOML or JSON, by its ending") from error


def nearest_option(error: click.NoSuchOption) -> ConfigError:
    """The error for an option that a command does not have: it names the nearest ones."""
    ctx = error.ctx
    known = [] if ctx is None else [o for p in ctx.command.get_params(ctx) for o in (*p.opts, *p.secondary_opts)]
    near = difflib.get_close_matches(error.option_name, [name for name in known if name.startswith("--")], 2, 0.6)
    if ctx is not None and (today := _today(ctx, error.option_name)) is not None:
        near = [today]
    command = "nfgen" if ctx is None else ctx.command_path
    remedy = f"did you mean {' or '.join(near)}? " if near else ""
    return ConfigError(f"{command} has no option {error.option_name}", f"{remedy}`{command} --help` lists them all")


def _today(ctx: click.Context, option: str) -> str | None:
    """What an option of earlier versions is called now, if its setting has another name."""
    base, name = ctx.meta.get(BASE), option.removeprefix("--").replace("-", "_")
    if base is None:
        return None
    old = [base.old_names(), *(component.old_names() for _, component in base.components(base.said()))]
    settings = {f"setting_{names[name]}" for names in old if name in names}
    options = [word for p in ctx.command.get_params(ctx) if p.name in settings for word in p.opts]
    return min(options, key=lambda word: (not word.startswith("--"), len(word)), default=None)


def _keep(ctx: click.Context, name: str, value: Any, kinds: set[Any]) -> None:
    if value is not None:
        ctx.meta.setdefault(GIVEN, {})[name] = _parsed(value, kinds) if isinstance(value, str) else value


def _parsed(text: str, kinds: set[Any]) -> Any:
    """The value that a text means for a setting of some types; a text that means none is left to the configuration."""
    if type(None) in kinds and text.lower() == "none":
        return None
    try:
        if tuple in kinds:
            return tuple(json.loads(f"[{text}]"))
        return json.loads(text) if kinds & {int, float, bool} else text
    except ValueError:
        return text


def _kinds(hint: Any) -> Iterator[Any]:
    """The types that a setting may have: plain ones, tuple, and the choices of a Literal."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            yield from _kinds(option)
    elif origin is typing.Annotated:
        yield from _kinds(arguments[0])
    elif origin is typing.Literal:
        yield from arguments
    else:
        yield origin or hint


def _metavar(hint: Any) -> str:
    kinds = [kind for kind in _kinds(hint) if kind is not type(None)]
    choices = [kind for kind in kinds if isinstance(kind, str)]
    if choices:
        return f"[{'|'.join([*(METAVARS[kind] for kind in kinds if kind in METAVARS), *choices])}]"
    if tuple in kinds:
        return "NUMBER,NUMBER,…"
    return next((METAVARS[kind] for kind in kinds if kind in METAVARS), "TEXT")


def _bounds(hint: Any, metadata: Sequence[Any]) -> str:
    found = [*metadata]
    for option in typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else ():
        for entry in typing.get_args(option)[1:] if typing.get_origin(option) is typing.Annotated else ():
            found += getattr(entry, "metadata", [entry])
    limits = [(SIGNS[key], getattr(entry, key)) for entry in found for key in SIGNS if hasattr(entry, key)]
    return ", ".join(f"{sign} {limit:,}" for sign, limit in limits)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _title(owner: "type[Configuration]") -> str:
    return (owner.__doc__ or owner.__name__).split("\n\n")[0].split(".")[0].split(":")[0].replace("\n", " ")


def _said(args: Sequence[str], option: str) -> str | None:
    """The value of an option among words that are not parsed yet; the last one counts."""
    found = None
    for word, following in zip(args, [*args[1:], None], strict=True):
        name, equals, value = word.partition("=")
        if name == option:
            found = value if equals else following
    return found
