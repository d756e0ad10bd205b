"""Writing of artifacts: a kill at any moment loses none, and what is finished is not resumed."""

from pathlib import Path

import pytest

from nfgen.errors import ArtifactError
from nfgen.io import artifact, files


def test_a_kill_between_two_renames_loses_neither_artifact(tmp_path: Path) -> None:
    for size in (1, 2):
        with artifact.writing(tmp_path / f"thing{size}", "thing") as folder:
            artifact.write_config(folder, "thing", {"size": size})
    # As a writer that replaces thing1 by thing2 leaves it when it is killed between its two renames.
    (tmp_path / "thing1").rename(tmp_path / ".thing1.nfgen-replaced")
    (tmp_path / "thing2").rename(tmp_path / ".thing1.nfgen-partial")
    with pytest.raises(ArtifactError, match="exists already"), artifact.writing(tmp_path / "thing1", "thing"):
        pass
    assert artifact.read_config(tmp_path / "thing1") == {"size": 1}
    with artifact.writing(tmp_path / "thing1", "thing", resume=True, overwrite=True) as folder:
        assert files.read_json(folder / "config.json")["size"] == 2
    assert artifact.read_config(tmp_path / "thing1") == {"size": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["thing1"]


def test_what_is_finished_is_not_resumed(tmp_path: Path) -> None:
    with artifact.writing(tmp_path / "thing", "thing") as folder:
        artifact.write_config(folder, "thing", {})
    with pytest.raises(ArtifactError, match="is finished"), artifact.writing(tmp_path / "thing", "thing", resume=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]
