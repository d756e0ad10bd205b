"""The report in a real browser: it loads in silence, models are drawn and turn, it suits dark rooms, phones and paper.

Needs Debian's `chromium` and the Python package `playwright`; WebGL is computed in software.
"""

import base64
import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact
from nfgen.io.meshes import write_mesh
from nfgen.pipeline.sample_set import Sample, write_list
from nfgen.report import write_report
from nfgen.viz.contact_sheet import save_png

from ..browsing import PATIENCE
from .pages import SPEC, octahedron

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
HOSTILE = "<b id=pwned>'\"&.obj"
NAMES = (HOSTILE, "shape-1", "shape-2")
FIRST = "button.model[data-label='Sample 0']"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    weights = torch.stack([octahedron((0.4, 0.6 + 0.1 * i, 0.9)) for i in range(len(NAMES))])
    report = tuple({"id": id, "iou": 0.9, "sdf_l1": 0.002} for id in NAMES)
    no_labels = torch.full((len(NAMES),), -1)
    FieldSet(SPEC, weights, NAMES, no_labels, base=weights.mean(0), report=report).save(folder / "fields")
    samples = []
    with artifact.writing(folder / "samples", "samples") as path:
        for i, id in enumerate(NAMES):
            field, name = Field(SPEC, octahedron((0.5, 0.8, 0.5 + 0.1 * i))), f"sample-{i:04d}"
            field.save(path / f"{name}.safetensors")
            write_mesh(field.mesh(32), path / f"{name}.glb")
            save_png(path / f"{name}.png", np.full((64, 64, 3), (200, 120, 60), np.uint8))
            nearest = {"id": id, "distance": 0.01}
            samples.append(Sample(f"{name}.glb", f"{name}.safetensors", f"{name}.png", [1], 0, i, None, False, nearest))
        write_list(path, samples, {"run": "run", "frame": None})
    return write_report([folder])


@pytest.fixture
def page(browser: "playwright.Browser", page_file: Path) -> Iterator["playwright.Page"]:
    """The report, opened from disk, its first model drawn; it must have stayed silent."""
    # A small window: software renders every pixel.
    page = browser.new_page(viewport={"width": 900, "height": 600})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    page.set_default_timeout(PATIENCE)
    page.goto(page_file.as_uri())
    page.wait_for_selector(f"{FIRST}[data-drawn]")
    yield page
    assert said == []
    page.close()


def kept(page: "playwright.Page", name: str, otherwise: Path) -> Path:
    """A screenshot in the folder that SCREENSHOTS names, for people to look at."""
    path = Path(os.environ.get("SCREENSHOTS") or otherwise) / f"{name}.png"
    page.locator(FIRST).scroll_into_view_if_needed()
    page.wait_for_selector(f"{FIRST}[data-drawn]")
    page.screenshot(path=path)
    return path


