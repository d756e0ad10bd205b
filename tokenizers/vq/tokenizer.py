"""The VQ tokenizer: a VQ-VAE over fields, trained in function space.

    field ──find its box, evaluate at probes──▶ encoder ──▶ quantizer ──▶ tokens ──▶ decoder ──▶ rows ──▶ plain MLP

The encoder depends on the values of a field and not on its weights: permuted neurons, or another architecture with the
same values, give the same tokens. The decoded field is an ordinary field of `decoded_spec`, see `grid_field`.

The first tokens are the bounding box, one an axis (`bounding_box.py`). Then come the cells of the box in raster order,
layer by layer from the ground up, and the slots of a cell side by side.

Fields are encoded and decoded one at a time: rounding of matrix products depends on the batch size, and so a sample
would depend on how many are made with it. One field keeps the processor as busy as sixteen do, and needs less memory;
each of torch's threads encodes its own fields. An accelerator takes fixed batches.
"""

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.config import NONE, require
from nfgen.errors import CollapsedCodebookWarning, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import batches
from nfgen.fields.spec import FieldSpec
from nfgen.io.state_dict import check_state_dict
from nfgen.io.tensor_names import rename
from nfgen.runtime.device import CPU, is_cpu
from nfgen.runtime.progress import progress
from nfgen.runtime.threads import in_threads
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokenizers.registry import load_tokenizer
from nfgen.tokens.synthetic import Synthetic
from nfgen.tokens.vocabulary import Vocabulary

from .base import settled
from .bounding_box import INTERVALS, Box
from .config import PretrainedConfig, VQConfig
from .dataset import WarpedFields
from .grid_field import GridField
from .latent_optimization import refine
from .networks import Cells, Decoder, Encoder, ProbeEncoder
from .probes import find_box, find_interval, make_grid_query, probe
from .quantizers import create_quantizer, usage
from .stored_names import RENAMED
from .synthetic import MadeUp
from .training import VQNetworks, train
from .warps import Warp

PROBES = {2: 1600, 3: 7000}  # approximately, as each cell has the same whole number along each axis
MEASURED = 64  # fields whose mean box decides the shape of cells
FEW = 64  # most cells along all axes but the last
FIELDS_A_TASK = 8  # of a thread
ACCELERATOR_FIELDS = 256  # of one pass on an accelerator, where a field alone leaves it idle
COLLAPSED = 0.1  # share of codes in use below which a codebook has failed


