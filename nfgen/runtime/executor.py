"""Where large work is done, task by task: in this process, or on the machines of a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from nfgen.errors import ConfigError

Task = TypeVar("Task")
Result = TypeVar("Result")
NAMES = ("local", "ray")


class Engine(Protocol):
    """Does many tasks by one function."""

    here: bool
    """Whether tasks are done in this process, where they can share what is in its memory."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[int, Result]]:
        """Do all tasks; yield the number and the result of each once, as they are done.

        Tasks are taken one after the other when there is room for them, so that they may be made on the way. Function,
        tasks and results must be such that they can be sent to another process, unless the engine is `here`.

        Raises:
            NfgenError: what a task raised, or that a task ended every process that was given it.
        """


class LocalEngine:
    """All tasks in this process, in their order."""

    here = True

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[int, Result]]:
        for number, task in enumerate(tasks):
            yield number, function(task)


def create_engine(name: "str | Engine" = "local", address: str | None = None) -> Engine:
    """The engine of a name.

    Args:
        name: `local` or `ray`; an engine is given back as it is.
        address: of a Ray cluster, as `auto` or `ray://head:10001`; None = one that is begun on this machine.

    Raises:
        ConfigError: if there is no such engine, its package is missing, or there is no cluster at the address.
    """
    if not isinstance(name, str):
        return name
    if name not in NAMES:
        raise ConfigError(f"there is no engine {name!r}", f"known are: {', '.join(NAMES)}")
    if name == "local":
        if address is not None:
            raise ConfigError("the local engine has no address", "say --engine ray, or leave --address out")
        return LocalEngine()
    from .ray_executor import RayEngine

    return RayEngine(address)


def in_order(results: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Results in the order of their tasks; those that are early wait."""
    early: dict[int, Result] = {}
    wanted = 0
    for number, result in results:
        early[number] = result
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1
