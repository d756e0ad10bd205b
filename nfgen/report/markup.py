"""Fills the templates of the page, `templates/*.html`."""

from typing import NamedTuple

from markupsafe import Markup

from nfgen.viz import html


class KeyFigure(NamedTuple):
    """A figure in the head of the page."""

    name: str
    value: str
    detail: str = ""
    """Small text after it."""


class PixelMap(NamedTuple):
    """A picture of numbers, one pixel each."""

    src: str
    """Data URI."""
    alt: str
    height: int
    """Screen pixels."""


def render(template: str, **values: object) -> Markup:
    """Fill the template of that name with values."""
    return html.render(f"{template}.html", __package__, **values)
