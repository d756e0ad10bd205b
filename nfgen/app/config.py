"""Settings of the app: where it listens, and how much its users may ask for."""

from typing import Annotated

from pydantic import Field, PositiveInt

from nfgen.config import Configuration

Port = Annotated[int, Field(ge=0, le=65535)]
MOST_SAMPLES = 24
"""Of one draw: more do not fit on a page, and `nfgen generate` makes them."""


class AppConfig(Configuration):
    """How the app is served."""

    host: str = "127.0.0.1"
    """Address to listen on; 127.0.0.1 is for this machine alone, 0.0.0.0 for everybody who can reach it."""
    port: Port = 7860
    """Port to listen on; 0 = any free one."""
    most: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] = 12
    """Samples of one draw at most."""
    train: bool = True
    """Whether users may train on their own shapes."""
    uploads: PositiveInt = 200
    """Files that one user may upload at once."""
    upload_mb: PositiveInt = 100
    """Megabytes that one user may upload at once."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""
