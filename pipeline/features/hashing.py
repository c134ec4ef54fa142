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
_AT_ONCE = 1 << 14
"""Characters that are looked at together: enough that a step's own cost is nothing, and few enough for the cache."""


class Spans(NamedTuple):
    """Terms as they stand in bytes, arrays of one length: segment, text, first byte, and number of bytes of each."""

    segment: np.ndarray
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
        data, spans = _joined(_of_words(piece, words), _of_characters(piece, characters))
        key = ((spans.text + first) << (bits + 1)) + (spans.segment << bits) + place(murmur3(data, spans), bits)
        each, often = np.unique(key, return_counts=True)
        keys.append(each)
        counts.append(often)
    key = np.concatenate(keys) if keys else np.zeros(0, np.int64)
    data = np.concatenate(counts).astype(np.float32) if counts else np.zeros(0, np.float32)
    indptr = np.searchsorted(key, np.arange(len(texts) + 1, dtype=np.int64) << (bits + 1))
    indices = (key & ((1 << (bits + 1)) - 1)).astype(np.int32)
    return sp.csr_matrix((data, indices, indptr), shape=(len(texts), 1 << (bits + 1)))


def hashed_words(text: str, words: tuple[int, int], *, bits: int) -> dict[int, str]:
    """Place → the words of this text that hash there, of several the last in the alphabet."""
    data, spans = _joined(_of_words([text.lower()], words))
    raw, places = data.tobytes(), place(murmur3(data, spans), bits).tolist()
    ends = spans.start + spans.size
    names = {
        raw[start:end].decode("utf-8"): at
        for start, end, at in zip(spans.start.tolist(), ends.tolist(), places, strict=True)
    }
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
    value, on, block = np.zeros(len(spans.start), np.uint32), np.flatnonzero(blocks), 0
    while len(on):
        part = value[on] ^ mixed[spans.start[on] + 4 * block]
        value[on] = (part << 13 | part >> 19) * np.uint32(5) + np.uint32(0xE6546B64)
        block += 1
        on = on[blocks[on] > block]
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


Part = tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]
"""Bytes, and text, first byte and number of bytes of the terms in them, in groups."""


def _joined(*parts: Part) -> tuple[np.ndarray, Spans]:
    """Several parts side by side, each a segment: a step costs the same for one as for all."""
    groups = [(segment, *group) for segment, (_, some) in enumerate(parts) for group in some]
    before = np.cumsum([0] + [len(data) for data, _ in parts])
    sizes = [len(text) for _, text, _, _ in groups]
    if not groups:
        return np.zeros(0, np.uint8), Spans(*[np.zeros(0, np.int64)] * 4)
    text, start, size = (np.concatenate([group[at] for group in groups]) for at in (1, 2, 3))
    segment = np.repeat([one for one, _, _, _ in groups], sizes)
    return np.concatenate([data for data, _ in parts]), Spans(segment, text, start + before[segment], size)


def _of_words(texts: list[str], lengths: tuple[int, int]) -> Part:
    """Runs of words of texts in lower case."""
    tokens = [_TOKEN.findall(text) for text in texts]
    data = _bytes(" ".join([token for one in tokens for token in one]))
    if not len(data):
        return data, []
    space = np.flatnonzero(data == _SPACE)
    start, end = np.append(0, space + 1), np.append(space, len(data))
    text = np.repeat(np.arange(len(texts)), [len(one) for one in tokens])
    groups = []
    for length in range(lengths[0], lengths[1] + 1):
        last = text[length - 1 :]
        within = np.flatnonzero(text[: len(last)] == last)
        groups.append((text[within], start[within], end[within + length - 1] - start[within]))
    return data, groups


def _of_characters(texts: list[str], lengths: tuple[int, int]) -> Part:
    """Runs of characters of texts in lower case: inside a word and a space on either side."""
    padded = ["".join([f" {word} " for word in text.split()]) for text in texts]
    data = _bytes("".join(padded))
    if not len(data):
        return data, []
    begins = np.flatnonzero((data & 0xC0) != 0x80)  # of the characters; each other byte goes on with one
    text = np.repeat(np.arange(len(texts)), [len(one) for one in padded])
    edges = np.flatnonzero(data[begins] == _SPACE).reshape(-1, 2)
    size = edges[:, 1] + 1 - edges[:, 0]
    left = np.repeat(edges[:, 1] + 1, size) - np.arange(len(begins))
    begins = np.append(begins, len(data))
    groups = []
    for length in range(lengths[0], lengths[1] + 1):
        within = np.flatnonzero(left >= length)
        groups.append((text[within], begins[within], begins[within + length] - begins[within]))
    first, end = edges[size < lengths[0]].T  # a word that is shorter than any run is one
    return data, [*groups, (text[first], begins[first], begins[end + 1] - begins[first])]


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8"), np.uint8)
