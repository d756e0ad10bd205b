"""The parts of a finished fit become the one shard of a field set, whose tensors can be mapped to memory as a whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nfgen.fields.field_set import SHARD, FieldSet, read_shard, write_entries
from nfgen.fields.fit_report import write_report
from nfgen.fields.spec import FieldSpec
from nfgen.io import files
from nfgen.io.safetensors_stream import join_tensors

PARTS = "parts"
"""Folder of the parts, while fields are fitted or encoded; it goes when all is done."""


def pack(folder: Path, count: int, spec: FieldSpec) -> FieldSet:
    """Make the shard and the report of a field set of the parts 0 … count - 1, which are read one at a time.

    Returns:
        The fields; base, classes and the like are those of none.
    """
    parts, ids, skipped = folder / PARTS, list[str](), list[dict[str, Any]]()
    used = list[int]()
    for number in range(count):
        entries = files.read_json(parts / f"{SHARD.format(number)}.json")
        used += [number] if entries["ids"] else []
        ids += entries["ids"]
        skipped += entries["skipped"]
    if not used:
        return FieldSet.joined([read_shard(parts, number, spec) for number in range(count)], spec=spec)
    paths = [parts / f"{SHARD.format(number)}.safetensors" for number in used]
    join_tensors(folder / f"{SHARD.format(0)}.safetensors", paths, len(ids))
    write_report(folder, _reports(parts, count), skipped)
    write_entries(folder, 0, {"ids": ids, "skipped": skipped, "reports": len(ids)})
    return read_shard(folder, 0, spec)


def _reports(parts: Path, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield from files.read_json(parts / f"{SHARD.format(number)}.json")["fields"]
