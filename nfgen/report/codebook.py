"""One field as a sequence of tokens, and the codebook that says what each of them stands for."""

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ArtifactError
from nfgen.io import files
from nfgen.tokens.token_set import TOKENIZER, TokenSet
from nfgen.viz.html import Child, Html, figure, tag

from .artifacts import Found
from .data_uris import code_map_uri, heat_map_uri

FILE = "codebook.safetensors"
ROW = 64  # tokens in a row of the picture
SPELT = 48  # tokens whose numbers are written out
CODES = 512  # in the picture of the codebook, the most used first
LEAST_ROWS = 6  # a codebook of single values is a strip, not a line
FULL_COLOUR = 0.99  # quantile of magnitudes
HEIGHT = 10  # screen pixels of a row


def sequence_and_codebook(found: Found, tokens: TokenSet) -> Child:
    """The tokens of the first field, and the vectors of the codes; nothing of continuous tokens.

    Raises:
        ArtifactError: if the codebook is damaged or of another vocabulary.
    """
    if tokens.vocabulary.continuous or len(tokens) == 0:
        return None
    sequence = tokens.tokens[0].numpy()
    count = tokens.vocabulary.codes or 1
    return [
        tag("h3", f"{tokens.ids[0]} as tokens"),
        _sequence(sequence, count),
        _codebook(found, tokens, sequence, count),
    ]


def _sequence(sequence: NDArray[np.int64], count: int) -> Html:
    rows = -(-len(sequence) // ROW)
    padded = np.zeros(rows * ROW, dtype=np.int64)
    padded[: len(sequence)] = sequence
    shown = padded.reshape(rows, ROW) if rows > 1 else sequence[None]
    label = f"Its {len(sequence):,} tokens, {min(ROW, len(sequence))} in a row; each code has its hue"
    image = tag("img", src=code_map_uri(shown, count), alt=label, class_="pixels wide", style=_height(rows * 1.6))
    more = " …" if len(sequence) > SPELT else ""
    return figure(image, [f"{label}. They begin ", tag("code", " ".join(map(str, sequence[:SPELT])) + more)])


def _codebook(found: Found, tokens: TokenSet, sequence: NDArray[np.int64], count: int) -> Child:
    path = found.path / TOKENIZER / FILE
    if not path.is_file():
        return None
    vectors = files.read_tensors(path).get("vectors")
    # Codes behind those of the codebook, as those of vq for the box of a shape, stand for no vector.
    ends = {count, *(low for low, _ in tokens.vocabulary.ranges)}
    if vectors is None or vectors.ndim != 2 or len(vectors) not in ends:
        raise ArtifactError(f"{path} is no codebook of {count} codes", "make the tokens again")
    values = np.zeros((count, vectors.shape[1]), np.float32)
    values[: len(vectors)] = vectors.float().numpy()
    count = len(vectors)
    limit = float(np.quantile(np.abs(values[:count]), FULL_COLOUR)) or 1.0
    uses = np.bincount(tokens.tokens.numpy().reshape(-1), minlength=count)[:count]
    order = np.argsort(-uses, kind="stable")[:CODES]
    numbers = f"{values.shape[1]} numbers" if values.shape[1] > 1 else "number"
    most = "" if len(order) == count else f" the {len(order):,} most used of"
    label = f"The codebook:{most} {count:,} codes from left to right, the most used first, and of each its {numbers}"
    sequence_label = f"The {numbers} of each token of {tokens.ids[0]}, the first on the left"
    hues = code_map_uri(order[None], len(values))
    return [
        figure(
            [
                tag("img", src=hues, alt="Hues of the codes below", class_="pixels wide key-strip"),
                _map(values[order], limit, label),
            ],
            f"{label}. Warm is positive, cool negative, full colour at ±{limit:.3g}; above, the codes' hues.",
        ),
        figure(_map(values[sequence], limit, sequence_label), f"{sequence_label}."),
    ]


def _map(vectors: NDArray[np.float32], limit: float, label: str) -> Html:
    rows = max(LEAST_ROWS, min(24, vectors.shape[1]))
    return tag("img", src=heat_map_uri(vectors.T, limit), alt=label, class_="pixels wide", style=_height(rows))


def _height(rows: float) -> str:
    return f"height:{round(HEIGHT * rows)}px"
