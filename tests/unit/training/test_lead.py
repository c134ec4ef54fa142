"""Alerts at a capacity, on days small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.history.log import DAY, HOUR
from pipeline.training.lead import Looks, alerts, lead


def made(rows, created, escalated) -> Looks:
    """Looks out of (ticket, hours, risk)."""
    ticket, hours, risk = zip(*rows, strict=True)
    return Looks(
        np.array(ticket), (np.array(hours) * HOUR).astype(np.int64), np.array(risk, dtype=float),
        (np.array(created) * HOUR).astype(np.int64),
        np.array([-1 if e is None else int(e * HOUR) for e in escalated], dtype=np.int64),
    )  # fmt: skip


class TestAlerts:
    def test_as_many_as_a_days_new_tickets_allow_and_the_riskiest(self) -> None:
        """Ten tickets a day, capacity 10 %: one alert a day, to the ticket that stands out."""
        rows = [(10 * day + i, 24 * day + i, 0.9 if i == 4 else 0.1) for day in range(3) for i in range(10)]
        looks = made(rows, [24 * day + i for day in range(3) for i in range(10)], [None] * 30)
        assert np.flatnonzero(alerts(looks, 0.1) >= 0).tolist() == [4, 14, 24]

    def test_nothing_of_a_later_day_is_used(self) -> None:
        rng = np.random.default_rng(1)
        rows = [(t, t * 2.4 + age, rng.random()) for t in range(100) for age in (0, 4, 24)]
        looks = made(rows, [t * 2.4 for t in range(100)], [None] * 100)
        given = alerts(looks, 0.1)
        later = looks.moment // DAY >= 5
        changed = Looks(
            looks.ticket, looks.moment, np.where(later, 1 - looks.risk, looks.risk), looks.created, looks.escalated
        )
        before = (given >= 0) & (looks.moment[given] // DAY < 5)
        assert before.any()
        assert (alerts(changed, 0.1)[before] == given[before]).all()

    def test_a_ticket_is_alerted_once_at_its_first_look_that_stands_out(self) -> None:
        """Were its later looks alerts too, the second ticket would find no room."""
        rows = [(0, 0, 0.9), (0, 1, 0.95), (0, 4, 0.99), (1, 5, 0.9)] + [(t, t, 0.1 - t / 1000) for t in range(2, 20)]
        looks = made(rows, [0, 5, *range(2, 20)], [None] * 20)
        assert alerts(looks, 0.1)[:2].tolist() == [0, 3]

    @pytest.mark.parametrize("capacity", [0.05, 0.1, 0.5, 1.0])
    def test_never_more_than_the_capacity(self, capacity: float) -> None:
        rng = np.random.default_rng(2)
        created = np.sort(rng.uniform(0, 24 * 60, 900))
        rows = [(t, created[t] + age, rng.random()) for t in range(900) for age in (0, 1, 24)]
        given = alerts(made(rows, created, [None] * 900), capacity)
        assert 0.5 * capacity * 900 < (given >= 0).sum() <= capacity * 900 + 1


class TestLead:
    def test_hours_from_the_alert_to_the_escalation_beside_the_ceiling(self) -> None:
        """One ticket a day escalates 30 hours after creation; its risk stands out after four."""
        rows, created, escalated = [], [], []
        for day in range(10):
            for i in range(10):
                ticket = 10 * day + i
                created.append(24 * day + i / 2)
                escalated.append(created[-1] + 30 if i == 3 else None)
                rows.append((ticket, created[-1], 0.1))
                rows.append((ticket, created[-1] + 4, 0.9 if i == 3 else 0.1))
        looks = made(rows, created, escalated)
        first = looks.moment == looks.created[looks.ticket]
        alone = Looks(looks.ticket[first], looks.moment[first], looks.risk[first], looks.created, looks.escalated)
        found = lead(looks, alone, 0.1)
        assert found is not None
        assert found.escalations == 10
        assert found.ceiling.median == 30
        assert found.later.median == 26
        assert found.caught >= 9
        assert found.at_creation.count + found.later.count == found.caught
        assert found.ceiling_curve[0] == (0.0, 1.0)
        assert all(a >= b for (_, a), (_, b) in zip(found.ceiling_curve, found.ceiling_curve[1:], strict=False))

    def test_none_where_nothing_escalated(self) -> None:
        looks = made([(0, 0, 0.5)], [0], [None])
        assert lead(looks, looks, 0.1) is None

    def test_one_that_came_escalated_could_not_be_foreseen(self) -> None:
        looks = made([(0, 0, 0.9), (1, 1, 0.9)], [0, 1], [0, 5])
        found = lead(looks, looks, 1.0)
        assert found is not None and found.escalations == 1 and found.ceiling.median == 4
