"""Tasks on the machines of a Ray cluster (https://docs.ray.io), which schedules them and repeats lost ones.

Every machine needs nfgen. Tasks are sent over the network; files (shapes) are not, and must have the same path on all
machines.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch

from nfgen.errors import ConfigError, NfgenError

from .malloc import keep_freed_memory

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS = 5  # of a task whose processes are lost
WAITING = 2  # tasks per process, so that none waits for its next task while memory is bounded


class RayEngine:
    """Runs tasks on a cluster, each with as many threads as this process has, so that results have the same bits.

    Args:
        address: address of the cluster; None = a new one on this machine that ends with the process.

    Raises:
        ConfigError: if Ray is missing, or there is no cluster at the address.
    """

    here = False

    def __init__(self, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise ConfigError("the engine ray needs the package ray", "pip install 'nfgen[ray]'") from error
        self._threads = torch.get_num_threads()
        if not ray.is_initialized():
            try:
                ray.init(address=address, log_to_driver=False, include_dashboard=None if address else False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                reason = str(error).strip().splitlines()[0]
                raise ConfigError(
                    f"cannot reach a Ray cluster at {address}: {reason}", "start one with: ray start --head"
                ) from error
        largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
        if largest < self._threads:
            raise ConfigError(
                f"no machine of the cluster has {self._threads} processors, as many as threads are used here",
                f"set OMP_NUM_THREADS={max(1, int(largest))}",
            )

    def map(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], *, accelerated: bool = False
    ) -> Iterator[tuple[int, Result]]:
        """As `Engine.map`; a task whose process or machine is lost is repeated. An accelerated one has a GPU alone."""
        import ray

        if accelerated and not ray.cluster_resources().get("GPU"):
            raise ConfigError(
                "no machine of the cluster has a GPU", "use --device cpu, or start machines that have one"
            )
        needs: dict[str, Any] = {"num_cpus": self._threads} | ({"num_gpus": 1} if accelerated else {})
        remote: Any = ray.remote(**needs, max_retries=ATTEMPTS, scheduling_strategy="SPREAD")(_do)
        # Sent once per machine, not per task: it holds a tokenizer, or a model.
        shared = ray.put(function)
        running: dict[Any, int] = {}
        try:
            for number, task in enumerate(tasks):
                while len(running) >= self._room(accelerated):
                    yield self._finished(running)
                running[remote.remote(shared, task, self._threads)] = number
            while running:
                yield self._finished(running)
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _room(self, accelerated: bool) -> int:
        import ray

        # Queried each time, as machines come and go.
        found = ray.cluster_resources()
        at_once = int(found.get("CPU", 1)) // self._threads
        return max(1, WAITING * (min(at_once, int(found.get("GPU", 1))) if accelerated else at_once))

    def _finished(self, running: dict[Any, int]) -> tuple[int, Any]:
        import ray

        (done, *_), _ = ray.wait(list(running), num_returns=1)
        number = running.pop(done)
        try:
            return number, ray.get(done)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise cause if isinstance(cause, NfgenError) else error from None
        except ray.exceptions.RayError as error:
            raise NfgenError(
                f"task {number} was lost {ATTEMPTS + 1} times: {str(error).strip().splitlines()[0]}",
                "check that there is enough memory; --resume keeps the work of the other tasks",
            ) from error


def _do(function: Callable[[Task], Result], task: Task, threads: int) -> Result:
    torch.set_num_threads(threads)
    keep_freed_memory()
    return function(task)
