"""Executors of many tasks: in this process, or on the machines of a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from nfgen.errors import ConfigError

Task = TypeVar("Task")
Result = TypeVar("Result")
NAMES = ("local", "ray")


class Engine(Protocol):
    """Applies a function to many tasks."""

    here: bool
    """Whether tasks run in this process, where they share its memory."""

    def map(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], *, accelerated: bool = False
    ) -> Iterator[tuple[int, Result]]:
        """Run all tasks; yield the number and the result of each, once, as they finish.

        Tasks are taken from the iterable when there is room for them, so it may be lazy. Unless the engine is `here`,
        function, tasks and results must be picklable.

        Args:
            accelerated: whether each task computes on an accelerator.

        Raises:
            ConfigError: if there is none for them.
            NfgenError: the error of a task, or that every process that ran a task was lost.
        """


class LocalEngine:
    """Runs all tasks in this process, in order."""

    here = True

    def map(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], *, accelerated: bool = False
    ) -> Iterator[tuple[int, Result]]:
        for number, task in enumerate(tasks):
            yield number, function(task)


def create_engine(name: "str | Engine" = "local", address: str | None = None) -> Engine:
    """The engine of a name.

    Args:
        name: `local` or `ray`; an engine is returned as it is.
        address: address of a Ray cluster, as `auto` or `ray://head:10001`; None = a new one on this machine.

    Raises:
        ConfigError: if there is no such engine, its package is missing, or there is no cluster at the address.
    """
    if not isinstance(name, str):
        return name
    if name not in NAMES:
        raise ConfigError(f"there is no engine {name!r}", f"known are: {', '.join(NAMES)}")
    if name == "local":
        if address is not None:
            raise ConfigError("the local engine has no address", "use --engine ray, or leave --address out")
        return LocalEngine()
    from .ray_executor import RayEngine

    return RayEngine(address)


def in_order(results: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Results in the order of their tasks; early ones are kept until their turn."""
    early: dict[int, Result] = {}
    following = 0
    for number, result in results:
        early[number] = result
        while following in early:
            yield early.pop(following)
            following += 1
