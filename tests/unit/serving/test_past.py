"""Where a door's history comes from: a folder and a store say the same, and moments are read or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config import History, Params, Tickets
from pipeline.errors import StoreError, TriageError
from pipeline.history.as_of import AsOf
from pipeline.history.reasons import reason_column
from pipeline.serving.past import FolderPast, Moment, Past, as_asked, open_past
from pipeline.serving.remember import remember
from pipeline.sources.raw import load_raw
from pipeline.sources.sample import generate, write
from pipeline.tickets import parse

AT = pd.Timestamp("2026-01-05T10:00Z")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("past") / "raw"
    write(generate(seed=3, tickets=120, days=60), folder)
    return folder


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, Moment()),
        ("2026-01-05T10:00:00Z", Moment(at=AT)),
        ("2026-01-05 12:00+02:00", Moment(at=AT)),
        ("2026-01-05 10:00", Moment(at=AT)),
        ("+24h", Moment(age=pd.Timedelta(hours=24))),
        ("+0h", Moment(age=pd.Timedelta(0))),
    ],
)
def test_a_moment_or_an_age_is_read(text: str | None, wanted: Moment) -> None:
    assert Moment.of(text) == wanted


def test_now_is_the_moment_of_the_command_and_no_word_else_is_a_moment() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert Moment.of("now", now=now) == Moment(at=pd.Timestamp(now))
    for word in ("now", "today"):  # pandas would take them in the machine's own zone
        with pytest.raises(TriageError, match="not a moment"):
            Moment.of(word)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a moment"), ("soon", "not a moment"), ("2026-13-01", "not a moment"), ("24h", "begins with a plus"),
        ("+", "not an age"), ("+soon", "not an age"), ("+-3h", "not an age"), ("+99999999999d", "not an age"),
        ("1900-01-01", "no ticket can have"), ("3000-01-01", "no ticket can have"),
    ],
)  # fmt: skip
def test_what_is_neither_a_moment_nor_an_age_is_refused_with_what_to_do(text: str, message: str) -> None:
    with pytest.raises(TriageError, match=message) as error:
        Moment.of(text)
    assert error.value.where == "--as-of" and error.value.do and error.value.got


def test_tickets_get_the_moment_or_their_age() -> None:
    tickets = pd.DataFrame({"ticket_id": ["a", "b"], "created_at": [AT, pd.NaT]})
    assert Moment(at=AT).of_tickets(tickets)["as_of"].tolist() == [AT, AT]
    aged = Moment(age=pd.Timedelta(hours=3)).of_tickets(tickets)["as_of"]
    assert aged[0] == AT + pd.Timedelta(hours=3) and pd.isna(aged[1])
    assert "as_of" not in Moment().of_tickets(tickets)


def settings_of(raw: Path, *, who: str, escalated: Any) -> Params:
    customers = load_raw(raw).tickets["customer_id"].value_counts().index
    history = History(shared=tuple(customers[:2]), max_accounts_per_key=1) if who == "others" else History()
    return Params(history=history, outcomes={"escalated": escalated} if escalated else {})


@pytest.mark.parametrize("who", ["anybody", "others"])
@pytest.mark.parametrize("escalated", [None, {"returns_within": "20d"}])
def test_a_folder_and_a_store_know_the_same(raw: Path, tmp_path: Path, who: str, escalated: Any) -> None:
    params, url = settings_of(raw, who=who, escalated=escalated), str(tmp_path / "h.db")
    draw, tickets = np.random.default_rng(1), load_raw(raw).tickets
    tickets["fields.queue"] = draw.choice([None, "logistics", "care"], len(tickets))
    tickets["as_of"] = tickets["created_at"] + pd.to_timedelta(draw.choice([0, 1, 30], len(tickets)), unit="h")
    tickets = tickets.assign(text="again, please", language="en")
    remember(raw, url, params, progress=lambda name, rows: None)
    look = AsOf(queue="fields.queue", customers=params.history)

    def seen(past: Past | None, rows: pd.DataFrame) -> np.ndarray:
        assert past is not None
        return look.look(rows, past.read(as_asked(rows, look.queue, reason_column(look.customers))))

    with open_past(str(raw), params) as folder, open_past(url, params) as kept:
        assert isinstance(folder, FolderPast)
        assert kept is not None and kept.identity.startswith("store")
        one = seen(folder, tickets)
        np.testing.assert_array_equal(one, seen(kept, tickets))
        for row in range(0, len(tickets), 4):  # what others ask for would hide what one of them forgot to ask
            np.testing.assert_array_equal(one[[row]], seen(kept, tickets.iloc[[row]]))
    assert (~np.isnan(one)).mean() > 0.4
    numbers = dict(zip(look.names, one.T, strict=True))
    assert all(np.nansum(numbers[name]) > 0 for name in ("customer_escalated", "queue_open", "queue_tickets_7d"))


def test_who_is_one_customer_decides_who_came_back(raw: Path, tmp_path: Path) -> None:
    known = set()
    for who in ("anybody", "others"):
        params = settings_of(raw, who=who, escalated={"returns_within": "20d"})
        known.add(remember(raw, str(tmp_path / f"{who}.db"), params, progress=lambda name, rows: None).escalated)
    assert len(known) == 2 and min(known) > 0


def test_a_history_is_asked_with_what_the_scorer_reads() -> None:
    cells = {
        "ticket_id": [" a", None, 7, 7],
        "created_at": ["2026-01-05T11:00:00+01:00"] * 4,
        "fields.group": [1, 2, 3, 4],
    }
    asked = as_asked(pd.DataFrame(cells).astype({"ticket_id": object}), "fields.group", None)
    read = parse(pd.DataFrame(cells).astype({"ticket_id": object}), Tickets())
    assert asked["ticket_id"].tolist() == [i for i in read["ticket_id"].tolist() if isinstance(i, str)][:2]
    assert asked["created_at"].tolist() == [AT, AT] and asked["queue"].tolist() == ["1", "3"]
    assert asked["customer_id"].isna().all() and "as_of" not in asked
    assert as_asked(pd.DataFrame(cells), None, None)["queue"].isna().all()


def test_no_place_is_no_history() -> None:
    with open_past(None, Params()) as past:
        assert past is None


def test_a_place_that_is_neither_folder_nor_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.db").touch()
    for place in ("empty", "nothing", "nothing.db", "empty.db", "mysql://here/there"):
        named = place if "://" in place else str(tmp_path / place)
        with pytest.raises(TriageError) as error, open_past(named, Params()):
            pass
        assert error.value.do
    assert not (tmp_path / "nothing.db").exists()


def test_a_store_of_other_customers_is_refused_and_stays_as_it_is(raw: Path, tmp_path: Path) -> None:
    url = str(tmp_path / "h.db")
    remember(raw, url, Params(), progress=lambda name, rows: None)
    others = Params(history=History(shared=("somebody",)))
    with pytest.raises(StoreError, match="made with other settings") as error, open_past(url, others):
        pass
    assert "triage remember" in error.value.do
    with open_past(url, Params(history=History(max_accounts_per_key=9))) as past:
        assert past is not None


SECRETS = ["postgresql:/bob:s3cr3t@127.0.0.1/db", "bob:s3cr3t@h/db", "sqlite:///bob:s3cr3t@x/h.db", "bob:s3cr3t@x.db"]


@pytest.mark.parametrize("place", [*SECRETS, "postgresql://bob:x@s3cr3t@127.0.0.1:1/db", "postgres//bob:s3cr3t@h/x.db"])
def test_a_mistyped_url_never_shows_a_password(place: str) -> None:
    with pytest.raises(TriageError) as error, open_past(place, Params()):
        pass
    assert "s3cr3t" not in str(error.value)


def test_no_place_at_all_isnt_the_folder_that_one_is_in() -> None:
    with pytest.raises(TriageError, match="neither a RAW_DIR nor a store"), open_past("", Params()):
        pass


def test_a_folder_with_another_import_is_another_history(tmp_path: Path) -> None:
    found = []
    for seed in (1, 1, 2):
        folder = tmp_path / f"{len(found)}" / "raw"
        write(generate(seed=seed, tickets=30, days=20), folder)
        with open_past(str(folder), Params()) as past:
            assert past is not None
            found.append(past.identity)
    assert found[0] == found[1] != found[2]
