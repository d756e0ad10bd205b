"""The command lines that make samples again: of a draw one, of an edit those of its shapes before."""

import shlex
from dataclasses import dataclass
from typing import NamedTuple

OUT = "out"
"""Folder of the last command; those before write to `from-1`, `from-2` and so on."""


class Source(NamedTuple):
    """A shape that an edit starts from: a sample of another command, by its number."""

    recipe: "Recipe"
    number: int


@dataclass(frozen=True, eq=False)
class Recipe:
    """A command. Two are the same only if they are one object: so long chains of edits are quick to compare."""

    words: tuple[str, ...]
    options: tuple[str, ...]
    sources: tuple[Source, ...] = ()

    def lines(self) -> list[str]:
        """All commands, in the order in which they must run."""
        before = _before(self)
        folders = {one: f"from-{number}" for number, one in enumerate(before, start=1)} | {self: OUT}
        lines = []
        for one, folder in folders.items():
            shapes = [f"{folders[recipe]}#{number}" for recipe, number in one.sources]
            lines.append(shlex.join([*one.words, *shapes, *one.options, "-o", folder]))
        return lines


def _before(last: Recipe) -> list[Recipe]:
    """What must run before a command, each once, sources first."""
    found: dict[Recipe, None] = {}
    waiting = [(last, False)]
    while waiting:
        one, ready = waiting.pop()
        if ready:
            found[one] = None
        elif one not in found:
            waiting += [(one, True), *((source.recipe, False) for source in one.sources)]
    del found[last]
    return list(found)
