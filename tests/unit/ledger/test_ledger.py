"""What goes into a ledger comes out again, once, in order, and without personal data."""

from __future__ import annotations

import doctest
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest
from made_ledger import NOW, contents, decided, said, tickets_frame
from sqlalchemy import select
from unit.serving.standin import StandIn

import pipeline.ledger
from pipeline.errors import StoreError
from pipeline.ledger import Feedback, Ledger, decisions, decisions_of, is_shown, open_ledger
from pipeline.ledger.tables import DECISIONS, FEEDBACK, TICKETS

SECRETS = ("ann.lee@example.com", "+49 30 1234567", "DE89 3704 0044 0532 0130 00", "192.168.17.23")


def test_the_examples_run() -> None:
    assert doctest.testmod(pipeline.ledger).failed == 0 and doctest.testmod(decisions).failed == 0


def test_a_decision_comes_back_as_it_was_written(ledger: Ledger) -> None:
    made = decided("t1", customer_id="4711", fields__category="lift", door="batch")
    assert ledger.write(made) == 1
    assert ledger.decisions("t1") == made
    assert made[0].ticket == {
        "ticket_id": "t1",
        "created_at": "2026-11-20T10:00:00Z",
        "subject": "The lift is stuck",
        "body": "Again. Please come.",
        "customer_id": "4711",
        "fields.category": "lift",
    }
    assert made[0].customer_keys == ("id:4711",) and made[0].scored["topic_candidates"]


def test_a_repeat_is_one_row_and_another_version_moment_or_content_is_another(ledger: Ledger) -> None:
    made = decided("t1")
    assert ledger.write(made) == 1
    assert ledger.write(decided("t1", at=NOW + timedelta(days=1))) == 0
    assert ledger.write([*made, *made]) == 0
    assert ledger.write(decided("t1", version="standin-2")) == 1
    assert ledger.write(decided("t1", subject="The lift moves again")) == 1
    assert ledger.write(decided("t1", created_at="2026-11-21T10:00:00Z")) == 1
    assert len(ledger.decisions("t1")) == 4


def test_decisions_of_a_ticket_come_oldest_first_and_no_other_tickets_among_them(ledger: Ledger) -> None:
    ledger.write(decided("t1", "t2", version="b", at=NOW + timedelta(hours=1)))
    ledger.write(decided("t1", version="a", at=NOW + timedelta(hours=2)))
    ledger.write(decided("t1", version="c"))
    assert [one.scorer_version for one in ledger.decisions("t1")] == ["c", "b", "a"]
    assert ledger.decisions("nobody") == []


def test_a_ticket_is_kept_once_however_often_it_is_scored_and_not_at_all_where_it_is_not_to_be(ledger: Ledger) -> None:
    ledger.write(decided("t1", version="a"))
    ledger.write(decided("t1", version="b", at=NOW + timedelta(days=3)))
    ledger.write(decided("t2", keep_days=0))
    with ledger.place.reading() as connection:
        kept = connection.execute(select(TICKETS.c.ticket, TICKETS.c.kept_at)).all()
    assert [json.loads(text)["ticket_id"] for text, _ in kept] == ["t1"]
    assert kept[0].kept_at == decisions.micros(NOW + timedelta(days=3))
    assert ledger.decisions("t2")[0].ticket is None and len(ledger.decisions("t2")[0].content) == 64


def test_no_personal_data_is_stored(ledger: Ledger) -> None:
    secrets = " ".join(SECRETS)
    ledger.write(
        decided("t1", subject=secrets, body=secrets, channel=SECRETS[0], fields__x=secrets, customer_id=SECRETS[0])
    )
    ledger.add_feedback([Feedback("t1", NOW, "topic", SECRETS[0], by=SECRETS[0])])
    with ledger.place.reading() as connection:
        rows = [str(row) for table in (DECISIONS, TICKETS, FEEDBACK) for row in connection.execute(select(table))]
    assert len(rows) == 3
    for secret in SECRETS:
        assert not any(secret in row for row in rows)
    hashed = hashlib.sha256(SECRETS[0].encode()).hexdigest()[:16]
    assert ledger.decisions("t1")[0].customer_keys == (f"id:{hashed}",)
    assert ledger.feedback("t1")[0].by == f"person-{hashed}"


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b", "a\udfff", "\x00", "😀é"])
def test_odd_characters_in_ids_and_texts_break_nothing(ledger: Ledger, odd: str) -> None:
    named = {"ticket_id": odd, "subject": odd, "body": odd, "channel": odd, "customer_id": odd, "fields.x": odd}
    tickets = pd.DataFrame(named, index=[0], dtype=object)
    (made,) = decisions_of(tickets, StandIn().score(tickets_frame(["t1"])), door="http", decided_at=NOW)
    told = replace(made, ticket_id=odd, scored=dict(made.scored) | {"topic": odd, "queue": odd}, key="")
    assert ledger.write([told]) == 1
    assert ledger.add_feedback([Feedback(odd, NOW, "topic", odd, by=odd, source=odd)]) == 1
    if told.ticket_id:
        (back,) = ledger.decisions(odd)
        assert back.scored == told.scored and back.ticket == told.ticket
        assert len(ledger.feedback(odd)) == 1
    assert ledger.counts() == {"decisions": 1, "tickets": 1, "feedback": 1}


def test_a_record_without_an_id_is_written_too(ledger: Ledger) -> None:
    tickets = tickets_frame([None, "t1"])
    tickets["error"] = ["missing_id", None]
    made = decisions_of(tickets, StandIn().score(tickets), door="batch", decided_at=NOW)
    assert ledger.write(made) == 2
    assert {one.ticket_id for one in ledger.all_decisions()} == {None, "t1"}


