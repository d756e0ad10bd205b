"""Numbers of things in words."""

import pytest

from nfgen.runtime.words import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 samples"), (1, "1 sample"), (2, "2 samples"), (1024, "1,024 samples")]
)
def test_one_thing_has_no_s(number: int, text: str) -> None:
    assert counted(number, "sample") == text
