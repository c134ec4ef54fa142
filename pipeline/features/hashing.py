"""Counting the runs of words and characters of texts by their hashes: all texts at once, instead of term by term.

The hash is MurmurHash3 (x86, 32 bits, seed 0) of a term's UTF-8 and the terms are those of scikit-learn's
`HashingVectorizer` (`word` and `char_wb`, lower case), so that the counts are its counts, at a fraction of its time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

_TOKEN = re.compile(r"\w+")
_SPACE = ord(" ")
_AT_ONCE = 1 << 17
"""Characters that are looked at together: enough that a step's own cost is nothing, and few enough for the cache."""


class Spans(NamedTuple):
    """Terms as they stand in bytes, arrays of one length: text, first byte, and number of bytes of each."""

    text: np.ndarray
    start: np.ndarray
    size: np.ndarray


def hashed_counts(
    texts: Sequence[str], words: tuple[int, int], characters: tuple[int, int], *, bits: int
) -> sp.csr_matrix:
    """How often each term stands in each of n texts, shape (n, 2 · 2^bits), float32: words, then characters.

    Parameters
    ----------
    texts : sequence of n str
    words, characters : tuple of int
        Shortest and longest run of words; of characters, inside words and the space around them.
    bits : int
        Terms hash into 2^bits places.
    """
    keys: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    for first, piece in _pieces([text.lower() for text in texts]):
        both = (_of_words(piece, words), _of_characters(piece, characters))
        found = [
            ((spans.text + first) << (bits + 1)) + (segment << bits) + place(murmur3(data, spans), bits)
            for segment, parts in enumerate(both)
            for data, spans in parts
        ]
        each, often = np.unique(np.concatenate(found) if found else np.zeros(0, np.int64), return_counts=True)
        keys.append(each)
        counts.append(often)
    key = np.concatenate(keys) if keys else np.zeros(0, np.int64)
    data = np.concatenate(counts).astype(np.float32) if counts else np.zeros(0, np.float32)
    indptr = np.searchsorted(key, np.arange(len(texts) + 1, dtype=np.int64) << (bits + 1))
    indices = (key & ((1 << (bits + 1)) - 1)).astype(np.int32)
    return sp.csr_matrix((data, indices, indptr.astype(np.int32)), shape=(len(texts), 1 << (bits + 1)))


def hashed_words(text: str, words: tuple[int, int], *, bits: int) -> dict[int, str]:
    """Place → the words of this text that hash there, of several the last in the alphabet."""
    names: dict[str, int] = {}
    for data, spans in _of_words([text.lower()], words):
        raw, places = data.tobytes(), place(murmur3(data, spans), bits)
        ends = spans.start + spans.size
        for start, end, at in zip(spans.start.tolist(), ends.tolist(), places.tolist(), strict=True):
            names[raw[start:end].decode("utf-8")] = at
    return {at: name for name, at in sorted(names.items())}


def murmur3(data: np.ndarray, spans: Spans) -> np.ndarray:
    """MurmurHash3 (x86, 32 bits, seed 0; Appleby, 2008) of spans of bytes, as int32.

    Parameters
    ----------
    data : ndarray of uint8
    spans : Spans
        Each within `data`.
    """
    padded = np.append(data, np.zeros(4, np.uint8)).astype(np.uint32)
    four = padded[:-3] | padded[1:-2] << 8 | padded[2:-1] << 16 | padded[3:] << 24  # little-endian, at every byte
    mixed, blocks = _mixed(four), spans.size >> 2
    value = np.zeros(len(spans.start), np.uint32)
    for block in range(int(blocks.max(initial=0))):
        on = slice(None) if blocks.min() > block else np.flatnonzero(blocks > block)
        part = value[on] ^ mixed[spans.start[on] + 4 * block]
        value[on] = (part << 13 | part >> 19) * np.uint32(5) + np.uint32(0xE6546B64)
    rest = four[spans.start + 4 * blocks] & np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], np.uint32)[spans.size & 3]
    value ^= _mixed(rest)
    value ^= spans.size.astype(np.uint32)
    value ^= value >> 16
    value *= np.uint32(0x85EBCA6B)
    value ^= value >> 13
    value *= np.uint32(0xC2B2AE35)
    value ^= value >> 16
    return value.view(np.int32)


def place(hashed: np.ndarray, bits: int) -> np.ndarray:
    """Where a hash stands among 2^bits places, int64, as scikit-learn's `FeatureHasher` has it."""
    size, least = 1 << bits, -(1 << 31)
    return np.where(hashed == least, (2**31 - (size - 1)) % size, np.abs(hashed.astype(np.int64)) % size)


def _mixed(block: np.ndarray) -> np.ndarray:
    block = block * np.uint32(0xCC9E2D51)
    return (block << 15 | block >> 17) * np.uint32(0x1B873593)


def _pieces(texts: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of texts of not too many characters together, and the number of each run's first."""
    first, size = 0, 0
    for at, text in enumerate(texts):
        if size and size + len(text) > _AT_ONCE:
            yield first, texts[first:at]
            first, size = at, 0
        size += len(text)
    if first < len(texts):
        yield first, texts[first:]


def _of_words(texts: list[str], lengths: tuple[int, int]) -> Iterator[tuple[np.ndarray, Spans]]:
    """Runs of words of texts in lower case."""
    tokens = [_TOKEN.findall(text) for text in texts]
    data = _bytes(" ".join([token for one in tokens for token in one]))
    if not len(data):
        return
    space = np.flatnonzero(data == _SPACE)
    start, end = np.append(0, space + 1), np.append(space, len(data))
    text = np.repeat(np.arange(len(texts)), [len(one) for one in tokens])
    for length in range(lengths[0], lengths[1] + 1):
        last = text[length - 1 :]
        within = np.flatnonzero(text[: len(last)] == last)
        yield data, Spans(text[within], start[within], end[within + length - 1] - start[within])


def _of_characters(texts: list[str], lengths: tuple[int, int]) -> Iterator[tuple[np.ndarray, Spans]]:
    """Runs of characters of texts in lower case: inside a word and a space on either side."""
    padded = ["".join([f" {word} " for word in text.split()]) for text in texts]
    data = _bytes("".join(padded))
    if not len(data):
        return
    begins = np.flatnonzero((data & 0xC0) != 0x80)  # of the characters; each other byte goes on with one
    text = np.repeat(np.arange(len(texts)), [len(one) for one in padded])
    edges = np.flatnonzero(data[begins] == _SPACE).reshape(-1, 2)
    size = edges[:, 1] + 1 - edges[:, 0]
    left = np.repeat(edges[:, 1] + 1, size) - np.arange(len(begins))
    begins = np.append(begins, len(data))
    for length in range(lengths[0], lengths[1] + 1):
        within = np.flatnonzero(left >= length)
        yield data, Spans(text[within], begins[within], begins[within + length] - begins[within])
    first, end = edges[size < lengths[0]].T  # a word that is shorter than any run is one
    yield data, Spans(text[first], begins[first], begins[end + 1] - begins[first])


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8"), np.uint8)
