"""The graph encoder: neurons of a field are nodes, its weights are edges.

After Kofinas et al. 2024, Graph Neural Networks for Learning Equivariant Representations of Neural Networks,
https://arxiv.org/abs/2403.12143. Messages pass along all edges in both directions and are summed, so the network is
equivariant to permutations of hidden neurons. Inputs and the output have embeddings of their own, as they have no such
symmetry. Tokens attend to all nodes and so do not depend on the order. Layers are fully connected, hence messages are
dense products.

Dimension names: `fields`, `nodes` (of a layer), `channels`, `edges` (channels of an edge), `outputs` and `inputs` of a
layer, `cells`.
"""

import itertools
import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nfgen.fields.mlp import ACTIVATIONS, flatten, fourier_features, unflatten
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.vq.networks import Block, Cells, Encoder

from .config import HEADS

NUMBER = 32  # hidden channels of the embedding of a bias or a weight: nonlinear, to separate close values
POOLINGS = 2  # cross-attention layers from cells to nodes
SMALLEST_SPREAD = 1e-6  # lower bound for tensors that are equal in all fields

Nodes = list[Float[Tensor, "fields nodes channels"]]
"""Inputs, then each hidden layer, then the output."""
Edges = list[Float[Tensor, "fields edges outputs inputs"]]
"""One tensor per layer of weights."""


class GraphBlock(nn.Module):
    """Updates edges from their two nodes, then nodes from messages along their edges, then nodes by an MLP."""

    def __init__(self, channels: int, edges: int) -> None:
        super().__init__()
        self.edges = edges
        self.end_norm, self.mlp_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        # Per node: query as the end of an edge, key as its start, message to the next and to the previous layer.
        self.ends = nn.Linear(channels, 4 * channels)
        self.mix = nn.Conv2d(edges, edges, 1)
        self.gather = nn.Linear(2 * channels, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, nodes: Nodes, edges: Edges) -> tuple[Nodes, Edges]:
        ends = [
            rearrange(self.ends(self.end_norm(layer)), "n v (r k d) -> r n k v d", r=4, k=self.edges) for layer in nodes
        ]
        pairs = list(itertools.pairwise(ends))
        edges = [
            weight + self.mix(functional.gelu(weight + end[0] @ start[1].mT / math.sqrt(end.shape[-1])))
            for weight, (start, end) in zip(edges, pairs, strict=True)
        ]
        zero_messages = torch.zeros_like(ends[0][0]), torch.zeros_like(ends[-1][0])
        followed = [
            weight @ start[2] / math.sqrt(weight.shape[3]) for weight, (start, _) in zip(edges, pairs, strict=True)
        ]
        preceded = [
            weight.mT @ end[3] / math.sqrt(weight.shape[2]) for weight, (_, end) in zip(edges, pairs, strict=True)
        ]
        messages = zip(nodes, [zero_messages[0], *followed], [*preceded, zero_messages[1]], strict=True)
        return [self._updated(node, torch.cat([front, back], dim=-1)) for node, front, back in messages], edges

    def _updated(self, nodes: Tensor, messages: Float[Tensor, "fields edges nodes both"]) -> Tensor:
        nodes = nodes + self.gather(rearrange(messages, "n k v d -> n v (k d)"))
        added: Tensor = self.mlp(self.mlp_norm(nodes))
        return nodes + added


