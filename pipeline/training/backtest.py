"""`triage backtest`: past tickets that the scorer hasn't seen arrive again, and hands take them in another order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import ordering
from pipeline.config import Ordering
from pipeline.errors import ConfigError, InputError
from pipeline.history.calendar import Calendar
from pipeline.history.log import HOUR, moments, objects
from pipeline.history.record import record
from pipeline.history.targets import Targets
from pipeline.pages.backtest import Backtest, Replay
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.training.backtest_words import command, costs, left_out_note, stated
from pipeline.training.curves import Floats, Integers
from pipeline.training.served import remembering, serve
from pipeline.training.simulate import Choice, compare
from pipeline.training.unseen import Unseen, require, unseen
from pipeline.training.urgent import Urgent, urgent_of

Say = Callable[[str], None]

BUSY = 0.9
"""Without a stated handling time each ticket takes so long that the hands work this share of their time."""

WARM_UP_HOURS, WARM_UP_SHARE = 7 * 24.0, 0.25
"""Tickets of the first week only fill the queue; of a short window at most this share of its time."""


@dataclass(frozen=True)
class Window:
    """Which tickets arrive again: created at `since` or later and before `until`; None: from the first, to the last."""

    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None


WHOLE = Window()


@dataclass(frozen=True)
class CostIndex:
    """The index of `ordering.order`, asked again whenever a hand is free; every ticket takes equally long.

    Attributes
    ----------
    fixed : array of float, shape (n,)
        Expected costs of waiting and of escalating, which don't change while a ticket waits.
    due : array of float, shape (n,)
        Hours, on the clock of the arrivals, at which its first reply is due; nan without a target.
    settings : Ordering
    """

    fixed: Floats
    due: Floats
    settings: Ordering

    def __call__(self, tickets: Integers, now: float) -> Floats:
        risk = ordering.deadline_risk(self.due[tickets] - now, self.settings.horizon_hours)
        return np.asarray(self.fixed[tickets] + self.settings.sla_missed * risk)

    def choice(self) -> Choice:
        """Itself; as one number a ticket, which is quicker, where no deadline matters."""
        timed = self.settings.sla_missed > 0 and not np.isnan(self.due).all()
        return self if timed else self.fixed


@dataclass(frozen=True)
class _Desk:
    """What arrives and what is known of it, in order of arrival; hours count from the first, on the desk's clock."""

    arrivals: Floats
    index: CostIndex
    urgent: Urgent
    due: Floats
    counted_from: float


def backtest(
    raw: Path | Raw,
    scorer: Scorer,
    *,
    hands: int,
    window: Window = WHOLE,
    handling_hours: float | None = None,
    where: Path | None = None,
    say: Say = print,
) -> Replay:
    """Replay past weeks with the real arrivals: first come, first served, the predicted order, and the truth known.

    Parameters
    ----------
    raw : Path or Raw
        A RAW_DIR, or what was read from it. Its outcomes are made by the scorer's own definitions.
    hands : int
        People who take tickets side by side whenever the desk is open.
    window : Window
        Where it has no beginning, it begins at the cut before which the scorer was trained.
    handling_hours : float, optional
        What each ticket takes. Without it, `BUSY` decides.
    where : Path, optional
        The scorer's folder, for messages.

    Raises
    ------
    InputError
        Every ticket with an outcome is one that the scorer was trained on; no ticket of the window has a time, or all
        came at once; none turned out urgent.
    ConfigError
        Fewer than one hand, handling that takes no time, a window that ends before it begins, or a level in the
        settings that isn't there.
    """
    _check(hands, window, handling_hours)
    given = load_raw(raw) if isinstance(raw, Path) else raw
    found = unseen(given, [scorer], with_outcome=False)
    require(found, where)
    found, left_out = _within(found, given, scorer, window)
    say(f"{len(found.tickets):,} tickets arrive again, {_day(found, 0)} to {_day(found, -1)}")
    desk = _desk(given, found, scorer, say)
    span = float(np.ptp(desk.arrivals))
    if span <= 0:
        got = f"{len(desk.arrivals):,} tickets at one moment of the desk's time"
        raise InputError("there is nothing to replay", where="the window", got=got, do="widen it: --from, --to")
    takes = handling_hours or float(f"{BUSY * hands * span / len(desk.arrivals):.3g}")
    said = stated(scorer.settings, busy=None if handling_hours else BUSY, urgent=desk.urgent, filling=_filling(desk))
    results = {n: _replayed(desk, n, takes, said) for n in _staffing(hands)}
    return Replay(
        scorer_version=scorer.version,
        first_ticket=_day(found, 0),
        last_ticket=_day(found, -1),
        tickets=len(found.tickets),
        left_out=left_out,
        handling_hours=takes,
        clock="business hours" if scorer.settings.sla.hours else "hours",
        urgent=desk.urgent.words,
        result=results[hands],
        hands=hands,
        staffing=tuple(results.items()),
        costs=costs(scorer.settings.ordering),
        commands=(command(hands, handling_hours, window.since, window.until),),
        notes=(*left_out_note(left_out, len(found.tickets)), *_no_opinion(desk.index)),
        synthetic=found.synthetic or bool(scorer.about.get("synthetic")),
    )


