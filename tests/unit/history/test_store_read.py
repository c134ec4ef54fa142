"""The store, read: what a look needs and no more, the open tickets, the events of one, and other settings."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_history import (
    LOOK,
    MANY,
    MONDAY,
    Event,
    Ticket,
    history_of,
    rows_of,
    time_of,
)
from made_store import EMAIL, PHONE, SCENE, contents, numbers, put

from pipeline.config import History as Settings
from pipeline.errors import InputError, StoreError
from pipeline.history.log import moments
from pipeline.history.record import EVENTS
from pipeline.history.store import Store, open_store


class TestRead:
    def test_a_history_stays_small_however_long_it_is(self, store: Store) -> None:
        sizes = []
        for span in (range(40), range(40, 400)):
            put(store, [Ticket(f"t{i}", i * 30.0, "ann", (), "first") for i in span])
            small = store.read(rows_of([Ticket("last", 12_000.0, "ann", queue="first")], [None]))
            sizes.append(len(small.amounts["key"]))
        assert sizes[1] <= 30 and sizes[0] <= sizes[1]

    def test_a_past_moment_is_answered_as_it_was(self, store: Store) -> None:
        tickets, events, escalated = SCENE
        put(store, tickets, events, escalated=escalated)
        made = history_of(tickets, events, escalated=escalated)
        rows = rows_of(tickets[:1] * 40, [float(at) for at in range(40)]).assign(queue="first")
        np.testing.assert_array_equal(LOOK.look(rows, store.read(rows)), LOOK.look(rows, made))

    def test_balances_hold_nothing_of_the_tickets_that_are_asked_for(self, store: Store) -> None:
        put(store, [Ticket("a", 0.0), Ticket("b", 1.0)], [Event("satisfaction", 2, "0.7", "a")])
        rows = rows_of([Ticket("a"), Ticket("b")], [9.0, 9.0])
        amounts = store.read(rows).amounts
        assert set(amounts["ticket_id"]) == {"a", "b"}
        assert Counter(amounts["fact"])[0] == 4

    def test_a_ticket_that_nobody_knows_has_the_surroundings_of_its_own_words(self, store: Store) -> None:
        put(store, [Ticket("a", 0.0, "ann", (), "first")])
        seen = numbers(store, Ticket("new", 5.0, "ann", queue=None), None)
        assert (seen["customer_open"], seen["desk_open"]) == (1, 1)
        assert np.isnan(seen["queue_open"]) and seen["updates"] == 0

    def test_rows_without_an_id_or_a_moment_and_no_rows_at_all_are_read_too(self, store: Store) -> None:
        put(store, [Ticket("a", 0.0, "ann"), Ticket("b", 0.0, "ben")])
        rows = rows_of([Ticket("x", 5.0, "ann"), Ticket("y", 6.0, "ben"), Ticket("z", None, "ben")], [None, None, None])
        rows = rows.assign(ticket_id=pd.Series([None, None, "z"], dtype="str"))
        made = history_of([Ticket("a", 0.0, "ann"), Ticket("b", 0.0, "ben")])
        np.testing.assert_array_equal(LOOK.look(rows, store.read(rows)), LOOK.look(rows, made))
        with pytest.raises(InputError, match="column created_at"):
            store.read(rows.drop(columns="created_at"))
        nothing = store.read(rows.iloc[:0])
        assert nothing.tickets.empty and nothing.links.empty
        assert not any(len(column) for columns in (nothing.events, nothing.amounts) for column in columns.values())

    def test_frames_have_the_columns_and_kinds_of_a_record(self, store: Store) -> None:
        tickets, events, escalated = SCENE
        put(store, tickets, events, escalated=escalated)
        made, small = history_of(tickets, events), store.read(rows_of(tickets, [99.0] * 4))
        pairs = [(made.tickets, small.tickets), (made.events, store.events("a")), (made.links, small.links)]
        for expected, found in pairs:
            assert found.dtypes.to_dict() == expected.dtypes.to_dict()
        assert list(store.events("a").columns) == list(EVENTS)
        assert {*made.events} <= {*small.events} and [*made.amounts] == [*small.amounts]

    def test_what_is_read_is_a_value_of_which_another_can_be_made(self, store: Store) -> None:
        tickets, events, escalated = SCENE
        put(store, tickets, events, escalated=escalated)
        rows = rows_of(tickets, [99.0] * 4)
        small = store.read(rows)
        bare = replace(small, links=small.links.iloc[:0])
        assert bare.links.empty and bare.events is small.events
        again = replace(small, tickets=small.tickets.iloc[::-1].reset_index(drop=True))
        np.testing.assert_array_equal(LOOK.look(rows, again), LOOK.look(rows, small))

    def test_the_last_ticket_before_a_ticket_is_found_however_much_came_since(self, store: Store) -> None:
        put(store, [Ticket("before", 1.0), Ticket("asked", 10.0), Ticket("since", 11.0), Ticket("newest", 12.0)])
        assert numbers(store, Ticket("asked", 10.0), 14)["customer_hours_since"] == 13

    def test_only_the_words_of_the_customer_whom_the_store_knows_say_anything(self, store: Store) -> None:
        put(store, [Ticket(customer="ann")], [Event("reply", 1, actor="ben")], texts=["Thank you, great!"])
        assert np.isnan(numbers(store, Ticket(customer="ben"), 9)["mood_last"])
        put(store, [Ticket(customer="ben")])
        assert numbers(store, Ticket(customer="ben"), 9)["mood_last"] > 0.5

    def test_people_are_one_customer_until_their_address_has_met_too_many(self, url: str) -> None:
        few = Settings(max_accounts_per_key=2)
        tickets = [Ticket(f"t{i}", float(i), f"u{i}", (EMAIL, PHONE)) for i in range(6)]
        rows = rows_of([tickets[0]] * 6, [float(i) + 0.5 for i in range(6)])
        look = replace(LOOK, customers=few)
        with open_store(url, few) as store:
            put(store, tickets)
            expected = look.look(rows, history_of(tickets, settings=few))
            np.testing.assert_array_equal(look.look(rows, store.read(rows)), expected)
            for i in range(6):
                row = rows.iloc[[i]]
                np.testing.assert_array_equal(look.look(row, store.read(row)), expected[[i]])
        at = look.names.index("customer_tickets")
        assert expected[:, at].tolist() == [0, 1, 0, 0, 0, 0]

    def test_a_chain_of_people_holds_as_of_a_moment_before_its_address_met_too_many(self, store: Store) -> None:
        chain = [("u0", (EMAIL,)), ("u1", (EMAIL, PHONE)), ("u9", (PHONE,))]
        many = [(f"v{i}", (EMAIL,)) for i in range(4)]
        people = [Ticket(f"t{i}", float(i), who, keys) for i, (who, keys) in enumerate([*chain, *many])]
        few = Settings(max_accounts_per_key=3)
        put(store, people)
        with open_store(store.place.engine.url.render_as_string(hide_password=False), few) as other:
            seen = [numbers(other, people[0], at, customers=few)["customer_tickets"] for at in (1.5, 2.5, 9.0)]
        assert seen == [1, 2, 0]

    def test_nothing_that_came_after_the_moment_is_read(self, store: Store) -> None:
        put(store, [Ticket()], [Event("note", at) for at in (1, 2, 3)])
        assert store.read(rows_of([Ticket()], [2.0])).events["received_at"] == (moments(pd.Series([time_of(1)]))[0],)

    def test_a_shared_address_of_many_people_is_not_read_whole(self, store: Store) -> None:
        put(store, [Ticket(f"t{i}", float(i), f"u{i}", (EMAIL,)) for i in range(60)])
        few = Settings(max_accounts_per_key=3)
        with open_store(store.place.engine.url.render_as_string(hide_password=False), few) as other:
            rows = rows_of([Ticket("x", 99.0, "u1", (EMAIL,))], [None])
            links = other.read(rows).links
            assert 4 <= len(links) <= 6


class TestOpenTickets:
    def test_tickets_that_are_neither_resolved_nor_closed_are_open_the_oldest_first(self, store: Store) -> None:
        tickets = [
            Ticket("b", 1.0),
            Ticket("a", 1.0),
            Ticket("old", 0.5),
            Ticket("later", 9.0),
            Ticket("undated", None),
        ]
        events = [
            Event("status", 2, "resolved", "b"),
            Event("status", 4, "open", "b"),
            Event("status", 5, "closed", "a"),
        ]
        put(store, tickets, events)
        found = [store.open_tickets(MONDAY + pd.Timedelta(hours=at)) for at in (0.5, 1.5, 3, 6, 10)]
        assert found == [[], ["old", "a", "b"], ["old", "a"], ["old", "b"], ["old", "b", "later"]]

    def test_a_moment_without_a_zone_is_an_error(self, store: Store) -> None:
        with pytest.raises(InputError, match="zone"):
            store.open_tickets(pd.Timestamp("2026-03-02"))


class TestEvents:
    def test_events_come_as_they_were_received(self, store: Store) -> None:
        put(store, [Ticket()], [Event("note", 3), Event("note", 1, occurred=0.5), Event("created", 1, occurred=0.25)])
        found = store.events("t")
        assert found["received_at"].tolist() == [time_of(1), time_of(1), time_of(3)]
        assert found["kind"].tolist() == ["created", "note", "note"]
        assert store.events("nobody").empty


class TestSettings:
    def test_opening_with_other_shared_keys_makes_amounts_and_links_anew(self, url: str) -> None:
        tickets = [Ticket("a", 0.0, "ann", (EMAIL,)), Ticket("b", 1.0, "ben", (EMAIL,))]
        shared = Settings(max_accounts_per_key=1000, shared=("ann", EMAIL))
        with open_store(url, MANY) as store:
            put(store, tickets, [Event("satisfaction", 2, "0.3", "a")])
            before = contents(store)
            assert numbers(store, Ticket("x", 5.0, "ben"), None)["customer_tickets"] == 2
            with open_store(url, shared) as other:
                assert numbers(other, Ticket("x", 5.0, "ben"), None, customers=shared)["customer_tickets"] == 1
                assert np.isnan(numbers(other, Ticket("x", 5.0, "ann"), None, customers=shared)["customer_tickets"])
                assert not contents(other)["history_links"]
            with pytest.raises(StoreError, match="other settings since"):
                put(store, tickets)
            with pytest.raises(StoreError, match="other settings since"):
                store.read(rows_of(tickets, [None, None]))
        with open_store(url, MANY) as store:
            assert contents(store) == before
