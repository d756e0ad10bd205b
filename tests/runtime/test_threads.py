"""Work in several threads."""

import time

import pytest
import torch

from nfgen.runtime.threads import in_threads


def test_results_come_in_order_and_torch_is_as_it_was() -> None:
    before = torch.get_num_threads()

    def work(task: int) -> tuple[int, int]:
        time.sleep(0.02 * (task % 3 == 0))
        return task, torch.get_num_threads()

    assert list(in_threads(work, range(20), 3)) == [(task, 1) for task in range(20)]
    assert torch.get_num_threads() == before


def test_who_stops_asking_waits_for_what_is_begun_only() -> None:
    begun = []

    def work(task: int) -> int:
        begun.append(task)
        time.sleep(0.01)
        return task

    results = in_threads(work, range(1000), 2)
    assert next(results) == 0
    results.close()
    assert len(begun) < 100


def test_an_error_is_the_callers() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda task: 1 // task, [1, 0, 2], 2))
    assert torch.get_num_threads() == before
