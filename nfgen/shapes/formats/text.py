"""Text of mesh files as numbers, without a Python object for each."""

import codecs
import re
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)


def plain_text(data: bytes) -> bytes:
    r"""Give text without a byte order mark, as UTF-8 (whatever letters there are), its lines ended by \n."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            data = data[len(mark) :]
            if encoding != "utf-8":
                data = data.decode(encoding, "replace").encode()
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def without_comments(text: bytes) -> bytes:
    """Give text without what stands between # and the end of the line."""
    return re.sub(rb"#[^\n]*", b"", text) if b"#" in text else text


def numbers(text: bytes) -> NDArray[np.float64]:
    """Give the numbers [n] of a text that holds nothing else.

    Raises:
        ValueError: it holds something else.
    """
    if not text.strip():
        return np.zeros(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy before 2.3 only warns of what is no number, and stops there
            return np.fromstring(text, np.float64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        wrong = next((word for word in text.split() if not NUMBER.fullmatch(word)), b"")
        shown = wrong[:40].decode("ascii", "replace")
        raise ValueError(f"{shown!r} stands where a number should be") from error


def whole_numbers(values: NDArray[np.float64], what: str) -> NDArray[np.int64]:
    """Give numbers as integers.

    Raises:
        ShapeError: one is none, or too large for an index.
    """
    whole = np.nan_to_num(values, nan=0.5, posinf=0.5, neginf=0.5)
    if values.size and ((whole != np.floor(whole)).any() or np.abs(whole).max() > 2**53):
        raise ShapeError(f"{what} is not a whole number", "export the file again")
    return whole.astype(np.int64)


class Table(NamedTuple):
    """Numbers of a text, and where lines begin among them."""

    values: NDArray[np.float64]
    """[n] all numbers in turn."""
    starts: NDArray[np.int64]
    """[lines + 1] for each line with any, the index of its first number, and n at the end."""

    @classmethod
    def of(cls, text: bytes) -> "Table":
        """Read the numbers of a text.

        Raises:
            ValueError: it holds something else.
        """
        values = numbers(text)
        counts = counts_of_lines(text)
        starts = np.concatenate([[0], np.cumsum(counts[counts > 0])])
        if starts[-1] != len(values):  # "1-2": two numbers for one parser, one word for the other
            raise ValueError("numbers are not kept apart by blanks")
        return cls(values, starts)

    def line_at(self, at: int) -> int | None:
        """Give the line that begins with number `at`, or None if none does."""
        line = int(np.searchsorted(self.starts, at))
        return line if line < len(self.starts) and self.starts[line] == at else None


def counts_of_lines(text: bytes) -> NDArray[np.int64]:
    """Give the number of words in each line: [lines]."""
    letters = np.frombuffer(text, np.uint8)
    word = letters > 32
    begins = word.copy()
    begins[1:] &= ~word[:-1]
    ends = np.append(np.flatnonzero(letters == 10), len(letters))
    return np.diff(np.searchsorted(np.flatnonzero(begins), ends), prepend=0)


def lists(table: Table, at: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Read `count` lists from number `at` on, each led by its length, as a line each (and more behind) or one by one.

    Returns:
        The entries of all lists in turn [e], the length of each list [l], and where the next number stands; l is less
        than count where the text ends too early.

    Raises:
        ShapeError: a length is not a whole number, or negative.
    """
    values, line = table.values, table.line_at(at)
    if line is not None:
        starts, ends = table.starts[line:-1][:count], table.starts[line + 1 :][:count]
        sizes = values[starts]
        fits = (sizes >= 0) & (sizes == np.floor(sizes)) & (starts + 1 + sizes <= ends)
        if len(starts) and fits.all() and (len(starts) == count or len(starts) > 1):
            lengths = sizes.astype(np.int64)
            return values[_spans(starts + 1, lengths)], lengths, int(ends[-1])
    first = values[at : at + 1]
    if len(first) and first[0] >= 0 and first[0] == np.floor(first[0]):
        step = int(first[0]) + 1
        if count * step <= len(values) - at and (values[at : at + count * step : step] == first[0]).all():
            rows = values[at : at + count * step].reshape(count, step)
            return rows[:, 1:].ravel(), np.full(count, step - 1), at + count * step
    return _walked(values, at, count)


def _walked(values: NDArray[np.float64], at: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    rest, sizes, here = values[at:].tolist(), list[int](), 0
    while len(sizes) < count and here < len(rest):
        size = rest[here]
        if not (size >= 0 and size == size // 1):
            raise ShapeError(f"{size:g} stands where a number of corners should be", "export the file again")
        if here + 1 + size > len(rest):
            break
        sizes.append(int(size))
        here += 1 + int(size)
    lengths = np.asarray(sizes, np.int64)
    starts = at + 1 + np.concatenate([[0], np.cumsum(lengths + 1)[:-1]]).astype(np.int64)[: len(lengths)]
    return values[_spans(starts, lengths)], lengths, at + here


def _spans(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the indices starts[i], starts[i] + 1, … of all spans in turn."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
