"""Measures how fast this processor multiplies matrices, and whether bfloat16 is faster than float32.

The instruction set does not answer it: on two processors with bfloat16 instructions (avx512_bf16, no tiles), products
in bfloat16 had 0.6 times the speed of float32 on one, and 4.6 times on the other.
"""

import functools
import time

import torch

SIDE = 512  # of the matrices: 0.3 GFLOP, milliseconds
REPEATS = 5
PAYS = 1.5  # times as fast, as conversions cost time


def product_speed(dtype: torch.dtype, side: int = SIDE) -> float:
    """Floating-point operations per second of a product of two square matrices on one thread, the best of a few.

    On a busy machine several threads would wait for each other and hide the difference.
    """
    one, best = torch.ones(side, side, dtype=dtype), float("inf")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(REPEATS):
            started = time.thread_time()
            one @ one
            best = min(best, time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    return 2 * side**3 / best


@functools.cache
def bfloat16_pays() -> bool:
    """Whether products in bfloat16 are at least `PAYS` times as fast as in float32; measured once per process."""
    return product_speed(torch.bfloat16) >= PAYS * product_speed(torch.float32)
