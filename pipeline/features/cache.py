"""The embedding cache: vectors by text hash and encoder identity; what was encoded once isn't encoded again."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipeline.artifact import State
from pipeline.features.encoder import Encoder

Progress = Callable[[int, int], None]

_DIGEST = 32
_HEADER = 4


def encode_cached(
    encoder: Encoder, texts: Sequence[str], cache: Path | None, *, progress: Progress | None = None, chunk: int = 1024
) -> np.ndarray:
    """Vectors of the texts; those that the cache has aren't encoded again, and new ones are kept in it.

    The cache is one append-only pair of files per encoder identity: SHA-256 digests of texts, and vectors.
    """
    return _cached(encoder, texts, cache, None, progress, chunk)


class RememberingEncoder:
    """An encoder that encodes a text once, however often it is looked at; with a cache, also what others encoded.

    Parameters
    ----------
    encoder : Encoder
        Isn't opened before it meets a text that nobody knows.
    cache : Path, optional
        As of `encode_cached`. It is read once: a run looks at the same texts again and again.
    """

    def __init__(self, encoder: Encoder, cache: Path | None = None) -> None:
        self.encoder, self.cache, self.identity = encoder, cache, encoder.identity
        self._known: dict[bytes, np.ndarray] | None = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of unit length, as the encoder makes them."""
        if not texts:
            return self.encoder.encode(texts)
        if self._known is None:
            self._known = _VectorStore(self.cache, self.identity).read() if self.cache is not None else {}
        return _cached(self.encoder, texts, self.cache, self._known)

    def state(self) -> State:
        """What is stored of the encoder."""
        return self.encoder.state()


def _cached(
    encoder: Encoder,
    texts: Sequence[str],
    cache: Path | None,
    known: dict[bytes, np.ndarray] | None,
    progress: Progress | None = None,
    chunk: int = 1024,
) -> np.ndarray:
    """Vectors of the texts; `known` is what was read of the cache, and takes in what is new."""
    digests = [hashlib.sha256(t.encode("utf-8", "surrogatepass")).digest() for t in texts]
    store = _VectorStore(cache, encoder.identity) if cache is not None else None
    if known is None:
        known = store.read() if store else {}
    fresh = {d: t for d, t in zip(digests, texts, strict=True) if d not in known}
    # Longest first: batches of like length waste no padding, and memory peaks at once rather than at the end.
    todo = sorted(fresh, key=lambda d: -len(fresh[d]))
    for start in range(0, len(todo), chunk):
        part = todo[start : start + chunk]
        vectors = encoder.encode([fresh[d] for d in part])
        known.update(zip(part, vectors, strict=True))
        if store:
            store.append(part, vectors)
        if progress:
            progress(min(start + chunk, len(todo)), len(todo))
    return np.stack([known[d] for d in digests]) if digests else np.zeros((0, 1), dtype=np.float32)


class _VectorStore:
    """Digests and vectors of one encoder, in two files that only grow; a torn tail (a killed writer) is cut off.

    The digests begin with the width of a vector. Both files are read and written under a lock: two trainings that share
    a cache would else give each other's texts the wrong vectors, and nobody would notice.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        name = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self.digests, self.vectors = folder / f"{name}.digests", folder / f"{name}.vectors"
        folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[bytes, np.ndarray]:
        """All that is whole."""
        with self._locked():
            count, width = self._mend()
            raw = self.digests.read_bytes()[_HEADER:]
            rows = np.fromfile(self.vectors, dtype="<f4").reshape(count, max(width, 1))
        return {raw[_DIGEST * i : _DIGEST * (i + 1)]: rows[i] for i in range(count)}

    def append(self, digests: Sequence[bytes], vectors: np.ndarray) -> None:
        """Add vectors, then the digests that make them count."""
        with self._locked():
            _, width = self._mend()
            with self.vectors.open("ab") as handle:
                handle.write(vectors.astype("<f4").tobytes())
            with self.digests.open("ab") as handle:
                if not width:
                    handle.write(int(vectors.shape[1]).to_bytes(_HEADER, "little"))
                handle.write(b"".join(digests))

    def _mend(self) -> tuple[int, int]:
        """Cut off what has no partner in the other file; how many vectors are left, and their width (0: none yet)."""
        self.vectors.touch()
        size = self.digests.stat().st_size
        width = int.from_bytes(_head(self.digests), "little") if size >= _HEADER else 0
        count = min((size - _HEADER) // _DIGEST, self.vectors.stat().st_size // (4 * width)) if width else 0
        _cut(self.digests, _HEADER + _DIGEST * count if width else 0)
        _cut(self.vectors, 4 * width * count)
        return count, width

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.digests.open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _cut(path: Path, size: int) -> None:
    if path.stat().st_size != size:
        with path.open("r+b") as handle:
            handle.truncate(size)


def _head(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(_HEADER)
