"""Components by name: built-in ones, and those of other packages in an entry-point group.

Only the component in use is imported, so that a broken package affects only its own components.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from nfgen.errors import ConfigError

T = TypeVar("T")


def offered(group: str, built_in: Mapping[str, str]) -> dict[str, EntryPoint]:
    """Entry points of a group by name; built-in names come first, then the first package with a name."""
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
        name: name of the component.
        what: kind of component, for messages.
        group: entry-point group of other packages' components.
        built_in: name to `module:Class`.
        base: base class of every such component.

    Raises:
        ConfigError: if no component has that name, or that of another package cannot be used.
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
    except (Exception, SystemExit) as error:  # an import of another package can fail in any way
        raise ConfigError(
            f"the {what} {name} of {entry.value} does not load: {error}", "repair or remove that package"
        ) from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"the {what} {name} of {entry.value} is no {base.__name__}", "repair or remove that package")
    if getattr(found, "name", None) != name:
        # Artifacts store the name of the class, by which it is found again.
        raise ConfigError(
            f"the {what} {name} of {entry.value} has the name {getattr(found, 'name', None)!r}",
            "give the entry point the name of its class",
        )
    return found
