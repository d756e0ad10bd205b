"""A user of the app in a real browser: opens it, draws, and keeps pictures of what is seen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..browsing import PATIENCE

if TYPE_CHECKING:
    import playwright.sync_api as playwright

FIRST = ".slot .model[data-label^='Sample 0']"
SAMPLES = 2
WARNED = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting:Warning"),  # Gradio, of pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # the same
]


@contextmanager
def visit(
    browser: "playwright.Browser", address: str, *, says: str | None = None, **settings: object
) -> Iterator["playwright.Page"]:
    """The app, opened by a user of its own; it must ask nobody else, and report no error but those with `says`."""
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 700}} | settings)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if own(request.url, address) else said.append(request.url))
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.get_by_role("button", name="Draw", exact=True).wait_for()
    yield page
    assert [one for one in said if says is None or says not in one] == []
    context.close()


def own(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:"))


def draw(page: "playwright.Page", seed: int = 0) -> None:
    """Ask for samples, and do not wait for them."""
    page.get_by_label("number input for How many").fill(str(SAMPLES))
    page.get_by_label("Seed").fill(str(seed))
    page.get_by_role("button", name="Draw", exact=True).click()


def wait_for_samples(page: "playwright.Page") -> None:
    page.get_by_text(f"{SAMPLES} samples in").wait_for()


def keep(page: "playwright.Page", name: str, otherwise: Path) -> None:
    """A screenshot in the folder that SCREENSHOTS names, for people to look at."""
    page.screenshot(path=Path(os.environ.get("SCREENSHOTS") or otherwise) / f"app-{name}.png", full_page=True)
