"""One field as a sequence of tokens, and the vectors of the codebook."""

import numpy as np

from nfgen.errors import ArtifactError
from nfgen.io import files
from nfgen.tokens.token_set import TOKENIZER, TokenSet

from .artifacts import Found
from .data_uris import code_map_uri, full_colour, heat_map_uri
from .markup import PixelMap

FILE = "codebook.safetensors"
ROW = 64  # tokens per row of the picture
SPELT = 48  # tokens that are also written as numbers
CODES = 512  # in the picture of the codebook, the most used first
LEAST_ROWS = 6  # a codebook of single values is a strip, not a line
HEIGHT = 10  # screen pixels of a row


def first_sequence(tokens: TokenSet) -> dict[str, object]:
    """The tokens of the first field: its id, a picture, and the first codes as text."""
    sequence, count = tokens.tokens[0].numpy(), tokens.vocabulary.codes or 1
    rows = -(-len(sequence) // ROW)
    padded = np.zeros(rows * ROW, dtype=np.int64)
    padded[: len(sequence)] = sequence
    shown = padded.reshape(rows, ROW) if rows > 1 else sequence[None]
    label = f"Its {len(sequence):,} tokens, {min(ROW, len(sequence))} per row; each code has its hue"
    more = " …" if len(sequence) > SPELT else ""
    return {
        "id": tokens.ids[0],
        "map": PixelMap(code_map_uri(shown, count), label, round(HEIGHT * rows * 1.6)),
        "first": " ".join(map(str, sequence[:SPELT])) + more,
    }


def read_codebook(found: Found, tokens: TokenSet) -> dict[str, object] | None:
    """Pictures of the vectors of the codes, and of those of the first field's tokens; None if there is no codebook.

    Raises:
        ArtifactError: if the codebook is damaged or of another vocabulary.
    """
    path = found.path / TOKENIZER / FILE
    if not path.is_file():
        return None
    sequence, count = tokens.tokens[0].numpy(), tokens.vocabulary.codes or 1
    vectors = files.read_tensors(path).get("vectors")
    # Codes above those of the codebook, as those of vq for the box of a shape, have no vector.
    ends = {count, *(low for low, _ in tokens.vocabulary.ranges)}
    if vectors is None or vectors.ndim != 2 or len(vectors) not in ends:
        raise ArtifactError(f"{path} is no codebook of {count} codes", "make the tokens again")
    values = np.zeros((count, vectors.shape[1]), np.float32)
    values[: len(vectors)] = vectors.float().numpy()
    count = len(vectors)
    limit = full_colour(values[:count]) or 1.0
    uses = np.bincount(tokens.tokens.numpy().reshape(-1), minlength=count)[:count]
    order = np.argsort(-uses, kind="stable")[:CODES]
    numbers = f"{values.shape[1]} numbers" if values.shape[1] > 1 else "number"
    most = "" if len(order) == count else f" the {len(order):,} most used of"
    label = f"The codebook:{most} {count:,} codes from left to right, the most used first, and of each its {numbers}"
    height = HEIGHT * max(LEAST_ROWS, min(24, values.shape[1]))
    return {
        "hues": code_map_uri(order[None], len(values)),
        "codes": PixelMap(heat_map_uri(values[order].T, limit), label, height),
        "sequence": PixelMap(
            heat_map_uri(values[sequence].T, limit),
            f"The {numbers} of each token of {tokens.ids[0]}, the first on the left",
            height,
        ),
        "limit": limit,
    }
