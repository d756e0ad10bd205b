"""Looks at held-out shapes are counted by what these hold."""

from pathlib import Path

from ..scripts import load_script


def test_the_same_shapes_under_another_name_are_looked_at_again(tmp_path: Path) -> None:
    looks = load_script("reference_looks")
    counted = tmp_path / "looks.json"
    for name in ("a", "b"):
        (tmp_path / name / "chairs").mkdir(parents=True)
        (tmp_path / name / "chairs" / "one.obj").write_text("v 0 0 0")
    assert looks.count_look(tmp_path / "a", "first", counted) == 1
    assert looks.count_look(tmp_path / "b", "second", counted) == 2
    assert looks.count_look(tmp_path / "a" / "chairs" / "one.obj", "as a file", counted) == 3
    (tmp_path / "b" / "chairs" / "one.obj").write_text("v 0 0 1")
    assert looks.count_look(tmp_path / "b", "other shapes", counted) == 1
