"""`codebook`: vector or residual vector quantisation of single weights, chunks or neuron rows."""

import warnings
from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from vector_quantize_pytorch import ResidualVQ

from nfgen.errors import CollapsedCodebookWarning
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import batches
from nfgen.fields.spec import FieldSpec
from nfgen.runtime.progress import progress
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.vocabulary import Vocabulary

from .chunking import Units
from .code_grid import distinct_codes
from .config import CodebookConfig
from .normalization import Scaling

SCORES_AT_ONCE = 1 << 22  # 32 MB of float64 in the search for nearest codes
KMEANS_VECTORS_PER_CODE = 32  # in the first batch, on which k-means runs
KMEANS_DISTANCES = 1 << 25  # 128 MB; with thousands of codes the first batch is smaller
KMEANS_ROUNDS = 10  # 20 rounds are no better after the moving averages (IoU 0.545 and 0.544 on unseen chairs)
DEAD_SHARE = 0.1  # codes used less often than this share of the mean are replaced by vectors of the batch
COLLAPSED_SHARE = 0.1


class CodebookTokenizer(Tokenizer):
    """Each vector becomes its nearest code; level q quantizes the residual of level q - 1 (SoundStream, algorithm 1).

    Neuron rows have codebooks per layer (at equal bits per field, IoU on unseen chairs is 0.57 with codebooks per layer
    and 0.52 with common ones); chunks and single weights share codebooks over the whole field. A field's tokens are its
    vectors in order, the levels of a vector side by side. Every codebook has ids of its own; `allowed` is the mask.

    At depth 1 `encode(decode(t)) == t` for every allowed sequence, unless the last chunk is padded. Residual codes have
    no such guarantee, as another path may be closer.
    """

    name = "codebook"
    Config = CodebookConfig

    def _fit(self, fields: FieldSet) -> None:
        config = self.config
        self._scaling = Scaling.of(fields, config.target, config.normalise)
        units = Units(self.spec, config.unit, config.chunk)
        vectors = units.split(self._scaling.apply(fields.weights))
        step = self._scaling.grid_step(vectors, units.width)
        books: list[Tensor] = []
        with progress(len(self._groups()) * config.steps, "codebook", "step") as bar:
            for group, here in enumerate(self._groups()):
                some = rearrange(vectors[:, here], "n l w -> (n l) w")
                learned = _learn(some, config, config.seed + group, bar.update)
                books += [distinct_codes(book, step) for book in learned]
        self._set(books)
        self._warn_if_collapsed(fields.weights)

    def _set(self, books: list[Float[Tensor, "codes width"]]) -> None:
        self._units = Units(self.spec, self.config.unit, self.config.chunk)
        self._books = books
        self._codes = torch.cat(books)
        ends = torch.tensor([len(book) for book in books]).cumsum(0).tolist()
        ranges = list(zip([0, *ends], ends, strict=False))
        self._ranges = [ranges[i : i + self.config.depth] for i in range(0, len(ranges), self.config.depth)]

    def _groups(self) -> list[slice]:
        """Units with common codebooks, as slices of the length."""
        if self.config.unit != "row":
            return [slice(0, None)]
        ends = torch.tensor([layer.outputs for layer in self.spec.layers]).cumsum(0).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    @property
    def vocabulary(self) -> Vocabulary:
        """`depth` tokens per vector; `ranges` holds the codebook of each."""
        self._check_fitted()
        groups = self._groups()
        ranges = [
            pair
            for here, pairs in zip(groups, self._ranges, strict=True)
            for _ in range(len(self._units.indices[here]) if len(groups) > 1 else 1)
            for pair in pairs
        ]
        return Vocabulary(
            length=self._units.length * self.config.depth,
            codes=len(self._codes),
            ranges=tuple(ranges) if len(ranges) > 1 else (),
            classes=self.classes,
        )

    def encode(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None
    ) -> Int[Tensor, "fields tokens"]:
        """Ids [N, units * depth] of the nearest codes."""
        self._check_weights(weights, spec)
        vectors = self._units.split(self._scaling.apply(weights))
        tokens = torch.empty(*vectors.shape[:2], self.config.depth, dtype=torch.int64, device=weights.device)
        for here, pairs in zip(self._groups(), self._ranges, strict=True):
            residual = rearrange(vectors[:, here], "n l w -> (n l) w").double()
            for level, (start, end) in enumerate(pairs):
                book = self._codes[start:end].to(weights.device).double()
                nearest = _nearest(residual, book)
                residual = residual - book[nearest]
                tokens[:, here, level] = rearrange(nearest + start, "(n l) -> n l", l=vectors[:, here].shape[1])
        return rearrange(tokens, "n l q -> n (l q)")

    def decode(self, tokens: Int[Tensor, "fields tokens"]) -> Float[Tensor, "fields weights"]:
        """Weights [N, P]: sums of the codes of each vector."""
        self._check_tokens(tokens)
        levels = rearrange(tokens, "n (l q) -> q n l", q=self.config.depth)
        codes = self._codes.to(tokens.device)
        total = codes[levels[0]]
        for level in levels[1:]:
            total = total + codes[level]
        return self._scaling.undo(self._units.join(total))

    def code_vectors(self) -> Float[Tensor, "codes width"]:
        """All codebooks, concatenated; in units of scaled weights."""
        self._check_fitted()
        return self._codes

    def tensors(self) -> dict[str, Tensor]:
        """The codes [codes, width], the sizes of the codebooks, and offset and scale of each weight."""
        self._check_fitted()
        sizes = torch.tensor([len(book) for book in self._books])
        return {"codes": self._codes, "sizes": sizes} | self._scaling.tensors()

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        units = Units(self.spec, self.config.unit, self.config.chunk)
        self._require_shape(tensors, "sizes", (len(self._groups()) * self.config.depth,))
        self._require_shape(tensors, "codes", (int(tensors["sizes"].sum()), units.width))
        self._scaling = Scaling.restored(tensors, self.spec)
        self._set(list(tensors["codes"].split(tensors["sizes"].tolist())))

    def _warn_if_collapsed(self, weights: Tensor) -> None:
        used = len(torch.unique(self.encode(weights)))
        counts = [len(weights) * len(self._units.indices[here]) for here in self._groups()]
        possible = self.config.depth * sum(min(self.config.codes, count) for count in counts)
        if used < COLLAPSED_SHARE * possible:
            warnings.warn(
                f"the codebook has collapsed: {used} of {possible} codes are in use, as the fields barely differ; "
                "use fewer codes or less depth, or fields that differ more (fitted longer, with a weaker pull)",
                CollapsedCodebookWarning,
                stacklevel=4,
            )


