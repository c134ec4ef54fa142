"""Fields and simple numbers of a ticket: category codes, one column per frequent value, and what can be counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.tickets.schema import FIELD_PREFIX

NUMBERS = (
    "day",
    "hour",
    "weekday",
    "characters_log",
    "words_log",
    "capitals_share",
    "digits_share",
    "exclamations",
    "questions",
)
"""Numbers of every ticket. `day` (since 1970), `hour` and `weekday` are UTC, nan without a creation time."""

NUMBER_WORDS = {
    "day": "date",
    "hour": "hour of the day",
    "weekday": "day of the week",
    "characters_log": "length in characters",
    "words_log": "length in words",
    "capitals_share": "share of capitals",
    "digits_share": "share of digits",
    "exclamations": "exclamation marks",
    "questions": "question marks",
}
"""The same for people."""

ALWAYS = ("channel", "language", "customer_id")
"""Columns of the schema that are treated as fields."""

MAX_COLUMNS = 2_000
"""At most so many values of one field get a column of their own, the most frequent."""

MISSING, UNSEEN = 0, 1
"""Codes of an empty value, and of one that training never saw; values begin at 2, the most frequent first."""


@dataclass(frozen=True)
class FieldCodes:
    """Values of fields → codes. Values are kept as hashes: a scorer holds nobody's customer ids.

    Attributes
    ----------
    names : tuple of str
        `fields.NAME` columns, and those of `ALWAYS` that have values.
    hashes : tuple of ndarray of uint64
        Per field: hashes of its values, rising.
    codes : tuple of ndarray of int32
        Per field: code of each hash.
    frequent : tuple of int
        Per field: codes below it had at least `rare_field_values` tickets and get a column of their own.
    """

    names: tuple[str, ...]
    hashes: tuple[np.ndarray, ...]
    codes: tuple[np.ndarray, ...]
    frequent: tuple[int, ...]

    @classmethod
    def fit(cls, tickets: pd.DataFrame, *, rare: int) -> FieldCodes:
        """Learn the values of every field that has any."""
        columns = [c for c in tickets.columns if c.startswith(FIELD_PREFIX) or c in ALWAYS]
        names, hashes, codes, frequent = [], [], [], []
        for name in sorted(columns):
            counts = tickets[name].dropna().value_counts(sort=False)
            if counts.empty:
                continue
            keys = _hashes([str(v) for v in counts.index])
            order = np.lexsort((keys, -counts.to_numpy()))  # then by hash: ties don't depend on the order of rows
            code = np.empty(len(keys), dtype=np.int32)
            code[order] = np.arange(2, len(keys) + 2, dtype=np.int32)
            rising = np.argsort(keys)
            names.append(name)
            hashes.append(keys[rising])
            codes.append(code[rising])
            frequent.append(2 + min(int((counts >= rare).sum()), MAX_COLUMNS))
        return cls(tuple(names), tuple(hashes), tuple(codes), tuple(frequent))

    def transform(self, tickets: pd.DataFrame) -> np.ndarray:
        """Codes, shape (n, number of fields), int32."""
        table = np.full((len(tickets), len(self.names)), MISSING, dtype=np.int32)
        for j, name in enumerate(self.names):
            if name not in tickets or len(self.hashes[j]) == 0:
                continue
            values = tickets[name].tolist()
            filled = np.array([isinstance(v, str) for v in values], dtype=bool)
            if not filled.any():
                continue
            keys = _hashes([v for v in values if isinstance(v, str)])
            place = np.minimum(np.searchsorted(self.hashes[j], keys), len(self.hashes[j]) - 1)
            table[filled, j] = np.where(self.hashes[j][place] == keys, self.codes[j][place], UNSEEN)
        return table

    def one_hot(self, codes: np.ndarray) -> sp.csr_matrix:
        """A column per frequent value and one for all others of a field, shape (n, columns), float32."""
        n, fields = len(codes), len(self.names)
        frequent = np.array(self.frequent, dtype=np.int32).reshape(1, -1)
        begins = np.append(0, np.cumsum(frequent + 1)).astype(np.int32)
        columns = (np.minimum(codes, frequent) + begins[:-1]) if fields else np.zeros((n, 0), dtype=np.int32)
        ones = np.ones(n * fields, dtype=np.float32)
        return sp.csr_matrix((ones, columns.ravel(), np.arange(n + 1) * fields), shape=(n, int(begins[-1])))

    def one_hot_fields(self) -> list[str]:
        """Field name of each column of `one_hot`."""
        return [n for j, n in enumerate(self.names) for _ in range(self.frequent[j] + 1)]

    def state(self) -> State:
        """What is stored."""
        state: State = {"names": list(self.names), "frequent": list(self.frequent)}
        for j in range(len(self.names)):
            state |= {f"hashes_{j}": self.hashes[j], f"codes_{j}": self.codes[j]}
        return state

    @classmethod
    def from_state(cls, state: State) -> FieldCodes:
        """The stored one again."""
        size = range(len(state["names"]))
        hashes, codes = tuple(state[f"hashes_{j}"] for j in size), tuple(state[f"codes_{j}"] for j in size)
        return cls(tuple(state["names"]), hashes, codes, tuple(int(f) for f in state["frequent"]))


def numbers(tickets: pd.DataFrame) -> np.ndarray:
    """`NUMBERS` of each ticket, shape (n, 9), float32; reads `text` and `created_at`."""
    texts = [t if isinstance(t, str) else "" for t in tickets["text"].tolist()]
    size = np.array([len(t) for t in texts], dtype=np.float64)
    seconds = tickets["created_at"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    undated = tickets["created_at"].isna().to_numpy()
    table = np.stack(
        [
            seconds / 86_400,
            seconds // 3_600 % 24,
            (seconds // 86_400 + 3) % 7,  # 1970 began on a Thursday
            np.log1p(size),
            np.log1p([len(t.split()) for t in texts]),
            np.array([sum(map(str.isupper, t)) for t in texts]) / np.maximum(size, 1),
            np.array([sum(map(str.isdigit, t)) for t in texts]) / np.maximum(size, 1),
            np.minimum([t.count("!") for t in texts], 10),
            np.minimum([t.count("?") for t in texts], 10),
        ],
        axis=1,
    ).astype(np.float32)
    table[undated, :3] = np.nan
    return table


def _hashes(values: list[str]) -> np.ndarray:
    """Hash of each value, uint64; a value that repeats is hashed once."""
    unique = {v: _hash(v) for v in set(values)}
    return np.array([unique[v] for v in values], dtype=np.uint64)


def _hash(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
