"""What is known of a training that ended."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainResult:
    """The result of a training."""

    steps: int
    """Steps done."""
    best_step: int
    """Step of the best weights."""
    loss: float | None
    """Training loss of the last logged steps: nats per token, or mean absolute or squared error."""
    val_loss: float | None
    """Held-out loss of the best weights; None if nothing is held out."""
    bits_per_field: float | None
    """Held-out loss in bits per field; None if tokens are continuous or nothing is held out."""
    seconds: float
    """Time of training, including that before interruptions."""
    stopped: str
    """The reason for stopping: steps, minutes, patience or past best."""
