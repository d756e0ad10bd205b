"""The VQ tokenizer: a VQ-VAE over fields, trained in function space.

    field ──evaluate at probes──▶ encoder ──▶ bottleneck ──▶ tokens ──▶ decoder ──▶ rows ──written into──▶ plain MLP

The encoder sees what a field is worth and never its weights: neurons in another order, or another architecture with the
same values, give the same tokens. What is decoded is an ordinary field of `decoded_spec`, see `local_field`.

Tokens stand in raster order of the cells: layer by layer from the ground up, and the slots of a cell side by side.
"""

import warnings

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.artifact import check_claims
from nfgen.configuration import require
from nfgen.errors import CollapsedCodebookWarning, ConfigError
from nfgen.field import evaluate_in_chunks
from nfgen.field_set import FieldSet
from nfgen.progress import progress
from nfgen.spec import FieldSpec
from nfgen.vocabulary import Vocabulary

from .augmentation import Warp
from .base import Tokenizer
from .bottleneck import create_bottleneck, usage
from .local_field import LocalField
from .vq_config import VQConfig
from .vq_networks import Decoder, ProbeEncoder, node_positions
from .vq_refinement import refine
from .vq_training import VQNetworks, signal, train

SIDE_LIMIT = {2: 8, 3: 4}  # cells along an axis, at most; smaller ones hold too little to be worth a token
SLOT_LIMIT = 16  # tokens of a cell: more mean that the number of tokens does not divide into cells
DEFAULT_PROBES = {2: 40, 3: 20}  # along an axis; 3-D: 0.1 apart, so that every point is within a truncation of one
DEFAULT_NODES = {2: 16, 3: 8}  # along an axis
FIELDS_AT_ONCE = 16  # in encoding and decoding; larger batches are no faster and need more memory
COLLAPSED = 0.1  # share of codes in use below which a codebook has failed


