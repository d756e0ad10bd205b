"""Freed memory stays with the process that asks for it."""

import platform
import subprocess
import sys

import pytest

import nfgen

RESULTS = """
import resource, sys, torch, nfgen

kept = nfgen.keep_freed_memory() if "keep" in sys.argv else None

def results(count):
    for _ in range(count):
        for megabytes in (1, 9, 70):
            torch.zeros(megabytes << 18)

results(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
results(10)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*words: str) -> tuple[str, int]:
    """What was returned, and the pages that the system gave for ten times 80 MB of results."""
    done = subprocess.run([sys.executable, "-c", RESULTS, *words], capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_results_of_megabytes_do_not_ask_the_system_for_their_pages_again() -> None:
    kept, faults = page_faults("keep")
    assert kept == "True"
    # None, as a rule; but a system short of memory takes pages away for reasons of its own.
    assert 3 * faults < page_faults()[1]


def test_other_systems_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert nfgen.keep_freed_memory() is False
