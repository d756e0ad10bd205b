"""The tab Edit in a real browser: kept samples are edited in four ways, turn, are saved, and are edited again."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trimesh

from .visiting import SAMPLES, WARNED, draw, keep, visit, wait_for_samples

pytest.importorskip("gradio", reason="the extra app is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
pytestmark = WARNED

COMMAND = re.compile("The commands? that makes? the same samples")


@contextmanager
def keeping(browser: "playwright.Browser", address: str, run: str, **settings: object) -> Iterator["playwright.Page"]:
    """The tab Edit, after two samples of a run were kept."""
    with visit(browser, address, **settings) as page:
        choose(page, "Run", run)
        draw(page)
        wait_for_samples(page)
        for i in range(SAMPLES):
            page.locator(f"#draw-keep-{i}").click()
            page.get_by_text(f"{i + 1} kept.").wait_for()
        page.get_by_role("tab", name="Edit").click()
        page.wait_for_selector("#chosen .model[data-drawn]")
        yield page


def choose(page: "playwright.Page", label: str, name: str) -> None:
    """An entry of a list."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=name, exact=True).click()


def edit(page: "playwright.Page", way: str) -> None:
    """Edit in a way, and do not wait for it."""
    page.get_by_label(way).check()
    page.get_by_label("number input for How many").last.fill(str(SAMPLES))
    page.get_by_role("button", name="Edit", exact=True).click()


@pytest.fixture(scope="module")
def edited(browser: "playwright.Browser", address: str) -> Iterator["playwright.Page"]:
    with keeping(browser, address, "any") as page:
        yield page


def test_kept_samples_are_edited_in_four_ways(edited: "playwright.Page", tmp_path: Path) -> None:
    for way, word in (("Vary", "vary"), ("Complete", "complete"), ("Go from", "interpolate"), ("Mix", "mix")):
        edit(edited, way)
        command = edited.get_by_role("textbox", name=COMMAND)
        edited.wait_for_function(
            "([word]) => [...document.querySelectorAll('.command textarea')].some((one) => "
            "one.checkVisibility() && one.value.includes('nfgen edit ' + word))",
            arg=[word],
        )
        edited.get_by_text(f"{SAMPLES} samples in").locator("visible=true").wait_for()
        lines = command.locator("visible=true").input_value().splitlines()
        assert [line.split()[1] for line in lines] == ["generate", "edit"], "what it starts from is made first"
        assert edited.locator("#chosen .model").count() == (2 if word in ("interpolate", "mix") else 1)
        keep(edited, f"edit-{word}", tmp_path)


def test_an_edited_sample_turns_is_saved_and_is_edited_again(edited: "playwright.Page") -> None:
    card = edited.locator(".slot:visible").first
    model = card.locator(".model").first
    before = model.locator("canvas").evaluate("(one) => one.toDataURL()")
    model.focus()
    edited.keyboard.press("ArrowRight")
    edited.wait_for_function(
        "([one, before]) => one.toDataURL() !== before", arg=[model.locator("canvas").element_handle(), before]
    )
    with edited.expect_download() as download:
        card.get_by_role("link", name="GLB").click()
    assert len(trimesh.load(download.value.path(), file_type="glb", force="mesh").faces) > 0
    third = f'"Kept {SAMPLES + 1}"'
    with edited.expect_response(lambda answer: "/run/predict" in answer.url and third in answer.text()):
        edited.locator("#edit-keep-0").click()
    choose(edited, "Shape", f"Kept {SAMPLES + 1}")
    edit(edited, "Vary")
    edited.wait_for_function(
        "() => [...document.querySelectorAll('.command textarea')].some((one) => one.value.split('\\n').length === 3)"
    )
    edited.get_by_text(f"{SAMPLES} samples in").locator("visible=true").wait_for()  # only then it edits again


def test_all_that_is_kept_stays_drawn_while_more_is_kept(edited: "playwright.Page") -> None:
    edited.locator("#tray .model").first.scroll_into_view_if_needed()
    edited.wait_for_function(
        "() => [...document.querySelectorAll('#tray .model')].every((one) => 'drawn' in one.dataset)"
    )
    assert edited.locator("#tray .model").count() >= SAMPLES


def test_the_box_is_seen_around_what_is_kept_and_an_empty_one_is_a_problem(
    edited: "playwright.Page", tmp_path: Path
) -> None:
    choose(edited, "Shape", "Kept 1")  # an edited sample may have no surface to put a box around
    edited.get_by_label("Complete").check()
    shown = edited.locator("#chosen .model")
    edited.wait_for_selector("#chosen .model[data-model*='/box/'][data-drawn]")
    assert "box/-1.0,-1.0,-1.0,1.0,1.0,0.0/" in str(shown.get_attribute("data-model"))
    edited.get_by_label("number input for z to (top)").fill("-1")
    edited.keyboard.press("Tab")
    edited.wait_for_selector("#chosen .model[data-model*='1.0,1.0,-1.0/'][data-drawn]")
    edited.get_by_role("button", name="Edit", exact=True).click()
    problem = edited.locator(".problem:visible")
    problem.wait_for()
    assert problem.inner_text().startswith("No cell has its centre in the region")
    keep(edited, "edit-problem", tmp_path)


def test_a_run_in_raster_order_says_what_it_cannot_and_does_the_rest(
    browser: "playwright.Browser", address: str, tmp_path: Path
) -> None:
    dark_phone = {"color_scheme": "dark", "viewport": {"width": 390, "height": 800}}
    with keeping(browser, address, "raster", **dark_phone) as page:
        edit(page, "Vary")
        page.locator(".problem:visible").wait_for()
        assert "raster order" in page.locator(".problem:visible").inner_text()
        assert "--random-order" in page.locator(".problem:visible").inner_text()
        edit(page, "Mix")
        page.get_by_text(f"{SAMPLES} samples in").locator("visible=true").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        keep(page, "edit-phone-dark", tmp_path)
