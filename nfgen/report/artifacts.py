"""Finds the artifacts at the paths of a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nfgen.errors import ArtifactError, NfgenError
from nfgen.fields.field import Field
from nfgen.io import artifact, files

DEPTH = 2  # levels of folders that are searched below a path that is not an artifact, as a folder of demos
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
        """The last part of its path."""
        return self.path.resolve().name

    def title(self, what: str) -> str:
        """A heading, with the name unless it equals the kind."""
        return what if self.name == self.kind else f"{what}: {self.name}"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that made it, from its config."""
        named = self.config.get("settings")
        given = named if isinstance(named, dict) else self.config
        hidden = {"format", "type", "nfgen", "ids", "train_ids", "report", "result", "command"}
        return {key: value for key, value in given.items() if key not in hidden}


def find_artifacts(paths: Sequence[Path]) -> list[Found]:
    """The artifacts at the paths, in order, each once; other folders are searched.

    Raises:
        NfgenError: if no path is given.
        ArtifactError: if a path holds no artifact, or a damaged one.
    """
    if not paths:
        raise NfgenError("there is nothing to report", "give the path of an artifact")
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
        # A folder that another process is writing is not an artifact yet.
        if not child.is_dir() or child.name.startswith("."):
            continue
        if artifact.kind_of(child) is not None:
            found.append(_artifact(child))
        elif depth > 1 and not (child / artifact.CONFIG).exists():
            found += _within(child, depth - 1)
    return found


def _artifact(path: Path) -> Found:
    config = artifact.read_whole_config(path)
    return Found(path, str(config["type"]), config, _time(path / artifact.CONFIG))


def _time(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's `log.jsonl`; none if there is no such file.

    Raises:
        ArtifactError: if a line is not a JSON object with a step.
    """
    if not path.is_file():
        return []
    try:
        lines = [files.parse_json(line) for line in path.read_bytes().splitlines() if line.strip()]
        if not all(isinstance(line, dict) and isinstance(line["step"], int | float) for line in lines):
            raise ValueError("a line is not an object with a step")
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", "train the run again") from error
    return lines


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object that a file holds; None if there is no such file, or it holds something else.

    Raises:
        ArtifactError: if it is not JSON.
    """
    found = files.read_json(path) if path.is_file() else None
    return found if isinstance(found, dict) else None


def file_within(folder: Path, name: object) -> Path | None:
    """The file of that name in an artifact; None if there is none.

    Raises:
        ArtifactError: if the name leads out of the folder, as lists may be manipulated.
    """
    if name is None:
        return None
    if not isinstance(name, str) or Path(name).name != name:
        raise ArtifactError(f"{folder} names {name!r} as one of its files", "give a folder that nfgen wrote")
    return folder / name if (folder / name).is_file() else None
