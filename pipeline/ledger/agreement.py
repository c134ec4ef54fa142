"""Whether people follow what they are shown: agreement on tickets with suggestions, against those held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from pipeline.ledger.ledger import Ledger

FEWEST = 30
"""With fewer tickets on either side nothing is said about the difference."""

_Z = 1.96  # 95 %

_LABELS = ("topic", "priority", "queue")


@dataclass(frozen=True)
class Share:
    """How often people said what the scorer had said."""

    agreed: int
    of: int

    @property
    def value(self) -> float | None:
        """None where nobody said anything."""
        return self.agreed / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval by Wilson (1927)."""
        if not self.of:
            return 0.0, 1.0
        share, spread = self.agreed / self.of, _Z**2 / self.of
        middle, half = share + spread / 2, _Z * sqrt(share * (1 - share) / self.of + spread / (4 * self.of))
        return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


@dataclass(frozen=True)
class Agreement:
    """One kind of feedback on both sorts of tickets.

    Attributes
    ----------
    kind : str
    shown, held_out : Share
        Of the tickets whose suggestions doors may show, and of those that were held out.
    """

    kind: str
    shown: Share
    held_out: Share

    @property
    def enough(self) -> bool:
        """Whether there are tickets enough to speak of a difference."""
        return min(self.shown.of, self.held_out.of) >= FEWEST

    @property
    def difference(self) -> tuple[float, float, float] | None:
        """Shown less held out, with its 95 % interval by Newcombe (1998, method 10); None where there is too little."""
        a, b = self.shown.value, self.held_out.value
        if a is None or b is None or not self.enough:
            return None
        (low, high), (least, most) = self.shown.interval, self.held_out.interval
        gap = a - b
        return gap, gap - sqrt((a - low) ** 2 + (most - b) ** 2), gap + sqrt((high - a) ** 2 + (b - least) ** 2)


def agreement(ledger: Ledger) -> list[Agreement]:
    """Agreement by kind: of each ticket and kind the last word counts, beside the decision that it is about.

    `article_attached` agrees where the article was among the suggestions, `none_fits` where there were none.

    Raises
    ------
    StoreError
    """
    said = (one for one in ledger.all_feedback() if one.decision is not None and one.kind != "article_dismissed")
    last = {(one.decision, one.kind if one.kind in _LABELS else "article"): one for one in said}
    if not last:
        return []
    decided = {one.key: (one.shown, one.scored) for one in ledger.named({key for key, _ in last if key is not None})}
    sides: dict[str, dict[bool, list[bool]]] = {}
    for (key, _), one in last.items():
        if key in decided:
            shown, scored = decided[key]
            sides.setdefault(one.kind, {True: [], False: []})[shown].append(_agrees(one.kind, one.value, scored))
    return [Agreement(kind, _share(sides[kind][True]), _share(sides[kind][False])) for kind in sorted(sides)]


def _agrees(kind: str, value: str | None, scored: Mapping[str, Any]) -> bool:
    """Whether a person said what the scorer had said."""
    if kind in _LABELS:
        return bool(scored.get(kind) == value)
    suggested = [str(one.get("article_id")) for one in scored.get("articles") or []]
    return value in suggested if kind == "article_attached" else not suggested


def _share(agreed: Sequence[bool]) -> Share:
    return Share(sum(agreed), len(agreed))
