"""The plan of resumable work, which lies beside what is done of it until it is done."""

import json
import re
from pathlib import Path
from typing import Any

from nfgen.errors import ArtifactError

from .files import read_json, write_json

PLAN = "plan.json"
"""Settings of resumable work; removed when the work is done."""

NAMED = 3  # differences that are named; more would fill the screen
DIGEST = re.compile("[0-9a-f]{16,}")


def agree_on_plan(folder: Path, kind: str, plan: dict[str, Any]) -> None:
    """Keep the plan of resumable work, or check that of the interrupted one: parts of two plans do not belong together.

    Raises:
        ArtifactError: if the plan kept there is another one; it says what is different.
    """
    if not (folder / PLAN).exists():
        write_json(folder / PLAN, plan)
        return
    before, now = read_json(folder / PLAN), json.loads(json.dumps(plan))
    changed = [key for key in now if not isinstance(before, dict) or now[key] != before.get(key)]
    if changed:
        named = " and ".join(
            f"{key}{_changes(before[key], now[key])}" if isinstance(before, dict) and key in before else key
            for key in changed
        )
        raise ArtifactError(
            f"the {kind} to resume had other {named}", "repeat its arguments and inputs, or begin anew with --overwrite"
        )


def _changes(before: Any, now: Any) -> str:
    """In brackets what differs, where that can be said in a few words."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        words = [f"{key}{_changes(before.get(key), now.get(key))}" for key in names[:NAMED]]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f" ({', '.join(words)}{more})"
    if isinstance(before, list) or isinstance(now, list) or DIGEST.fullmatch(str(now)) or DIGEST.fullmatch(str(before)):
        return ""
    return f" ({before!r}, now {now!r})"