class VQTokenizer(Tokenizer):
    """Fields to a few tokens and back, trained on the values of fields in space.

    Attributes:
        codebook_usage: share of the codes that the training fields use.
        perplexity: e to the entropy of the training tokens.
    """

    name = "vq"
    Config = VQConfig
    FREE_ON_RESUME = ("steps", "minutes", "learning_rate", "save_every")

    codebook_usage: float
    perplexity: float
    _counts: tuple[int, ...]

    def settle(self, spec: FieldSpec) -> None:
        self.config = settled(self.config, spec)

    def _fit(self, fields: FieldSet) -> None:
        base = None if self.config.base == NONE else load_tokenizer(self.config.base)
        # Layers are initialised from torch's global generator; the caller's state is restored.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            given, dims = self.config.cells, self.spec.dims
            require(given is None or len(given) == dims, "cells", f"must be one number for each of {dims} axes", given)
            known = not self.config.solids or (dims == 3 and self.spec.output == "sdf")
            require(known, "solids", "must be 0 but for signed distances in 3-D", self.config.solids)
            self._counts = base._counts if isinstance(base, VQTokenizer) else given or self._cell_counts(fields)
            networks = self._build().to(self.device)
            if isinstance(base, VQTokenizer):
                networks.load_state_dict(base.networks.state_dict())
            if self.config.steps and self.config.minutes != 0:
                generator = torch.Generator().manual_seed(self.config.seed)
                pool = self._pool(networks.encoder, fields, generator)
                train(networks, pool, self.config, self.name, self._scratch)
        self._networks = networks.eval().requires_grad_(False)
        tokens = self.encode(fields.weights)[:, self.spec.dims :]
        figures = [self._slot_usage(tokens[:, slot :: self.config.slots], slot) for slot in range(self.config.slots)]
        self.codebook_usage, self.perplexity = (min(column) for column in zip(*figures, strict=True))
        if self.codebook_usage < COLLAPSED:
            warnings.warn(
                f"the codebook has collapsed: the fields use {self.codebook_usage:.1%} of its codes; "
                "use quantizer fsq, a smaller codebook, or more steps",
                CollapsedCodebookWarning,
                stacklevel=3,
            )

    def _slot_usage(self, tokens: Tensor, slot: int) -> tuple[float, float]:
        quantizer = self._networks.quantizer
        low, high = quantizer.ranges[slot] if quantizer.ranges else (0, quantizer.codes)
        share, perplexity = usage(tokens - low, high - low)
        # Few fields have fewer tokens than there are codes: the share is then that of their tokens.
        return min(1.0, share * max(1.0, (high - low) / tokens.numel())), perplexity

    def _cell_counts(self, fields: FieldSet) -> tuple[int, ...]:
        """As many cells as `max_tokens` allows, nearly cubes in the boxes of these fields."""
        config, dims = self.config, self.spec.dims
        most = (config.max_tokens - dims) // config.slots
        wanted = f"must leave a token for a cell beside {dims} for the box"
        require(most > 0, "max_tokens", wanted, config.max_tokens)
        sides = find_box(self.spec, make_grid_query(self.spec, fields.weights[:MEASURED])).half.mean(0).log()
        if config.mirrors(dims):
            sides[0] -= math.log(2)

        def merit(counts: tuple[int, ...]) -> float:
            logs = sides - torch.tensor(counts).log()
            return float(math.log(math.prod(counts)) - logs.var(correction=0))

        every = itertools.product(range(1, min(most, FEW) + 1), repeat=dims - 1)
        options = [(*some, most // math.prod(some)) for some in every if math.prod(some) <= most]
        return max(options, key=merit)

    def _build(self) -> VQNetworks:
        config, dims = self.config, self.spec.dims
        cells = Cells(self._counts, config.mirrors(dims))
        number = cells.number * cells.sides
        probes = config.probes or max(1, round((PROBES[dims] / number) ** (1 / dims)))
        # Always on a real device, also within `check_state_dict`: its constructor computes with values.
        with CPU:
            quantizer = create_quantizer(config.quantizer, config.slots, config.levels, config.codebook)
        sizes = (cells, quantizer.width, config.channels)
        return VQNetworks(
            self._encoder(cells, quantizer.width, probes),
            quantizer,
            Decoder(*sizes, config.decoder_blocks, config.nodes**dims, config.width),
            GridField(cells, config.nodes, config.width, self.spec.output, config.truncation, config.basis),
        )

    # A tokenizer with another encoder overrides the next five methods only.

    def _encoder(self, cells: Cells, latent: int, probes: int) -> Encoder:
        return ProbeEncoder(cells, latent, self.config.channels, self.config.encoder_blocks, probes)

    def _pool(self, encoder: Encoder, fields: FieldSet, generator: torch.Generator) -> WarpedFields:
        """The training data."""
        return WarpedFields(fields, encoder.probe_counts, self.config, generator, self.device)

    def _warps(self, count: int, generator: torch.Generator) -> Warp:
        """Random warps for `views`."""
        strength, dims = self.config.view_augment, self.spec.dims
        return Warp.random(count, dims, generator, strength=strength, mirror=self.config.mirrors(dims))

    def _placed(self, spec: FieldSpec, weights: Tensor, warps: Sequence[Warp]) -> Sequence[Warp]:
        """Warps of the same fields with their last step, which the shapes decide."""
        before = find_interval(spec, make_grid_query(spec, weights))
        return [warp.keeping_place(before, find_interval(spec, make_grid_query(spec, weights, warp))) for warp in warps]

    def _observe(self, spec: FieldSpec, weights: Tensor, warp: Warp | None) -> tuple[Tensor, Box]:
        """The encoder's input of fields, and their boxes."""
        return probe(
            spec, make_grid_query(spec, weights, warp), self.networks.encoder.probe_counts, self.config.truncation
        )

    def _move(self) -> None:
        if hasattr(self, "_networks"):
            self._networks.to(self.device)

    @property
    def networks(self) -> VQNetworks:
        """The trained networks.

        Raises:
            ConfigError: if the tokenizer is not fitted.
        """
        if not hasattr(self, "_networks"):
            raise ConfigError(f"the {self.name} tokenizer is not fitted", "call fit first")
        return self._networks

    @property
    def decoded_spec(self) -> FieldSpec:
        return self.networks.field.spec

    @property
    def vocabulary(self) -> Vocabulary:
        quantizer = self.networks.quantizer
        cells, codes = self.networks.encoder.cells.number, quantizer.codes
        return Vocabulary(
            length=self.spec.dims + cells * self.config.slots,
            codes=codes + INTERVALS,
            ranges=((codes, codes + INTERVALS),) * self.spec.dims
            + (quantizer.ranges or ((0, codes),) * self.config.slots) * cells,
            levels=quantizer.levels,
            classes=self.classes,
        )

    def encode(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None
    ) -> Int[Tensor, "fields tokens"]:
        """Tokens [N, length] of fields of the fitted spec, or of any other of the same dims and kind of output.

        Raises:
            ConfigError: if the weights are not of the spec, not finite, or the spec is of other dims or output.
        """
        return self._encode(weights, spec, None)[:, 0]

    def views(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None, count: int, seed: int
    ) -> Int[Tensor, "fields views tokens"]:
        """`count` token sequences of each field, randomly warped, to train a model on.

        Raises:
            ConfigError: as `encode`.
        """
        generator = torch.Generator().manual_seed(seed)
        return self._encode(weights, spec, [self._warps(len(weights), generator) for _ in range(count)])

    def synthetic(self, fields: FieldSet, count: int, seed: int) -> Synthetic:
        return MadeUp(self.networks, self.config, self.device, seed).shapes(fields, count)

    def _encode(self, weights: Tensor, spec: FieldSpec | None, warps: Sequence[Warp] | None) -> Tensor:
        """Tokens [N, warps, length] of fields as each of some warps shows them; None = once, as they are."""
        spec = spec or self.spec
        self._check_function(weights, spec)
        shape = len(weights), 1 if warps is None else len(warps), self.vocabulary.length
        tokens = torch.empty(shape, dtype=torch.int64, device=weights.device)
        at_once, workers = (1, torch.get_num_threads()) if is_cpu(self.device) else (ACCELERATOR_FIELDS, 1)
        size = max(at_once, FIELDS_A_TASK)

        @torch.no_grad()  # a setting of each thread
        def encode(some: slice) -> int:
            for part in batches(some.stop - some.start, at_once):
                one = slice(some.start + part.start, some.start + part.stop)
                # Always aligned, by a copy: rounding of products may depend on the alignment.
                here = weights[one].clone().to(self.device)
                seen: Sequence[Warp | None] = [None]
                if warps is not None:
                    seen = self._placed(spec, here, [warp[one].to(self.device) for warp in warps])
                for number, warp in enumerate(seen):
                    inputs, box = self._observe(spec, here, warp)
                    latents = self.networks.encoder(inputs, box.numbers)
                    if self.config.refine:
                        latents = refine(self.networks, latents, spec, here, box, warp, self.config)
                    tokens[one, number] = self.networks.tokens(latents, box)
            return some.stop - some.start

        with progress(len(weights), "encode", "fields") as bar:
            for done in in_threads(encode, batches(len(weights), size), workers):
                bar.update(done)
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
        dims, quantizer = self.spec.dims, networks.quantizer
        boxes = Box.from_tokens(tokens[:, :dims] - quantizer.codes)
        cells = rearrange(tokens[:, dims:], "n (c s) -> n c s", s=self.config.slots)
        weights = torch.empty(len(tokens), self.decoded_spec.size, device=tokens.device)
        for one in batches(len(tokens), 1 if is_cpu(self.device) else ACCELERATOR_FIELDS):
            box = boxes[one].to(self.device)
            decoded = networks.decoder(quantizer.lookup(cells[one].to(self.device)), box.numbers)
            weights[one] = networks.field.weights(decoded, box)
        return weights

    def code_vectors(self) -> Float[Tensor, "codes width"]:
        """The latents of the codes."""
        return self.networks.quantizer.vectors()

    def tensors(self) -> dict[str, Tensor]:
        figures = {"codebook_usage": self.codebook_usage, "perplexity": self.perplexity}
        own = {f"figures.{key}": torch.tensor(value, dtype=torch.float64) for key, value in figures.items()}
        own["cells"] = torch.tensor(self._counts)
        # Tensors that share memory cannot be stored, hence the clones.
        return own | {f"networks.{key}": value.cpu().clone() for key, value in self.networks.state_dict().items()}

    @classmethod
    def _stored_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        return {"basis": "octahedral", "base": NONE, **settings}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        tensors = rename(tensors, RENAMED)
        self._counts = tuple(tensors["cells"].tolist())
        state = {key.removeprefix("networks."): value for key, value in tensors.items() if key.startswith("networks.")}
        check_state_dict(self._build, state)
        with torch.random.fork_rng(devices=[]):
            networks = self._build()
        networks.load_state_dict(state)
        self._networks = networks.eval().requires_grad_(False).to(self.device)
        self.codebook_usage = tensors["figures.codebook_usage"].item()
        self.perplexity = tensors["figures.perplexity"].item()


class PretrainedTokenizer(VQTokenizer):
    """A VQ tokenizer that begins with the one that ships with nfgen, or with another fitted one."""

    name = "pretrained"
    Config = PretrainedConfig
