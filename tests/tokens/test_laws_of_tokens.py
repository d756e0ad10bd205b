"""Laws for whatever vocabulary: hypothesis draws it, and what is to be decoded."""

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.spec import FieldSpec
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import split
from nfgen.tokens.vocabulary import Vocabulary

from ..test_laws import SEEDS, law, specs


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    codes, length = draw(st.integers(2, 12)), draw(st.integers(1, 6))
    ends = draw(st.lists(st.integers(1, codes), max_size=3))
    return Vocabulary(
        length=length,
        codes=codes,
        ranges=tuple((draw(st.integers(0, end - 1)), end) for end in ends),
        classes=tuple("abc"[: draw(st.integers(0, 3))]),
    )


@law
@given(vocabularies(), SEEDS, st.integers(1, 4))
def test_sequences_are_wrapped_unwrapped_and_masked(vocabulary: Vocabulary, seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    low, high = vocabulary.bounds()
    tokens = low + (torch.rand(count, vocabulary.length, generator=generator) * (high - low)).long()
    labels = torch.randint(-1, len(vocabulary.classes), (count,), generator=generator)
    sequences = vocabulary.wrap(tokens, labels)
    assert sequences.shape == (count, vocabulary.sequence_length)
    assert torch.equal(vocabulary.unwrap(sequences), tokens)
    mask = vocabulary.allowed_mask()
    assert mask.gather(1, sequences.T).all()
    for position, (first, end) in enumerate(zip(low.tolist(), high.tolist(), strict=True), 1):
        assert mask[position].nonzero()[:, 0].tolist() == list(range(first, end))
    names = {id: name for name, id in vocabulary.specials.items()}
    classes = [f"class:{name}" for name in vocabulary.classes]
    assert [names[i] for i in mask[0].nonzero()[:, 0].tolist()] == ["BOS", *classes]
    assert [names[i] for i in mask[-1].nonzero()[:, 0].tolist()] == ["EOS"]
    assert vocabulary.allowed(vocabulary.sequence_length).nonzero()[:, 0].tolist() == [vocabulary.specials["PAD"]]
    assert sorted(names) == list(range(vocabulary.codes or 0, vocabulary.size or 0))
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@law
@given(vocabularies(), SEEDS)
def test_no_other_token_is_unwrapped(vocabulary: Vocabulary, seed: int) -> None:
    low, _ = vocabulary.bounds()
    sequences = vocabulary.wrap(low[None], torch.tensor([-1]))
    generator, mask = torch.Generator().manual_seed(seed), vocabulary.allowed_mask()
    position = int(torch.randint(vocabulary.sequence_length, (), generator=generator))
    for wrong in (~mask[position]).nonzero()[:, 0].tolist():
        sequences[0, position] = wrong
        with pytest.raises(ConfigError, match=f"token {position} must be one that is allowed there"):
            vocabulary.unwrap(sequences)
    with pytest.raises(ConfigError, match="must have"):
        vocabulary.unwrap(sequences[:, 1:])


@dataclass
class Counting:
    """A decoder whose weights are the tokens themselves, repeated."""

    vocabulary: Vocabulary
    decoded_spec: FieldSpec
    factor: float = 1.0

    def decode(self, tokens: Tensor) -> Tensor:
        repeats = -(-self.decoded_spec.size // tokens.shape[1])
        return tokens.reshape(len(tokens), -1).float().repeat(1, repeats)[:, : self.decoded_spec.size] * self.factor


@law
@given(vocabularies(), specs, st.integers(1, 3))
def test_decoding_takes_tokens_and_whole_sequences_alike(vocabulary: Vocabulary, spec: FieldSpec, count: int) -> None:
    decoder = Counting(vocabulary, spec)
    low, _ = vocabulary.bounds()
    tokens = low.expand(count, -1)
    plain = decode_fields(decoder, tokens)
    wrapped = decode_fields(decoder, vocabulary.wrap(tokens, torch.full((count,), -1)))
    assert len(plain) == len(wrapped) == count
    for one, other in zip(plain, wrapped, strict=True):
        assert one.spec == spec
        assert torch.equal(one.weights, decoder.decode(tokens)[0])
        assert torch.equal(one.weights, other.weights)


def test_decoding_refuses_specials_and_what_is_not_finite() -> None:
    vocabulary, spec = Vocabulary(length=2, codes=3), FieldSpec(frequencies=0, hidden=(2,))
    sequence = vocabulary.wrap(torch.tensor([[1, 2]]), torch.tensor([-1]))
    sequence[0, 1] = vocabulary.specials["EOS"]
    with pytest.raises(ConfigError, match="token 1 must be one that is allowed there"):
        decode_fields(Counting(vocabulary, spec), sequence)
    for factor in (math.nan, math.inf):
        with pytest.raises(ConfigError, match="not finite"):
            decode_fields(Counting(vocabulary, spec, factor), torch.tensor([[1, 2]]))
    # Continuous tokens of as many places as a sequence has are no sequence.
    continuous = Counting(Vocabulary(length=2, width=3), spec)
    assert len(decode_fields(continuous, torch.ones(1, 4, 3))) == 1


@law
@given(st.integers(2, 200), st.floats(0, 0.99), SEEDS)
def test_a_split_holds_out_its_share(count: int, share: float, seed: int) -> None:
    held = int(split(count, share, seed).sum())
    assert torch.equal(split(count, share, seed), split(count, share, seed))
    assert held == (0 if share == 0 else min(count - 1, max(1, round(count * share))))
