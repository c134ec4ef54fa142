"""Contact reasons: a customer's earlier tickets on the same matter, as a field or the first queue says it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_history import (
    BY_PRODUCT,
    BY_QUEUE,
    DEFINITIONS,
    LOOK,
    MANY,
    Event,
    Ticket,
    events_frame,
    history_of,
    moved,
    numbers,
    tickets_frame,
)
from made_store import EMAIL, contents, put
from made_store import numbers as stored_numbers

from pipeline.config import History as Settings
from pipeline.errors import StoreError
from pipeline.history.as_of import SAME_REASON
from pipeline.history.reasons import REASON, reason_code, reason_column, reasons_of
from pipeline.history.record import Roles, known_tickets
from pipeline.history.store import Put, open_store

DAY = 24.0
X, Y = {"product": "x"}, {"product": "y"}
OTHERS = [
    Ticket("a", 0.0, fields=X),
    Ticket("b", 20 * DAY, fields=X),
    Ticket("c", 38 * DAY, fields=Y),
    Ticket("d", 39 * DAY, fields=X, customer="ben"),
    Ticket("e", 39.5 * DAY),
]


def seen(ticket: Ticket, at: float | None = None, who: Settings = BY_PRODUCT, **more: Any) -> dict[str, float]:
    """The numbers of the same reason, their prefix left out."""
    known = numbers(at, ticket=ticket, look=replace(LOOK, customers=who), settings=who, **more)
    return {name.removeprefix("same_reason_"): known[name] for name in SAME_REASON}


class TestWhatIsCounted:
    def test_only_the_customers_own_tickets_with_the_same_value_count(self) -> None:
        found = seen(Ticket(created=40 * DAY, fields=X), others=OTHERS)
        assert found == {"tickets_7d": 0, "tickets_30d": 1, "tickets": 2, "open": 2, "hours_since": 20 * DAY}
        assert seen(Ticket(created=40 * DAY, fields=Y), others=OTHERS)["tickets_7d"] == 1

    def test_what_ended_is_not_open(self) -> None:
        events = [Event("status", 30 * DAY, "closed", "a")]
        assert seen(Ticket(created=40 * DAY, fields=X), others=OTHERS, events=events)["open"] == 1
        assert seen(Ticket(created=25 * DAY, fields=X), others=OTHERS, events=events)["open"] == 2

    def test_what_comes_at_the_moment_or_later_is_not_seen(self) -> None:
        assert seen(Ticket(created=20 * DAY, fields=X), others=OTHERS)["tickets"] == 1
        assert seen(Ticket(created=10 * DAY, fields=X), 20 * DAY + 1, others=OTHERS)["tickets"] == 2

    def test_a_first_ticket_for_a_reason_has_zeros_and_no_last_one(self) -> None:
        found = seen(Ticket(created=40 * DAY, fields={"product": "new"}), others=OTHERS)
        assert (found["tickets"], found["open"]) == (0, 0) and math.isnan(found["hours_since"])

    @pytest.mark.parametrize("ticket", [Ticket(created=40 * DAY), Ticket(created=40 * DAY, customer=None, fields=X)])
    def test_an_unknown_reason_or_customer_has_no_numbers(self, ticket: Ticket) -> None:
        assert all(math.isnan(value) for value in seen(ticket, others=OTHERS).values())

    def test_linked_keys_are_one_customer(self) -> None:
        others = [Ticket("a", 0.0, None, (EMAIL,), fields=X), Ticket("b", 1.0, "ann", (EMAIL,))]
        assert seen(Ticket(created=5.0, fields=X), others=others)["tickets"] == 1

    def test_the_first_queue_may_be_the_reason_and_a_later_one_is_not(self) -> None:
        others = [Ticket("a", 0.0, queue="first"), Ticket("b", 1.0, queue="second")]
        events = [moved(2, "first", ticket="b"), moved(6, "second")]
        ticket = Ticket(created=5.0, queue="first")
        assert seen(ticket, 7.0, BY_QUEUE, others=others, events=events)["tickets"] == 1

    def test_what_a_ticket_leaves_out_is_known_from_the_history(self) -> None:
        history = history_of([*OTHERS, Ticket(created=40 * DAY, fields=X)], settings=BY_PRODUCT)
        look = replace(LOOK, customers=BY_PRODUCT)
        bare = tickets_frame([Ticket(created=40 * DAY)])
        found = dict(zip(look.names, look.look(bare, history)[0].tolist(), strict=True))
        assert found["same_reason_tickets"] == 2

    def test_without_the_setting_there_are_neither_numbers_nor_amounts_nor_codes(self) -> None:
        assert not {*SAME_REASON} & {*LOOK.names}
        with_it, without = (history_of(OTHERS, settings=who) for who in (BY_PRODUCT, MANY))
        assert REASON not in without.tickets
        there = with_it.amounts[~with_it.amounts["key"].str.startswith("reason:")]
        pd.testing.assert_frame_equal(there.reset_index(drop=True), without.amounts)


class TestCodes:
    def test_personal_data_are_redacted_before_and_nothing_can_be_read_after(self) -> None:
        assert reason_code("of ann@example.org") == reason_code("of [EMAIL]") != reason_code("of [PHONE]")
        assert len(reason_code("x" * 10_000)) == 16

    def test_a_cell_of_any_kind_is_read_as_the_parser_reads_it(self) -> None:
        frame = pd.DataFrame({"fields.product": pd.Series([7.0, "7", None, np.nan, ""], dtype=object)})
        codes = reasons_of(frame, BY_PRODUCT).tolist()
        assert codes == [reason_code("7"), reason_code("7"), None, None, None]
        assert reasons_of(frame, BY_QUEUE).tolist() == reasons_of(frame, MANY).tolist() == [None] * 5

    def test_which_column_is_read(self) -> None:
        assert (reason_column(BY_PRODUCT), reason_column(BY_QUEUE), reason_column(MANY)) == (
            "fields.product", None, None,
        )  # fmt: skip

    def test_a_history_keeps_the_code_alone(self) -> None:
        known = known_tickets(tickets_frame(OTHERS), Roles.of(DEFINITIONS, events_frame([])), BY_PRODUCT)
        assert known[REASON].tolist()[:3] == [reason_code("x"), reason_code("x"), reason_code("y")]
        assert "fields.product" not in known


class TestStore:
    NEXT = Ticket("next", 40 * DAY, fields=X)

    def test_it_counts_what_the_record_counts_and_keeps_no_value(self, url: str) -> None:
        others = [replace(t, fields={"product": "gout & grief"} if t.fields == X else t.fields) for t in OTHERS]
        asked = replace(self.NEXT, fields={"product": "gout & grief"})
        with open_store(url, BY_PRODUCT) as store:
            put(store, others, [Event("status", 30 * DAY, "closed", "a")])
            found = stored_numbers(store, asked, None, customers=BY_PRODUCT)
            assert "gout" not in repr(contents(store))
        assert [found[n] for n in SAME_REASON] == [0, 1, 2, 1, 20 * DAY]

    def test_a_reason_that_comes_later_or_changes_counts_as_it_is_now(self, url: str) -> None:
        with open_store(url, BY_PRODUCT) as store:
            put(store, [Ticket("a", 0.0)])
            assert put(store, [Ticket("a", 0.0, fields=X)]) == Put(0, 1)
            assert put(store, [Ticket("a", 0.0)]) == Put()
            assert stored_numbers(store, self.NEXT, None, customers=BY_PRODUCT)["same_reason_tickets"] == 1
            assert put(store, [Ticket("a", 0.0, fields=Y)]) == Put(0, 1)
            assert stored_numbers(store, self.NEXT, None, customers=BY_PRODUCT)["same_reason_tickets"] == 0

    def test_other_shared_keys_make_its_amounts_anew(self, url: str) -> None:
        with open_store(url, BY_PRODUCT) as store:
            put(store, OTHERS)
        with open_store(url, replace(BY_PRODUCT, shared=("ann",))) as store:
            assert store.made_anew
            keys = {key for _, key, *_ in contents(store)["history_amounts"] if key.startswith("reason:")}
            assert keys == {f"reason:id:ben {reason_code('x')}"}

    @pytest.mark.parametrize(("before", "now"), [(MANY, BY_PRODUCT), (BY_PRODUCT, BY_QUEUE), (BY_QUEUE, MANY)])
    def test_another_reason_is_refused_once_there_is_a_ticket(self, url: str, before: Settings, now: Settings) -> None:
        with open_store(url, before) as store:
            put(store, OTHERS)
            for as_it_is in (False, True):
                with pytest.raises(StoreError, match=r"history\.contact_reason"):
                    open_store(url, now, as_it_is=as_it_is)
            assert stored_numbers(store, self.NEXT, None, customers=before)["customer_tickets"] == 4

    @pytest.mark.parametrize(("before", "now"), [(MANY, BY_PRODUCT), (BY_PRODUCT, BY_QUEUE), (BY_QUEUE, MANY)])
    def test_an_empty_store_takes_another_one_and_whoever_has_it_open_is_told(
        self, url: str, before: Settings, now: Settings
    ) -> None:
        with open_store(url, before) as old:
            with open_store(url, now) as store:
                put(store, OTHERS)
                assert stored_numbers(store, self.NEXT, None, customers=now)["customer_tickets"] == 4
            with pytest.raises(StoreError, match="opened the store with other settings"):
                put(old, OTHERS)

    def test_a_store_of_before_serves_on_without_a_table_of_reasons(self, tmp_path: Path) -> None:
        with open_store(f"{tmp_path}/s.db", MANY) as store:
            put(store, OTHERS)
            with store.place.writing() as connection:
                connection.exec_driver_sql("DROP TABLE history_reasons")
        with open_store(f"{tmp_path}/s.db", MANY) as store:
            put(store, [Ticket("f", 1.0)])
            assert stored_numbers(store, self.NEXT, None)["customer_tickets"] == 5
        with pytest.raises(StoreError, match="contact_reason"):
            open_store(f"{tmp_path}/s.db", BY_PRODUCT)
