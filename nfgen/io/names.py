"""Names of files made of the names of shapes, which may hold anything."""

import re

RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(10))}
"""Names that Windows keeps for devices, with any suffix."""
LONGEST = 120  # bytes: file systems take 255, of which suffixes and temporary names need some


def file_name(name: str) -> str:
    """Make the name of a file, without a suffix, of any text: letters, digits, `_` and `-` of it, and never nothing."""
    safe = re.sub(r"[^\w-]+", "-", name).strip("-")
    safe = safe.encode(errors="ignore")[:LONGEST].decode(errors="ignore") or "shape"
    return f"{safe}-" if safe.lower() in RESERVED else safe
