"""What a page says of a knowledge base: what it lacks, what has gone stale in it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.pages.figures import Estimate

LONGEST = 168.0
"""Hours waited that still count in the order: a few tickets that nobody ever answers would stand above everything."""


@dataclass(frozen=True)
class Gap:
    """Tickets alike that no article fits.

    Attributes
    ----------
    topic : str or None
        As the scorer sees it; None where it has no topic model, or the tickets are of several.
    language : str or None
        Where there is no article at all in the tickets' language: that language.
    words : tuple of str
        Words that tell these tickets from the others; only such as many tickets hold.
    tickets : int
    none_fits : float
        Share of them for which the scorer says that none fits; to the others it suggests something unlikely.
    waiting_hours : float or None
        Median time until somebody answered or the ticket ended; up to the end of the data where neither happened.
    examples : tuple of str
        Ids of the tickets nearest to the middle.
    article_id, title : str or None
        The article whose text is nearest to theirs.
    probability : float or None
        Its mean probability.
    """

    topic: str | None
    language: str | None
    words: tuple[str, ...]
    tickets: int
    none_fits: float
    waiting_hours: float | None
    examples: tuple[str, ...]
    article_id: str | None = None
    title: str | None = None
    probability: float | None = None

    @property
    def weight(self) -> float:
        """Tickets times waiting hours, at most `LONGEST` each: what the order goes by; tickets alone without times."""
        return self.tickets * (1.0 if self.waiting_hours is None else min(self.waiting_hours, LONGEST))


@dataclass(frozen=True)
class TopicGap:
    """How many tickets of a topic lack an article."""

    topic: str | None
    tickets: int
    lacking: int


@dataclass(frozen=True)
class Gaps:
    """Where the knowledge base lacks an article.

    Attributes
    ----------
    first, last : str
        Dates of the tickets; "" without times.
    tickets, lacking : int
        With words; and those of them that no article fits.
    below : float
        An article less probable than this counts as none, unless one was cited.
    scattered : int
        Lacking tickets that are in no group of some size.
    topics : tuple of TopicGap
        Most lacking first.
    gaps : tuple of Gap
        Those that weigh most first.
    """

    first: str
    last: str
    tickets: int
    lacking: int
    below: float
    scattered: int
    topics: tuple[TopicGap, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Fading:
    """An article that is cited less than it was: times before and lately, times expected lately, date of the last."""

    article_id: str
    title: str | None
    before: int
    late: int
    expected: float
    last: str


@dataclass(frozen=True)
class Gone:
    """What is cited and isn't in the knowledge base: an id, or the name in a link."""

    name: str
    cited: int
    last: str


@dataclass(frozen=True)
class ComesBack:
    """An article after which customers come back: of `tickets` on which it was cited, how many and in which way."""

    article_id: str
    title: str | None
    tickets: int
    came_back: int
    wrote: int
    reopened: int
    returned: int
    share: Estimate


@dataclass(frozen=True)
class Stale:
    """What has gone stale.

    Attributes
    ----------
    last, late_from : str
        Dates: of the newest citation, and from when citations count as late; "" without times.
    citations, articles : int
    base_rate : float or None
        Share of all tickets with a cited article whose customers came back.
    days : int
        So long after the citation a customer comes back.
    fading, gone, comes_back : tuple
    never : tuple of (id, title)
        Articles that nobody ever cited.
    """

    last: str
    late_from: str
    citations: int
    articles: int
    base_rate: float | None
    days: int
    fading: tuple[Fading, ...] = ()
    gone: tuple[Gone, ...] = ()
    comes_back: tuple[ComesBack, ...] = ()
    never: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class Finding:
    """One kind of fault: its code, what it means, and the articles, those that belong together in one group."""

    code: str
    meaning: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Check:
    """What is wrong with a knowledge base; `languages` counts its articles, "" for those whose language isn't said."""

    articles: int
    passages: int
    languages: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Knowledge:
    """A page of its own; parts that weren't asked for are None."""

    title: str
    gaps: Gaps | None = None
    stale: Stale | None = None
    check: Check | None = None
    scorer_version: str = ""
    synthetic: bool = False


def gaps_sentence(found: Gaps) -> str:
    """The gaps in one sentence."""
    when = f" from {found.first} to {found.last}" if found.first else ""
    if not found.tickets:
        return f"No ticket{when} has words."
    share = f"{100 * found.lacking / found.tickets:.0f} %"
    return (
        f"Of {found.tickets:,} tickets{when}, {found.lacking:,} ({share}) have no fitting article: none was cited, and "
        f"none is suggested with a probability of {found.below:g} or more."
    )


def names_of(rows: Sequence[tuple[str, str | None]], shown: int) -> str:
    """Titles, or ids where there is none, the first of them."""
    said = "; ".join(title or name for name, title in rows[:shown])
    return said + (f"; {len(rows) - shown:,} more" if len(rows) > shown else "")
