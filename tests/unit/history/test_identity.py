"""One customer across channels: exact, dated, explained, reversible links; what many share glues nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories import tickets
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import History, load_params
from pipeline.errors import ConfigError
from pipeline.history.identity import Identities, Link, by_row, keys_of, links, pseudonyms
from pipeline.history.keys import is_account, key
from pipeline.tickets.times import NO_TIME

HOUR = 3_600_000_000
EMAIL, PHONE, CHAT = (f"{kind}:{digit * 16}" for kind, digit in (("email", "e"), ("phone", "f"), ("handle", "c")))
Ticket = tuple[int, list[str]]


def made(rows: list[Ticket], **settings: object) -> Identities:
    """Identities of tickets: (when, keys)."""
    return Identities.build(linked(rows), History(**settings))  # type: ignore[arg-type]


def linked(rows: list[Ticket]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(row, one) for row, (_, keys) in enumerate(rows) for one in keys], columns=["row", "key"]
    ).astype({"row": "int64", "key": "str"})
    ids = pd.Series([f"t{row}" for row in range(len(rows))], dtype="str")
    return links(frame, np.array([at for at, _ in rows], dtype=np.int64), ticket_ids=ids)


def customers(found: pd.DataFrame, count: int) -> list[set[str]]:
    return [set(keys) for keys in by_row(found, count)]


class TestPseudonyms:
    def test_an_address_becomes_a_pseudonym_whatever_its_case_and_an_id_stays(self) -> None:
        found = pseudonyms(pd.Series(["Ann@example.org", " ann@example.org", "u1", None], dtype="str"))
        assert found.iloc[0] == found.iloc[1] and found.iloc[0].startswith("person-")
        assert found.iloc[2] == "u1" and pd.isna(found.iloc[3])


class TestLinks:
    def test_two_keys_of_a_ticket_are_linked_when_it_was_received(self) -> None:
        found = linked([(5, ["id:a", EMAIL, PHONE]), (3, [PHONE, EMAIL]), (9, ["id:b"])])
        assert found.to_dict("split", index=False)["data"] == [
            [EMAIL, PHONE, 3, "t1"],
            ["id:a", EMAIL, 5, "t0"],
            ["id:a", PHONE, 5, "t0"],
        ]

    def test_of_several_tickets_at_the_first_moment_the_least_id_is_named(self) -> None:
        assert linked([(5, ["id:a", EMAIL]), (5, ["id:a", EMAIL])])["ticket_id"].tolist() == ["t0"]

    def test_without_times_a_link_holds_from_always(self) -> None:
        found = linked([(NO_TIME, ["id:a", EMAIL])])
        assert Identities.build(found, History()).component(EMAIL, 0) == ("id:a", EMAIL)
        assert Identities.build(found, History()).component(EMAIL, NO_TIME) == ("id:a", EMAIL)

    def test_tickets_of_one_key_and_no_tickets_make_no_links(self) -> None:
        assert linked([(1, ["id:a"]), (2, ["id:a"])]).empty
        assert list(linked([]).columns) == ["key_a", "key_b", "at", "ticket_id"]


class TestOneCustomer:
    def test_the_same_person_by_mail_then_by_phone_is_one_customer(self) -> None:
        mail, phone = key("email", "Ann <ann+shop@example.org>"), key("phone", "0049 30 1234567")
        form = f"{key('email', 'ann@example.org')} {key('phone', '+49 (0)30 1234567')}"
        table = tickets(customer_id=[None, "u1", None], customer_keys=[mail, form, phone])
        keys = keys_of(table, History())
        moments = table["created_at"].to_numpy(dtype="datetime64[us]").view(np.int64)
        identities = Identities.build(links(keys, moments, ticket_ids=table["ticket_id"]), History())
        found = customers(identities.together(by_row(keys, 3), moments), 3)
        assert found == [{mail}, {"id:u1", mail, phone}, {"id:u1", mail, phone}]

    def test_two_people_of_one_name_stay_two(self) -> None:
        table = tickets(2, customer_id=["u1", "u2"], fields_name=["Ann Smith", "Ann Smith"])
        keys = keys_of(table, History())
        found = links(keys, np.zeros(2, dtype=np.int64), ticket_ids=table["ticket_id"])
        assert found.empty
        assert Identities.build(found, History()).component("id:u1", HOUR) == ("id:u1",)

    def test_a_link_made_later_is_not_known_yet(self) -> None:
        identities = made([(5, ["id:a", EMAIL])])
        assert identities.component(EMAIL, 5) == (EMAIL,)
        assert identities.component(EMAIL, 6) == ("id:a", EMAIL)

    def test_tickets_of_the_same_moment_do_not_see_each_others_links(self) -> None:
        rows = [(5, ["id:a", EMAIL]), (5, [EMAIL, PHONE]), (6, [PHONE])]
        found = made(rows).together([k for _, k in rows], np.array([5, 5, 6]))
        assert customers(found, 3) == [{"id:a", EMAIL}, {EMAIL, PHONE}, {"id:a", EMAIL, PHONE}]

    def test_an_undated_ticket_knows_only_what_always_held(self) -> None:
        identities = made([(5, ["id:a", EMAIL]), (NO_TIME, ["id:a", PHONE])])
        assert identities.component("id:a", NO_TIME) == ("id:a", PHONE)

    def test_two_ids_of_one_account_are_one_customer(self) -> None:
        identities = made([(1, ["id:a", "account:1"]), (2, ["id:b", "account:1"])])
        assert identities.component("id:a", 3) == ("id:a", "id:b", "account:1")


class TestNobody:
    def test_an_unknown_customer_has_no_keys_and_counts_as_nobody(self) -> None:
        identities = made([(1, ["id:a", EMAIL])])
        assert identities.component(None, 9) == identities.component("", 9) == ()
        assert identities.together([[], ["id:a"], []], np.array([9, 9, 9]))["row"].unique().tolist() == [1]
        assert identities.together([], np.array([], dtype=np.int64)).empty

    def test_the_account_of_deleted_users_glues_nobody(self) -> None:
        rows = [(1, ["id:deleted", EMAIL]), (2, ["id:deleted", PHONE]), (3, ["id:deleted"]), (4, [EMAIL])]
        assert made(rows).component(EMAIL, 5) == ("id:deleted", EMAIL, PHONE)
        identities = made(rows, shared=("Deleted",))
        assert identities.component(EMAIL, 5) == (EMAIL,)
        assert identities.component("id:deleted", 5) == ()
        found = identities.together([k for _, k in rows], np.array([5] * 4))
        assert customers(found, 4) == [{EMAIL}, {PHONE}, set(), {EMAIL}]

    def test_people_who_write_from_a_role_mailbox_stay_apart(self) -> None:
        box = key("email", "info@firm.example")
        table = tickets(2, customer_id=["u1", "u2"], customer_keys=[box, box])
        assert keys_of(table, History())["key"].tolist() == ["id:u1", "id:u2"]


class TestGuard:
    ROWS = [(n, [f"id:{n}", EMAIL]) for n in (1, 2, 3, 4)]

    def test_an_address_that_met_too_many_accounts_glues_nobody_from_then_on(self) -> None:
        identities = made(self.ROWS)
        assert identities.component("id:1", 4) == ("id:1", "id:2", "id:3", EMAIL)
        assert identities.component(EMAIL, 4) == ("id:1", "id:2", "id:3", EMAIL)
        assert identities.component("id:1", 5) == ("id:1",)
        assert identities.component(EMAIL, 5) == ()

    def test_the_ticket_that_passes_the_limit_is_not_glued_either(self) -> None:
        found = made(self.ROWS).together([k for _, k in self.ROWS], np.array([1, 2, 3, 4]))
        assert customers(found, 4)[2:] == [{"id:1", "id:2", "id:3", EMAIL}, {"id:4"}]

    def test_the_limit_is_a_setting_and_accounts_have_none(self) -> None:
        assert len(made(self.ROWS, max_accounts_per_key=4).component(EMAIL, 5)) == 5
        rows = [(n, [f"id:{n}", "account:1"]) for n in range(9)]
        assert len(made(rows).component("account:1", 9)) == 10

    def test_meeting_the_same_account_again_does_not_count(self) -> None:
        assert made([(n, ["id:1", EMAIL]) for n in range(9)]).component(EMAIL, 10) == ("id:1", EMAIL)

    def test_a_closed_address_is_not_a_way_between_two_others(self) -> None:
        identities = made([*self.ROWS, (0, [EMAIL, PHONE]), (0, [PHONE, CHAT])])
        assert identities.component(CHAT, 5) == (PHONE, CHAT)
        assert identities.explain("id:1", PHONE, 4) != []
        assert identities.explain("id:1", PHONE, 5) == identities.explain("id:1", EMAIL, 5) == []

    def test_links_that_were_taken_back_do_not_count(self) -> None:
        assert made(self.ROWS, unlink=(f"id:4 {EMAIL}",)).component(EMAIL, 5) == ("id:1", "id:2", "id:3", EMAIL)

    def test_a_limit_of_nothing_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "params.yaml").write_text("history: {max_accounts_per_key: 0}", "utf-8")
        with pytest.raises(ConfigError, match=r"history\.max_accounts_per_key"):
            load_params(tmp_path / "params.yaml")


class TestExplained:
    ROWS = [(1, ["id:a", EMAIL]), (2, [EMAIL, PHONE]), (3, [PHONE, CHAT]), (4, ["id:a", CHAT])]

    def test_the_shortest_chain_of_links_is_told_from_one_end_to_the_other(self) -> None:
        identities = made(self.ROWS)
        assert identities.explain("id:a", CHAT, 4) == [
            Link("id:a", EMAIL, "t0", 1),
            Link(EMAIL, PHONE, "t1", 2),
            Link(PHONE, CHAT, "t2", 3),
        ]
        assert identities.explain(CHAT, EMAIL, 4) == [Link(CHAT, PHONE, "t2", 3), Link(PHONE, EMAIL, "t1", 2)]
        assert identities.explain("id:a", CHAT, 5) == [Link("id:a", CHAT, "t3", 4)]

    def test_what_is_not_linked_has_no_explanation(self) -> None:
        identities = made(self.ROWS)
        assert identities.explain("id:a", PHONE, 2) == identities.explain("id:a", "id:z", 9) == []
        assert identities.explain("id:a", "id:a", 9) == []

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_link_is_taken_back_by_the_pair_that_explains_it(self, turned: bool) -> None:
        link = made(self.ROWS).explain(EMAIL, PHONE, 3)[0]
        pair = f"{link.key_b} {link.key_a}" if turned else f"{link.key_a}  {link.key_b}"
        identities = made(self.ROWS, unlink=(pair,))
        assert identities.component(EMAIL, 4) == ("id:a", EMAIL)
        assert identities.component(PHONE, 4) == (PHONE, CHAT)
        assert customers(identities.together([[PHONE, EMAIL]], np.array([2])), 1) == [{"id:a", EMAIL}]

    @pytest.mark.parametrize("wrong", ["id:a", "id:a id:b id:c", "id:a ann@example.org", "x y", ""])
    def test_an_unlink_that_is_not_two_keys_is_refused(self, wrong: str) -> None:
        with pytest.raises(ConfigError, match=r"history\.unlink"):
            made([], unlink=(wrong,))


# The laws, against the plainest way to say the same.

KEYS = ["id:a", "id:b", "id:c", "account:1", EMAIL, PHONE, CHAT]
ROWS = st.lists(
    st.tuples(st.sampled_from([NO_TIME, 1, 2, 3, 4]), st.lists(st.sampled_from(KEYS), max_size=3, unique=True)),
    max_size=8,
)
SETTINGS = st.builds(
    History,
    shared=st.sampled_from([(), ("a",), (PHONE,)]),
    max_accounts_per_key=st.integers(1, 4),
    unlink=st.sampled_from([(), (f"id:b {EMAIL}",)]),
)
FREE = History(max_accounts_per_key=100)
MOMENT = st.sampled_from([NO_TIME, 1, 2, 3, 4, 5])


def plainly(rows: list[Ticket], chosen: History, start: str, moment: int) -> set[str]:
    """A customer's keys by going over all tickets until nothing is added."""
    out = {"id:a"} if chosen.shared == ("a",) else set(chosen.shared)
    apart = {frozenset(pair.split()) for pair in chosen.unlink}
    pairs = {
        frozenset((a, b)) for at, keys in rows if at < moment or at == NO_TIME
        for a in keys for b in keys if a != b and not out & {a, b}
    } - apart  # fmt: skip
    for one in KEYS:
        accounts = [pair for pair in pairs if one in pair and any(map(is_account, pair - {one}))]
        if not is_account(one) and len(accounts) > chosen.max_accounts_per_key:
            out.add(one)
    found = {start} - out
    for _ in KEYS:
        found |= {k for pair in pairs if pair & found and not pair & out for k in pair}
    return found


