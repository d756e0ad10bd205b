"""What stored networks compute: a sine in place of trained weights, and what came out when this was written.

A change of these figures gives every tokenizer and model that somebody has stored another meaning. Whoever means to
make one says so in the changelog, and refuses what was stored before.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nfgen.fields.spec import FieldSpec
from nfgen.models.gpt import GPT
from nfgen.tokenizers.graph.networks import GraphEncoder
from nfgen.tokenizers.vq.networks import Cells, Decoder, ProbeEncoder
from nfgen.tokenizers.vq.quantizers import create_quantizer
from nfgen.tokens.vocabulary import Vocabulary

CELLS = Cells((2, 2, 3), mirror=True)
SPEC = FieldSpec(frequencies=1, hidden=(6, 5))
VOCABULARY = Vocabulary(length=6, codes=20, levels=(5, 4), classes=("a", "b"))


def wave(*shape: int, start: float = 0.0) -> Tensor:
    return torch.sin(start + 1.7 * torch.arange(torch.Size(shape).numel(), dtype=torch.float32)).view(shape)


def filled(module: nn.Module) -> nn.Module:
    """The module with all its numbers made by a sine: matrices as large as keeps signals alive, scales about 1."""
    with torch.no_grad():
        for number, (name, tensor) in enumerate(module.state_dict().items()):
            if tensor.is_floating_point():
                own = wave(*tensor.shape, start=number)
                about_one = (tensor.dim() == 1 and name.endswith(("weight", "spread"))) or name.endswith("scale")
                tensor.copy_(1 + 0.3 * own if about_one else own * 2 / max(1, tensor.shape[-1]) ** 0.5)
    return module.eval()


def probing() -> Tensor:
    encoder = filled(ProbeEncoder(CELLS, 4, 16, 2, 3))
    return encoder(wave(2, 6 * 6 * 9 * 2), wave(2, 6, start=1))


def decoding() -> Tensor:
    return filled(Decoder(CELLS, 4, 16, 2, 2, 5))(wave(2, 12, 4), wave(2, 6, start=1))


def reading_a_graph() -> Tensor:
    return filled(GraphEncoder(SPEC, CELLS, 4, 16, 4, 5, 2, per_cell=3))(wave(2, SPEC.size), wave(2, 6, start=1))


def looking_up() -> Tensor:
    fsq = create_quantizer("fsq", 2, (5, 4), 16)
    found = fsq(wave(2, 3, fsq.width))
    return torch.cat([fsq.vectors().flatten(), found.latents.flatten(), found.indices.flatten()])


def predicting() -> Tensor:
    model = filled(GPT(VOCABULARY, GPT.Config(layers=2, width=16, heads=2)))
    tokens = (torch.arange(12) * 7 % 20).view(2, 6)
    return model.token_losses(tokens, torch.tensor([1, -1]))


@pytest.mark.parametrize(
    ("compute", "wanted"),
    [
        (probing, [0.8974, 2.1148, 0.7437, 1.9735, 1.8414, 2.4223, 2.4656, 2.3223]),
        (decoding, [-1.5107, -1.3307, -1.9536, -1.5163, -1.3352, -1.1054, -1.7248, -1.415]),
        (reading_a_graph, [1.7425, 1.7179, 1.8247, 1.827, 1.834, 1.823, 1.9277, 1.9347]),
        (looking_up, [-1.0, -1.0, 1.0, 0.0, 0.5, 0.5, -1.0, 0.5]),
        (predicting, [3.7608, 10.7334, 6.1702, 3.4558, 3.2988, 1.6395, 12.1943, 6.4088]),
    ],
)
def test_networks_compute_what_they_computed_when_they_were_stored(
    compute: Callable[[], Tensor], wanted: list[float]
) -> None:
    found = compute().flatten()
    torch.testing.assert_close(found[:: max(1, len(found) // 8)][:8], torch.tensor(wanted), atol=2e-4, rtol=2e-4)
