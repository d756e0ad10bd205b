"""HTML and SVG from jinja2 templates; text is escaped unless it is `Markup`, so that no file name becomes markup."""

import functools

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@functools.cache
def environment(package: str) -> Environment:
    """The templates in the folder `templates` of a package, and those of this package."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(__package__)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "percent": percent}
    return made


def render(template: str, package: str = __package__, **values: object) -> Markup:
    """Fill a template of a package with values.

    Raises:
        jinja2.TemplateError: if the template uses a value that is not given.
    """
    return Markup(environment(package).get_template(template).render(values))


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
