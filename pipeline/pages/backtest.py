"""What a replay of past weeks says: waits under three orders, with fewer and more hands, and what was assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.pages.figures import Curve
from pipeline.pages.formats import decimal, percent, plural

FEWEST_URGENT = 30
"""With fewer urgent tickets a figure of them is mostly chance; the page says so."""

NEVER_BUSY, TOO_BUSY = 0.5, 1.0
"""Loads below which there is hardly a queue to order, and above which it grows without end."""


@dataclass(frozen=True)
class Waits:
    """Hours from arrival to the start of handling, of some tickets; nan where there are none.

    Attributes
    ----------
    curve : Curve
        (hours, share of the tickets taken within so many hours).
    """

    tickets: int
    median: float
    p90: float
    mean: float
    curve: Curve = ()


@dataclass(frozen=True)
class Replayed:
    """What one order led to.

    Attributes
    ----------
    urgent, rest : Waits
        Of the tickets that turned out urgent, and of those that didn't: the price that the rest pays.
    sla_missed : float
        Share of the tickets with a deadline whose handling started after it; nan without deadlines.
    handled : int
        Tickets done by the time of the last arrival.
    mean_queue : float
        Tickets waiting, averaged over the time from the first arrival to the last; nan if that is no time at all.
    """

    urgent: Waits
    rest: Waits
    sla_missed: float
    handled: int
    mean_queue: float


@dataclass(frozen=True)
class Backtest:
    """The same tickets and the same hands under three orders.

    Attributes
    ----------
    first_come, predicted : Replayed
        First come, first served; the order that was asked for.
    oracle : Replayed
        Urgent ones first, with the truth known: where all take equally long, no order has a lower mean wait of the
        urgent ones.
    load : float
        Hours of work over the hands' hours from the first arrival to the last: well below 1 there is nothing to order,
        above 1 the queue grows. nan if that is no time at all.
    assumptions : tuple of str
        Sentences that a reader must know.
    """

    first_come: Replayed
    predicted: Replayed
    oracle: Replayed
    load: float
    assumptions: tuple[str, ...]

    @property
    def orders(self) -> dict[str, Replayed]:
        """The three by the names that the page gives them."""
        return {
            "first come, first served": self.first_come,
            "predicted order": self.predicted,
            "truth known": self.oracle,
        }


@dataclass(frozen=True)
class Replay:
    """A backtest and what it was made of.

    Attributes
    ----------
    first_ticket, last_ticket : str
        Days of the first and last arrival.
    tickets, left_out : int
        Tickets that arrive again, and others of the same weeks that can't.
    handling_hours : float
        What each ticket takes.
    clock : str
        What hours are: "hours" or "business hours".
    urgent : str
        What counts as urgent, in words: "it escalated".
    result : Backtest
        With the hands that were asked for.
    hands : int
    staffing : tuple of (hands, Backtest)
        The same with fewer and more hands, fewest first; the one that was asked for is among them.
    costs : mapping of str to str
        What waiting costs, as the settings say.
    commands : tuple of str
        How to get it again.
    notes : tuple of str
        What else a reader must know before any figure.
    """

    scorer_version: str
    first_ticket: str
    last_ticket: str
    tickets: int
    left_out: int
    handling_hours: float
    clock: str
    urgent: str
    result: Backtest
    hands: int
    staffing: tuple[tuple[int, Backtest], ...] = ()
    costs: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    synthetic: bool = False


def summary(replay: Replay) -> list[str]:
    """What a reader with ten seconds should know."""
    first, then = replay.result.first_come, replay.result.predicted
    people = plural(replay.hands, "hand")
    return [
        f"With {people}, tickets that turned out urgent waited {_mean(then.urgent)} {replay.clock} in the predicted "
        f"order, instead of {_mean(first.urgent)} first come, first served.",
        f"The rest waited {_mean(then.rest)} instead of {_mean(first.rest)}; one in ten of them more than "
        f"{decimal(then.rest.p90, 1)} instead of {decimal(first.rest.p90, 1)}.",
    ]


def cautions(replay: Replay) -> list[str]:
    """What weakens the figures, in sentences."""
    load, urgent = replay.result.load, replay.result.first_come.urgent.tickets
    said = []
    if load > TOO_BUSY:
        said.append(
            f"The load is {percent(load)}: more work comes than the hands can do, so the queue grows to the end, and "
            "every wait depends on how long the window is."
        )
    if load < NEVER_BUSY:
        said.append(f"The load is {percent(load)}: there is hardly ever a queue, and no order can matter much.")
    if urgent < FEWEST_URGENT:
        said.append(f"Only {plural(urgent, 'ticket')} turned out urgent: their waits are mostly chance.")
    return [*said, *replay.notes]


def _mean(waits: Waits) -> str:
    return f"{decimal(waits.mean, 1)} (median {decimal(waits.median, 1)})"
