"""The same bits on every machine of the same kind, for any number of processors."""

import os


def make_deterministic() -> None:
    """Restrict torch to one thread and deterministic algorithms.

    Sums then have a fixed order. It is slower, and operations without a deterministic algorithm (some on GPUs) are
    errors. Without it a run repeats to the bit on the same machine with the same number of threads.
    """
    # cuBLAS reads it at its start; without it, deterministic products are errors.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
