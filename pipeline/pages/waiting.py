"""What a report says of the risk through a ticket's life: at fixed ages, in time before it escalates, and honestly."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.pages.figures import Bin, Curve, Estimate


@dataclass(frozen=True)
class Alone:
    """Figures of the risk at creation, without any history; None where undefined."""

    roc_auc: float | None = None
    average_precision: float | None = None
    recall: float | None = None
    ece: float | None = None


@dataclass(frozen=True)
class AtAge:
    """The tickets that were still open, and hadn't escalated, at one age.

    Attributes
    ----------
    hours : float
        Age after creation.
    tickets, escalated : int
        Tickets looked at, and those of them that escalated later.
    roc_auc, average_precision, recall, ece : Estimate
        Of the risk as of that age. `recall`: share of the escalations found by reviewing the `Waiting.capacity`
        riskiest of these tickets.
    alone : Alone
        The same figures of the risk at creation of these very tickets.
    gain : Estimate
        ROC-AUC with the history less that without, on the same tickets (paired).
    gains, precision_recall : Curve
        As in `Gains`.
    bins : tuple of Bin
        Of the reliability.
    """

    hours: float
    tickets: int
    escalated: int
    roc_auc: Estimate
    average_precision: Estimate
    recall: Estimate
    ece: Estimate
    alone: Alone
    gain: Estimate
    gains: Curve
    precision_recall: Curve
    bins: tuple[Bin, ...]

    @property
    def base_rate(self) -> float:
        """Share that escalated later."""
        return self.escalated / self.tickets if self.tickets else 0.0


@dataclass(frozen=True)
class Hours:
    """Hours from an alert to the escalation: quartiles, and the share of them above a day; None without any."""

    count: int
    low: float | None = None
    median: float | None = None
    high: float | None = None
    above_a_day: float | None = None


@dataclass(frozen=True)
class Lead:
    """Time won by alerts, at the capacity that people have for them.

    Attributes
    ----------
    alerts, caught, escalations : int
        Alerts given, those of them whose ticket escalated afterwards, and all escalations.
    hours : Hours
        Of all that were caught.
    at_creation, later : Hours
        Of those caught by an alert at creation, and of those caught while they waited.
    alone : Hours
        Of what alerts by the risk at creation alone catch, with the same capacity.
    ceiling : Hours
        Of flagging everything at creation: no alert can come earlier.
    curve, ceiling_curve : Curve
        (hours, share of all escalations that were alerted at least so long before).
    """

    alerts: int
    caught: int
    escalations: int
    hours: Hours
    at_creation: Hours
    later: Hours
    alone: Hours
    ceiling: Hours
    curve: Curve
    ceiling_curve: Curve


@dataclass(frozen=True)
class Leak:
    """The leakage test: what was received after the moment is thrown into disorder, and nothing may change.

    Attributes
    ----------
    tickets, facts : int
        Tickets looked at, at all moments together, and facts that were permuted.
    largest : float
        Largest change of a risk.
    """

    tickets: int
    facts: int
    largest: float


@dataclass(frozen=True)
class Waiting:
    """The risk as tickets wait.

    Attributes
    ----------
    capacity : float
        Share of a day's new tickets that people can look at.
    lead : Lead or None
        None where nothing escalated while it was looked at.
    leak : Leak or None
        None where it wasn't tested.
    """

    ages: tuple[AtAge, ...]
    capacity: float
    lead: Lead | None = None
    leak: Leak | None = None


def age_words(hours: float) -> str:
    """`at creation`, `4 h`, `3 days`."""
    if hours == 0:
        return "at creation"
    return f"{hours:g} h" if hours < 48 else f"{hours / 24:g} days"