def test_numbers_that_json_lacks_become_null(ledger: Ledger) -> None:
    tickets = tickets_frame(["t1"])
    scored = StandIn().score(tickets)
    scored["escalation_risk"] = float("nan")
    scored["priority_probabilities"] = [{"low": float("inf")}]
    ledger.write(decisions_of(tickets, scored, door="batch", decided_at=NOW))
    told = ledger.decisions("t1")[0].scored
    assert told["escalation_risk"] is None and told["priority_probabilities"] == {"low": None}


def test_a_text_that_was_too_long_is_not_kept() -> None:
    tickets = tickets_frame(["t1"])
    tickets["error"] = ["text_too_long"]
    (made,) = decisions_of(tickets, StandIn().score(tickets), door="http", decided_at=NOW)
    assert made.ticket is not None and "body" not in made.ticket


def test_feedback_is_about_the_latest_decision_before_it_unless_it_names_one(ledger: Ledger) -> None:
    first, second, later = (
        decided("t1", version=v, at=NOW + timedelta(hours=h))[0] for v, h in (("a", 0), ("b", 1), ("c", 9))
    )
    ledger.write([later, second, first])
    named = replace(said("t1", "priority", "high", hours=5), decision=first.key)
    early = said("t1", "queue", "q", hours=-1)
    assert ledger.add_feedback([said("t1", hours=3), named, early]) == 3
    assert [one.decision for one in ledger.feedback("t1")] == [None, second.key, first.key]


def test_feedback_that_comes_again_is_one_row(ledger: Ledger) -> None:
    assert ledger.add_feedback([said("t1"), said("t1")]) == 1
    assert ledger.add_feedback([said("t1"), said("t1", value="login")]) == 1
    assert [one.value for one in ledger.feedback("t1")] in (["billing", "login"], ["login", "billing"])


def test_a_period_has_its_first_moment_and_not_its_last(ledger: Ledger) -> None:
    for hours in range(4):
        ledger.write(decided(f"t{hours}", at=NOW + timedelta(hours=hours)))
        ledger.add_feedback([said(f"t{hours}", hours=hours)])
    period = (NOW + timedelta(hours=1), NOW + timedelta(hours=3))
    assert [one.ticket_id for one in ledger.all_decisions(*period)] == ["t1", "t2"]
    assert [one.ticket_id for one in ledger.all_feedback(*period)] == ["t1", "t2"]
    assert contents(ledger)[0][0] == "t0" and len(contents(ledger)) == 4


def test_the_held_out_are_the_asked_share_and_always_the_same() -> None:
    ids = [f"ticket-{i}" for i in range(4_000)]
    hidden = [i for i in ids if not is_shown(i, 0.05)]
    assert 150 < len(hidden) < 250 and hidden == [i for i in ids if not is_shown(i, 0.05)]
    assert set(hidden) < {i for i in ids if not is_shown(i, 0.2)}
    assert all(is_shown(i, 0.0) for i in ids)


def test_a_ledger_of_another_version_is_an_error(url: str) -> None:
    with open_ledger(url) as opened, opened.place.writing() as connection:
        connection.exec_driver_sql("UPDATE ledger_meta SET value = '0'")
    with pytest.raises(StoreError, match="the ledger was made by another version"):
        open_ledger(url)


def test_reading_a_ledger_that_is_not_there_is_an_error_and_makes_none(url: str) -> None:
    with pytest.raises(StoreError, match="there is no ledger"):
        open_ledger(url, as_it_is=True)
    with pytest.raises(StoreError, match="there is no ledger"):
        open_ledger(url, as_it_is=True)


def test_two_writers_of_the_same_decisions_neither_wait_in_a_ring_nor_write_twice(url: str) -> None:
    made = decided(*(f"t{i}" for i in range(200)))

    def write(turn: int) -> int:
        with open_ledger(url, timeout_seconds=20) as mine:
            return sum(mine.write(made[:: -1 if turn % 2 else 1][i : i + 50]) for i in range(0, 200, 50))

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(write, range(4)))
    with open_ledger(url) as ledger:
        assert len(contents(ledger)) == 200 and sum(counts) >= 200


def test_a_ledger_and_a_history_may_share_a_database(url: str) -> None:
    from pipeline.config import History
    from pipeline.history.store import open_store

    with open_store(url, History()) as store, open_ledger(url) as opened:
        opened.write(decided("t1"))
        assert store.counts().tickets == 0 and len(contents(opened)) == 1


def test_a_frame_without_times_has_no_moment() -> None:
    tickets = tickets_frame(["t1"], created_at=None)
    (made,) = decisions_of(tickets, StandIn().score(tickets), door="http", decided_at=NOW)
    assert made.as_of is None and made.scored["as_of"] is None
    assert pd.isna(tickets["created_at"][0])


def test_of_decisions_of_one_moment_the_one_that_saw_most_of_the_ticket_is_the_last(url: str) -> None:
    """Their keys are hashes: any of the two might come first."""
    with open_ledger(url) as ledger:
        for version in map(str, range(8)):
            early = decided(version, version=version)[0]
            late = replace(early, as_of=early.decided_at, key=decided(version, version=f"{version}-late")[0].key)
            ledger.write([late, early])
            assert ledger.words([version])[version].as_of == early.decided_at
            assert [one.as_of for one in ledger.decisions(version)] == [early.as_of, late.as_of]
