"""How fast this processor multiplies matrices, and whether bfloat16 is worth its while.

What a processor says about itself does not tell: of two with bfloat16 instructions (avx512_bf16, no tiles), products in
bfloat16 had 0.6 times the speed of float32 on one, and 4.6 times on the other.
"""

import functools
import time

import torch

SIDE = 512  # of the matrices: 0.3 GFLOP, milliseconds
LOOKS = 5
PAYS = 1.5  # times as fast: numbers are converted back and forth


def product_speed(dtype: torch.dtype, side: int = SIDE) -> float:
    """Floating-point operations a second of a product of two square matrices on one thread, by the best of a few looks.

    Several threads would wait for each other where the machine is busy, and hide what is to be compared.
    """
    one, best = torch.ones(side, side, dtype=dtype), float("inf")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(LOOKS):
            started = time.thread_time()
            one @ one
            best = min(best, time.thread_time() - started)
    finally:
        torch.set_num_threads(threads)
    return 2 * side**3 / best


@functools.cache
def bfloat16_pays() -> bool:
    """Whether products are so much faster in bfloat16 than in float32 here; measured once in a process."""
    return product_speed(torch.bfloat16) >= PAYS * product_speed(torch.float32)