class Pooling(nn.Module):
    """Cross-attention from cells to all nodes, then an MLP."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_norm, self.key_value_norm, self.mlp_norm = (nn.LayerNorm(channels) for _ in range(3))
        self.query, self.key_value = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.out_proj = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(
        self, cells: Float[Tensor, "fields cells channels"], nodes: Float[Tensor, "fields nodes channels"]
    ) -> Float[Tensor, "fields cells channels"]:
        queries = rearrange(self.query(self.query_norm(cells)), "n q (h d) -> n h q d", h=HEADS)
        keys, values = rearrange(self.key_value(self.key_value_norm(nodes)), "n v (r h d) -> r n h v d", r=2, h=HEADS)
        attended = functional.scaled_dot_product_attention(queries, keys, values)
        cells = cells + self.out_proj(rearrange(attended, "n h q d -> n q (h d)"))
        added: Tensor = self.mlp(self.mlp_norm(cells))
        return cells + added


def pre_activations(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], points: Float[Tensor, "points dims"]
) -> list[Float[Tensor, "fields nodes points"]]:
    """Pre-activations of all neurons, layer by layer, at points."""
    values = fourier_features(spec, points).T
    found: list[Tensor] = []
    # Without autocast: a signed distance is a small difference of large sums.
    with torch.autocast(weights.device.type, enabled=False):
        for matrix, bias in unflatten(spec, weights):
            product = matrix @ (ACTIVATIONS[spec.activations[len(found) - 1]](values) if found else values)
            values = product if bias is None else product + bias[..., None]
            found.append(values)
    return found


class GraphEncoder(Encoder):
    """Maps flat weights of fields and their boxes to one latent per cell, invariant to the order of hidden neurons.

    The features of a node are its bias, its layer and, if `points` > 0, the neuron's pre-activations at that many
    points (the paper's probe features). The features of a cell are its position in the box, and the box.
    """

    def __init__(
        self,
        spec: FieldSpec,
        cells: Cells,
        latent: int,
        channels: int,
        edges: int,
        points: int,
        blocks: int,
        per_cell: int,
    ) -> None:
        super().__init__(cells, per_cell)
        self.spec = spec
        self.inputs = nn.Parameter(torch.randn(spec.features, channels) * 0.5)
        self.layers = nn.Parameter(torch.randn(len(spec.layers), channels) * 0.5)
        self.bias = nn.Sequential(nn.Linear(1, NUMBER), nn.GELU())
        self.in_proj = nn.Linear(NUMBER, channels)
        self.weight = nn.ModuleList(
            nn.Sequential(nn.Linear(1, NUMBER), nn.GELU(), nn.Linear(NUMBER, edges)) for _ in spec.layers
        )
        self.pre_activation = nn.Linear(points, channels) if points else None
        self.blocks: nn.ModuleList = nn.ModuleList(GraphBlock(channels, edges) for _ in range(blocks))
        self.box_proj = nn.Linear(2 * spec.dims, channels)
        self.position_embedding = nn.Parameter(torch.randn(cells.number, channels) * 0.02)
        self.poolings = nn.ModuleList(Pooling(channels) for _ in range(POOLINGS))
        self.neighbours = Block(cells, channels)
        self.norm, self.out_proj = nn.LayerNorm(channels), nn.Linear(channels, latent)
        self.register_buffer("offset", torch.zeros(spec.size))
        self.register_buffer("scale", torch.ones(spec.size))
        self.register_buffer("points", torch.rand(points, spec.dims) * 2 - 1)
        self.register_buffer("spread", torch.ones(len(spec.layers)))
        self.offset: Tensor
        self.scale: Tensor
        self.points: Tensor
        self.spread: Tensor

    def learn_scale(self, weights: Float[Tensor, "fields weights"]) -> None:
        """Set mean and standard deviation of each tensor from fields; in the first tensor, of each input column.

        All neurons of a hidden layer share them, which keeps the equivariance.
        """
        means, deviations = [], []
        for index, (matrix, bias) in enumerate(unflatten(self.spec, weights)):
            axes = (0, 1) if index == 0 else (0, 1, 2)
            mean, deviation = matrix.mean(axes, keepdim=True), matrix.std(axes, correction=0, keepdim=True)
            shape = matrix[:1].shape
            flat = (
                None if bias is None else (bias.mean().expand(1, shape[1]), bias.std(correction=0).expand(1, shape[1]))
            )
            means.append((mean.expand(shape), None if flat is None else flat[0]))
            deviations.append((deviation.expand(shape), None if flat is None else flat[1]))
        self.offset.copy_(flatten(means)[0])
        self.scale.copy_(flatten(deviations)[0].clamp(min=SMALLEST_SPREAD))
        if self.pre_activation is not None:
            spread = [values.square().mean().sqrt() for values in pre_activations(self.spec, weights, self.points)]
            self.spread.copy_(torch.stack(spread).clamp(min=SMALLEST_SPREAD))

    def graph(self, weights: Float[Tensor, "fields weights"]) -> tuple[Nodes, Edges]:
        """Node and edge features before the first block."""
        layers = unflatten(self.spec, (weights - self.offset) / self.scale)
        values = pre_activations(self.spec, weights, self.points) if self.pre_activation is not None else []
        nodes: Nodes = [self.inputs.expand(len(weights), -1, -1)]
        edges: Edges = []
        for index, ((matrix, bias), embed, layer) in enumerate(zip(layers, self.weight, self.layers, strict=True)):
            number = matrix.new_zeros(matrix.shape[:2]) if bias is None else bias
            nodes.append(self.in_proj(self.bias(number[..., None])) + layer)
            if self.pre_activation is not None:
                # Bounded by tanh, as distances grow without bound away from the surface.
                nodes[-1] = nodes[-1] + self.pre_activation(torch.tanh(values[index] / self.spread[index]))
            edges.append(rearrange(embed(matrix[..., None]), "n o i k -> n k o i"))
        return nodes, edges

    def nodes(self, weights: Float[Tensor, "fields weights"]) -> list[Nodes]:
        """Node features before the first block and after each one."""
        nodes, edges = self.graph(weights)
        history = [nodes]
        for block in self.blocks:
            nodes, edges = block(nodes, edges)
            history.append(nodes)
        return history

    def forward(
        self, weights: Float[Tensor, "fields weights"], box: Float[Tensor, "fields numbers"]
    ) -> Float[Tensor, "fields cells latent"]:
        """Latents of flat weights and boxes."""
        nodes = torch.cat(self.nodes(weights)[-1], dim=1)
        cells = self.box_proj(box)[:, None] + self.position_embedding
        for pooling in self.poolings:
            cells = pooling(cells, nodes)
        latents: Tensor = self.out_proj(self.norm(self.neighbours(cells)))
        return latents
