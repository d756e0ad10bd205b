"""The same bits on every machine of a kind, whatever its number of processors."""

import os


def make_deterministic() -> None:
    """Let torch use one thread and deterministic algorithms only, from now on.

    Sums are then taken in one order. It is slower, and an operation that has no deterministic algorithm (some have
    none on a GPU) is an error. Without it a run repeats to the bit on the same machine with the same number of threads.
    """
    # Read by cuBLAS when it starts; without it its products are refused.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
