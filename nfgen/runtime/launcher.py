"""Rank and number of processes under `torchrun` or `accelerate launch`."""

import os
from datetime import timedelta

STORE_TIMEOUT = timedelta(seconds=20)
"""Time limit for a failed process to connect to the others' store."""


def count() -> int:
    """Number of processes; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1


def rank() -> int:
    """Number of this process; process 0 writes files and messages."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def is_main() -> bool:
    """Whether this process writes files and messages."""
    return rank() == 0


def is_first_to_end() -> bool:
    """Whether this is the first process to end with an error or an interruption, which is the one to report.

    When a process fails, the others fail too, with errors about lost connections that help nobody.
    """
    if count() == 1:
        return True
    try:
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(host, port, is_master=False, timeout=STORE_TIMEOUT)
        return bool(store.add(f"nfgen/ended/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", 1) == 1)
    except (ImportError, KeyError, ValueError, RuntimeError):
        return is_main()  # the store is gone, or was never there
