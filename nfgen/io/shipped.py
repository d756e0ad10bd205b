"""Trained artifacts that ship with nfgen, by their names."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "shipped"


def shipped_names() -> list[str]:
    """Names of all of them."""
    return sorted(path.name for path in FOLDER.iterdir() if (path / "config.json").is_file())


def find_shipped(name: str | Path) -> Path | None:
    """The folder of a shipped artifact; None if there is none of that name."""
    return FOLDER / str(name) if str(name) in shipped_names() else None