def _learn(
    vectors: Float[Tensor, "vectors width"], config: CodebookConfig, seed: int, on_step: Callable[[int], None]
) -> Float[Tensor, "depth codes width"]:
    """Codebooks of all levels: k-means on the first batch, then moving averages with replacement of dead codes."""
    # The library uses torch's global generator: restore its state.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        most = max(config.codes, min(KMEANS_VECTORS_PER_CODE * config.codes, KMEANS_DISTANCES // config.codes))
        first = vectors[torch.randperm(len(vectors))[:most]]
        count = min(config.codes, len(torch.unique(first, dim=0)))
        quantizer = ResidualVQ(
            dim=vectors.shape[1],
            num_quantizers=config.depth,
            codebook_size=count,
            kmeans_init=True,
            kmeans_iters=KMEANS_ROUNDS,
            threshold_ema_dead_code=DEAD_SHARE * min(config.batch_size, len(vectors)) / count,
            decay=0.9,
            rotation_trick=False,
        )
        quantizer(first[None])
        for _ in range(config.steps):
            drawn = torch.randint(len(vectors), (config.batch_size,))
            quantizer((vectors if len(vectors) <= config.batch_size else vectors[drawn])[None])
            on_step(1)
    return quantizer.codebooks.clone()


def _nearest(vectors: Float[Tensor, "vectors width"], book: Float[Tensor, "codes width"]) -> Int[Tensor, "vectors"]:
    """Index of the nearest of sorted codes, in float64: in float32 the expanded square cannot separate close codes."""
    if book.shape[1] == 1:
        return torch.bucketize(vectors[:, 0].contiguous(), (book[1:, 0] + book[:-1, 0]) / 2)
    half_squares = book.square().sum(1) / 2
    nearest = torch.empty(len(vectors), dtype=torch.int64, device=vectors.device)
    for here in batches(len(vectors), max(1, SCORES_AT_ONCE // len(book))):
        nearest[here] = (vectors[here] @ book.T - half_squares).argmax(1)
    return nearest
