"""Values that are none: every setting of every configuration takes them, or refuses them by its name."""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import nfgen
from nfgen.config import Configuration
from nfgen.errors import ConfigError

STRANGE = (None, True, -1, 0.5, "", "none", [], {}, [None], [[1]], {"a": 1}, [{"a": [1]}], ["a", 2], "9" * 400, 1e308)


def every_configuration() -> list[type[Configuration]]:
    package = Path(nfgen.__file__).parent
    # In a checkout, folders of the package are links, which rglob does not follow.
    folders = (package, package / "tokenizers", package / "models")
    for file in sorted(
        {file for folder in folders for file in folder.rglob("*.py") if "(Configuration)" in file.read_text()}
    ):
        import_module(".".join(("nfgen", *file.relative_to(package).with_suffix("").parts)))

    def below(kind: type[Configuration]) -> Iterator[type[Configuration]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    found = {one for one in below(Configuration) if one.__module__.startswith("nfgen.")}
    return sorted(found, key=lambda one: one.__qualname__)


CONFIGURATIONS = every_configuration()


def test_there_are_configurations() -> None:
    assert {"VQConfig", "FitConfig", "GenerateConfig", "GPTConfig"} <= {one.__name__ for one in CONFIGURATIONS}


@pytest.mark.parametrize("kind", CONFIGURATIONS, ids=lambda kind: kind.__name__)
def test_a_strange_value_is_taken_or_refused_as_a_setting(kind: type[Configuration]) -> None:
    for name in kind.model_fields:
        for value in STRANGE:
            with contextlib.suppress(ConfigError):
                kind.from_json({name: value})
