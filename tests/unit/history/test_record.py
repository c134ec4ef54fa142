"""The record: what an import becomes, and what of it is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_history import (
    DEFINITIONS,
    MANY,
    Event,
    Ticket,
    by_agent,
    by_customer,
    changed,
    events_frame,
    given_to,
    history_of,
    moved,
    outcomes_frame,
    tickets_frame,
)

from pipeline.config import History as Settings
from pipeline.history.amounts import FACTS
from pipeline.history.log import WORDS
from pipeline.history.record import (
    EVENTS,
    MOST_TRACKED,
    TICKETS,
    History,
    Roles,
    customers,
    known_tickets,
    message_words,
    read_messages,
    record,
    tracked_columns,
)

EMAIL = "email:" + "e" * 16


class TestRoles:
    def test_queue_and_priority_are_what_their_outcomes_are_made_of(self) -> None:
        roles = Roles.of(DEFINITIONS, events_frame([given_to(1, "bob", as_field=True)]))
        assert (roles.queue, roles.assignee, roles.priority) == ("group", "assigned_to", "urgency")
        assert Roles.of({}, events_frame([])) == Roles()

    def test_without_an_outcome_of_the_queue_it_is_a_column_of_a_usual_name(self) -> None:
        events = events_frame([changed(1, "team", "a"), changed(2, "colour", "red")])
        assert (Roles.of({}, events).queue, Roles.of(DEFINITIONS, events).queue) == ("team", "group")
        assert Roles.of({}, events_frame([changed(1, "colour", "red")])).queue is None

    def test_events_of_these_columns_are_assignments_and_priorities(self) -> None:
        told = [moved(1, "a"), given_to(2, "bob"), Event("priority", 3, "high"), changed(4, "size", "5"), by_agent(5)]
        written = [moved(1, "a", as_field=True), given_to(2, "bob", as_field=True),
                   Event("priority", 3, "high", as_field=True), *told[3:]]  # fmt: skip
        events = events_frame(written)
        found = Roles.of(DEFINITIONS, events).canonical(events)
        pd.testing.assert_frame_equal(found, events_frame(told))

    def test_a_priority_that_has_no_name_here_stays_as_it_is(self) -> None:
        events = events_frame([changed(1, "urgency", "9"), changed(2, "urgency", None), Event("priority", 3, "1")])
        found = Roles.of(DEFINITIONS, events).canonical(events)
        assert found["value"].iloc[[0, 2]].tolist() == ["9", "low"] and found["value"].isna().iloc[1]

    def test_without_roles_nothing_changes(self) -> None:
        events = events_frame([changed(1, "group", "a"), changed(2, "urgency", "3"), changed(3, "x", None)])
        pd.testing.assert_frame_equal(Roles().canonical(events), events)


class TestMessages:
    TEXTS = ("Broken again! I want a refund.", "Great, thank you!")

    def read(self, events: list[Event], ticket: Ticket, *texts: str | None) -> pd.DataFrame:
        frame = events_frame(events).assign(text=pd.Series(texts, dtype="str"))
        return read_messages(frame, tickets_frame([ticket]))

    def test_a_customers_words_are_read_and_no_text_is_kept(self) -> None:
        found = self.read([by_customer(1), Event("reply", 2, actor="ann")], Ticket(), *self.TEXTS)
        assert list(found.columns) == list(EVENTS) and "text" not in found
        expected = message_words(list(self.TEXTS), ["en", "en"])
        np.testing.assert_array_equal(found[list(WORDS)].to_numpy(np.float32), expected)
        assert expected[0, 1:].tolist() == [1, 0, 1] and expected[1, 0] > 0

    @pytest.mark.parametrize(
        "event",
        [
            by_agent(1),
            Event("reply", 1, actor="bob"),
            Event("reply", 1),
            Event("note", 1, side="customer"),
            by_customer(1, ticket="unknown"),
        ],
    )
    def test_nobody_elses_words_are_read(self, event: Event) -> None:
        found = self.read([event], Ticket(), self.TEXTS[0])
        assert found[list(WORDS)].isna().all(axis=None)

    def test_of_an_unknown_customer_a_nameless_reply_is_not_read(self) -> None:
        found = self.read([Event("reply", 1)], Ticket(customer=None), self.TEXTS[0])
        assert found[list(WORDS)].isna().all(axis=None)

    def test_they_are_read_in_the_tickets_language(self) -> None:
        found = self.read([by_customer(1)], Ticket(language="de"), "Schon wieder. Mein Anwalt meldet sich.")
        assert found[list(WORDS[1:])].iloc[0].tolist() == [1, 1, 0]

    def test_the_texts_are_cleaned_first(self) -> None:
        plain = self.read([by_customer(1)], Ticket(), "Broken again!")
        html = self.read([by_customer(1)], Ticket(), "<p>Broken <b>again</b>!</p>")
        pd.testing.assert_frame_equal(plain[list(WORDS)], html[list(WORDS)])

    def test_different_texts_are_different_events(self) -> None:
        found = self.read([by_customer(1)] * 3, Ticket(), "One.", "Two.", "One.")
        assert found["key"].nunique() == 2 and found["key"].iloc[0] == found["key"].iloc[2]

    def test_no_words_say_nothing(self) -> None:
        found = message_words([None, "", "Hello"], [None, "en", "en"])
        assert found.dtype == np.float32 and found.shape == (3, 4)
        assert np.isnan(found[:2, 0]).all() and (found[:2, 1:] == 0).all()
        assert message_words([], []).shape == (0, 4)

    def test_no_events_and_no_tickets(self) -> None:
        assert self.read([], Ticket()).empty
        none = read_messages(events_frame([by_customer(1)]), tickets_frame([]))
        assert none[list(WORDS)].isna().all(axis=None)


class TestRecord:
    def test_it_holds_tickets_without_their_words_events_amounts_and_links(self) -> None:
        tickets = [Ticket("a", keys=(EMAIL,), queue="first", text="secret"), Ticket("b", created=5, customer=None)]
        found = history_of(tickets, [by_customer(1, ticket="a"), moved(2, "second", ticket="a", as_field=True)])
        assert list(found.tickets.columns) == list(TICKETS) and list(found.events.columns) == list(EVENTS)
        assert found.tickets["queue"].tolist()[0] == "first" and found.events["kind"].tolist() == [
            "reply",
            "assignment",
        ]
        assert found.links[["key_a", "key_b", "ticket_id"]].to_numpy().tolist() == [["id:ann", EMAIL, "a"]]
        keys = set(found.amounts["key"])
        assert keys == {"desk", "customer:id:ann", "queue:first", "queue:second"}

    def test_outcomes_count_once_a_ticket_and_only_if_they_say_yes_at_a_known_moment(self) -> None:
        outcomes = outcomes_frame([("a", 3), ("a", 2), ("a", None), ("b", None), ("unknown", 1)])
        outcomes.loc[len(outcomes)] = ["c", "escalated", "0", outcomes["known_at"].iloc[0]]
        outcomes.loc[len(outcomes)] = ["c", "topic", "1", outcomes["known_at"].iloc[0]]
        tickets = tickets_frame([Ticket(i) for i in "abc"])
        amounts = record(tickets, events_frame([]), outcomes, DEFINITIONS, MANY).amounts
        escalated = amounts[amounts["fact"] == FACTS.index("escalated")]
        assert escalated["ticket_id"].tolist() == ["a"]
        assert escalated["at"].tolist() == [tickets["created_at"].iloc[0].value // 1000 + 2 * 3_600_000_000]

    def test_the_order_of_rows_does_not_matter(self) -> None:
        tickets = [Ticket("a", keys=(EMAIL,)), Ticket("b", created=1), Ticket("c", created=2, customer="ben")]
        events = [Event("status", n, "closed", ticket=i) for n, i in enumerate("abc", 3)] + [moved(4, "x", ticket="a")]
        one, two = history_of(tickets, events), history_of(tickets[::-1], events[::-1])
        for name in ("tickets", "events", "amounts", "links"):
            rows = [sorted(map(repr, getattr(h, name).to_numpy().tolist())) for h in (one, two)]
            assert rows[0] == rows[1]

    def test_an_empty_import_is_an_empty_history(self) -> None:
        found = history_of([], [])
        assert all(getattr(found, name).empty for name in ("tickets", "events", "amounts", "links"))
        bare = History(found.tickets, found.events)
        assert bare.amounts.empty and bare.links.empty

    def test_without_a_queue_column_tickets_name_none(self) -> None:
        assert known_tickets(tickets_frame([Ticket(queue="a")]), Roles(), MANY)["queue"].isna().all()

    def test_a_customer_is_the_strongest_key(self) -> None:
        frame = tickets_frame([Ticket(keys=(EMAIL,)), Ticket(customer=None, keys=(EMAIL,)), Ticket(customer=None)])
        assert customers(frame, MANY).tolist() == ["id:ann", EMAIL, None]
        assert customers(frame, Settings(shared=("ann",))).tolist() == [EMAIL, EMAIL, None]


class TestTracked:
    def test_columns_that_change_most_and_those_that_the_tickets_do_not_have_are_counts(self) -> None:
        events = [changed(n, "size", str(n)) for n in range(3)] + [changed(n, "product", str(n)) for n in range(2)]
        events += [changed(1, "once", "x"), changed(None, "undated", "x"), changed(None, "undated", "y"), moved(1, "a"),
                   moved(2, "b")]  # fmt: skip
        assert tracked_columns(events_frame(events), ["product"]) == (["product", "size"], ["size"])

    def test_not_too_many(self) -> None:
        events = [changed(n, f"c{c:02}", str(n)) for c in range(20) for n in range(3 if c > 15 else 2)]
        tracked, counted = tracked_columns(events_frame(events), [])
        assert len(tracked) == MOST_TRACKED and tracked == counted == sorted(tracked)
        assert {f"c{c}" for c in range(16, 20)} < set(tracked)

    def test_changes_of_different_tickets_are_none(self) -> None:
        events = [changed(n, "size", str(n), ticket=f"t{n}") for n in range(5)]
        assert tracked_columns(events_frame(events), []) == ([], [])
