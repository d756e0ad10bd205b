"""Measures how fast a device multiplies matrices, and whether bfloat16 is faster than float32.

The instruction set does not answer it: on two processors with bfloat16 instructions (avx512_bf16, no tiles), products
in bfloat16 had 0.6 times the speed of float32 on one, and 4.6 times on the other. GPUs without bfloat16 emulate it.
"""

import functools
import time

import torch

from .device import CPU, is_cpu, synchronize

SIDE, ACCELERATOR_SIDE = 512, 4096  # of the matrices: 0.3 GFLOP on a thread, 137 GFLOP on an accelerator; milliseconds
REPEATS = 5
HOPELESS = 0.1  # seconds of a product on a thread: emulated, and not worth repeating more than once
PAYS = 1.5  # times as fast, as conversions cost time


def product_speed(dtype: torch.dtype, side: int | None = None, device: torch.device = CPU) -> float:
    """Floating-point operations per second of a product of two square matrices, the best of a few.

    On a processor one thread is measured: on a busy machine several would wait for each other and hide the difference.
    """
    side = side or (SIDE if is_cpu(device) else ACCELERATOR_SIDE)
    one, best = torch.ones(side, side, dtype=dtype, device=device), float("inf")
    clock = time.thread_time if is_cpu(device) else time.perf_counter
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for repeat in range(REPEATS):
            synchronize(device)
            started = clock()
            one @ one
            synchronize(device)
            best = min(best, clock() - started)
            if repeat and best > HOPELESS:  # the first one may be slow for other reasons
                break
    finally:
        torch.set_num_threads(threads)
    return 2 * side**3 / best


@functools.cache
def bfloat16_pays(device: torch.device) -> bool:
    """Whether products in bfloat16 are at least `PAYS` times as fast as in float32; measured once per process."""
    try:
        return product_speed(torch.bfloat16, device=device) >= PAYS * product_speed(torch.float32, device=device)
    except (RuntimeError, TypeError):  # the device has no bfloat16
        return False
