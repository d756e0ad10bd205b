"""Components by name: the built-in ones, and those that other packages offer in an entry-point group.

Only the one that is asked for is imported; a package that is broken harms nothing but its own components.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from nfgen.errors import ConfigError

T = TypeVar("T")


def offered(group: str, built_in: Mapping[str, str]) -> dict[str, EntryPoint]:
    """Entry points of a group by name; a name that is built in, or that another package had first, is not taken."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if entry.name not in built_in:
            found.setdefault(entry.name, entry)
    return found


def names(group: str, built_in: Mapping[str, str]) -> list[str]:
    """All names, built-in ones first."""
    return [*built_in, *sorted(offered(group, built_in))]


def find(name: str, what: str, group: str, built_in: Mapping[str, str], base: type[T]) -> type[T]:
    """The class of a component.

    Args:
        name: as it is built in or offered.
        what: the word for such a component, for messages.
        built_in: name to `module:Class`.
        base: what every such class derives from.

    Raises:
        ConfigError: if there is none of that name, or another package's cannot be used.
    """
    if name in built_in:
        module, _, attribute = built_in[name].partition(":")
        ours: type[T] = getattr(import_module(module), attribute)
        return ours
    entry = offered(group, built_in).get(name)
    if entry is None:
        raise ConfigError(f"there is no {what} {name!r}", f"known are: {', '.join(names(group, built_in))}")
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:  # another package's import may fail in any way
        raise ConfigError(
            f"the {what} {name} of {entry.value} does not load: {error}", "mend or remove that package"
        ) from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"the {what} {name} of {entry.value} is no {base.__name__}", "mend or remove that package")
    if getattr(found, "name", None) != name:
        # Artifacts name what made them by the class's own name, and must find it again.
        raise ConfigError(
            f"the {what} {name} of {entry.value} calls itself {getattr(found, 'name', None)!r}",
            "give the entry point the name of its class",
        )
    return found