def _check(hands: int, window: Window, handling_hours: float | None) -> None:
    if hands < 1:
        raise ConfigError("nobody to take the tickets", where="--hands", got=str(hands), do="at least 1")
    if handling_hours is not None and not (np.isfinite(handling_hours) and handling_hours > 0):
        do = "hours of work on one ticket, such as 0.5"
        raise ConfigError("handling takes some time", where="--handling", got=f"{handling_hours:g}", do=do)
    if window.since is not None and window.until is not None and window.since >= window.until:
        got = f"{window.since.isoformat()} to {window.until.isoformat()}"
        raise ConfigError("the window ends before it begins", where="--from, --to", got=got, do="swap them")


def _within(found: Unseen, raw: Raw, scorer: Scorer, window: Window) -> tuple[Unseen, int]:
    """The tickets of the window, oldest first, and how many others arrived in it."""
    cut = scorer.about["trained"].get("cut")
    since = window.since if window.since is not None or cut is None else pd.Timestamp(cut)
    rows = np.flatnonzero(_inside(found.parsed["created_at"], since, window.until))
    if not len(rows):
        dated = found.parsed["created_at"].dropna()
        span = f"{dated.min().isoformat()} to {dated.max().isoformat()}" if len(dated) else "none has a created_at"
        raise InputError(
            "no ticket that the scorer wasn't trained on arrived in this window",
            where=f"{since.isoformat() if since else 'the first'} to {window.until or 'the last'}",
            got=f"{len(found.tickets):,} such tickets in RAW_DIR: {span}",
            do="map `created_at` and import again" if not len(dated) else "widen it: --from, --to",
        )
    tickets, parsed = (f.iloc[rows].reset_index(drop=True) for f in (found.tickets, found.parsed))
    left_out = int(_inside(raw.tickets["created_at"], since, window.until).sum()) - len(rows)
    kept = Unseen(tickets, parsed, found.trained, found.read, found.left_out, found.synthetic)
    return kept, left_out


def _inside(created: pd.Series, since: pd.Timestamp | None, until: pd.Timestamp | None) -> np.ndarray:
    kept = created.notna()
    if since is not None:
        kept &= created >= since
    if until is not None:
        kept &= created < until
    return kept.to_numpy(bool)


def _desk(raw: Raw, found: Unseen, scorer: Scorer, say: Say) -> _Desk:
    settings = scorer.settings
    definitions, outcomes = relabel(raw, settings.outcomes, customers=settings.history)
    levels = scorer.levels or (definitions["priority"].order if "priority" in definitions else ())
    if levels:
        ordering.check_levels(settings.ordering, levels)
        Targets.of(settings.sla).check_levels(levels)
    history = None
    if scorer.builder.as_of is not None:
        history = record(raw.tickets, raw.events, outcomes, definitions, settings.history).by_ticket()
    fresh = found.tickets.drop(columns="as_of", errors="ignore")  # as of their arrival
    scored = serve(remembering(scorer), fresh, history=history, say=say).scored
    created, calendar = moments(found.parsed["created_at"]), Calendar.of(settings.sla)
    arrivals = calendar.elapsed(created[:1], created)
    warm = min(WARM_UP_HOURS, WARM_UP_SHARE * float(created[-1] - created[0]) / HOUR)
    counted_from = float(calendar.elapsed(created[:1], created[:1] + int(warm * HOUR))[0])
    targets = Targets.of(settings.sla)
    cost = ordering.parts(scored, settings.ordering)
    due = arrivals + targets.first_response_hours(objects(scored["priority"]))
    fixed = (cost["wait"] + cost["escalation"]).to_numpy(np.float64)
    index = CostIndex(fixed, due, settings.ordering)
    urgent = urgent_of(found.parsed, levels, counted=arrivals >= counted_from)
    missed_from = arrivals + targets.first_response_hours(urgent.priority)
    return _Desk(arrivals, index, urgent, missed_from, counted_from)


def _replayed(desk: _Desk, hands: int, takes: float, said: tuple[str, ...]) -> Backtest:
    return compare(
        desk.arrivals,
        np.full(len(desk.arrivals), takes),
        hands=hands,
        predicted=desk.index.choice(),
        urgent=desk.urgent.truth,
        deadline_hours=desk.due,
        counted_from_hours=desk.counted_from,
        stated=said,
    )


def _staffing(hands: int) -> list[int]:
    """Some fewer and some more: a tenth of them at a time."""
    step = max(1, round(hands / 10))
    return sorted({max(1, hands - step), hands, hands + step, hands + 2 * step})


def _filling(desk: _Desk) -> int:
    return int((desk.arrivals < desk.counted_from).sum())


def _no_opinion(index: CostIndex) -> tuple[str, ...]:
    alike = np.ptp(index.fixed) == 0 and isinstance(index.choice(), np.ndarray)
    told = "The scorer and the settings tell no two of these tickets apart: the predicted order is that of arrival."
    return (told,) if alike else ()


def _day(found: Unseen, row: int) -> str:
    return str(found.parsed["created_at"].iloc[row].strftime("%Y-%m-%d"))
