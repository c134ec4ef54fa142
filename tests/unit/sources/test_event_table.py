"""Imports of events: what lies in RAW_DIR afterwards, and what was refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import History
from pipeline.errors import InputError, MappingError, OutputError
from pipeline.history.as_of import AsOf
from pipeline.history.log import KINDS, STATUSES
from pipeline.history.record import record
from pipeline.sources.event_mapping import EventMapping, parse_event_mapping
from pipeline.sources.event_table import import_events
from pipeline.sources.mapping import parse_mapping
from pipeline.sources.part import Part, Summary
from pipeline.sources.raw import Raw, add, load_raw, relabel
from pipeline.sources.sample import generate
from pipeline.sources.sample.tables import OUTCOMES
from pipeline.sources.table import import_table
from pipeline.tickets.schema import empty

NOW = pd.Timestamp("2026-11-01", tz="UTC")
TICKETS = "id,opened,title,who\nA1,2026-03-02 08:00,no sound,ann@example.org\nB2,2026-03-02 09:00,no light,bob\n"
TICKET_MAPPING = {"ticket_id": "id", "created_at": "opened", "subject": "title", "customer_id": "who"}
MAPPING: dict[str, Any] = {
    "ticket_id": "ticket",
    "occurred_at": {"column": "at", "timezone": "UTC"},
    "kind": {
        "column": "type",
        "levels": {
            "comment": "reply", "internal": "note", "state": "status", "owner": "assignment", "rated": "satisfaction",
            "change": "field", "back": "reopened", "seen": None,
        },
    },
    "side": {"column": "by", "levels": {"end-user": "customer", "staff": "agent"}},
    "actor": "who",
    "value": {"column": "value", "levels": {"Solved": "resolved", "good": 1, "bad": 0}},
    "field": "name",
    "text": "words",
}  # fmt: skip
NAMES = ["ticket", "at", "type", "by", "who", "value", "name", "words"]
HEAD = ",".join(NAMES) + "\n"
ROWS = """A1,2026-03-02 10:00,comment,staff,kim,,,please call +49 30 1234567
A1,2026-03-02 12:00,comment,end-user,ann@example.org,,,I did
A1,2026-03-02 12:30,internal,staff,kim,,,"he shouts, call 0170 1234567"
A1,2026-03-02 13:00,state,staff,kim,Solved,,
A1,2026-03-02 13:00,owner,staff,kim,kim@example.org,assignee,
A1,2026-03-03 13:00,rated,end-user,ann@example.org,good,,
A1,2026-03-04 13:00,change,,,3,escalation_level,
A1,2026-03-04 14:00,back,end-user,ann@example.org,,,
"""


def put(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def events(folder: Path, rows: str, mapping: dict[str, Any] = MAPPING, name: str = "events.csv") -> Summary:
    return import_events([put(folder / name, HEAD + rows)], parse_event_mapping(mapping), folder / "raw", now=NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """RAW_DIR of two tickets under `raw`."""
    import_table([put(tmp_path / "t.csv", TICKETS)], parse_mapping(TICKET_MAPPING), tmp_path / "raw", now=NOW)
    return tmp_path


def happened(folder: Path) -> pd.DataFrame:
    found = load_raw(folder / "raw").events
    return found[(found["kind"] != "created").to_numpy(bool)].reset_index(drop=True)


def rejects(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "raw" / "rejects.jsonl").read_text("utf-8").splitlines()]


def test_every_row_becomes_an_event_in_our_words(folder: Path) -> None:
    summary = events(folder, ROWS)
    assert (summary.rows_in, summary.events_in, summary.tickets_in, summary.refused) == (8, 8, 0, {})
    assert (summary.tickets, summary.events) == (2, 10)
    found = happened(folder)
    assert found["kind"].tolist() == [
        "reply", "reply", "note", "status", "assignment", "satisfaction", "field", "reopened",
    ]  # fmt: skip
    assert found["side"].fillna("-").tolist() == [
        "agent", "customer", "agent", "agent", "agent", "customer", "-", "customer",
    ]  # fmt: skip
    assert found["value"].fillna("-").tolist()[3] == "resolved"
    assert found["value"].fillna("-").tolist()[5:] == ["1", "3", "-"]
    assert found["field"].fillna("-").tolist() == ["-", "-", "-", "-", "assignee", "-", "escalation_level", "-"]
    assert (found["received_at"] == found["occurred_at"]).all()


def test_people_are_pseudonymous_replies_redacted_and_no_other_words_are_kept(folder: Path) -> None:
    events(folder, ROWS)
    found = happened(folder)
    assert found["text"].fillna("-").tolist()[:3] == ["please call [PHONE]", "I did", "-"]
    asked = load_raw(folder / "raw").tickets["customer_id"].iloc[0]
    assert found["actor"].iloc[1] == asked and str(asked).startswith("person-")
    assert str(found["value"].iloc[4]).startswith("person-")
    for stored in (folder / "raw").iterdir():
        assert not any(word in stored.read_bytes() for word in (b"1234567", b"ann@", b"kim@", b"shouts"))


def test_the_history_sees_what_was_imported(folder: Path) -> None:
    events(folder, ROWS)
    raw = load_raw(folder / "raw")
    known = record(raw.tickets, raw.events, raw.outcomes, {}, History())
    asked = raw.tickets.iloc[:1].assign(as_of=pd.Timestamp("2026-03-05", tz="UTC"), text="no sound")
    looked = AsOf()
    seen = dict(zip(looked.names, looked.look(asked, known)[0], strict=True))
    assert (seen["agent_replies"], seen["customer_replies"], seen["notes"]) == (1, 1, 1)
    assert (seen["satisfaction"], seen["reopened"], seen["first_response_hours"]) == (1, 1, 2)


MERGED = """A1,2026-03-02 10:00,state,staff,kim,Merged,,
A1,2026-03-02 11:00,comment,end-user,ann@example.org,,,still no sound
B2,2026-03-02 12:00,comment,staff,kim,,,hello
"""


def test_a_ticket_that_was_merged_away_is_open_no_more_and_the_other_one_goes_on(folder: Path) -> None:
    merged = MAPPING | {"value": {"column": "value", "levels": {"Merged": "closed"}}}
    events(folder, MERGED, merged)
    raw = load_raw(folder / "raw")
    known = record(raw.tickets, raw.events, raw.outcomes, {}, History())
    asked = raw.tickets.assign(as_of=pd.Timestamp("2026-03-02 13:00", tz="UTC"), text="no sound")
    looked = AsOf()
    gone, stays = (dict(zip(looked.names, row, strict=True)) for row in looked.look(asked, known))
    assert (STATUSES[int(gone["status"])], STATUSES[int(stays["status"])]) == ("closed", "new")
    assert (stays["desk_open"], gone["desk_open"]) == (0, 1)  # of the other one
    assert (stays["agent_replies"], gone["customer_replies"]) == (1, 1)


def test_a_merge_that_the_mapping_does_not_name_is_counted_and_never_guessed(folder: Path) -> None:
    summary = events(folder, MERGED)
    assert summary.notes["status_outside_levels"] == 1
    assert happened(folder)["value"].isna().all()


EARLY = """A1,2020-03-02 10:00,comment,staff,kim,,,hello
A1,2026-03-02 10:00,comment,staff,kim,,,hello
"""


def test_events_before_their_tickets_are_kept_and_counted(folder: Path) -> None:
    assert events(folder, EARLY).notes["events_before_their_tickets"] == 1
    assert len(happened(folder)) == 2


def test_a_changed_field_may_become_an_outcome(folder: Path) -> None:
    events(folder, ROWS)
    raw = load_raw(folder / "raw")
    assert raw.imports[1]["tracked"] == ["escalation_level"]
    _, outcomes = relabel(raw, {"escalated": {"column": "escalation_level", "at_least": 2}})
    assert dict(zip(outcomes["ticket_id"], outcomes["value"], strict=True)) == {"A1": "1"}


REFUSED = {
    ",2026-03-02 10:00,comment,,,,,secret": "missing_id",
    "A\x01,2026-03-02 10:00,comment,,,,,secret": "bad_id",
    "A1,,comment,,,,,secret": "bad_time",
    "A1,soon,comment,,,,,secret": "bad_time",
    "A1,2027-01-01,comment,,,,,secret": "future_time",
    "A1,2026-03-02 10:00,poke,,,,,secret": "unknown_kind",
    "A1,2026-03-02 10:00,,,,,,secret": "unknown_kind",
    "A1,2026-03-02 10:00,change,,,3,,secret": "missing_field",
    "A1": "ragged_row",
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_bad_row_is_refused_with_its_code_and_counted(folder: Path, row: str) -> None:
    summary = events(folder, row + "\n" + ROWS)
    assert summary.refused == {REFUSED[row]: 1}
    assert summary.refused_share == pytest.approx(1 / 9)
    assert len(happened(folder)) == 8
    (line,) = rejects(folder)
    assert (line["source"], line["code"]) == ("events.csv:row-1", REFUSED[row])
    assert "secret" not in json.dumps(line)


def test_a_row_that_the_mapping_leaves_out_is_counted_and_not_refused(folder: Path) -> None:
    summary = events(folder, ROWS + "A1,soon,seen,,,,,\n")
    assert (summary.rows_in, summary.events_in, summary.refused) == (9, 8, {})
    assert summary.notes["rows_left_out_by_the_mapping"] == 1


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ("A1,2026-03-05,state,,,Odd,,", "status_outside_levels"),
        ("A1,2026-03-05,rated,,,great,,", "satisfaction_outside_0_to_1"),
        ("A1,2026-03-05,rated,,,7,,", "satisfaction_outside_0_to_1"),
    ],
)
def test_a_value_that_is_not_known_is_null_and_counted_never_guessed(folder: Path, row: str, note: str) -> None:
    summary = events(folder, row + "\n")
    assert summary.notes[note] == 1
    assert happened(folder)["value"].isna().tolist() == [True]


def test_a_side_outside_its_levels_is_null_and_counted(folder: Path) -> None:
    assert events(folder, "A1,2026-03-05,comment,robot,kim,,,\n").notes["sides_outside_levels"] == 1
    assert happened(folder)["side"].isna().tolist() == [True]


def test_events_of_tickets_that_are_not_there_are_kept_and_counted_and_wait_for_their_tickets(tmp_path: Path) -> None:
    summary = events(tmp_path, ROWS)
    assert summary.tickets == 0
    assert summary.notes["events_of_tickets_not_here"] == 8
    import_table([put(tmp_path / "t.csv", TICKETS)], parse_mapping(TICKET_MAPPING), tmp_path / "raw", now=NOW)
    assert len(happened(tmp_path)) == 8
    _, outcomes = relabel(load_raw(tmp_path / "raw"), {"escalated": {"no_reply_within": "1h"}})
    assert dict(zip(outcomes["ticket_id"], outcomes["value"], strict=True)) == {"A1": "1", "B2": "1"}


def test_repeats_are_not_doubled_within_a_file_or_by_a_second_import(folder: Path) -> None:
    assert events(folder, ROWS + ROWS).notes["repeated_events"] == 8
    once = happened(folder)
    assert events(folder, ROWS, name="again.csv").events == 10
    pd.testing.assert_frame_equal(happened(folder), once)
    assert events(folder, ROWS + "A1,2026-03-09,comment,staff,kim,,,more\n", name="grown.csv").events == 11


def test_the_order_of_the_rows_does_not_matter(folder: Path) -> None:
    lines = ROWS.splitlines(keepends=True)
    swapped = [lines[7], lines[2], lines[0], lines[1], *lines[3:7]]
    events(folder, "".join(swapped))
    assert happened(folder)["occurred_at"].is_monotonic_increasing


def test_a_receipt_of_its_own_is_read_and_an_unknown_one_stays_unknown(folder: Path) -> None:
    mapping = {"ticket_id": "t", "occurred_at": "at", "received_at": "got", "kind": {"always": "reply"}}
    rows = "t,at,got\nA1,2026-03-02 10:00,2026-03-02 11:00\nA1,2026-03-02 12:00,\nA1,2026-03-02 13:00,soon\n"
    path = put(folder / "r.csv", rows)
    summary = import_events([path], parse_event_mapping(mapping), folder / "raw", now=NOW)
    assert summary.refused == {"bad_time": 1}
    assert happened(folder)["received_at"].dt.strftime("%H:%M").fillna("-").tolist() == ["11:00", "-"]


def test_naive_and_mixed_times_are_read_like_those_of_a_table(folder: Path) -> None:
    mapping = {"ticket_id": "t", "occurred_at": {"column": "at", "timezone": "Europe/Berlin", "dayfirst": True}}
    rows = "t,at\nA1,2/3/2026 10:00\nA1,2026-03-02T10:00:00Z\nA1,1772449200\n"
    path = put(folder / "r.csv", rows)
    plain = parse_event_mapping(mapping | {"kind": {"always": "note"}, "side": {"always": "agent"}})
    summary = import_events([path], plain, folder / "raw", now=NOW)
    assert summary.notes["naive_times"] == 1
    found = happened(folder)
    assert found["occurred_at"].dt.strftime("%m-%d %H:%M").tolist() == ["03-02 09:00", "03-02 10:00", "03-02 11:00"]
    assert set(found["side"]) == {"agent"}


def test_lines_of_json_may_leave_out_what_is_empty_and_reach_inside_objects(folder: Path) -> None:
    rows = [
        {"ticket": {"id": "A1"}, "at": "2026-03-02T10:00:00Z", "text": "hello"},
        {"ticket": {"id": "B2"}, "at": "2026-03-02T11:00:00Z", "who": "kim"},
        {"at": "2026-03-02T11:00:00Z"},
    ]
    path = put(folder / "r.jsonl", "".join(json.dumps(row) + "\n" for row in rows) + "nothing\n")
    mapping = {"ticket_id": "ticket.id", "occurred_at": "at", "kind": {"always": "reply"}, "actor": "who"}
    plain = parse_event_mapping(mapping | {"text": "text"})
    summary = import_events([path], plain, folder / "raw", now=NOW)
    assert summary.refused == {"missing_id": 1, "unreadable_record": 1}
    assert happened(folder)["ticket_id"].tolist() == ["A1", "B2"]


def test_parquet_is_read_too_and_gives_the_same(folder: Path) -> None:
    events(folder, ROWS)
    wanted = happened(folder)
    path = folder / "events.parquet"
    pd.read_csv(folder / "events.csv", dtype="str").to_parquet(path)
    import_events([path], parse_event_mapping(MAPPING), folder / "other", now=NOW)
    found = load_raw(folder / "other").events
    pd.testing.assert_frame_equal(found.drop(columns="seq"), wanted.drop(columns="seq"))


def test_the_same_input_gives_the_same_bytes(folder: Path) -> None:
    path = put(folder / "events.csv", HEAD + ROWS)
    for name in ("a", "b"):
        import_events([path], parse_event_mapping(MAPPING), folder / name, now=NOW)
    for made in (folder / "a").iterdir():
        assert made.read_bytes() == (folder / "b" / made.name).read_bytes()


def test_what_cannot_be_imported_leaves_nothing_behind(folder: Path) -> None:
    with pytest.raises(MappingError, match="'type': did you mean 'tpye'"):
        path = put(folder / "odd.csv", HEAD.replace("type", "tpye") + ROWS)
        import_events([path], parse_event_mapping(MAPPING), folder / "new", now=NOW)
    with pytest.raises(InputError):
        import_events([put(folder / "void.csv", "")], parse_event_mapping(MAPPING), folder / "new", now=NOW)
    with pytest.raises(OutputError):
        import_events([folder / "t.csv"], parse_event_mapping(MAPPING), folder / "t.csv", now=NOW)
    assert not (folder / "new").exists()
    assert len(happened(folder)) == 0


ROW = st.tuples(
    st.sampled_from(["A1", "A1", "Z9", "", "x\x01"]),
    st.sampled_from(["2026-03-02", "2026-03-02", "1772449200", "", "soon", "2031-01-01"]),
    st.sampled_from(["comment", "state", "rated", "change", "seen", "poke", ""]),
    st.sampled_from(["staff", "robot", ""]),
    st.sampled_from(["kim", "ann@example.org", ""]),
    st.sampled_from(["Solved", "closed", "good", "0.5", "7", ""]),
    st.sampled_from(["level", ""]),
    st.sampled_from(["hello", ""]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=12))
def test_every_row_is_an_event_a_repeat_refused_or_left_out(folder: Path, cells: list[tuple[str, ...]]) -> None:
    for stale in (folder / "raw").iterdir():
        stale.unlink()
    path = put(folder / "any.jsonl", "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in cells))
    summary = import_events([path], parse_event_mapping(MAPPING), folder / "raw", now=NOW)
    refused, notes = sum(summary.refused.values()), summary.notes
    apart = notes.get("repeated_events", 0) + notes.get("rows_left_out_by_the_mapping", 0)
    assert summary.rows_in == len(cells) == summary.events + refused + apart
    found: Raw = load_raw(folder / "raw")
    assert set(found.events["kind"]) <= set(KINDS)
    assert found.events["occurred_at"].notna().all()


def test_a_log_that_is_written_out_and_imported_again_is_the_same(tmp_path: Path) -> None:
    made = generate(seed=2, tickets=150, days=60)
    made.events.to_csv(tmp_path / "events.csv", index=False)
    own = {"ticket_id": "ticket_id", "occurred_at": "occurred_at", "received_at": "received_at", "text": "text"}
    own |= {name: name for name in ("kind", "side", "actor", "field", "value")}
    add(tmp_path / "raw", Part(made.tickets, empty("events"), made.articles, record={"kind": "sample"}))
    summary = import_events([tmp_path / "events.csv"], parse_event_mapping(own), tmp_path / "raw", now=NOW)
    assert (summary.refused, summary.notes) == ({}, {})
    raw = load_raw(tmp_path / "raw")
    wanted = made.events.sort_values(["occurred_at", "seq"], ignore_index=True)
    pd.testing.assert_frame_equal(raw.events.drop(columns="seq"), wanted.drop(columns="seq"))
    _, outcomes = relabel(raw, OUTCOMES)
    pd.testing.assert_frame_equal(outcomes, made.outcomes)


def test_a_mapping_is_kept_as_it_was_written(folder: Path) -> None:
    events(folder, ROWS)
    said = load_raw(folder / "raw").imports[1]
    assert said["kind"] == "events" and said["files"] == ["events.csv"]
    assert said["mapping"]["kind"]["left_out"] == ["seen"]
    assert said["counts"] == {"rows_in": 8, "events_in": 8, "naive_times": 8, "refused": {}}


def test_a_mapping_needs_no_more_than_three_keys(folder: Path) -> None:
    least: EventMapping = parse_event_mapping({"ticket_id": "t", "occurred_at": "at", "kind": {"always": "reply"}})
    path = put(folder / "r.csv", "t,at\nA1,2026-03-02\n")
    assert import_events([path], least, folder / "raw", now=NOW).events == 3