@given(ROWS, SETTINGS, st.sampled_from(KEYS), MOMENT)
def test_a_customers_keys_are_those_that_tickets_lead_to(
    rows: list[Ticket], chosen: History, start: str, moment: int
) -> None:
    found = Identities.build(linked(rows), chosen).component(start, moment)
    assert set(found) == plainly(rows, chosen, start, moment)
    assert len(set(found)) == len(found)


@given(ROWS, SETTINGS, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_anything(rows: list[Ticket], chosen: History, random: object) -> None:
    table = linked(rows)
    again = pd.concat([table, table], ignore_index=True)
    order = list(range(len(again)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert Identities.build(again.iloc[order], chosen) == Identities.build(table, chosen)
    turned = [(at, keys[::-1]) for at, keys in [*rows, *rows]]
    assert linked(turned)[["key_a", "key_b", "at"]].equals(table[["key_a", "key_b", "at"]])


@given(ROWS, st.sampled_from(KEYS), MOMENT, MOMENT)
def test_more_is_known_later_never_less(rows: list[Ticket], start: str, one: int, two: int) -> None:
    identities = Identities.build(linked(rows), FREE)
    assert set(identities.component(start, min(one, two))) <= set(identities.component(start, max(one, two)))


@given(ROWS, SETTINGS, MOMENT)
def test_what_is_received_at_a_moment_or_later_changes_nothing_before_it(
    rows: list[Ticket], chosen: History, moment: int
) -> None:
    whole = Identities.build(linked(rows), chosen)
    seen = [(at, keys if at < moment or at == NO_TIME else []) for at, keys in rows]
    past = Identities.build(linked(seen), chosen)
    for one in KEYS:
        assert whole.component(one, moment) == past.component(one, moment)


@given(ROWS, SETTINGS, MOMENT)
def test_being_one_customer_is_symmetric_and_transitive(rows: list[Ticket], chosen: History, moment: int) -> None:
    identities = Identities.build(linked(rows), chosen)
    for one in KEYS:
        customer = identities.component(one, moment)
        assert all(identities.component(other, moment) == customer for other in customer)


@given(ROWS, SETTINGS, st.sampled_from(KEYS), st.sampled_from(KEYS), MOMENT)
def test_what_is_one_customer_can_be_explained_and_nothing_else(
    rows: list[Ticket], chosen: History, one: str, two: str, moment: int
) -> None:
    identities = Identities.build(linked(rows), chosen)
    chain = identities.explain(one, two, moment)
    assert bool(chain) == (one != two and two in identities.component(one, moment))
    assert [(b, a) for a, b, *_ in chain[::-1]] == [(a, b) for a, b, *_ in identities.explain(two, one, moment)]
    steps = [one, *(link.key_b for link in chain)]
    assert [link.key_a for link in chain] == steps[:-1]
    assert not chain or steps[-1] == two
    table = linked(rows)
    known = {frozenset(pair) for pair in zip(table["key_a"], table["key_b"], strict=True)}
    assert all({link.key_a, link.key_b} in known and link.at < moment for link in chain if link.at != NO_TIME)


@given(ROWS, SETTINGS, st.lists(st.sampled_from(KEYS), max_size=3, unique=True), st.sampled_from([1, 2, 3, 4]))
def test_a_tickets_own_keys_count_as_its_links_do_a_moment_later(
    rows: list[Ticket], chosen: History, own: list[str], moment: int
) -> None:
    earlier = [(at * 10 if at != NO_TIME else at, keys) for at, keys in rows]
    here = moment * 10 + 5
    before = Identities.build(linked(earlier), chosen)
    after = Identities.build(linked([*earlier, (here, own)]), chosen)
    found = customers(before.together([own], np.array([here])), 1)[0]
    usable = [k for k in sorted(own, key=KEYS.index) if after.component(k, here + 1)]
    assert found == (set(after.component(usable[0], here + 1)) if usable else set())


@given(ROWS, SETTINGS, MOMENT)
def test_a_batch_of_tickets_is_its_tickets_one_by_one(rows: list[Ticket], chosen: History, moment: int) -> None:
    identities = Identities.build(linked(rows), chosen)
    own = [keys for _, keys in rows]
    moments = np.full(len(own), moment, dtype=np.int64)
    batch = by_row(identities.together(own, moments), len(own))
    assert batch == [by_row(identities.together([k], moments[:1]), 1)[0] for k in own]
    assert [by_row(identities.together([k[::-1]], moments[:1]), 1)[0] for k in own] == batch
