"""The graph tokenizer: `vq` with an encoder that takes the weights as a graph instead of probing the field.

    weights ──neurons are nodes, weights edges──▶ messages ──▶ quantizer ──▶ tokens ──▶ decoder ──▶ plain MLP

Tokens are invariant to the order of hidden neurons, so fields may be fitted from any random initialisation. The box and
its tokens, cells, quantizer, decoder, decoded field and the loss in function space are those of `vq`: a field is
evaluated on a coarse grid to find its box, and the encoder takes the box beside the weights.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io.tensor_names import rename
from nfgen.runtime.device import upload
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokenizers.vq.bounding_box import Box
from nfgen.tokenizers.vq.dataset import WarpedFields
from nfgen.tokenizers.vq.networks import Cells, Encoder
from nfgen.tokenizers.vq.probes import find_box, make_grid_query
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.warps import Warp

from .config import GraphConfig
from .networks import GraphEncoder
from .stored_names import RENAMED
from .weight_transforms import sample_transforms, transform_weights


class GraphTokenizer(VQTokenizer):
    """Fields as graphs of neurons to tokens and back; only fields of the spec that it was fitted on."""

    name = "graph"
    Config = GraphConfig
    synthetic = Tokenizer.synthetic  # what is made up has no weights

    def _encoder(self, cells: Cells, latent: int, probes: int) -> Encoder:
        config = self.config
        sizes = (latent, config.channels, config.edge_channels, config.node_points, config.encoder_blocks, probes)
        return GraphEncoder(self.spec, cells, *sizes)

    def _pool(self, encoder: Encoder, fields: FieldSet, generator: torch.Generator) -> WarpedFields:
        if isinstance(encoder, GraphEncoder):
            encoder.learn_scale(fields.weights.to(self.device))
        return TransformedFields(fields, encoder.probe_counts, self.config, generator, self.device)

    def _warps(self, count: int, generator: torch.Generator) -> Warp:
        config, dims = self.config, self.spec.dims
        return sample_transforms(count, dims, generator, strength=config.view_augment, mirror=config.mirrors(dims))

    def _placed(self, spec: FieldSpec, weights: Tensor, warps: Sequence[Warp]) -> Sequence[Warp]:
        return warps  # weights of a scaled field are not known

    def _observe(self, spec: FieldSpec, weights: Tensor, warp: Warp | None) -> tuple[Tensor, Box]:
        return transform_weights(spec, weights, warp), find_box(spec, make_grid_query(spec, weights, warp))

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        super()._restore(rename(tensors, RENAMED))

    def _check_function(self, weights: Tensor, spec: FieldSpec) -> None:
        self._check_weights(weights, spec)


class TransformedFields(WarpedFields):
    """A pool of transformed fields, whose weights are the encoder's input."""

    def inputs(self, rows: Tensor) -> Tensor:
        weights = self.shapes.weights[upload(self.index[rows], self.device)]
        return transform_weights(self.spec, weights, self.warps[upload(rows, self.device)])

    def _random_warps(self, count: int) -> Warp:
        dims, mirror = self.spec.dims, self.config.mirrors(self.spec.dims)
        warps = sample_transforms(count, dims, self.generator, strength=self.augment, mirror=mirror)
        return warps.to(self.device)
