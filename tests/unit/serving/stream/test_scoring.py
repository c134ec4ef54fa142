"""What messages come to: batch scoring's records, and a known ticket's newest word after an event or an age."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batched import batch_records
from unit.serving.stream.bench import Bench

from pipeline.config import Params
from pipeline.errors import StoreError
from pipeline.history.store import open_store
from pipeline.scorer import Scorer
from pipeline.serving.answers import Loaded
from pipeline.serving.loading import FolderSource, Loader
from pipeline.serving.stream.messages import read_message
from pipeline.serving.stream.scoring import Due, Outcome, Scoring
from pipeline.serving.stream.transport import Message, Result, Written
from pipeline.sources.mapping import Mapping, load_mapping

CREATED = "2026-11-20T08:00:00Z"


def ticket(number: int, **more: Any) -> dict[str, Any]:
    own = {
        "ticket_id": f"t{number}",
        "subject": "It broke",
        "body": f"Part {number} doesn't start",
        "created_at": CREATED,
    }
    return own | {"customer_id": f"c{number % 3}@example.com"} | more


def event(number: int, hours: float, kind: str = "reply", **more: Any) -> dict[str, Any]:
    at = (pd.Timestamp(CREATED) + pd.Timedelta(hours, "h")).isoformat()
    own = {
        "ticket_id": f"t{number}",
        "occurred_at": at,
        "kind": kind,
        "side": "customer",
        "text": "still broken, again",
    }
    return {"event": own | more}


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/history.db"
    open_store(url, Params().history).close()
    return url


def batch(bench: Bench, rows: list[dict[str, Any]], folder: Path, history: str | None = None) -> list[dict[str, Any]]:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return batch_records(Scorer.load(bench.scorer), rows, folder, now=now, history=history)


def keyless(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "key"} for record in records]


def test_results_are_batch_scorings_records_with_a_key(bench: Bench, tmp_path: Path) -> None:
    rows = [ticket(n) for n in range(20)] + [{"subject": "nobody's"}, ticket(30, created_at="3000-01-01")]
    bench.broker.put(*rows)
    bench.worker(batch=6).run()
    records = bench.broker.records()
    assert keyless(records) == batch(bench, rows, tmp_path)
    assert [r["key"] for r in records] == [one.key for one in bench.broker.results]
    assert len({r["key"] for r in records}) == len(rows)


def test_keys_name_ticket_words_step_and_scorer(bench: Bench, store: str) -> None:
    bench.broker.put(ticket(1), ticket(1), ticket(1, body="changed"), {"ticket": ticket(1)}, ticket(2))
    worker = bench.worker(history=store, ledger=True)
    worker.run()
    records = bench.broker.records()
    assert [r["ticket_id"] for r in records] == ["t1", "t1", "t2"]  # a changed one is asked anew
    assert worker.tally.repeats == 2
    bench.broker.put(event(1, 5), event(1, 5), event(1, 6), event(2, 5))
    bench.worker(history=store, ledger=True).run()
    assert len(bench.broker.results) == 6 and len({one.key for one in bench.broker.results}) == 6


def test_an_event_of_a_known_ticket_scores_it_again_as_of_then(bench: Bench, store: str, tmp_path: Path) -> None:
    bench.broker.put(*[ticket(n) for n in range(4)])
    bench.worker(history=store, ledger=True).run()
    bench.broker.put(event(1, 30), event(2, 40, "status", value="closed"), event(3, 2, "note", side="agent"))
    bench.broker.put(event(1, 31, "assignment", side="agent", value="second line"))
    bench.worker(history=store, ledger=True, batch=1).run()
    said = bench.broker.records()[4:]
    assert [(r["ticket_id"], r["as_of"]) for r in said] == [
        ("t1", "2026-11-21T14:00:00.000001Z"),
        ("t3", "2026-11-20T10:00:00.000001Z"),
        ("t1", "2026-11-21T15:00:00.000001Z"),
    ]
    asked = [ticket(1, as_of=said[0]["as_of"]), ticket(3, as_of=said[1]["as_of"])]
    golden = batch(bench, asked, tmp_path, store)
    assert [r["escalation_risk"] for r in said[:2]] == pytest.approx([r["escalation_risk"] for r in golden], abs=1e-12)
    assert [r["topic"] for r in said[:2]] == [r["topic"] for r in golden]
    assert said[2]["escalation_risk"] != said[0]["escalation_risk"]


def test_an_event_may_bring_its_ticket_with_it(bench: Bench, store: str) -> None:
    bench.broker.put({"ticket": ticket(7)} | event(7, 9))
    worker = bench.worker(history=store)  # no ledger is needed then
    worker.run()
    (said,) = bench.broker.records()
    assert (said["ticket_id"], said["as_of"]) == ("t7", "2026-11-20T17:00:00.000001Z")


def test_a_ticket_beside_an_event_of_another_one_is_refused_and_neither_is_kept(bench: Bench, store: str) -> None:
    bench.broker.put({"ticket": ticket(7)} | event(8, 9), {"ticket": ticket(1)} | event(1, 2), ticket(2))
    worker = bench.worker(history=store, ledger=True)
    worker.run()
    said = {r["ticket_id"]: (r["error"], r["queue_reason"]) for r in bench.broker.records()}
    assert said["t7"] == ("other_ticket", "fallback:other_ticket") and said["t1"][0] is said["t2"][0] is None
    assert set(said) == {"t7", "t1", "t2"}
    assert [one.code for one in bench.broker.buried] == ["other_ticket"]
    with open_store(store, Params().history) as opened:
        assert (opened.counts().tickets, opened.counts().events) == (2, 1)


def test_events_of_tickets_whose_words_nobody_keeps_are_kept_and_counted(bench: Bench, store: str) -> None:
    bench.broker.put(event(9, 1), event(9, 2))
    worker = bench.worker(history=store)
    worker.run()
    assert not bench.broker.results and not bench.broker.buried and worker.scoring.unscored == 2
    with open_store(store, Params().history) as opened:
        assert opened.counts().events == 2
    bench.broker.put(event(9, 3))
    lone = bench.worker()
    lone.run()
    assert lone.scoring.unscored == 1 and not bench.broker.waiting


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"kind": "sneeze"}, "unknown_kind"),
        ({"occurred_at": "yesterday"}, "bad_time"),
        ({"ticket_id": ""}, "missing_id"),
    ],
)
def test_a_bad_event_is_a_dead_letter_and_no_row(bench: Bench, store: str, more: dict[str, str], code: str) -> None:
    bad = event(1, 3)
    bad["event"] |= more
    bench.broker.put(ticket(1), bad, event(1, 4))
    bench.worker(history=store, ledger=True).run()
    assert [one.code for one in bench.broker.buried] == [code]
    assert len(bench.broker.results) == 2


def test_open_tickets_are_scored_again_as_they_wait_each_age_once(bench: Bench, store: str) -> None:
    ages = tuple(pd.Timedelta(h, "h") for h in (1, 24, 72, 168))
    bench.broker.put(ticket(1), ticket(2), ticket(3, created_at="2026-11-23T11:30:00Z"))
    bench.broker.put(event(2, 1, "status", value="resolved", side="agent"))
    worker = bench.worker(history=store, ledger=True, ages=ages)
    worker.run()
    assert (worker.tally.aged, worker.tally.new) == (1, 4)  # the present is 76 hours later: the last age passed is 72 h
    again = bench.worker(history=store, ledger=True, ages=ages)
    bench.broker.put(ticket(1))
    again.run()
    assert (again.tally.aged, again.tally.repeats) == (0, 1)
    bench.now += pd.Timedelta(4.5, "D")
    bench.broker.put(ticket(1))
    later = bench.worker(history=store, ledger=True, ages=ages)
    later.run()
    said = {r["ticket_id"]: r["as_of"] for r in bench.broker.records()}
    assert said == {"t1": "2026-11-27T08:00:00Z", "t2": "2026-11-20T08:00:00Z", "t3": "2026-11-26T11:30:00Z"}
    assert later.tally.aged == 2


def test_what_ages_is_in_the_sink_before_the_ledger_knows(bench: Bench, store: str) -> None:
    ages = (pd.Timedelta(24, "h"),)
    bench.broker.put(ticket(1))
    bench.worker(history=store, ledger=True).run()
    bench.now += pd.Timedelta(1, "min")
    bench.broker.put(ticket(2))
    dying = bench.worker(history=store, ledger=True, ages=ages)
    write = dying.outlet.write

    def die(results: Sequence[Result]) -> Written:
        if any(one.ticket_id == "t1" for one in results):
            raise KeyboardInterrupt
        return write(results)

    dying.outlet.write = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        dying.run()
    bench.now += pd.Timedelta(1, "min")
    bench.broker.put(ticket(3))
    bench.worker(history=store, ledger=True, ages=ages).run()
    aged = [r["ticket_id"] for r in bench.broker.records() if r["as_of"] == "2026-11-21T08:00:00Z"]
    assert sorted(aged) == ["t1", "t2", "t3"]


def test_one_that_raises_as_it_ages_ends_no_worker_and_fails_alone(bench: Bench, store: str) -> None:
    bench.broker.put(ticket(1), ticket(2), ticket(3))
    worker = bench.worker(history=store, ledger=True, ages=(pd.Timedelta(24, "h"),))
    again = worker.scoring.again

    def bad(loaded: Loaded, due: Sequence[Due]) -> list[Outcome]:
        if any(one.ticket_id == "t2" for one in due):
            raise RuntimeError("poison")
        return again(loaded, due)

    worker.scoring.again = bad  # type: ignore[method-assign]
    worker.run()
    assert worker.tally.faults == {"RuntimeError": 1 + 3} and len(bench.broker.results) == 3 + 2
    (letter,) = bench.broker.buried
    partition = next(one.partition for one in bench.broker.results if one.ticket_id == "t2")
    assert (letter.code, letter.tries, letter.key) == ("unscorable", 1, "t2")
    assert letter.position == f"{partition}/t2 age 86400"
    assert json.loads(letter.value) == {"again": {"ticket_id": "t2", "as_of": "2026-11-21T08:00:00+00:00"}}
    later = bench.worker(history=store, ledger=True, ages=(pd.Timedelta(24, "h"),))
    later.run()
    assert not later.tally.aged and len(bench.broker.buried) == 1
    bench.broker.put(ticket(9), letter.value, letter.value, key="t2")  # as `dead retry` sends it
    bench.worker(history=store, ledger=True).run()
    again = [r for r in bench.broker.records() if r["as_of"] == "2026-11-21T08:00:00Z"]
    assert [r["ticket_id"] for r in again].count("t2") == 1 and len(again) == 3


@pytest.mark.parametrize(
    ("again", "code"),
    [
        ({"ticket_id": "t1", "as_of": "soon"}, "bad_time"),
        ({"ticket_id": "t1", "as_of": "2999-01-01T00:00:00Z"}, "future_time"),
        ({"ticket_id": "", "as_of": CREATED}, "missing_id"),
        ({}, "missing_id"),
        (7, "not_an_object"),
    ],
)
def test_a_known_ticket_is_asked_for_by_id_and_moment_and_a_bad_question_is_a_dead_letter(
    bench: Bench, store: str, again: Any, code: str
) -> None:
    good = {"again": {"ticket_id": "t1", "as_of": "2026-11-20T11:00:00Z"}}
    bench.broker.put(ticket(1), good, good, {"again": again}, {"again": {"ticket_id": "t9", "as_of": CREATED}})
    worker = bench.worker(history=store, ledger=True)
    worker.run()
    assert [(r["ticket_id"], r["as_of"]) for r in bench.broker.records()] == [
        ("t1", CREATED), ("t1", "2026-11-20T11:00:00Z"),
    ]  # fmt: skip
    assert [one.code for one in bench.broker.buried] == [code]
    assert worker.scoring.unscored == 1  # nobody keeps the words of t9


def test_a_persons_word_stays_whether_or_not_the_ticket_comes_with_the_event(bench: Bench, store: str) -> None:
    said = {"side": "agent", "value": "second line"}
    bench.broker.put(ticket(1), event(1, 1, "assignment", **said), ticket(2), event(2, 1, "assignment", **said))
    bench.worker(history=store, ledger=True).run()
    before = len(bench.broker.results)
    bench.broker.put(event(1, 2), {"ticket": ticket(2)} | event(2, 2), ticket(3))
    bench.worker(history=store, ledger=True).run()
    found = {r["ticket_id"]: (r["queue"], r["queue_reason"]) for r in bench.broker.records()[before:]}
    assert found["t1"] == found["t2"] == ("second line", "person")
    assert found["t3"][1] != "person"


def test_a_value_that_the_store_refuses_is_one_messages_fault_and_the_others_go_on(bench: Bench, store: str) -> None:
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON history_tickets WHEN NEW.ticket_id = 't2' "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    bench.broker.put(ticket(1), ticket(2), ticket(3))
    worker = bench.worker(history=store, tries=2)
    worker.run()
    assert [(one.code, one.position) for one in bench.broker.buried] == [
        ("unscorable", next(p for p in bench.broker.begun if p.endswith("/2")))
    ]
    assert sorted(r["ticket_id"] for r in bench.broker.records() if r["error"] is None) == ["t1", "t3"]
    assert worker.tally.faults == {"ValueRefusedError": 1 + 2} and not worker.tally.away


def test_a_locked_store_is_away_before_a_batch_is_taken_to_hang(bench: Bench, store: str) -> None:
    held = Loader(FolderSource(bench.scorer), store, None, lambda: bench.now, timeout_seconds=0.05).load()
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with pytest.raises(StoreError, match="locked"):
            Scoring(None, lambda: bench.now).answer(held.loaded, [Message(0, "0", json.dumps(ticket(1)).encode())])
        assert time.monotonic() - begun < 5
    held.close()


def test_decisions_are_in_the_ledger_under_the_results_keys(bench: Bench, store: str) -> None:
    bench.broker.put(ticket(1), event(1, 2))
    worker = bench.worker(history=store, ledger=True)
    worker.run()
    journal = bench.worker(ledger=True).scoring.journal
    assert journal is not None
    decided = journal.ledger.decisions("t1")
    assert {one.key for one in decided} == {one.key for one in bench.broker.results}
    assert {one.door for one in decided} == {"stream"}
    journal.ledger.close()


def test_a_message_by_a_helpdesks_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("ticket_id: ticket.id\nsubject: ticket.title\nbody: [ticket.text]\n", "utf-8")
    mapping = load_mapping(path)
    own = {"ticket": {"id": 7, "title": "t", "text": "b"}}
    wrapped = read_message(json.dumps({"ticket": own, "event": {}}).encode(), mapping)
    assert read_message(json.dumps(own).encode(), mapping).content == wrapped.content != ""
    assert isinstance(mapping, Mapping)


def test_what_one_message_is_made_of_changes_no_other(scorer: Path, tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("ticket_id: ticket.id\nsubject: ticket.title\n", "utf-8")
    loaded = Loaded(Scorer.load(scorer), None, load_mapping(path))
    flat, nested = {"ticket.id": 9, "ticket.title": "flat"}, {"ticket": {"id": 7, "title": "nested"}}
    messages = [Message(0, str(n), json.dumps(said).encode()) for n, said in enumerate([nested, flat])]
    scoring = Scoring(None, lambda: pd.Timestamp("2026-11-23", tz="UTC"))
    together = scoring.answer(loaded, messages)
    assert [one.code for one in together] == [None, None]
    assert together == [scoring.answer(loaded, [message])[0] for message in messages]


def test_names_and_ids_that_are_no_text_fail_nobody(bench: Bench) -> None:
    rows = [ticket(1, **{"fields.\ud800": "x"}), ticket(2, ticket_id="t\ud800"), ticket(3, ticket_id="t\ufffd")]
    bench.broker.put(*rows, key="same partition")
    worker = bench.worker()
    worker.run()
    assert not worker.tally.faults and not bench.broker.buried
    assert len(bench.broker.results) == 3


def test_what_nobody_reads_changes_no_key() -> None:
    plain = read_message(json.dumps(ticket(1)).encode(), None)
    more = read_message(json.dumps({"unheard": 1} | ticket(1)).encode(), None)
    assert plain.content == more.content and plain.step == more.step == ""
    assert read_message(json.dumps(ticket(1, **{"fields.x": "1"})).encode(), None).content != plain.content
