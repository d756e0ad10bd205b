"""The graph tokenizer: `vq` with an encoder that takes the weights as a graph instead of probing the field.

    weights ──neurons are nodes, weights edges──▶ messages ──▶ quantizer ──▶ tokens ──▶ decoder ──▶ plain MLP

Tokens are invariant to the order of hidden neurons, so fields may be fitted from any random initialisation. The box and
its tokens, cells, quantizer, decoder, decoded field and the loss in function space are those of `vq`: a field is
evaluated on a coarse grid to find its box, and the encoder takes the box beside the weights.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nfgen.config import require
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.vq.bounding_box import Box
from nfgen.tokenizers.vq.config import VQConfig
from nfgen.tokenizers.vq.dataset import WarpedFields
from nfgen.tokenizers.vq.networks import Cells, Encoder
from nfgen.tokenizers.vq.probes import find_box, grid_sight
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.warps import Warp

from .networks import HEADS, GraphEncoder
from .stored_names import with_current_names
from .weight_transforms import sample_transforms, transform_weights


@dataclass(frozen=True)
class GraphConfig(VQConfig):
    """Settings of `GraphTokenizer`: those of `VQTokenizer`. `probes` is only used to find the surface in training, and
    the strengths of warps are those of shifts, as weights follow no other warp exactly."""

    encoder_blocks: int = 3
    """Rounds of message passing; below half the number of layers, some neurons exchange no information."""
    learning_rate: float = 1e-3
    """Half of the probe encoder's; at higher rates messages carry no information."""
    edge_channels: int = 8
    """Channels of an edge; must divide `channels`."""
    node_points: int = 64
    """Points at which a neuron's pre-activation is a node feature; 0 = only weights are features."""
    cut: float = 0.0
    """Must be 0: the weights of two fields cannot be merged into those of one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.cut == 0, "cut", "must be 0: the weights of two fields cannot be merged", self.cut)
        require(0 <= self.node_points <= 4096, "node_points", "must be 0 to 4096", self.node_points)
        for divisor, name in ((self.edge_channels, "edge_channels"), (HEADS, "heads")):
            require(divisor > 0, name, "must be positive", divisor)
            require(
                self.channels % divisor == 0, "channels", f"must be a multiple of the {divisor} {name}", self.channels
            )


class GraphTokenizer(VQTokenizer):
    """Fields as graphs of neurons to tokens and back; only fields of the spec that it was fitted on."""

    name = "graph"
    Config = GraphConfig

    def _encoder(self, cells: Cells, latent: int, probes: int) -> Encoder:
        config = self.config
        sizes = (latent, config.channels, config.edge_channels, config.node_points, config.encoder_blocks, probes)
        return GraphEncoder(self.spec, cells, *sizes)

    def _pool(self, encoder: Encoder, fields: FieldSet, generator: torch.Generator) -> WarpedFields:
        if isinstance(encoder, GraphEncoder):
            encoder.learn_scale(fields.weights)
        return TransformedFields(fields, encoder.probe_counts, self.config, generator)

    def _warps(self, count: int, generator: torch.Generator) -> Warp:
        config, dims = self.config, self.spec.dims
        return sample_transforms(count, dims, generator, strength=config.view_augment, mirror=config.mirrors(dims))

    def _observe(self, spec: FieldSpec, weights: Tensor, warp: Warp | None) -> tuple[Tensor, Box]:
        return transform_weights(spec, weights, warp), find_box(spec, grid_sight(spec, weights, warp))

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        super()._restore(with_current_names(tensors))

    def _check_function(self, weights: Tensor, spec: FieldSpec) -> None:
        self._check_weights(weights, spec)


class TransformedFields(WarpedFields):
    """A pool of transformed fields, whose weights are the encoder's input."""

    def read(self, rows: Tensor) -> Tensor:
        return transform_weights(self.fields.spec, self.fields.weights[self.index[rows]], self.warps[rows])

    def _random_warps(self, count: int) -> Warp:
        dims = self.fields.spec.dims
        return sample_transforms(count, dims, self.generator, strength=self.augment, mirror=self.config.mirrors(dims))
