"""How far today's input has moved from the training data: counts that add up, and divergences between them.

`summarise` turns a frame into counts, `merge` adds counts up (so a file of any size is summarised chunk by chunk),
`distance` compares two sets of counts, and `judge` says in a word whether the difference matters. Values of fields
and channels are counted under a hash, never under their own text: a wrong mapping may put personal data there.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pipeline.tickets.schema import FIELD_PREFIX

Counts = dict[str, Any]
"""`{"rows": n, "counts": {name: {bin: count}}}`: plain JSON."""

Verdict = Literal["steady", "moving", "moved", "unknown"]

EMPTY = "(empty)"
BUCKETS = 64
"""Values of a field are spread over this many bins by their hash, so that counts stay small whatever a field holds."""

MOVING_BITS = 0.10 / 8 / math.log(2)
MOVED_BITS = 0.25 / 8 / math.log(2)
"""0.018 and 0.045 bits: the population stability index's usual 0.10 and 0.25 (Siddiqi, Credit Risk Scorecards, 2006).

PSI is Jeffreys' divergence J; for near distributions the Jensen–Shannon divergence is J / 8 (second-order expansion;
Lin, IEEE Trans. Inf. Theory 37, 1991, for the divergence itself), and dividing by ln 2 turns nats into bits."""

_CHANCE_Z = 3.09  # one in a thousand: a night's report compares some twenty names


@dataclass(frozen=True)
class Judgement:
    """What the counts of now say against the counts of training.

    Attributes
    ----------
    verdict : {'steady', 'moving', 'moved', 'unknown'}
        The worst name's verdict; 'unknown' without a reference or without rows.
    bits : dict of str to float
        Jensen–Shannon divergence of each name in bits, 0 (same) to 1 (nothing in common), largest first.
    moving, moved : tuple of str
        Names past `MOVING_BITS` and past `MOVED_BITS`, and past what chance alone does at this many rows.
    rows, reference_rows : int
        How many rows stand behind each side.
    """

    verdict: Verdict
    bits: dict[str, float]
    moving: tuple[str, ...]
    moved: tuple[str, ...]
    rows: int
    reference_rows: int


def summarise(tickets: pd.DataFrame, scored: pd.DataFrame) -> Counts:
    """Count what tickets and their scores look like; refused rows are left out.

    Parameters
    ----------
    tickets : DataFrame
        The frame given to `Scorer.score`: texts as stored, not cleaned. The training side must give the same kind.
    scored : DataFrame
        What `Scorer.score` answered, row for row. For a reference: of rows that the models weren't fitted on, else
        the confidences are those of learned-by-heart rows and every night looks less sure.

    Returns
    -------
    dict
        Counts over language, channel, text length (characters, powers of two), each field, topic, queue, and tenths
        of the topic's confidence and of the escalation risk.
    """
    kept = scored["error"].isna().to_numpy()
    tickets, scored = tickets[kept], scored[kept]
    counts = {
        "language": _values(scored.get("language"), len(scored)),
        "channel": _hashed(tickets.get("channel"), len(tickets)),
        "text_length": _lengths(tickets),
        "topic": _values(scored.get("topic"), len(scored)),
        "queue": _values(scored.get("queue"), len(scored)),
        "topic_confidence": _tenths(scored.get("topic_confidence"), len(scored)),
        "escalation_risk": _tenths(scored.get("escalation_risk"), len(scored)),
    }
    fields = sorted(str(c) for c in tickets.columns if str(c).startswith(FIELD_PREFIX))
    counts |= {name: _hashed(tickets[name], len(tickets)) for name in fields}
    return {"rows": len(scored), "counts": counts}


def merge(parts: Iterable[Counts]) -> Counts:
    """Add counts up; the order doesn't matter. A name that some parts lack was empty there."""
    rows, counts = 0, dict[str, dict[str, int]]()
    for part in parts:
        for name in counts.keys() - part["counts"].keys():
            _add(counts[name], {EMPTY: part["rows"]} if part["rows"] else {})
        for name, bins in part["counts"].items():
            mine = counts.setdefault(name, {EMPTY: rows} if rows else {})
            _add(mine, bins)
        rows += part["rows"]
    return {"rows": rows, "counts": {name: dict(sorted(counts[name].items())) for name in sorted(counts)}}


