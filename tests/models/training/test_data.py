"""Batches: each training row once an epoch, and augmented tokens with their labels."""

import torch

from nfgen.models.training.data import Batches

from .small_trainings import CODES, held, labelled


def test_an_epoch_sees_each_training_row_once() -> None:
    tokens = torch.arange(10)[:, None].expand(10, 12)
    batches = Batches(CODES, tokens, labelled(10), held(10, 3), size=3, seed=0)
    epochs = [torch.cat([batches.at(step)[0][:, 0] for step in range(3 * e, 3 * e + 3)]).tolist() for e in (0, 1)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(7))] * 2
    assert epochs[0] != epochs[1]
    assert batches.heldout_tokens[:, 0].tolist() == [7, 8, 9]


def test_augmented_tokens_keep_their_labels() -> None:
    tokens = torch.arange(8)[:, None].expand(8, 12)
    batches = Batches(CODES, tokens, labelled(8), held(8, 0), 4, 0, lambda epoch: (tokens + 4 * epoch) % 20)
    for step in range(6):
        some, labels = batches.at(step)
        assert torch.equal(some[:, 0] % 4, labels)