class VQTokenizer(Tokenizer):
    """Fields to a few tokens and back, judged by what the fields are worth in space.

    Attributes:
        codebook_usage: share of the codes that the training fields use.
        perplexity: of those codes.
    """

    name = "vq"
    Config = VQConfig
    FREE_ON_RESUME = ("steps", "minutes", "learning_rate", "save_every")

    codebook_usage: float
    perplexity: float

    def _fit(self, fields: FieldSet) -> None:
        # The layers draw their first weights from torch's own generator: keep the caller's as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            networks = self._build()
            generator = torch.Generator().manual_seed(self.config.seed)
            train(networks, fields, self.config, generator, self._scratch)
        self._networks = networks.requires_grad_(False)
        tokens = self.encode(fields.weights)
        slots = len(self._networks.bottleneck.ranges) or 1
        figures = [self._slot_usage(tokens[:, slot::slots], slot) for slot in range(slots)]
        self.codebook_usage, self.perplexity = (min(column) for column in zip(*figures, strict=True))
        if self.codebook_usage < COLLAPSED:
            warnings.warn(
                f"the codebook has collapsed: the fields use {self.codebook_usage:.1%} of what they could; "
                "use bottleneck fsq, a smaller codebook, or more steps",
                CollapsedCodebookWarning,
                stacklevel=3,
            )

    def _slot_usage(self, tokens: Tensor, slot: int) -> tuple[float, float]:
        bottleneck = self._networks.bottleneck
        low, high = bottleneck.ranges[slot] if bottleneck.ranges else (0, bottleneck.codes)
        share, perplexity = usage(tokens - low, high - low)
        # A handful of fields cannot use all codes: then all of their tokens could at best be different ones.
        return min(1.0, share * max(1.0, (high - low) / tokens.numel())), perplexity

    def _build(self) -> VQNetworks:
        config, dims = self.config, self.spec.dims
        side = next(side for side in range(SIDE_LIMIT[dims], 0, -1) if config.codes % side**dims == 0)
        slots = config.codes // side**dims
        whole = SIDE_LIMIT[dims] ** dims
        wanted = f"must be a multiple of {whole} (or of a smaller side's cells, at most {SLOT_LIMIT} each)"
        require(slots <= SLOT_LIMIT, "codes", wanted, config.codes)
        probes = side * max(1, round((config.probes or DEFAULT_PROBES[dims]) / side))
        per_cell = max(1, round((config.nodes or DEFAULT_NODES[dims]) / side))
        with torch.device(
            "cpu"
        ):  # it computes with values while it is built, also where the rest is on the meta device
            bottleneck = create_bottleneck(config.bottleneck, slots, config.levels, config.codebook)
        mirror, sizes = config.mirrors(dims), (side, dims, bottleneck.width, config.channels)
        nodes = node_positions(side, per_cell, dims)
        return VQNetworks(
            ProbeEncoder(*sizes, config.encoder_blocks, probes, mirror=mirror),
            bottleneck,
            Decoder(*sizes, config.decoder_blocks, per_cell**dims, config.width, mirror=mirror),
            LocalField(nodes, side * per_cell, config.width, self.spec.output, config.truncation),
        )

    @property
    def networks(self) -> VQNetworks:
        """The trained networks.

        Raises:
            ConfigError: if the tokenizer is not fitted.
        """
        if not hasattr(self, "_networks"):
            raise ConfigError("the vq tokenizer is not fitted", "call fit first")
        return self._networks

    @property
    def decoded_spec(self) -> FieldSpec:
        return self.networks.field.spec

    @property
    def vocabulary(self) -> Vocabulary:
        bottleneck = self.networks.bottleneck
        return Vocabulary(
            length=self.config.codes,
            codes=bottleneck.codes,
            ranges=bottleneck.ranges,
            levels=bottleneck.levels,
            classes=self.classes,
        )

    def encode(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None
    ) -> Int[Tensor, "fields tokens"]:
        """Tokens [N, codes] of fields of the fitted spec, or of any other of the same dims and kind of output.

        Raises:
            ConfigError: if the weights are not of the spec, not finite, or the spec is of other dims or output.
        """
        return self._encode(weights, spec, None)

    def encode_augmented(
        self, weights: Float[Tensor, "fields weights"], generator: torch.Generator, spec: FieldSpec | None = None
    ) -> Int[Tensor, "fields tokens"]:
        """Tokens of randomly warped fields, other ones at each call: fresh sequences to train a model on.

        Raises:
            ConfigError: as `encode`.
        """
        strength, dims = self.config.view_augment, self.spec.dims
        warp = Warp.random(len(weights), dims, generator, strength=strength, mirror=self.config.mirrors(dims))
        return self._encode(weights, spec, warp)

    def views(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None, count: int, seed: int
    ) -> Int[Tensor, "fields views tokens"]:
        """`count` warped token sequences of each field.

        Raises:
            ConfigError: as `encode`.
        """
        generator = torch.Generator().manual_seed(seed)
        return torch.stack([self.encode_augmented(weights, generator, spec) for _ in range(count)], dim=1)

    @torch.no_grad()
    def _encode(self, weights: Tensor, spec: FieldSpec | None, warp: Warp | None) -> Tensor:
        networks, spec = self.networks, spec or self.spec
        self._check_function(weights, spec)
        probes = networks.encoder.probe_points()
        tokens = torch.empty(len(weights), self.config.codes, dtype=torch.int64)
        with progress(len(weights), "encode", "fields") as bar:
            for start in range(0, len(weights), FIELDS_AT_ONCE):
                rows = slice(start, start + FIELDS_AT_ONCE)
                here = weights[rows]
                points = probes if warp is None else warp[rows](probes.expand(len(here), -1, -1))
                values = signal(spec.output, evaluate_in_chunks(spec, here, points), self.config.truncation)
                latents = networks.encoder(values)
                if self.config.refine:
                    latents = refine(networks, latents, spec, here, warp and warp[rows], self.config)
                tokens[rows] = networks.bottleneck(latents).indices.flatten(1)
                bar.update(len(here))
        return tokens

    def _check_function(self, weights: Tensor, spec: FieldSpec) -> None:
        if (spec.dims, spec.output) != (self.spec.dims, self.spec.output):
            raise ConfigError(
                f"the tokenizer takes {self.spec.dims}-D {self.spec.output} fields, not {spec.dims}-D {spec.output}",
                "fit one on fields of this kind",
            )
        if weights.ndim != 2 or weights.shape[1] != spec.size:
            raise ConfigError(
                f"weights of shape {tuple(weights.shape)} are not fields of {spec.size} weights",
                "give the spec of the fields, too",
            )
        if not torch.isfinite(weights).all():
            raise ConfigError("there are weights that are not finite", "fit those fields again")

    @torch.no_grad()
    def decode(self, tokens: Int[Tensor, "fields tokens"]) -> Float[Tensor, "fields weights"]:
        """Weights [N, P] of `decoded_spec`.

        Raises:
            ConfigError: if a token is not one of the codes that may stand at its place.
        """
        networks = self.networks
        self._check_tokens(tokens)
        bottleneck = networks.bottleneck
        cells = rearrange(tokens, "n (c s) -> n c s", c=len(networks.encoder.place))
        for slot, (low, high) in enumerate(bottleneck.ranges):
            if not ((cells[..., slot] >= low) & (cells[..., slot] < high)).all():
                raise ConfigError(
                    f"slot {slot} of a cell takes tokens of {low} … {high - 1} only",
                    "mask tokens by the vocabulary's `allowed`",
                )
        weights = torch.empty(len(tokens), self.decoded_spec.size)
        for start in range(0, len(tokens), FIELDS_AT_ONCE):
            rows = slice(start, start + FIELDS_AT_ONCE)
            weights[rows] = networks.field.weights(networks.decoder(bottleneck.lookup(cells[rows])))
        return weights

    def tensors(self) -> dict[str, Tensor]:
        figures = {"codebook_usage": self.codebook_usage, "perplexity": self.perplexity}
        own = {f"figures.{key}": torch.tensor(value, dtype=torch.float64) for key, value in figures.items()}
        # Tensors that share memory cannot be stored, hence the clones.
        return own | {f"networks.{key}": value.clone() for key, value in self.networks.state_dict().items()}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        state = {key.removeprefix("networks."): value for key, value in tensors.items() if key.startswith("networks.")}
        check_claims(self._build, state)
        with torch.random.fork_rng(devices=[]):
            networks = self._build()
        networks.load_state_dict(state)
        self._networks = networks.eval().requires_grad_(False)
        self.codebook_usage = tensors["figures.codebook_usage"].item()
        self.perplexity = tensors["figures.perplexity"].item()
