"""Pictures as users see them."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def coarse_pictures() -> None:
    """Nothing is coarse here."""
