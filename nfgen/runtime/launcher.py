"""The processes that `torchrun` or `accelerate launch` started for one piece of work, if they started this one."""

import os
from datetime import timedelta

SOON = timedelta(seconds=20)
"""How long a failed process asks the others' meeting point whether it is the first."""


def count() -> int:
    """How many processes do the work; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1


def rank() -> int:
    """The number of this process; 0 is the one that writes and speaks."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def is_main() -> bool:
    """Whether this process writes and speaks."""
    return rank() == 0


def is_first_to_end() -> bool:
    """Whether no other process has told of an error or an interruption yet, so that this one should.

    A process that fails takes the others with it: their own errors, of lost connections, say nothing to anybody.
    """
    if count() == 1:
        return True
    try:
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(host, port, is_master=False, timeout=SOON)
        return bool(store.add(f"nfgen/ended/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", 1) == 1)
    except (ImportError, KeyError, ValueError, RuntimeError):
        return is_main()  # the meeting point is gone, or was never there
