"""Work in several threads."""

import threading

import pytest
import torch

from nfgen.runtime.threads import in_threads


def test_results_come_in_order_and_torch_is_as_it_was() -> None:
    before = torch.get_num_threads()

    last_is_done = threading.Event()

    def work(task: int) -> tuple[int, int]:
        if task == 0:
            assert last_is_done.wait(600)
        if task == 19:
            last_is_done.set()
        return task, torch.get_num_threads()

    assert list(in_threads(work, range(20), 3)) == [(task, 1) for task in range(20)]
    assert torch.get_num_threads() == before


def test_who_stops_asking_waits_for_what_is_begun_only() -> None:
    begun, ends = [], threading.Semaphore(0)

    def work(task: int) -> int:
        begun.append(task)
        assert task == 0 or ends.acquire(timeout=600)
        return task

    results = in_threads(work, range(1000), 2)
    assert next(results) == 0
    closing = threading.Thread(target=results.close)
    closing.start()
    while closing.is_alive():
        ends.release()
        closing.join(0.05)
    assert len(begun) < 1000


def test_an_error_is_the_callers() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda task: 1 // task, [1, 0, 2], 2))
    assert torch.get_num_threads() == before
