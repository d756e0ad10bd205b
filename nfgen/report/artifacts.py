"""What the paths of a report hold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nfgen.errors import ArtifactError, NfgenError
from nfgen.fields.field import Field
from nfgen.io import artifact, files

DEPTH = 2  # levels of folders below a path that is no artifact itself: a demo, or a folder of demos
FIELD = "field"


@dataclass(frozen=True)
class Found:
    """One artifact."""

    path: Path
    kind: str
    config: dict[str, Any]
    """All of its `config.json`, version included; the spec of a single field."""
    written: datetime

    @property
    def name(self) -> str:
        """What its path ends with."""
        return self.path.resolve().name

    def title(self, what: str) -> str:
        """A heading; the name stands in it where it says more than the kind."""
        return what if self.name == self.kind else f"{what}: {self.name}"

    @property
    def settings(self) -> dict[str, Any]:
        """How it was made, as far as its config tells."""
        named = self.config.get("settings")
        given = named if isinstance(named, dict) else self.config
        hidden = {"format", "type", "nfgen", "ids", "train_ids", "report", "result", "command"}
        return {key: value for key, value in given.items() if key not in hidden}


def find_artifacts(paths: Sequence[Path]) -> list[Found]:
    """The artifacts at the paths, in their order, each once; a folder that is none gives those within it.

    Raises:
        NfgenError: if no path is given.
        ArtifactError: if a path holds no artifact, or a damaged one.
    """
    if not paths:
        raise NfgenError("a report of nothing", "give the path of an artifact")
    found: dict[Path, Found] = {}
    for path in paths:
        here = _at(path)
        if not here:
            raise ArtifactError(f"{path} holds nothing that nfgen wrote", "give the path of an artifact, or of a demo")
        for one in here:
            found.setdefault(one.path.resolve(), one)
    return list(found.values())


def _at(path: Path) -> list[Found]:
    if path.is_file() and path.suffix == ".safetensors":
        field = Field.load(path)
        return [Found(path, FIELD, {"spec": field.spec.to_json()}, _time(path))]
    if path.is_dir() and not (path / artifact.CONFIG).exists():
        return _within(path, DEPTH)
    return [_artifact(path)]


def _within(folder: Path, depth: int) -> list[Found]:
    found = []
    for child in sorted(folder.iterdir()):
        # What another process is writing is no artifact yet.
        if not child.is_dir() or child.name.startswith("."):
            continue
        if artifact.kind_of(child) is not None:
            found.append(_artifact(child))
        elif depth > 1 and not (child / artifact.CONFIG).exists():
            found += _within(child, depth - 1)
    return found


def _artifact(path: Path) -> Found:
    artifact.read_config(path)  # raises what is wrong with it
    config = files.read_json(path / artifact.CONFIG)
    return Found(path, str(config["type"]), config, _time(path / artifact.CONFIG))


def _time(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's `log.jsonl`; none if the file is not there.

    Raises:
        ArtifactError: if a line is no JSON object with a step.
    """
    if not path.is_file():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        if not all(isinstance(line, dict) and isinstance(line["step"], int | float) for line in lines):
            raise ValueError("a line is no object with a step")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", "train the run again") from error
    return lines


def file_within(folder: Path, name: object) -> Path | None:
    """The file of an artifact that a list names; None if there is none.

    Raises:
        ArtifactError: if the name leads out of the folder: lists may come from anybody.
    """
    if name is None:
        return None
    if not isinstance(name, str) or Path(name).name != name:
        raise ArtifactError(f"{folder} names {name!r} as one of its files", "give a folder that nfgen wrote")
    return folder / name if (folder / name).is_file() else None
