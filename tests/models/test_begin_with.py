"""A model that begins with the weights of another one."""

import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.models.registry import create
from nfgen.tokens.vocabulary import Vocabulary

KNOWN = Vocabulary(length=5, codes=8, classes=("cup", "vase"))
NEW = KNOWN.replace(classes=("vase", "jug"))
NUMBERS = Vocabulary(length=5, width=2, classes=("cup", "vase"))
SETTINGS = {"layers": 1, "width": 16, "heads": 2}


@pytest.mark.parametrize(("name", "vocabulary"), [("gpt", KNOWN), ("regression", NUMBERS), ("diffusion", NUMBERS)])
def test_it_has_the_losses_of_the_other(name: str, vocabulary: Vocabulary) -> None:
    first, second = (create(name, vocabulary, **SETTINGS).eval() for _ in range(2))
    tokens = torch.randint(8, (3, 5)) if vocabulary.codes else torch.randn(3, 5, 2)
    labels = torch.tensor([-1, 0, 1])
    second.begin_with(first)
    assert torch.equal(second.loss(tokens, labels), first.loss(tokens, labels))


def test_classes_go_by_their_names_and_new_ones_begin_as_any_class() -> None:
    known, new = create("gpt", KNOWN, **SETTINGS).eval(), create("gpt", NEW, **SETTINGS).eval()
    new.begin_with(known)
    tokens = torch.randint(8, (3, 5))
    of_any, of_vase = torch.full((3,), -1), torch.full((3,), 1)
    assert torch.equal(new.loss(tokens, of_vase - 1), known.loss(tokens, of_vase))
    assert torch.equal(new.loss(tokens, of_vase), known.loss(tokens, of_any))
    assert not torch.equal(known.loss(tokens, of_vase), known.loss(tokens, of_any))


def test_another_size_kind_or_vocabulary_is_refused() -> None:
    gpt = create("gpt", KNOWN, **SETTINGS)
    with pytest.raises(ConfigError, match="another size"):
        gpt.begin_with(create("gpt", KNOWN, **{**SETTINGS, "layers": 2}))
    with pytest.raises(ConfigError, match="another size"):
        gpt.begin_with(create("gpt", KNOWN, **{**SETTINGS, "width": 32}))
    with pytest.raises(ConfigError, match="other tokens"):
        gpt.begin_with(create("gpt", KNOWN.replace(codes=9), **SETTINGS))
    with pytest.raises(ConfigError, match="other tokens"):
        create("regression", NUMBERS, **SETTINGS).begin_with(create("diffusion", NUMBERS, **SETTINGS))
