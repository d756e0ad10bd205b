"""Values of probes are positive outside, whatever the output of a field is."""

import torch

from nfgen.tokenizers.vq.probes import truncated_value


def test_signals_are_positive_outside_whatever_the_output() -> None:
    distances = torch.tensor([-0.2, 0.0, 0.05, 9.0])
    torch.testing.assert_close(truncated_value("sdf", distances, 0.1), torch.tanh(distances / 0.1))
    logits = torch.tensor([-3.0, 0.0, 2.0])
    torch.testing.assert_close(truncated_value("occupancy", logits, 0.1), 1 - 2 * torch.sigmoid(logits))
