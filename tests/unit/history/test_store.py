"""The store: what was put in is counted, kept without its words, and comes back small."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_history import (
    DEFINITIONS,
    LOOK,
    MANY,
    MONDAY,
    Event,
    Ticket,
    by_agent,
    by_customer,
    changed,
    events_frame,
    history_of,
    outcomes_frame,
    rows_of,
    tickets_frame,
)
from made_store import EMAIL, PHONE, SCENE, TEXTS, contents, numbers, put

from pipeline.errors import InputError
from pipeline.history.log import DAY
from pipeline.history.record import record
from pipeline.history.store import Counts, Put, Store, open_store
from pipeline.tickets.schema import empty


class TestPut:
    def test_what_is_new_changed_repeated_and_refused_is_counted(self, store: Store) -> None:
        events = [
            Event("status", 1, "open"),
            Event("note", 2),
            Event("note", 2),
            Event("dance", 3),
            Event("note", None),
        ]
        assert put(store, [Ticket()], events) == Put(1, 0, 2, 1, {"unknown_kind": 1, "no_time": 1})
        assert put(store, [Ticket()], events[:2]) == Put(0, 0, 0, 2)
        assert put(store, [Ticket(queue="first")]) == Put(0, 1)
        assert store.counts() == Counts(tickets=1, events=2, escalated=0, waiting=0)

    def test_a_row_that_names_no_ticket_or_a_bad_one_is_refused(self, store: Store) -> None:
        ids: list[Any] = [None, " ", "a\x07b", "x" * 201, "fine"]
        tickets = tickets_frame([Ticket()] * 5).assign(ticket_id=pd.Series(ids, dtype="str"))
        events = events_frame([Event("note", 1)] * 5).assign(ticket_id=pd.Series(ids, dtype="str"))
        outcomes = outcomes_frame([("t", 1.0)] * 5).assign(ticket_id=pd.Series(ids, dtype="str"))
        assert store.put(tickets, events, outcomes) == Put(1, 0, 1, 0, {"missing_id": 6, "bad_id": 6})

    def test_the_last_row_of_a_repeated_ticket_counts(self, store: Store) -> None:
        assert put(store, [Ticket(queue="first"), Ticket(queue="second")]) == Put(1)
        assert numbers(store, Ticket("other", queue="second"), 1)["queue_open"] == 1

    def test_what_a_ticket_leaves_out_stays_as_it_was(self, store: Store) -> None:
        put(store, [Ticket(queue="first", customer="ann")])
        assert put(store, [Ticket(queue=None, customer=None, created=None, language=None)]) == Put()
        assert put(store, [Ticket(queue=None, customer="ben", language=None)]) == Put(0, 1)
        seen = numbers(store, Ticket("other", customer="ben", queue="first"), 1)
        assert (seen["customer_tickets"], seen["queue_open"]) == (1, 1)
        assert numbers(store, Ticket("other", customer="ann"), 1)["customer_tickets"] == 0

    def test_only_what_a_ticket_says_of_itself_need_be_there(self, store: Store) -> None:
        assert store.put(pd.DataFrame({"ticket_id": ["a"]}), empty("events")) == Put(1)
        assert store.put(empty("tickets"), empty("events")) == Put()

    @pytest.mark.parametrize(
        ("tickets", "events", "outcomes", "column"),
        [
            (pd.DataFrame({"id": ["a"]}), empty("events"), None, "ticket_id"),
            (empty("tickets"), empty("events").drop(columns="received_at"), None, "received_at"),
            (empty("tickets"), empty("events"), pd.DataFrame({"ticket_id": ["a"]}), "outcome"),
            (pd.DataFrame({"ticket_id": ["a"], "created_at": ["today"]}), empty("events"), None, "created_at"),
        ],
    )
    def test_a_wrong_table_is_an_error_that_names_the_column(
        self, store: Store, tickets: pd.DataFrame, events: pd.DataFrame, outcomes: pd.DataFrame | None, column: str
    ) -> None:
        with pytest.raises(InputError, match=f"column {column}"):
            store.put(tickets, events, outcomes)
        assert store.counts() == Counts(0, 0, 0, 0)

    def test_an_unknown_status_is_stored_and_says_nothing(self, store: Store) -> None:
        put(store, [Ticket()], [Event("status", 1, "resolved"), Event("status", 2, "snoozed")])
        assert store.events("t")["value"].tolist() == ["resolved", "snoozed"]
        assert store.open_tickets(MONDAY + pd.Timedelta("3h")) == []

    def test_odd_characters_are_left_out_of_what_is_stored(self, store: Store) -> None:
        put(store, [Ticket()], [replace(changed(1, "product", "x"), value="a\x00b"), changed(2, "product", "ab")])
        assert store.events("t")["value"].tolist() == ["ab", "ab"]

    def test_an_event_that_comes_again_keeps_its_earliest_place_in_the_source(self, store: Store) -> None:
        first, second = Event("status", 1, "open", seq=7), Event("status", 1, "resolved", seq=5)
        put(store, [Ticket()], [first, second])
        assert store.open_tickets(MONDAY + pd.Timedelta("2h")) == ["t"]
        put(store, [], [replace(first, seq=3), replace(second, seq=None)])
        assert store.open_tickets(MONDAY + pd.Timedelta("2h")) == []
        assert store.events("t")["seq"].tolist() == [3, 5]
        put(store, [], [replace(first, seq=9), replace(first, seq=2), replace(first, seq=4)])
        assert store.events("t")["seq"].tolist() == [2, 5]

    def test_an_escalation_counts_once_from_when_it_was_first_known(self, store: Store) -> None:
        put(store, [], [], escalated=[("t", 8.0), ("t", 6.0), ("t", 9.0)])
        for at in (9.0, 5.0, 7.0):
            put(store, [], [], escalated=[("t", at)])
        put(store, [Ticket()])
        seen = [numbers(store, Ticket("other"), at)["customer_escalated"] for at in (5.0, 6.0, 10.0)]
        assert seen == [0, 1, 1]
        assert store.counts().escalated == 1

    def test_outcomes_that_say_no_or_are_of_another_kind_are_nothing(self, store: Store) -> None:
        outcomes = outcomes_frame([("t", 1.0), ("t", 1.0), ("t", None)])
        outcomes["value"], outcomes["outcome"] = ["0", "1", "1"], ["escalated", "topic", "escalated"]
        assert store.put(tickets_frame([Ticket()]), empty("events"), outcomes) == Put(1, refused={"no_time": 1})
        assert store.counts().escalated == 0


class TestMessages:
    TEXT = "Das ist gar nicht gut, schon wieder kaputt. Mein Anwalt, Herr Zwiebelfisch, meldet sich."

    @pytest.mark.parametrize("order", [("ticket", "event"), ("event", "ticket"), ("event", "bare", "ticket")])
    def test_a_message_is_read_in_its_tickets_language_whichever_comes_first(
        self, store: Store, order: tuple[str, ...]
    ) -> None:
        for name in order:
            if name == "event":
                put(store, [], [by_customer(1)], texts=[self.TEXT])
            else:
                put(store, [Ticket(language="de" if name == "ticket" else None)])
        found = store.events("t").iloc[0]
        assert found["mood"] < 0 and (found["again"], found["legal"], found["cancel"]) == (1, 1, 0)
        assert not contents(store)["history_readings"]

    def test_an_agents_message_is_not_read(self, store: Store) -> None:
        put(store, [Ticket()], [by_agent(1)], texts=[self.TEXT])
        assert np.isnan(store.events("t")["mood"][0]) and not contents(store)["history_readings"]

    def test_no_address_is_kept_and_customers_stay_who_they_are(self, store: Store) -> None:
        ann, box, agent = "ann@example.org", "info@example.org", "bob@example.org"
        tickets = [Ticket("a", 0.0, ann, (EMAIL, ann)), Ticket("b", 0.0, box), Ticket("c", 0.0, box)]
        assigned = [
            Event("assignment", 1, agent, "a", field="assignee"),
            changed(1, "product", f"of {agent}", ticket="a"),
        ]
        put(store, tickets, [Event("note", 1, None, "a", actor=ann), *assigned])
        assert "example.org" not in repr(contents(store))
        seen = numbers(store, Ticket("x", 5.0, "x", (EMAIL,)), None)
        assert (seen["customer_tickets"], seen["desk_open"]) == (1, 3)
        assert np.isnan(numbers(store, Ticket("x", 5.0, box), None)["customer_tickets"])
        assert not any(key.startswith("customer:") for id_, key, *_ in contents(store)["history_amounts"] if id_ != "a")

    def test_no_text_is_kept(self, tmp_path: Path) -> None:
        with open_store(str(tmp_path / "s.db"), MANY) as store:
            put(store, [], [by_customer(1)], texts=[self.TEXT])
            store.put(
                tickets_frame([Ticket(text=self.TEXT)]).assign(subject=self.TEXT, body=self.TEXT), empty("events")
            )
            assert not any(b"Zwiebelfisch" in file.read_bytes() for file in tmp_path.iterdir())
        assert not any(b"Zwiebelfisch" in file.read_bytes() for file in tmp_path.iterdir())


class TestOrder:
    def test_one_by_one_backwards_and_twice_gives_the_same_tables_as_all_at_once(
        self, url: str, tmp_path: Path
    ) -> None:
        tickets, events, escalated = SCENE
        with open_store(url, MANY) as store, open_store(f"{tmp_path}/other.db", MANY) as other:
            put(store, tickets, events, escalated=escalated, texts=TEXTS)
            for _ in range(2):
                for event, text in reversed([*zip(events, TEXTS, strict=True)]):
                    put(other, [], [event], texts=[text])
                for escalation in escalated:
                    put(other, [], [], escalated=[escalation])
                for ticket in tickets:
                    put(other, [ticket])
            assert contents(store) == contents(other)

    def test_sums_are_of_the_amounts(self, store: Store) -> None:
        tickets, events, escalated = SCENE
        put(store, tickets[:2], events[::2])
        put(store, tickets, events, escalated=escalated)
        put(store, [replace(t, customer="cleo", queue="third") for t in tickets])
        found, sums = contents(store), defaultdict[tuple[str, int, int], float](float)
        for _, key, fact, at, amount in found["history_amounts"]:
            sums[key, fact, at // DAY] += amount
        assert found["history_sums"] == {(*place, amount) for place, amount in sums.items() if amount}
        assert not any(key == "customer:id:ann" for key, *_ in found["history_sums"])

    def test_links_are_the_first_meetings_of_the_tickets_as_they_are_now(self, store: Store) -> None:
        put(store, [Ticket("a", 5.0, None, (EMAIL, PHONE)), Ticket("b", 3.0, None, (EMAIL, PHONE))])
        assert {row[-1] for row in contents(store)["history_links"]} == {"b"}
        put(store, [Ticket("b", 9.0, None, ())])
        assert {row[-1] for row in contents(store)["history_links"]} == {"a"}
        keys = tickets_frame([Ticket("a", 5.0, None)]).assign(customer_keys=EMAIL)
        store.put(keys, empty("events"))
        assert {row[-1] for row in contents(store)["history_links"]} == {"b"}


class TestPutHistory:
    def test_a_record_gives_the_same_store_as_its_rows(self, url: str, tmp_path: Path) -> None:
        tickets, events, escalated = SCENE
        told = events_frame(events).assign(text=pd.Series(TEXTS, dtype="str"))
        made = record(tickets_frame(tickets), told, outcomes_frame(escalated), DEFINITIONS, MANY)
        with open_store(url, MANY) as store, open_store(f"{tmp_path}/other.db", MANY) as other:
            assert store.put_history(made) == Put(4, 0, 12, 0)
            assert store.put_history(made) == Put(0, 0, 0, 12)
            put(other, tickets, events, escalated=escalated[:2], texts=TEXTS)
            assert contents(store) == contents(other)

    def test_a_history_of_nothing_puts_nothing(self, store: Store) -> None:
        assert store.put_history(history_of([])) == Put()

    def test_an_escalation_that_an_event_told_of_is_no_outcome(self, store: Store) -> None:
        events = [Event("escalated", 2), Event("escalated", 3), Event("escalated", 3, actor="x")]
        store.put_history(history_of([Ticket()], [*events, events[0]], escalated=[("t", 2.0)]))
        assert store.counts().escalated == 1
        assert numbers(store, Ticket("other"), 9)["customer_escalated"] == 4

    @pytest.mark.slow
    def test_a_customer_of_a_hundred_thousand_tickets_is_read_quickly_and_small(self, tmp_path: Path) -> None:
        count = 100_000
        created = pd.Series(MONDAY + pd.to_timedelta(np.arange(count) * 10, unit="min"))
        ids = pd.Series(np.arange(count).astype(str), dtype="str")
        tickets = tickets_frame([Ticket()]).iloc[np.zeros(count, dtype=int)].reset_index(drop=True)
        tickets = tickets.assign(ticket_id=ids, created_at=created, customer_keys=EMAIL, queue="first")
        last = rows_of([Ticket("last", 16_000.0, "ann", queue="first")], [None])
        with open_store(f"{tmp_path}/s.db", MANY) as store:
            store.put_history(record(tickets, empty("events"), empty("outcomes"), DEFINITIONS, MANY))
            begun = pd.Timestamp.now()
            small = store.read(last)
            assert (pd.Timestamp.now() - begun).total_seconds() < 1.0
            assert len(small.amounts["key"]) < 60 and len(small.links) == 1 and not small.events["key"]
        seen = dict(zip(LOOK.names, LOOK.look(last, small)[0].tolist(), strict=True))
        assert (seen["customer_tickets"], seen["customer_tickets_1d"]) == (96_000, 144)
        assert (seen["customer_tickets_365d"], seen["desk_open"]) == (365 * 144, 96_000)
