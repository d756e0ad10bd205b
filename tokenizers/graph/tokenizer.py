"""The graph tokenizer: `vq` with another encoder, which reads a field's weights as a graph and does not probe it.

    weights ──neurons are nodes, weights edges──▶ messages ──▶ bottleneck ──▶ tokens ──▶ decoder ──▶ plain MLP

Neurons in another order give the same tokens, so that fields that were fitted from any random start will do.
The box and its tokens, cells, bottleneck, decoder, decoded field and the loss in function space are those of `vq`: a
field is evaluated coarsely to find its box, and the encoder reads the box beside the weights.
"""

import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.vq.bounding_box import Box
from nfgen.tokenizers.vq.dataset import WarpedFields
from nfgen.tokenizers.vq.networks import Cells, Encoder
from nfgen.tokenizers.vq.probes import find_box, grid_sight
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.warps import Warp

from .config import GraphConfig
from .networks import GraphEncoder
from .weight_transforms import moved, movements


class GraphTokenizer(VQTokenizer):
    """Fields to a few tokens and back, read as graphs of neurons; only of the spec that it was fitted on."""

    name = "graph"
    Config = GraphConfig

    def _encoder(self, cells: Cells, latent: int, probes: int) -> Encoder:
        config = self.config
        sizes = (latent, config.channels, config.edge_channels, config.node_points, config.encoder_blocks, probes)
        return GraphEncoder(self.spec, cells, *sizes)

    def _pool(self, encoder: Encoder, fields: FieldSet, generator: torch.Generator) -> WarpedFields:
        if isinstance(encoder, GraphEncoder):
            encoder.learn_scale(fields.weights)
        return MovedFields(fields, encoder.probe_counts, self.config, generator)

    def _warps(self, count: int, generator: torch.Generator) -> Warp:
        config, dims = self.config, self.spec.dims
        return movements(count, dims, generator, strength=config.view_augment, mirror=config.mirrors(dims))

    def _observe(self, spec: FieldSpec, weights: Tensor, warp: Warp | None) -> tuple[Tensor, Box]:
        return moved(spec, weights, warp), find_box(spec, grid_sight(spec, weights, warp))

    def _check_function(self, weights: Tensor, spec: FieldSpec) -> None:
        self._check_weights(weights, spec)


class MovedFields(WarpedFields):
    """A pool of moved fields, of which the encoder reads weights."""

    def read(self, rows: Tensor) -> Tensor:
        return moved(self.fields.spec, self.fields.weights[self.index[rows]], self.warps[rows])

    def _random_warps(self, count: int) -> Warp:
        dims = self.fields.spec.dims
        return movements(count, dims, self.generator, strength=self.augment, mirror=self.config.mirrors(dims))
