"""What is old goes, and a customer can be forgotten: neither the rows nor the file's bytes lead to them any more."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from made_ledger import NOW, decided, said, tickets_frame
from sqlalchemy import select
from unit.serving.standin import StandIn

from pipeline.config import Ledger as Settings
from pipeline.errors import ConfigError
from pipeline.ledger import Feedback, Ledger, decisions_of, open_ledger
from pipeline.ledger.retention import Forgotten, Purged, forget, purge
from pipeline.ledger.tables import DECISIONS, FEEDBACK, TICKETS

DAY = timedelta(days=1)


class TestPurge:
    def test_tickets_past_their_time_go_and_their_decisions_stay(self, ledger: Ledger) -> None:
        for number in range(3):
            ledger.write(decided(f"t{number}", at=NOW + number * DAY))
        assert purge(ledger, kept_before=NOW + 2 * DAY) == Purged(2)
        assert [ledger.decisions(f"t{number}")[0].ticket is None for number in range(3)] == [True, True, False]
        assert ledger.counts() == {"decisions": 3, "tickets": 1, "feedback": 0}

    def test_the_tickets_own_words_go_with_it(self, ledger: Ledger) -> None:
        words = {"summary": "my secret", "explanation": {"topic": {"contributions": [{"name": "secret"}]}}}
        made = [replace(one, scored=dict(one.scored) | words) for one in decided("t1", "t2")]
        ledger.write([made[0], replace(made[1], decided_at=NOW + 9 * DAY)])
        purge(ledger, kept_before=NOW + DAY)
        (first,), (second,) = ledger.decisions("t1"), ledger.decisions("t2")
        assert "secret" not in str(first) and first.scored["topic"] == made[0].scored["topic"]
        assert second.scored == made[1].scored

    def test_where_no_ticket_is_kept_its_words_are_not_either(self) -> None:
        tickets = tickets_frame(["t1"])
        scored = StandIn().score(tickets, explain=True).assign(summary=["my secret"])
        settings = Settings(keep_tickets_days=0)
        (made,) = decisions_of(tickets, scored, door="http", decided_at=NOW, settings=settings)
        assert made.ticket is None and made.scored["summary"] is None and made.scored["explanation"] is None

    def test_a_ticket_that_is_scored_again_is_kept_from_then_on(self, ledger: Ledger) -> None:
        ledger.write(decided("t1", version="a"))
        ledger.write(decided("t1", version="b", at=NOW + 5 * DAY))
        assert purge(ledger, kept_before=NOW + DAY) == Purged(0)

    def test_a_repeat_does_not_bring_a_purged_ticket_back(self, ledger: Ledger) -> None:
        ledger.write(decided("t1"))
        purge(ledger, kept_before=NOW + DAY)
        ledger.write(decided("t1"))
        assert ledger.counts()["tickets"] == 0

    def test_decisions_before_a_date_go_with_their_tickets_and_feedback_only_if_asked(self, ledger: Ledger) -> None:
        ledger.write([*decided("t1"), *decided("t2", at=NOW + DAY)])
        ledger.add_feedback([said("t1"), said("t2", hours=30)])
        assert purge(ledger, kept_before=NOW, decided_before=NOW + DAY) == Purged(1, 1, 0)
        assert purge(ledger, kept_before=NOW, decided_before=NOW + DAY, feedback=True) == Purged(0, 0, 1)
        assert ledger.counts() == {"decisions": 1, "tickets": 1, "feedback": 1}


class TestForget:
    def test_everything_that_leads_to_a_customer_goes_and_nothing_else(self, ledger: Ledger) -> None:
        ann, ben = decided("t1", customer_id="4711", body="my secret"), decided("t2", customer_id="4712")
        words = {"summary": "my secret", "reply": {"text": "my secret"}, "explanation": {"x": "secret"}}
        later = decided("t1", version="later", at=NOW + DAY)  # nobody said whose it is
        ledger.write([replace(ann[0], scored=dict(ann[0].scored) | words), *ben, *later])
        ledger.add_feedback([said("t1"), said("t2")])
        assert forget(ledger, ["4711"]) == Forgotten(2, 2, 1)
        assert ledger.decisions("t1") == [] == ledger.feedback("t1")
        with ledger.place.reading() as connection:
            rows = [str(row) for table in (DECISIONS, TICKETS, FEEDBACK) for row in connection.execute(select(table))]
        assert not [row for row in rows if "secret" in row or "4711" in row or "t1" in row]
        assert ledger.decisions("t2") == ben and len(ledger.feedback("t2")) == 1

    def test_what_was_decided_and_how_it_was_answered_stays_countable(self, ledger: Ledger) -> None:
        (made,) = decided("t1", customer_id="4711")
        ledger.write([made])
        ledger.add_feedback([said("t1")])
        forget(ledger, ["4711"])
        (kept,) = ledger.all_decisions()
        assert (kept.key, kept.scored["topic"], kept.scorer_version) == (made.key, made.scored["topic"], "standin-1")
        (answer,) = ledger.all_feedback()
        assert (answer.ticket_id, answer.decision, answer.value) == (None, made.key, "billing")

    def test_a_repeat_does_not_bring_a_customer_back(self, ledger: Ledger) -> None:
        made = decided("t1", customer_id="4711")
        ledger.write(made)
        forget(ledger, ["4711"])
        assert ledger.write(made) == 0 and ledger.counts()["tickets"] == 0

    @pytest.mark.parametrize("named", ["Ann Lee <ann.lee@example.com>", "ANN.LEE@example.com"])
    def test_a_customer_is_found_by_an_address_however_it_is_written(self, ledger: Ledger, named: str) -> None:
        ledger.write(decided("t1", customer_id="ann.lee@example.com"))
        assert forget(ledger, [named]).decisions == 1

    def test_other_keys_that_lead_on_are_named(self, ledger: Ledger) -> None:
        email = "email:" + "a" * 16
        ledger.write(decided("t1", customer_id="4711", customer_keys=email))
        ledger.write(decided("t2", customer_keys=email))
        assert forget(ledger, ["4711"]) == Forgotten(1, 1, 0, (email,))
        assert forget(ledger, [email]) == Forgotten(1, 1, 0)

    def test_signs_that_a_pattern_would_read_mean_themselves(self, ledger: Ledger) -> None:
        ledger.write(decided("t1", customer_id="a_c"))
        ledger.write(decided("t2", customer_id="abc"))
        assert forget(ledger, ["a_c"]).decisions == 1 and len(ledger.decisions("t2")) == 1
        assert forget(ledger, ["%"]).decisions == 0

    def test_a_companys_account_is_only_forgotten_by_its_key(self, ledger: Ledger) -> None:
        ledger.write([*decided("t1", customer_keys="account:4711"), *decided("t2", customer_id="4711")])
        assert forget(ledger, ["4711"]).decisions == 1 and len(ledger.decisions("t1")) == 1
        assert forget(ledger, ["account:4711"]).decisions == 1

    @pytest.mark.parametrize("nobody", [" ", "unknown"])
    def test_an_unknown_customer_is_no_error_and_nobody_is(self, ledger: Ledger, nobody: str) -> None:
        assert forget(ledger, ["4711"]) == Forgotten(0, 0, 0)
        with pytest.raises(ConfigError, match="names no customer"):
            forget(ledger, [nobody])


@pytest.mark.parametrize("how", ["purge", "forget"])
def test_no_byte_of_a_removed_ticket_is_left_in_the_file(tmp_path: Path, how: str) -> None:
    with open_ledger(f"{tmp_path}/l.db") as ledger:
        ledger.write(decided("t1", customer_id="4711", body="a very particular sentence"))
        ledger.write(decided("t2", at=NOW + 9 * DAY))
        assert any(b"a very particular sentence" in path.read_bytes() for path in tmp_path.iterdir())
        if how == "purge":
            purge(ledger, kept_before=NOW + DAY)
        else:
            forget(ledger, ["4711"])
        assert not any(b"a very particular sentence" in path.read_bytes() for path in tmp_path.iterdir())
        assert ledger.decisions("t2")[0].ticket is not None


def test_a_thousand_tickets_of_one_customer_are_forgotten_at_once(ledger: Ledger) -> None:
    ledger.write(
        decided(*(f"t{i}" for i in range(1_000)), customer_id="4711", body=[f"text {i}" for i in range(1_000)])
    )
    ledger.add_feedback([Feedback(f"t{i}", NOW + DAY, "topic", "x") for i in range(1_000)])
    assert forget(ledger, ["4711"]) == Forgotten(1_000, 1_000, 1_000)
    with ledger.place.reading() as connection:
        scored = connection.execute(select(DECISIONS.c.scored)).scalars().all()
    assert {json.loads(one)["ticket_id"] for one in scored} == {None}
