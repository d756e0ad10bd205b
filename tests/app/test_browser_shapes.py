"""The tab for one's own shapes in a real browser: uploads within limits, a training that is followed and stopped."""

import sys
from pathlib import Path

import pytest
import trimesh

from .conftest import MEGABYTES, UPLOADS
from .visiting import WARNED, keep, visit

pytest.importorskip("gradio", reason="the extra app is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
pytestmark = WARNED


def give(page: "playwright.Page", *paths: Path) -> None:
    """Choose files, and do not wait until they are sent."""
    page.get_by_role("tab", name="Your shapes").click()
    page.locator("#files input[type=file]").set_input_files([str(path) for path in paths])


def boxes(folder: Path, count: int) -> list[Path]:
    for i in range(count):
        trimesh.creation.box((1, 1, 1 + i / 4)).export(folder / f"box-{i}.stl")
    return sorted(folder.glob("box-*.stl"))


def test_a_bad_upload_is_one_line_that_says_what_is_wrong(
    browser: "playwright.Browser", address: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no shape")
    with visit(browser, address) as page:
        give(page, tmp_path / "notes.txt")
        page.get_by_text("notes.txt").wait_for()
        page.get_by_role("button", name="Read them").click()
        problem = page.locator("#found .problem")
        problem.wait_for()
        assert problem.count() == 1
        assert problem.inner_text().startswith("No shapes found in the upload")
        assert "/" not in problem.inner_text().replace("hf://", "")
        keep(page, "bad-upload", tmp_path)


def test_more_files_than_are_allowed_are_one_problem(
    browser: "playwright.Browser", address: str, tmp_path: Path
) -> None:
    with visit(browser, address) as page:
        give(page, *boxes(tmp_path, UPLOADS + 1))
        page.get_by_text("box-0").wait_for()
        page.get_by_role("button", name="Read them").click()
        page.locator("#found .problem").wait_for()
        assert page.locator("#found .problem").inner_text().startswith(f"{UPLOADS + 1} files are too many")


def test_a_larger_upload_than_is_allowed_is_said_and_not_taken(
    browser: "playwright.Browser", address: str, tmp_path: Path
) -> None:
    (tmp_path / "large.stl").write_bytes(bytes((MEGABYTES << 20) + 1))
    too_large = "exceed the maximum allowed size"
    with visit(browser, address, says=too_large) as page:
        give(page, tmp_path / "large.stl")
        page.get_by_text(too_large).wait_for()
        keep(page, "large-upload", tmp_path)
        page.get_by_role("button", name="Read them").click()
        page.locator("#found .problem").wait_for()
        assert page.locator("#found .problem").inner_text().startswith("There are no files")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no Ctrl-C to send there")
def test_a_training_is_followed_and_stopped(browser: "playwright.Browser", address: str, tmp_path: Path) -> None:
    with visit(browser, address) as page:
        give(page, *boxes(tmp_path, 4))
        page.get_by_text("box-3").wait_for()
        assert not page.locator("#learn").is_visible(), "what was not read is not learned from"
        page.get_by_role("button", name="Read them").click()
        page.locator("#found .sheet").wait_for()
        page.get_by_role("button", name="Start", exact=True).click()
        page.locator("#training .steps .now").wait_for()
        page.locator("#training summary").click()
        page.locator("#training pre").get_by_text("nfgen make").wait_for()
        keep(page, "training", tmp_path)
        page.get_by_role("button", name="Start", exact=True).click()
        page.locator("#learn").get_by_role("button", name="Stop", exact=True).click()
        page.locator("#training").get_by_text("Stopped after").wait_for()
        page.get_by_role("button", name="Start", exact=True).click()
        page.locator("#training .problem").wait_for()
        assert "in a training already" in page.locator("#training .problem").inner_text()
