"""Fields of boxes and a tokenizer that is fitted to them."""

import pytest

from nfgen.fields.field_set import FieldSet
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from .fitted_fields import QUICK, SPEC, fitted


@pytest.fixture(scope="session")
def fields() -> FieldSet:
    return fitted(SPEC, 16, seed=0)


@pytest.fixture(scope="session")
def unseen() -> FieldSet:
    return fitted(SPEC, 4, seed=50)


@pytest.fixture(scope="session")
def tokenizer(fields: FieldSet) -> VQTokenizer:
    return VQTokenizer(**QUICK).fit(fields)


@pytest.fixture(scope="module", autouse=True)
def few_views() -> None:
    """Here it is tested how many there are."""
