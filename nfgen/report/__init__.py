"""`write_report`: one web page that shows any mix of artifacts, without a network or a server."""

from .page import write_report
from .turntable import write_turntable

__all__ = ["write_report", "write_turntable"]
