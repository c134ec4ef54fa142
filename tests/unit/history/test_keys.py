"""Keys: one exact form of each address, nothing of a person in them, none for what many people share."""

from __future__ import annotations

import pandas as pd
import pytest
from factories import tickets
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import History
from pipeline.features.table import ALWAYS, FieldCodes
from pipeline.history.identity import pseudonyms
from pipeline.history.keys import (
    KINDS,
    SHARED_ID,
    Kind,
    customer_keys,
    key,
    keys_of,
    never_glue,
    normalise,
    shared_keys,
    split_keys,
    strength,
)

ANN = key("email", "ann@example.org")


def series(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="str")


def texts(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(v) else str(v) for v in values]


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("ann@example.org", "ann@example.org"),
        ("  Ann@Example.ORG ", "ann@example.org"),
        ("Ann Smith <ann@example.org>", "ann@example.org"),
        ('"Smith, Ann" < ann@example.org >', "ann@example.org"),
        ("ann+shop@example.org", "ann@example.org"),
        ("ann@example.org.", "ann@example.org"),
        ("a.n.n+x@googlemail.com", "ann@gmail.com"),
        ("a.nn@gmail.com", "ann@gmail.com"),
        ("a.nn@example.org", "a.nn@example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("+4930123@sms.example.org", "+4930123@sms.example.org"),
        ("ann@bücher.example", "ann@bücher.example"),
        ("...@gmail.com", None),
        ("ann", None),
        ("ann@home", None),
        ("@example.org", None),
        ("ann@example.org; bob@example.org", None),
        ("ann smith@example.org", None),
        ("Ann <>", None),
        (" ", None),
        ("", None),
        (None, None),
        (float("nan"), None),
        (7, None),
    ],
)
def test_an_address_has_one_form(value: object, normal: str | None) -> None:
    assert normalise("email", value) == normal


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("+49 30 123-4567", "+49301234567"),
        ("0049 (0)30 / 1234567", "+49301234567"),
        ("(+49) 30.123.45.67", "+49301234567"),
        ("tel:+49301234567", "+49301234567"),
        ("＋49 30 1234567", "+49301234567"),
        ("٠٣٠ ١٢٣٤٥٦٧", "0301234567"),
        ("(030) 1234567", "0301234567"),
        ("+1 555 123 4567 ext. 12", "+1555123456712"),
        ("555-123", None),
        ("00 123456", None),
        ("1" * 21, None),
        ("withheld", None),
        ("a1234567@example.org", None),
    ],
)
def test_a_phone_number_keeps_its_digits_and_its_country(value: str, normal: str | None) -> None:
    assert normalise("phone", value) == normal


def test_a_number_without_its_country_is_another_key() -> None:
    assert key("phone", "030 1234567") != key("phone", "+49 30 1234567")
    assert key("phone", "0049 30 1234567") == key("phone", "+49 30 1234567")


def test_handles_lose_their_at_and_ids_and_accounts_only_their_case() -> None:
    assert normalise("handle", " @Ann_S") == normalise("handle", "ann_s") == "ann_s"
    assert normalise("account", " AC-12 ") == "ac-12"
    assert normalise("id", "U 77") == "u 77"
    assert normalise("handle", "@") is None


@pytest.mark.parametrize(
    "value",
    [
        "info@firm.example", "Info@firm.example", "no-reply@firm.example", "noreply-7f3@firm.example",
        "do_not_reply@firm.example", "MAILER-DAEMON@firm.example", "bounces+ann=example.org@firm.example",
        "notifications@firm.example", "support@firm.example", "support2@firm.example", "support-de@firm.example",
        "help.desk@firm.example", "kontakt@firma.example", "Büro@firma.example", "kunden-service@firma.example",
        "ne-pas-repondre@firme.example", "comptabilité@firme.example", "facturación@empresa.example",
        "atencion.al.cliente@empresa.example", "The team <hello@firm.example>", "unknown@firm.example",
    ],
)  # fmt: skip
def test_a_role_mailbox_gives_no_key_as_an_address_or_as_an_id(value: str) -> None:
    assert normalise("email", value) is not None
    assert key("email", value) is None
    assert key("id", value) is None


@pytest.mark.parametrize("value", ["ann@firm.example", "ann.info@firm.example", "infante@firm.example", "sa@b.example"])
def test_a_persons_mailbox_gives_a_key(value: str) -> None:
    assert key("email", value) is not None


def test_placeholders_give_no_key() -> None:
    assert [key("handle", "@guest"), key("account", "N/A"), key("id", "Unknown"), key("phone", "0000000")] == [None] * 4
    assert never_glue("phone", "+11111111") and not never_glue("phone", "+11111112")


def test_what_gives_a_person_away_is_hashed_and_other_ids_stay_readable() -> None:
    assert ANN == "email:438c4c7afe600cdf"
    assert key("id", "U-77") == "id:u-77"
    assert key("account", "4711") == "account:4711"
    for kind, value in (
        ("id", "ann@example.org"),
        ("account", "+49 30 1234567"),
        ("id", "Ann Smith"),
        ("id", "x" * 201),
    ):
        made = key(kind, value)  # type: ignore[arg-type]
        assert made is not None and len(made.partition(":")[2]) == 16


@pytest.mark.parametrize("value", ["Ann@example.org", " +49 30 1234567", "U-77", "Ann Smith"])
def test_an_id_and_its_pseudonym_are_one_key(value: str) -> None:
    assert key("id", pseudonyms(series(value)).iloc[0]) == key("id", value)


