"""Files of other people at the places of results: they are never replaced."""

from collections.abc import Iterable
from pathlib import Path

from nfgen.errors import ArtifactError

from .artifact import is_artifact
from .files import read_json

HEAD = 1000  # bytes of a file that hold its mark


def require_own(path: Path, mark: bytes, what: str) -> None:
    """Refuse to replace what is not ours: a slip of the keyboard must not cost somebody a file.

    Args:
        path: of a file that is about to be written; it need not exist.
        mark: bytes near the beginning of every such file of nfgen.
        what: it is, in a word.

    Raises:
        ArtifactError: if something else is there.
    """
    if not path.exists():
        return
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD)
    if mark not in head:
        raise ArtifactError(f"{path} is there already and no {what} of nfgen", "choose another --out")


def require_own_results(folder: Path, file: str, keys: Iterable[str], beside: Iterable[str] = ()) -> None:
    """Refuse to replace results of others. In an artifact all files are ours.

    Args:
        folder: need not exist.
        file: the JSON file of the results.
        keys: which all results of that kind have.
        beside: other files that are written; they are ours if the JSON file is.

    Raises:
        ArtifactError: if one of the files exists and nfgen did not write it.
    """
    if is_artifact(folder):
        return
    there = [name for name in (file, *beside) if (folder / name).exists()]
    if not there:
        return
    try:
        results = read_json(folder / file) if file in there else None
    except ArtifactError:
        results = None
    if not (isinstance(results, dict) and set(keys) <= results.keys()):
        raise ArtifactError(f"{folder / there[0]} is there already, and nfgen did not write it", "choose another --out")
