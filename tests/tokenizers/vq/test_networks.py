"""Networks of the VQ tokenizer: the number of cells, and shapes that are their own mirror image."""

import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.tokenizers.vq.networks import Block, Cells, ProbeEncoder, centres
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from .fitted_fields import QUICK, uniform


def test_cells_are_as_many_as_there_are_tokens_for_and_nearly_cubes(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    cells = tokenizer.networks.encoder.cells
    assert cells.mirror
    assert cells.number + 3 == tokenizer.vocabulary.length == QUICK["max_tokens"]
    assert max(cells.across(1)) <= 4  # the boxes are about cubes
    given = VQTokenizer(**{**QUICK, "cells": (1, 1, 3), "steps": 1}).fit(fields)
    assert given.networks.encoder.cells.counts == (1, 1, 3)
    with pytest.raises(ConfigError, match="max_tokens must leave a token for a cell"):
        VQTokenizer(**{**QUICK, "max_tokens": 3}).fit(fields)
    with pytest.raises(ConfigError, match="cells must be one number for each of 3 axes"):
        VQTokenizer(**{**QUICK, "cells": (2, 2)}).fit(fields)


def test_networks_treat_both_halves_alike() -> None:
    """The mirror image of a symmetric shape is itself, and patches of the far half are read as in a mirror."""
    cells = Cells((2, 2, 2), mirror=True)
    encoder = ProbeEncoder(cells, 3, 16, 1, 2)
    points = centres(encoder.probe_counts, torch.device("cpu"))
    values = torch.tanh(points[:, 0] ** 2 + 0.3 * points[:, 1] - 0.5 * points[:, 2])
    near, far = encoder.patches(values[None]).unflatten(-1, (-1, 2)).unbind(-1)
    torch.testing.assert_close(near, far)
    nodes = cells.nodes(2).unflatten(0, (8, 2, 8))
    assert torch.equal(nodes[:, 0, :, 0] + nodes[:, 1, :, 0], torch.full((8, 8), 7))
    assert torch.equal(nodes[:, 0, :, 1:], nodes[:, 1, :, 1:])


def test_beyond_the_middle_a_mirrored_cell_meets_itself() -> None:
    near, counts = Cells((2, 3, 2), mirror=True), (4, 3, 2)
    told = uniform(5, 12, 3, seed=1)  # of x, the fastest, only the half that is told
    whole = told.unflatten(1, (2, 3, 2))
    whole = torch.cat([whole.flip(3), whole], dim=3).flatten(1, 3)
    torch.manual_seed(0)
    mirrored = Block(near, 8)
    both = Block(Cells(counts, mirror=False), 8)
    heard = mirrored.neighbourhood(told).unflatten(1, (2, 3, 2))
    wanted = both.neighbourhood(whole).unflatten(1, (2, 3, 4))[:, :, :, 2:]
    assert torch.equal(heard, wanted)