def test_the_keys_of_a_ticket_are_made_of_every_column_and_of_the_id_itself() -> None:
    made, counts = customer_keys(
        series("ann+a@example.org", "+49 30 1234567", "u1", "u2", None),
        {
            "phone": [series(None, None, "+49 30 1234567", None, None), series(None, None, "030 7654321", None, None)],
            "handle": [series(None, None, "@ann", None, None)],
            "account": [series(None, None, "A1", None, None)],
        },
        series(None, None, ANN, "no key", None),
    )
    phone, handle = key("phone", "+49 30 1234567"), key("handle", "ann")
    rows = texts(made)
    assert rows[:2] == [ANN, phone]
    assert set(str(rows[2]).split(" ")) == {"account:a1", ANN, phone, key("phone", "0307654321"), handle}
    assert str(rows[2]).startswith("account:a1 email:") and str(rows[2]).endswith(str(handle))
    assert rows[3:] == [None, None]
    assert counts == {}


def test_values_without_a_key_are_counted_by_their_reason() -> None:
    email = series("info@firm.example", "info@firm.example", "ann@", None, "ann@example.org")
    made, counts = customer_keys(
        series("noreply@firm.example", "u", "u", None, "u"), {"email": [email]}, series(*[None] * 5)
    )
    assert texts(made) == [SHARED_ID, None, None, None, ANN]
    assert counts == {"shared_mailboxes": 3, "odd_customer_addresses": 1}


def test_each_ticket_and_key_is_one_row_the_strongest_first() -> None:
    table = tickets(
        customer_id=["u1", None, "u2"],
        customer_keys=[f"handle:{'0' * 16} {ANN} {ANN} account:a1", f"{ANN} ann@example.org email:ann", None],
    )
    found = keys_of(table, History())
    assert found["row"].tolist() == [0, 0, 0, 0, 1, 2]
    assert found["key"].tolist() == ["id:u1", "account:a1", ANN, f"handle:{'0' * 16}", ANN, "id:u2"]


def test_a_ticket_without_an_id_a_key_or_any_column_has_no_row() -> None:
    assert keys_of(tickets(customer_id=[None], customer_keys=[None]), History()).empty
    assert keys_of(tickets(2)[["ticket_id"]], History()).empty
    assert keys_of(tickets(3).iloc[:0], History()).empty


def test_an_id_that_is_a_role_mailbox_is_left_out_behind_its_pseudonym_too() -> None:
    ids = series("info@firm.example")
    table = tickets(1, customer_id=pseudonyms(ids), customer_keys=customer_keys(ids, {}, series(None))[0])
    assert keys_of(table, History()).empty


@pytest.mark.parametrize("named", ["Deleted-User", "box@example.org", "+49 30 1234567", ANN, "id:deleted-user"])
def test_a_shared_value_is_left_out_whichever_kind_it_is(named: str) -> None:
    ids = pseudonyms(series("deleted-user", "box@example.org", "+49 30 1234567", "u"))
    keys = [None, key("email", "box@example.org"), key("phone", "+49 30 1234567"), ANN]
    left = keys_of(tickets(customer_id=ids.tolist(), customer_keys=keys), History(shared=(named,)))
    before = keys_of(tickets(customer_id=ids.tolist(), customer_keys=keys), History())
    gone = {"Deleted-User": {0}, "box@example.org": {1}, "+49 30 1234567": {2}, "id:deleted-user": {0}}.get(
        named, set()
    )
    assert set(before["row"]) - set(left["row"]) == gone
    assert len(before) > len(left)


def test_keys_are_never_a_feature() -> None:
    table = tickets(customer_keys=[ANN] * 3)
    assert "customer_keys" not in ALWAYS
    assert "customer_keys" not in FieldCodes.fit(table, rare=1).names


SEEN = ["Ann <A.n+x@Gmail.com>", "+49 (0)30 1234567", "@ann", "person-0123456789abcdef", "0030123456789", "info@x.test"]
VALUE = (
    st.text(max_size=20)
    | st.sampled_from(SEEN)
    | st.from_regex(r"[a-z.+]{1,6}@(gmail\.com|x\.example)", fullmatch=True)
    | st.from_regex(r"[+0-9() ]{7,16}")
)


@given(st.sampled_from(KINDS), VALUE)
def test_normalising_twice_changes_nothing(kind: Kind, value: str) -> None:
    once = normalise(kind, value)
    assert once is None or normalise(kind, once) == once


@given(st.sampled_from(KINDS), VALUE)
def test_a_key_is_one_word_that_is_recognised_and_names_its_kind(kind: Kind, value: str) -> None:
    made = key(kind, value)
    if made is not None:
        assert split_keys(made) == (made,)
        assert KINDS[strength(made)[0]] == kind


@given(st.sampled_from(("email", "phone", "handle")), VALUE)
def test_no_key_of_an_address_holds_the_address(kind: Kind, value: str) -> None:
    made, normal = key(kind, value), normalise(kind, value)
    if made is not None and normal is not None and len(normal) > 4:
        assert normal not in made


@given(VALUE)
def test_whatever_is_named_as_shared_is_found_as_shared(value: str) -> None:
    assert {key(kind, value) for kind in KINDS} - {None} <= shared_keys([value])


@given(st.none() | st.integers() | st.floats() | st.text())
def test_anything_may_stand_where_keys_should(value: object) -> None:
    assert all(isinstance(one, str) for one in split_keys(value))
