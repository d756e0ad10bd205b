"""Trained artifacts that ship with nfgen, by their names."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "shipped"


def here(path: str | Path) -> Path:
    """The path of an artifact; that of the one that ships with nfgen under this name, if nothing is there."""
    shipped = FOLDER / path
    return shipped if len(Path(path).parts) == 1 and not Path(path).exists() and shipped.is_dir() else Path(path)
