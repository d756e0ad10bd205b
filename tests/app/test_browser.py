"""The app in a real browser: it draws, its models turn and are saved, it suits several users, phones, keys, dark rooms.

Needs Gradio, Debian's `chromium` and the Python package `playwright`; WebGL is computed in software.
"""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from .visiting import FIRST, SAMPLES, WARNED, draw, keep, visit, wait_for_samples

pytest.importorskip("gradio", reason="the extra app is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
pytestmark = WARNED

CONTROLS = "button, input, textarea, summary, a[href], [tabindex='0']"


@pytest.fixture(scope="module")
def drawn(browser: "playwright.Browser", address: str) -> Iterator["playwright.Page"]:
    """A page with samples, the first of them on its canvas."""
    with visit(browser, address) as page:
        draw(page)
        wait_for_samples(page)
        page.wait_for_selector(f"{FIRST}[data-drawn]")
        yield page


def picture(page: "playwright.Page") -> np.ndarray:
    """Pixels [H, W, 4] of the first sample's canvas."""
    url = page.evaluate("(selector) => document.querySelector(selector + ' canvas').toDataURL()", FIRST)
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def lightness(page: "playwright.Page", name: str) -> float:
    color = page.evaluate("(name) => getComputedStyle(document.body)[name]", name)
    return sum(int(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]) / (3 * 255)


def test_a_sample_turns_is_shown_large_and_is_saved_as_a_glb(drawn: "playwright.Page", tmp_path: Path) -> None:
    keep(drawn, "desktop", tmp_path)
    before = picture(drawn)
    assert (before[..., 3] > 250).mean() > 0.01
    drawn.focus(FIRST)
    drawn.keyboard.press("ArrowRight")
    drawn.wait_for_function(
        "([selector, before]) => document.querySelector(selector + ' canvas').toDataURL() !== before",
        arg=[FIRST, drawn.evaluate("(selector) => document.querySelector(selector + ' canvas').toDataURL()", FIRST)],
    )
    drawn.keyboard.press("Enter")
    drawn.wait_for_selector("#stage figure[data-drawn]")
    drawn.keyboard.press("Escape")
    with drawn.expect_download() as download:
        drawn.locator(".slot").first.get_by_role("link", name="GLB").click()
    assert download.value.suggested_filename == "sample-0000.glb"
    mesh = trimesh.load(download.value.path(), file_type="glb", force="mesh")
    assert len(mesh.faces) > 0
    command = drawn.get_by_role("textbox", name=re.compile("The commands? that makes? the same samples"))
    assert "nfgen generate" in command.input_value()


def test_two_users_draw_at_once_and_each_gets_what_was_asked(browser: "playwright.Browser", address: str) -> None:
    with visit(browser, address) as one, visit(browser, address) as other:
        draw(one, seed=5)
        draw(other, seed=6)
        for page, seed in ((one, 5), (other, 6)):
            wait_for_samples(page)
            origins = page.locator(".slot .origin").all_inner_texts()
            assert len(origins) == SAMPLES
            assert all(text.startswith(f"seed {seed}, ") for text in origins)


def test_no_width_needs_sideways_scrolling(drawn: "playwright.Page", tmp_path: Path) -> None:
    for width in (320, 390, 820, 1400):
        drawn.set_viewport_size({"width": width, "height": 700})
        assert drawn.evaluate("document.documentElement.scrollWidth") <= width
        assert drawn.evaluate(
            "[...document.querySelectorAll('.slot')].every((one) => one.scrollWidth <= one.clientWidth)"
        )
        keep(drawn, f"width-{width}", tmp_path)
    drawn.set_viewport_size({"width": 1000, "height": 700})


def test_all_controls_are_reached_by_the_tab_key(drawn: "playwright.Page") -> None:
    drawn.evaluate("document.activeElement.blur()")
    drawn.evaluate(
        """(controls) => window.wanted = [...document.querySelectorAll(controls)].filter((one) =>
            one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.tabIndex >= 0)""",
        CONTROLS,
    )
    wanted, reached = drawn.evaluate("window.wanted.length"), set()
    for _ in range(wanted + 10):
        drawn.keyboard.press("Tab")
        reached.add(drawn.evaluate("window.wanted.indexOf(document.activeElement)"))
    missed = set(range(wanted)) - reached
    assert not [drawn.evaluate("(i) => window.wanted[i].outerHTML.slice(0, 200)", i) for i in missed]


def test_dark_rooms_get_a_dark_page_with_legible_text(
    browser: "playwright.Browser", address: str, tmp_path: Path
) -> None:
    with visit(browser, address, color_scheme="dark") as page:
        draw(page)
        wait_for_samples(page)
        page.wait_for_selector(f"{FIRST}[data-drawn]")
        assert lightness(page, "backgroundColor") < 0.15
        assert lightness(page, "color") > 0.8
        keep(page, "dark", tmp_path)
