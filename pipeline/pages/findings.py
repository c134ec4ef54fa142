"""What a report says of labels and data: words, taxonomy over time, label audit, drift, what became of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MIN_TICKETS_PER_WORD = 10
"""A word that fewer tickets hold could point at a person; the page leaves it out."""


@dataclass(frozen=True)
class TopWord:
    """A word that speaks for a class, its weight, and the number of training tickets that hold it."""

    word: str
    weight: float
    tickets: int


@dataclass(frozen=True)
class ClassWords:
    """The words that speak most for one class."""

    label: str
    words: tuple[TopWord, ...]


@dataclass(frozen=True)
class LabelLife:
    """One label over time.

    Attributes
    ----------
    counts : tuple of int
        Tickets in each month of `Taxonomy.months`.
    alive : bool
        Whether it may be predicted.
    renamed_to : str
        The label that took its place, or "".
    note : str
        Anything else: "dead since 2024-12", "new in 2025-01".
    """

    label: str
    counts: tuple[int, ...]
    alive: bool
    renamed_to: str = ""
    note: str = ""


@dataclass(frozen=True)
class Taxonomy:
    """Labels over time, and which past is learned from.

    Attributes
    ----------
    totals : tuple of int
        All tickets with a label in each month.
    learn_from : str
        The month from which rows train ("2024-12"), or "" for all.
    note : str
        How that was found, in one or two sentences.
    """

    months: tuple[str, ...]
    totals: tuple[int, ...]
    labels: tuple[LabelLife, ...]
    learn_from: str = ""
    note: str = ""


@dataclass(frozen=True)
class Suspect:
    """A ticket whose label is likely wrong: what it was given, what the others would say, and how surely."""

    ticket_id: str
    outcome: str
    given: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Twins:
    """Labels that look like one (`why`: "case", "spaces", "spelling"), with their counts."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class RareLabel:
    """A label with too few tickets to learn, and what was done with it."""

    label: str
    n: int
    done: str = "never predicted"


@dataclass(frozen=True)
class Repeats:
    """Tickets with one text (filed by a machine), and the labels they carry; ids of some of them."""

    n: int
    labels: tuple[str, ...]
    ticket_ids: tuple[str, ...]


@dataclass(frozen=True)
class GiveAway:
    """A column that gives an outcome away: how well it alone predicts it, and whether it was left out."""

    column: str
    outcome: str
    strength: str
    left_out: bool = True


@dataclass(frozen=True)
class Unpredictable:
    """A label that nothing known at creation predicts, and the evidence in words."""

    label: str
    outcome: str
    n: int
    evidence: str


@dataclass(frozen=True)
class ClockShift:
    """A sign that a part of the tickets has a clock that is off by whole hours.

    Attributes
    ----------
    seen_by : str
        What shows it: "ids Q-…", or "hours of the day".
    hours : tuple of int
        How far apart the two clocks are; two values where summer time changes it.
    tickets, n : int
        How many tickets stand out (are earlier than those numbered before them, or lie on the smaller side of the
        moment), and how many were looked at.
    evidence : str
        In words, with ids or the day.
    """

    seen_by: str
    hours: tuple[int, ...]
    tickets: int
    n: int
    evidence: str


@dataclass(frozen=True)
class Audit:
    """The work list for whoever owns the labels, most useful first.

    `labelled_both_ways`: texts that carry several labels. `suspects_found`: how many; the list may be shorter.
    """

    suspects: tuple[Suspect, ...] = ()
    suspects_found: int = 0
    twins: tuple[Twins, ...] = ()
    rare: tuple[RareLabel, ...] = ()
    repeats: tuple[Repeats, ...] = ()
    labelled_both_ways: tuple[Repeats, ...] = ()
    give_aways: tuple[GiveAway, ...] = ()
    unpredictable: tuple[Unpredictable, ...] = ()


@dataclass(frozen=True)
class Drift:
    """How far one thing moved between training and test: a statistic ("PSI"), its value, and when to worry."""

    what: str
    statistic: str
    value: float
    worry_above: float


@dataclass(frozen=True)
class Queue:
    """Where tickets went: how many, and by whom (`model`, `rule:NAME`, `abstained`, `fallback:CODE`)."""

    queue: str
    reason: str
    n: int


@dataclass(frozen=True)
class DataNotes:
    """What became of the rows.

    Attributes
    ----------
    read : int
        Records read.
    refused : dict
        Row code → count.
    left_out : dict
        Why a readable row is neither trained nor tested on → count: "near-duplicate of a test ticket", "outcome not
        known at the cut".
    facts : dict
        Anything else worth a line: "tickets without words" → "12".
    """

    read: int
    refused: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reproduction:
    """What is needed to get the same bytes again: commands, file hashes (SHA-256), library versions, the seed."""

    commands: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
