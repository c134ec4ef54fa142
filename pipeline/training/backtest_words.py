"""What a backtest assumes, in sentences, and what its order was made of."""

from __future__ import annotations

import pandas as pd

from pipeline.config import Ordering, Params
from pipeline.training.urgent import Urgent

NOTED = 0.02
"""A share of tickets left out above which the page warns before any figure."""


def stated(settings: Params, *, busy: float | None, urgent: Urgent, filling: int) -> tuple[str, ...]:
    """Sentences that a reader must know.

    Parameters
    ----------
    busy : float or None
        The share of the hands' time that the handling time was made to fill; None where it was given.
    filling : int
        Tickets at the beginning that only fill the queue.
    """
    said = [
        f"A ticket turned out urgent if {urgent.words}. Where the real desk's own delay made it so, another order "
        "would have prevented some, which isn't counted.",
        "Priority and risk are those at arrival, and stay: what happened to a ticket while it waited was the doing of "
        "the real desk, and would tell the order what that desk thought of it. So a ticket of little cost waits until "
        "nothing dearer does, however old it is; scoring it again would raise it as it ages.",
        _clock(settings),
        "The handling time was given." if busy is None else
        f"No handling time was given: it was chosen so that the hands work {100 * busy:.0f} % of their time. The hands "
        "do nothing else, and nobody's replies or follow-ups take time of their own.",
        _deadlines(settings),
    ]  # fmt: skip
    if filling:
        said.append(
            f"The first {filling:,} tickets only fill the queue: they are handled, but no figure counts their waits."
        )
    return tuple(said)


def command(hands: int, handling: float | None, since: pd.Timestamp | None, until: pd.Timestamp | None) -> str:
    """How to get it again."""
    given = {"--hands": hands, "--handling": None if handling is None else f"{handling:g}"}
    given |= {name: None if at is None else at.isoformat() for name, at in (("--from", since), ("--to", until))}
    words = [f"{name} {value}" for name, value in given.items() if value is not None]
    return " ".join(["triage backtest --raw RAW_DIR --scorer SCORER_DIR --out REPORT_DIR", *words])


def costs(settings: Ordering) -> dict[str, str]:
    """The costs that the order weighs, as text."""
    dearest_last = sorted(settings.wait.items(), key=lambda item: (item[1], item[0]))
    waits = {f"an hour of waiting, {'any other level' if k == '*' else k}": v for k, v in dearest_last}
    named = waits | {"an escalation": settings.escalation, "a missed deadline": settings.sla_missed}
    return {name: f"{cost:g}" for name, cost in named.items()} | {"horizon": f"{settings.horizon_hours:g} hours"}


def left_out_note(left_out: int, used: int) -> tuple[str, ...]:
    """A caution where the queue lacks tickets that were really there."""
    if left_out <= NOTED * (used + left_out):
        return ()
    told = (
        f"{left_out:,} of {used + left_out:,} tickets that arrived in the window are left out, as the scorer was "
        "trained on them or can't read them: the queue is shorter than it was."
    )
    return (told,)


def _clock(settings: Params) -> str:
    if not settings.sla.hours:
        return "No opening hours are set, so each hand stands for somebody at work day and night, by turns."
    return (
        f"Hours are business hours of the desk ({settings.sla.timezone}): all hands work while it is open, and "
        "a ticket that comes while it is closed comes when it opens."
    )


def _deadlines(settings: Params) -> str:
    if not settings.sla.first_response:
        return "No first reply was promised (sla.first_response): there is no clock, and nothing to miss."
    return (
        "A first reply is given when handling starts. Whether it was late is told by the level that the ticket turned "
        "out to have; the order knows only the predicted one."
    )
