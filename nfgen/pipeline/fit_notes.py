"""What a fit has to say about its shapes: which were skipped, what was chosen for them, what of them is lost."""

from collections import defaultdict

from nfgen.fields.field_set import FieldSet
from nfgen.shapes.sheets import NOTICED

MOST = 20  # shapes named for one reason
FEW = 3  # shapes named for one note


def fit_notes(fields: FieldSet) -> list[str]:
    """Lines for the user, the most important last."""
    lines: list[str] = []
    notes: defaultdict[str, list[str]] = defaultdict(list)
    lost: list[tuple[float, str]] = []
    for entry in fields.report:
        for note in entry.get("notes", ()):
            notes[note].append(entry["id"])
        if entry.get("lost", 0) > NOTICED:
            lost.append((entry["lost"], entry["id"]))
    for note, ids in notes.items():
        lines.append(f"note: {note}: {_named(ids, FEW)}")
    if fields.skipped:
        count = len(fields.skipped)
        lines.append(f"warning: {count} shape{'s were' if count > 1 else ' was'} skipped:")
        lines += [f"  {entry['id']}: {entry['reason']}" for entry in fields.skipped[:MOST]]
        if count > MOST:
            lines.append(f"  and {count - MOST} more, in fit_report.json")
    if lost:
        lost.sort(reverse=True)
        shapes = "a shape" if len(lost) == 1 else f"{len(lost)} shapes"
        lines.append(f"warning: more than {NOTICED:.0%} of the surface of {shapes} is open and was lost:")
        lines += [f"  {id}: {share:.0%} of the surface is open and was lost" for share, id in lost[:MOST]]
        if len(lost) > MOST:
            lines.append(f"  and {len(lost) - MOST} more, in fit_report.json")
        lines.append("  --shell 0.02 makes walls of sheets; nfgen check shows the shapes")
    return ["".join(letter if letter.isprintable() else "?" for letter in line) for line in lines]


def _named(ids: list[str], most: int) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most:,} more" if len(ids) > most else "")
