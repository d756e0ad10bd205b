"""The engine ray on a local cluster of two machines: the bits of the local one, whatever becomes of a machine."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import trimesh

from nfgen.errors import ConfigError, NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig, PointSamplingConfig
from nfgen.pipeline import tokenize as tokenizing
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.fit import fit
from nfgen.pipeline.generate import generate
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.runtime.executor import create_engine

from .stopping import content

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'nfgen[ray]'")

# Ray warns of its own changes, and leaves it to the end of the process to close its files.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SPEC = FieldSpec(frequencies=1, hidden=(8, 8))
LIMIT = 600  # seconds after which what hangs is ended
MEMORY = 100 << 20  # bytes of each machine's store of objects


@pytest.fixture(scope="module", autouse=True)
def coarse_pictures() -> None:
    """Nothing is coarse here: what is set for tests does not reach other processes."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two machines of one processor each; the second says that it has a GPU."""
    from ray.cluster_utils import Cluster

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    arguments = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=arguments)
    made.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()
    torch.set_num_threads(threads)


def without_seconds(folder: Path) -> dict[str, bytes]:
    """Of field sets: how long a fit took is no one's bits."""
    return {name: data for name, data in content(folder).items() if not name.endswith("fit_report.json")}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five boxes and a file that is no mesh."""
    folder = tmp_path_factory.mktemp("shapes")
    for i in range(5):
        trimesh.creation.box((1, 2, 1 + i)).export(folder / f"{i}.ply")
    (folder / "no.ply").write_bytes(b"no mesh")
    return folder


def test_artifacts_have_the_bits_of_the_local_engine(cluster: Any, shapes: Path, tmp_path: Path) -> None:
    samples = PointSamplingConfig(near=96, uniform=32, near_eval=16, uniform_eval=32)
    settings = {"spec": SPEC, "config": FitConfig(steps=5, points=64, batch_size=2), "samples": samples, "workers": 1}
    for engine in ("local", "ray"):
        fields = fit(shapes, tmp_path / engine / "fields", engine=engine, **settings)
        assert [entry["id"] for entry in fields.skipped] == ["no.ply"]
        assert [entry["id"] for entry in fields.report] == list(fields.ids)
    assert without_seconds(tmp_path / "local/fields") == without_seconds(tmp_path / "ray/fields")

    fields = FieldSet.load(tmp_path / "local/fields").select(torch.arange(23) % 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizing, "ENCODED_AT_ONCE", 5)
        for engine in ("local", "ray"):
            tokenize(fields, tmp_path / engine / "tokens", "codebook", codes=8, steps=2, engine=engine)
    assert content(tmp_path / "local/tokens") == content(tmp_path / "ray/tokens")

    small = {"layers": 1, "width": 16, "heads": 1, "dropout": 0.0}
    config = TrainConfig(steps=2, batch_size=4)
    train(tmp_path / "local/tokens", tmp_path / "run", model_settings=small, config=config)
    for engine in ("local", "ray"):
        made = generate(tmp_path / "run", tmp_path / engine / "out", n=4, balanced=False, resolution=16, engine=engine)
        assert [one.index for one in made] == [0, 1, 2, 3]
    assert content(tmp_path / "local/out") == content(tmp_path / "ray/out")


def test_what_a_task_raises_is_raised_here(cluster: Any) -> None:
    def work(task: int) -> int:
        if task == 2:
            raise ConfigError("two is wrong", "give another")
        return task

    with pytest.raises(ConfigError, match="two is wrong") as caught:
        list(create_engine("ray").map(work, range(4)))
    assert caught.value.remedy == "give another"


def test_a_task_that_ends_every_process_is_named(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(task: int) -> int:
        if task == 1:
            os._exit(1)
        return task

    monkeypatch.setattr("nfgen.runtime.ray_executor.ATTEMPTS", 0)
    with pytest.raises(NfgenError, match="task 1 was lost 1 times"):
        list(create_engine("ray").map(work, range(2)))


def test_more_threads_than_any_machine_has(cluster: Any) -> None:
    torch.set_num_threads(2)
    try:
        with pytest.raises(ConfigError, match="no machine of the cluster has 2 processors"):
            create_engine("ray")
    finally:
        torch.set_num_threads(1)


def test_accelerated_tasks_have_a_gpu_each(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(task: int) -> int:
        import ray as there

        return len(there.get_gpu_ids())

    assert dict(create_engine("ray").map(work, range(3), accelerated=True)) == {0: 1, 1: 1, 2: 1}
    assert dict(create_engine("ray").map(work, range(1))) == {0: 0}
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    with pytest.raises(ConfigError, match="no machine of the cluster has a GPU"):
        list(create_engine("ray").map(work, range(1), accelerated=True))


def test_nothing_is_lost_or_doubled_when_a_machine_goes(cluster: Any, tmp_path: Path) -> None:
    """Last, as the machine does not come back."""
    journal = str(tmp_path / "begun")
    here = ray.get_runtime_context().get_node_id()
    (leaving,) = [node for node in cluster.list_all_nodes() if node.node_id != here]
    there = leaving.node_id

    # The file's name stays a string: work is sent to another process, which has no imports of this file.
    def work(task: int) -> tuple[int, bytes]:
        import ray

        with open(journal, "a") as file:  # noqa: PTH123
            file.write(f"{task} {ray.get_runtime_context().get_node_id()}\n")
        # On the other machine nothing is ever done in time: what it has is in work when it goes. This one waits for it
        # to begin: all would be done before a slow machine has started.
        if ray.get_runtime_context().get_node_id() == there:
            time.sleep(LIMIT)
        ends = time.monotonic() + LIMIT
        while time.monotonic() < ends:
            with open(journal) as file:  # noqa: PTH123
                if there in file.read():
                    break
            time.sleep(0.1)
        # Too large to travel with the answer: it stays on the machine that made it until somebody asks.
        return task, bytes([task]) * 200_000

    def remove_when_at_work() -> None:
        while not (Path(journal).exists() and there in Path(journal).read_text()):
            time.sleep(0.05)
        cluster.remove_node(leaving, allow_graceful=False)

    remover = threading.Thread(target=remove_when_at_work, daemon=True)
    remover.start()
    found = list(create_engine("ray").map(work, range(12)))
    remover.join(LIMIT)
    assert not remover.is_alive(), "the other machine was given nothing"
    assert sorted(number for number, _ in found) == list(range(12))
    assert all(number == task and data == bytes([task]) * 200_000 for number, (task, data) in found)
    begun = [line.split() for line in Path(journal).read_text().splitlines()]
    assert len(begun) > 12, "what the lost machine had was done again"
