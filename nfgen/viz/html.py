"""HTML elements from Python: text is escaped always, so that no file name can become markup."""

import html
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

VOID = frozenset({"img", "meta", "br", "col", "input", "link"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child: TypeAlias = str | Iterable[Any] | None
"""`Html`, text, nothing, or any number of these."""


def tag(name: str, *children: Child, **attributes: object) -> Html:
    """An element.

    Args:
        children: `Html` stands as it is, other text is escaped, None is left out, lists are flattened.
        attributes: an underscore stands for a hyphen, one at the end is dropped (`class_`); None and False are left
            out, True stands alone.
    """
    written = "".join(
        f" {_name(key)}" if value is True else f' {_name(key)}="{html.escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Child) -> Html:
    """Children one after another, as `tag` takes them."""
    if children is None:
        return Html("")
    if isinstance(children, Html):
        return children
    if isinstance(children, str):
        return Html(html.escape(children, quote=True))
    return Html("".join(join(child) for child in children))


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def table(head: Sequence[Child], rows: Iterable[Sequence[Child]], caption: str) -> Html:
    """A table whose first column names the rows; it scrolls sideways where the screen is too narrow."""
    body = [tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]]) for row in rows]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head])),
            tag("tbody", body),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """A list of names and values; values that are None are left out."""
    return tag(
        "dl",
        [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value is not None],
        class_="facts",
    )


def figure(content: Child, caption: Child, class_: str | None = None) -> Html:
    """A figure with its caption below."""
    return tag("figure", content, tag("figcaption", caption), class_=class_)


def details(summary: str, *content: Child) -> Html:
    """Content that is folded until it is asked for."""
    return tag("details", tag("summary", summary), *content)


def number(value: object, digits: int = 3) -> str:
    """A number as text, a thin dash for None."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"


def percent(value: object, digits: int = 1) -> str:
    """A share as percent, a thin dash for None."""
    return f"{100 * value:.{digits}f} %" if isinstance(value, int | float) else "–"
