"""One ticket through its life, with an obedient scorer and a real store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_history import Event, Ticket, time_of
from unit.serving.made_open import NOW, Open, Told, opened

from pipeline.errors import InputError
from pipeline.history.record import DatedFacts
from pipeline.serving.follow import Step, find, follow, most_risen
from pipeline.serving.intake import open_intake

TICKETS = [Ticket(id=name, created=float(i)) for i, name in enumerate(("calm", "rising", "done"))]
EVENTS = [Event("status", 2.5, "resolved", ticket="done"), Event("status", 30.0, "open", ticket="done")]


@dataclass
class ByAge(Told):
    """The risk of `rising` grows with its age."""

    def score(self, tickets: pd.DataFrame, *, history: DatedFacts | None = None, explain: bool = False) -> pd.DataFrame:
        found = super().score(tickets, history=history, explain=explain)
        age = (tickets["as_of"] - tickets["created_at"]) / pd.Timedelta(hours=1)
        rising = (tickets["ticket_id"] == "rising").to_numpy(bool)
        return found.assign(
            escalation_risk=(0.1 + rising * age.to_numpy() / 100).clip(0, 1),
            explanation=[explanation(a) for a in age] if explain else found["explanation"],
        )


def explanation(age: float) -> dict[str, Any]:
    parts = [("base", "base", 3.0), ("history", f"waited {age:g}", 0.5), ("word", "slow", 0.2), ("field", "x", -1.0)]
    said = [{"kind": kind, "name": name, "value": value} for kind, name, value in parts]
    return {"escalation": {"contributions": said}}


def at(hour: float) -> pd.Timestamp:
    found = time_of(hour)
    assert found is not None
    return found


def lived(desk: Open, name: str, hour: float) -> list[Step]:
    return follow(find(open_intake(desk.file), name, NOW), ByAge(), desk.past, at(hour))


def test_a_ticket_is_looked_at_at_fixed_ages_and_now_with_what_raised_its_risk(tmp_path: Path) -> None:
    with opened(tmp_path, TICKETS, EVENTS) as desk:
        steps = lived(desk, "rising", 31.0)
    assert [s.age_hours for s in steps] == [0, 1, 4, 24, 30]
    assert [s.risk for s in steps] == pytest.approx([0.1, 0.11, 0.14, 0.34, 0.4])
    assert steps[0].reasons == ("waited 0", "slow")  # neither the base nor what lowers it
    assert steps[-1].reasons == ("waited 30",)  # the word was there before


def test_no_look_while_it_was_resolved(tmp_path: Path) -> None:
    with opened(tmp_path, TICKETS, EVENTS) as desk:
        assert [s.age_hours for s in lived(desk, "done", 40.0)] == [0, 38]


def test_without_an_id_the_open_ticket_that_rose_most(tmp_path: Path) -> None:
    with opened(tmp_path, TICKETS, EVENTS) as desk:
        row = most_risen(open_intake(desk.file), ByAge(), desk.past, at(20.0), NOW)
    assert row["ticket_id"].tolist() == ["rising"]


def test_what_isnt_there_is_said(tmp_path: Path) -> None:
    with opened(tmp_path, TICKETS, EVENTS) as desk:
        with pytest.raises(InputError, match="no such ticket"):
            lived(desk, "nobody", 20.0)
        with pytest.raises(InputError, match="no life to follow"):
            lived(desk, "rising", 0.5)
        with pytest.raises(InputError, match="no open ticket can be followed"):
            most_risen(open_intake(desk.file), ByAge(), desk.past, at(-5.0), NOW)


def test_open_tickets_without_times_are_named_as_the_reason(tmp_path: Path) -> None:
    with opened(tmp_path, TICKETS, EVENTS) as desk:
        path = tmp_path / "undated.jsonl"
        path.write_text('{"ticket_id": "rising", "subject": "made"}\n')
        with pytest.raises(InputError, match="no open ticket can be followed") as error:
            most_risen(open_intake(path), ByAge(), desk.past, at(20.0), NOW)
    assert error.value.got == "1 open tickets without created_at"