def picture(page: "playwright.Page", selector: str = FIRST) -> np.ndarray:
    """Pixels [H, W, 4] of a model's canvas."""
    url = page.evaluate("(selector) => document.querySelector(selector + ' canvas').toDataURL()", selector)
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def wait_for_change(page: "playwright.Page", before: np.ndarray, selector: str = FIRST) -> np.ndarray:
    """The model's picture as soon as it is another one."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        now = picture(page, selector)
        if now.shape != before.shape or (now != before).any():
            return now
        page.wait_for_timeout(100)
    raise AssertionError(f"{selector} stayed as it was")


def test_models_are_drawn_in_warm_clay_above_a_shadow(page: "playwright.Page", tmp_path: Path) -> None:
    shown = picture(page)
    red, green, blue, alpha = shown.reshape(-1, 4).T
    clay = (alpha > 250) & (red > green + 15) & (green > blue)
    assert 0.05 < clay.mean() < 0.9
    assert (alpha == 0).mean() > 0.1
    assert ((alpha > 5) & (alpha < 200) & (red < 40)).any()
    assert kept(page, "report", tmp_path).stat().st_size > 10_000


def test_arrow_keys_turn_the_focused_model_and_home_brings_it_back(page: "playwright.Page") -> None:
    before = picture(page)
    page.focus(FIRST)
    for key in ("ArrowRight", "ArrowUp", "+"):
        page.keyboard.press(key)
        turned = wait_for_change(page, before)
        assert ((turned != before).any(-1)).mean() > 0.01
        page.keyboard.press("Home")
        np.testing.assert_array_equal(wait_for_change(page, turned), before)


def test_dragging_turns_a_model_and_does_not_open_it(page: "playwright.Page") -> None:
    before = picture(page)
    page.locator(FIRST).scroll_into_view_if_needed()
    box = page.locator(FIRST).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=4)
    page.mouse.up()
    wait_for_change(page, before)
    assert not page.evaluate("document.getElementById('stage').open")


def test_enter_shows_a_model_large_beside_its_neighbour_and_escape_gives_the_focus_back(
    page: "playwright.Page",
) -> None:
    page.focus(FIRST)
    page.keyboard.press("Enter")
    for figure in (1, 2):
        side = f"#stage figure:nth-child({figure})"
        page.wait_for_selector(f"{side}[data-drawn]")
        assert (picture(page, side)[..., 3] > 250).mean() > 0.01
    assert HOSTILE in page.inner_text("#stage .caption")
    before = picture(page, "#stage figure:nth-child(1)")
    page.keyboard.press("ArrowLeft")
    wait_for_change(page, before, "#stage figure:nth-child(1)")
    page.keyboard.press("PageDown")
    assert page.inner_text("#stage .caption").startswith("Sample 1")
    page.click("[data-act=previous]")
    assert page.inner_text("#stage .caption").startswith("Sample 0")
    page.keyboard.press("Escape")
    assert not page.evaluate("document.getElementById('stage').open")
    assert page.evaluate("document.activeElement.dataset.label") == "Sample 0"


def test_the_turntable_turns_until_it_is_stopped(page: "playwright.Page") -> None:
    page.click(FIRST)
    side = "#stage figure:nth-child(1)"
    page.wait_for_selector(f"{side}[data-drawn]")
    turning = page.locator("[data-act=turn]")
    before = picture(page, side)
    turning.click()
    assert turning.get_attribute("aria-pressed") == "true"
    wait_for_change(page, wait_for_change(page, before, side), side)
    turning.click()
    assert turning.get_attribute("aria-pressed") == "false"
    page.click("[data-act=close]")


def test_dark_rooms_get_a_dark_page_with_legible_text(page: "playwright.Page", tmp_path: Path) -> None:
    def lightness(name: str) -> float:
        color = page.evaluate("(name) => getComputedStyle(document.body)[name]", name)
        return sum(int(part) for part in color[4:-1].split(",")) / (3 * 255)

    assert lightness("backgroundColor") > 0.9
    assert lightness("color") < 0.25
    page.emulate_media(color_scheme="dark")
    assert lightness("backgroundColor") < 0.15
    assert lightness("color") > 0.8
    kept(page, "dark", tmp_path)


def test_no_width_needs_sideways_scrolling(page: "playwright.Page", tmp_path: Path) -> None:
    for width in (320, 390, 820, 1400):
        page.set_viewport_size({"width": width, "height": 600})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.wait_for_selector(f"{FIRST}[data-drawn]")
        kept(page, f"width-{width}", tmp_path)


def test_all_controls_are_reached_by_the_tab_key(page: "playwright.Page") -> None:
    wanted = page.locator("header a, main a, main button.model, main summary, main [tabindex='0']").count()
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached) >= wanted


def test_a_hundred_samples_stay_small_and_are_drawn_as_they_come_into_view(
    browser: "playwright.Browser", tmp_path: Path
) -> None:
    """Meshes of 20,000 faces, as fields have at 96 cells a side, and pictures that no compression makes small."""
    with artifact.writing(tmp_path / "samples", "samples") as path:
        ball = trimesh.creation.icosphere(subdivisions=5)
        rng = np.random.default_rng(0)
        ball.vertices *= rng.uniform(0.7, 1, (len(ball.vertices), 1))
        ball.export(path / "ball.glb")
        Field(SPEC, octahedron((0.9, 0.9, 0.9))).save(path / "0.safetensors")
        noise = rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)
        save_png(path / "noise.png", noise)
        samples = []
        for i in range(100):
            field = f"{i}.safetensors"  # a page keeps the model of each field once
            if i > 0:
                shutil.copy(path / "0.safetensors", path / field)
            samples.append(Sample("ball.glb", field, "noise.png", [1], 0, i, None, False, None))
        write_list(path, samples, {"run": "run", "frame": None})
    file = write_report([tmp_path / "samples"])
    assert file.stat().st_size < 25 << 20
    page = browser.new_page(viewport={"width": 900, "height": 600})
    page.set_default_timeout(PATIENCE)
    page.goto(file.as_uri())
    page.wait_for_selector(f"{FIRST}[data-drawn]")
    assert page.locator("button.model[data-drawn]").count() < 50, "what is out of sight keeps the first ones waiting"
    page.close()


def test_names_are_text_and_nothing_else(page: "playwright.Page") -> None:
    assert page.locator("#pwned").count() == 0
    assert HOSTILE in page.inner_text(".nearest >> nth=0")


def test_paper_gets_the_pictures(page: "playwright.Page") -> None:
    assert not page.locator(f"{FIRST} .poster").is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(f"{FIRST} .poster").is_visible()
    assert not page.locator(f"{FIRST} canvas").is_visible()


def test_without_webgl_the_pictures_stand_in(browser: "playwright.Browser", page_file: Path) -> None:
    page = browser.new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(page_file.as_uri())
    assert page.locator(f"{FIRST} .poster").is_visible()
    page.close()