def distance(reference: Counts, now: Counts) -> dict[str, float]:
    """Jensen–Shannon divergence in bits for each name of the reference, largest first.

    A name that is now missing counts as empty throughout; one that the reference doesn't know is left out, as the
    scorer doesn't read it; one that is empty on both sides says nothing and is left out too.
    """
    found: dict[str, float] = {}
    if not reference.get("rows") or not now.get("rows"):
        return found
    for name, before in reference["counts"].items():
        after = now["counts"].get(name, {EMPTY: now["rows"]})
        if set(before) | set(after) != {EMPTY}:
            found[name] = divergence(before, after)
    return dict(sorted(found.items(), key=_largest_first))


def divergence(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Jensen–Shannon divergence of two histograms in bits: 0 the same shares, 1 nothing in common (Lin 1991)."""
    bins = sorted(set(before) | set(after))
    p, q = (np.array([side.get(b, 0) for b in bins], dtype=float) for side in (before, after))
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return float(max(0.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2))


def chance(bins: int, rows: int, reference_rows: int) -> float:
    """The divergence in bits that chance alone exceeds once in a thousand times, with no change at all.

    8 ln 2 · JSD ≈ (1/n + 1/m) · χ² with one degree of freedom less than bins (the expansion behind `MOVED_BITS`);
    the quantile is Wilson and Hilferty's (1931).
    """
    if bins < 2:
        return 0.0
    free = bins - 1
    spread = 2 / (9 * free)
    quantile = free * (1 - spread + _CHANCE_Z * math.sqrt(spread)) ** 3
    return float((1 / rows + 1 / reference_rows) * quantile / (8 * math.log(2)))


def judge(reference: Counts | None, now: Counts) -> Judgement:
    """Compare and say it in a word."""
    if not reference or not reference.get("rows") or not now.get("rows"):
        return Judgement("unknown", {}, (), (), int(now.get("rows", 0)), int((reference or {}).get("rows", 0)))
    bits = distance(reference, now)
    rows, reference_rows = int(now["rows"]), int(reference["rows"])
    beyond = {}
    for name, value in bits.items():
        bins = len(reference["counts"][name].keys() | now["counts"].get(name, {EMPTY: 0}).keys())
        if value > chance(bins, rows, reference_rows):
            beyond[name] = value
    moved = tuple(n for n, v in beyond.items() if v >= MOVED_BITS)
    moving = tuple(n for n, v in beyond.items() if MOVING_BITS <= v < MOVED_BITS)
    verdict: Verdict = "moved" if moved else "moving" if moving else "steady"
    return Judgement(verdict, {n: round(v, 6) for n, v in bits.items()}, moving, moved, rows, reference_rows)


def _add(into: dict[str, int], bins: Mapping[str, int]) -> None:
    for key, count in bins.items():
        into[key] = into.get(key, 0) + count


def _largest_first(item: tuple[str, float]) -> tuple[float, str]:
    return -item[1], item[0]


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())


def _values(values: pd.Series | None, rows: int) -> dict[str, int]:
    if values is None:
        return {EMPTY: rows} if rows else {}
    counts: dict[str, int] = {}
    for value, count in Counter(values.tolist()).items():
        known = isinstance(value, str) and value != ""
        _add(counts, {value if known else EMPTY: count})
    return dict(sorted(counts.items()))


def _hashed(values: pd.Series | None, rows: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value, count in _values(values, rows).items():
        _add(counts, {value if value == EMPTY else _bucket(value): count})
    return dict(sorted(counts.items()))


def _bucket(value: str) -> str:
    digest = hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=4).digest()
    return f"h{int.from_bytes(digest, 'big') % BUCKETS:02d}"


def _lengths(tickets: pd.DataFrame) -> dict[str, int]:
    characters = np.zeros(len(tickets), dtype=np.int64)
    for name in ("subject", "body"):
        if name in tickets:
            characters += tickets[name].str.len().fillna(0).to_numpy(dtype=np.int64)
    exponents = np.where(characters > 0, np.floor(np.log2(np.maximum(characters, 1))), -1).astype(int)
    found, counts = np.unique(exponents, return_counts=True)
    return {EMPTY if e < 0 else f"{2**e:07d}+": int(c) for e, c in zip(found.tolist(), counts.tolist(), strict=True)}


def _tenths(values: pd.Series | None, rows: int) -> dict[str, int]:
    if values is None:
        return {EMPTY: rows} if rows else {}
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    known = numbers[~np.isnan(numbers)]
    bins, counts = np.unique(np.clip(np.floor(known * 10), 0, 9).astype(int), return_counts=True)
    shares = {f"0.{b}": int(c) for b, c in zip(bins.tolist(), counts.tolist(), strict=True)}
    return shares | ({EMPTY: len(numbers) - len(known)} if len(known) < len(numbers) else {})
