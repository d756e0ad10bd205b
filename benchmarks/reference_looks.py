"""How often held-out shapes were used for scores: each look is a chance to choose by them, so it is counted."""

import datetime
from pathlib import Path
from typing import Any

from nfgen.io.files import content_digest, read_json, write_json

FILE = Path(__file__).parent / "results" / "reference_looks.json"


def count_look(reference: Path, why: str, file: Path = FILE) -> int:
    """Write down that shapes are looked at, and say how often they have been by now.

    Args:
        reference: file or folder of the shapes; they are known again by their content, whatever their name.
        why: what they are scores of, in a few words.
    """
    held = [reference] if reference.is_file() else [path for path in sorted(reference.rglob("*")) if path.is_file()]
    looks: dict[str, list[dict[str, Any]]] = read_json(file) if file.exists() else {}
    seen = looks.setdefault(content_digest(*held), [])
    seen.append({"date": str(datetime.date.today()), "shapes": reference.name, "why": why})
    write_json(file, looks)
    return len(seen)
