"""The VQ tokenizer: a VQ-VAE over fields, trained in function space.

    field ──evaluate at probes──▶ encoder ──▶ bottleneck ──▶ tokens ──▶ decoder ──▶ rows ──written into──▶ plain MLP

The encoder sees what a field is worth and never its weights: neurons in another order, or another architecture with the
same values, give the same tokens. What is decoded is an ordinary field of `decoded_spec`, see `local_field`.

Tokens stand in raster order of the cells: layer by layer from the ground up, and the slots of a cell side by side.
"""

import warnings
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.configuration import Configuration, require
from nfgen.errors import ConfigError
from nfgen.field import evaluate_in_chunks
from nfgen.field_set import FieldSet
from nfgen.progress import progress
from nfgen.spec import FieldSpec
from nfgen.vocabulary import Vocabulary

from .augmentation import Warp
from .base import Tokenizer
from .bottleneck import Kind, create_bottleneck, usage
from .local_field import LocalField
from .vq_networks import Decoder, ProbeEncoder, node_positions
from .vq_refinement import refine
from .vq_training import Plan, VQNetworks, signal, train

SIDE_LIMIT = {2: 8, 3: 4}  # cells along an axis, at most; smaller ones hold too little to be worth a token
DEFAULT_PROBES = {2: 40, 3: 20}  # along an axis; 3-D: a spacing of 0.1, the truncation, so no thin part is missed
DEFAULT_NODES = {2: 16, 3: 8}  # along an axis
FIELDS_AT_ONCE = 16  # in encoding and decoding; larger batches are no faster and need more memory
COLLAPSED = 0.1  # share of codes in use below which a codebook has failed


@dataclass(frozen=True)
class VQConfig(Configuration):
    """Settings of `VQTokenizer`."""

    codes: int = 64
    """Tokens of a field. They are spread over cells: 64 are one for each of 4^3 (or 8^2) cells, 256 four for each."""
    bottleneck: Kind = "fsq"
    """`fsq` rounds numbers to levels; `vq`, `residual` and `lfq` as in the papers named in `bottleneck.py`."""
    levels: tuple[int, ...] = (8, 5, 5, 5)
    """FSQ levels of a token; their product is the number of codes (1,000: 9.97 bits a token)."""
    codebook: int = 1024
    """Entries of a codebook, for all but FSQ (LFQ: a power of two)."""
    probes: int | None = None
    """Probes along each axis; None = 20 in 3-D, 40 in 2-D. Rounded to a multiple of the cells."""
    nodes: int | None = None
    """Basis functions of the decoded field along each axis; None = 8 in 3-D, 16 in 2-D. Rounded likewise."""
    width: int = 32
    """Neurons of the last two hidden layers of the decoded field."""
    channels: int = 128
    """Width of encoder and decoder."""
    encoder_blocks: int = 1
    """Residual blocks of the encoder; each widens what a token sees by a cell."""
    decoder_blocks: int = 3
    """Residual blocks of the decoder."""
    steps: int = 8000
    """Training steps."""
    minutes: float = 30.0
    """Limit of the training: if it is too short for all steps, the learning rate falls in time nevertheless."""
    batch: int = 32
    """Warped fields a step."""
    points: int = 512
    """Points of each at which the loss is taken."""
    learning_rate: float = 2e-3
    """Peak learning rate of Muon; AdamW takes half of it."""
    augment: float = 1.0
    """Strength of the random warps of space; 0 = none."""
    mirror: bool | None = None
    """Whether shapes may be mirrored along the first axis, and mostly are symmetric; None = in 3-D only."""
    truncation: float = 0.1
    """Signed distances beyond this are as good as this."""
    refine: int = 0
    """Gradient steps on the latents when a field is encoded; 0 = the encoder's word is taken."""
    seed: int = 0
    """Of everything random."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("codes", "width", "channels", "encoder_blocks", "decoder_blocks", "steps", "batch", "points"):
            require(getattr(self, key) > 0, key, "must be positive", getattr(self, key))
        for key in ("probes", "nodes"):
            value = getattr(self, key)
            require(value is None or 0 < value <= 256, key, "must be 1 to 256", value)
        for key in ("minutes", "learning_rate", "truncation"):
            require(getattr(self, key) > 0, key, "must be positive", getattr(self, key))
        require(0 <= self.augment <= 1.5, "augment", "must be 0 to 1.5: beyond, space folds over", self.augment)
        require(self.refine >= 0, "refine", "must not be negative", self.refine)
        require(bool(self.levels) and min(self.levels) > 1, "levels", "must be numbers of at least 2", self.levels)
        power = self.codebook & (self.codebook - 1) == 0
        require(self.codebook > 1, "codebook", "must be at least 2", self.codebook)
        require(self.bottleneck != "lfq" or power, "codebook", "must be a power of two for lfq", self.codebook)


class VQTokenizer(Tokenizer):
    """Fields to a few tokens and back, judged by what the fields are worth in space.

    Attributes:
        codebook_usage: share of the codes that the training fields use.
        perplexity: of those codes.
    """

    name = "vq"
    Config = VQConfig

    codebook_usage: float
    perplexity: float

    def _fit(self, fields: FieldSet) -> None:
        # The layers draw their first weights from torch's own generator: keep the caller's as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            networks = self._build()
            generator = torch.Generator().manual_seed(self.config.seed)
            train(networks, fields, self._plan(), generator)
        self._networks = networks.requires_grad_(False)
        tokens = self.encode(fields.weights)
        slots = len(self._networks.bottleneck.ranges) or 1
        figures = [self._slot_usage(tokens[:, slot::slots], slot) for slot in range(slots)]
        self.codebook_usage, self.perplexity = (min(column) for column in zip(*figures, strict=True))
        if self.codebook_usage < COLLAPSED:
            warnings.warn(
                f"the codebook has collapsed: the fields use {self.codebook_usage:.1%} of what they could; "
                "use bottleneck fsq, a smaller codebook, or more steps",
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
        probes = side * max(1, round((config.probes or DEFAULT_PROBES[dims]) / side))
        per_cell = max(1, round((config.nodes or DEFAULT_NODES[dims]) / side))
        bottleneck = create_bottleneck(config.bottleneck, slots, config.levels, config.codebook)
        mirror, sizes = self._mirror, (side, dims, bottleneck.width, config.channels)
        nodes = node_positions(side, per_cell, dims)
        return VQNetworks(
            ProbeEncoder(*sizes, config.encoder_blocks, probes, mirror=mirror),
            bottleneck,
            Decoder(*sizes, config.decoder_blocks, per_cell**dims, config.width, mirror=mirror),
            LocalField(nodes, side * per_cell, config.width, self.spec.output, config.truncation),
        )

    @property
    def _mirror(self) -> bool:
        return self.spec.dims == 3 if self.config.mirror is None else bool(self.config.mirror)

    def _plan(self) -> Plan:
        shared = {key: getattr(self.config, key) for key in Plan.__dataclass_fields__ if key != "mirror"}
        return Plan(mirror=self._mirror, **shared)

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
        strength, mirror = self.config.augment, self._mirror
        warp = Warp.random(len(weights), self.spec.dims, generator, strength=strength, mirror=mirror)
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
        with torch.random.fork_rng(devices=[]):
            networks = self._build()
        state = {key.removeprefix("networks."): value for key, value in tensors.items() if key.startswith("networks.")}
        networks.load_state_dict(state)
        self._networks = networks.eval().requires_grad_(False)
        self.codebook_usage = tensors["figures.codebook_usage"].item()
        self.perplexity = tensors["figures.perplexity"].item()
