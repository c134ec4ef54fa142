"""Imports of tables: what lies in RAW_DIR afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.errors import ConfigError, InputError, MappingError, OutputError
from pipeline.history.keys import key
from pipeline.sources.mapping import parse_mapping
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.sources.table import import_table, read_tickets

NOW = pd.Timestamp("2026-11-01", tz="UTC")

LOG_MAPPING = """
ticket_id: number
created_at: {column: opened, dayfirst: true, timezone: UTC}
subject: short
customer_id: caller
fields: [category, category.1]
missing: ["?"]
events: {time: updated, track: [group, count]}
status: {column: state, levels: {New: new, Closed: closed}}
outcomes:
  topic: category
  queue: {column: group, at: last}
  escalated: {column: count, at_least: 2, within: 7d}
"""
LOG = """number,state,opened,updated,short,caller,category,category,group,count
A1,New,1/2/2026 08:00,1/2/2026 08:05,call me on +49 30 1234567,ann@example.org,mail,spam,g1,0
B2,New,1/2/2026 09:00,1/2/2026 09:00,no sound,bob,audio,?,?,0
A1,Odd,1/2/2026 08:00,3/2/2026 10:00,call,ann,mail,spam,g2,1
A1,Closed,1/2/2026 08:00,4/2/2026 10:00,call,ann,net,spam,g2,2
B2,Closed,1/2/2026 09:00,13/2/2026 10:00,no sound,bob,audio,?,g3,0
"""
TABLE = "id,opened,title,intent,pr\n1,2026-01-01,first,pay,1\n2,2026-01-02,second,login,2\n3,2026-01-03,third,,9\n"
TABLE_MAPPING: dict[str, Any] = {
    "ticket_id": "id",
    "created_at": "opened",
    "subject": "title",
    "outcomes": {"topic": "intent", "priority": {"column": "pr", "levels": {"2": "low", "1": "high"}}},
}


def put(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Raw:
    mapping = parse_mapping(yaml.safe_load(LOG_MAPPING))
    import_table([put(tmp_path / "log.csv", LOG)], mapping, tmp_path / "raw", now=NOW)
    return load_raw(tmp_path / "raw")


def outcomes(raw: Raw) -> dict[tuple[str, str], tuple[str, str]]:
    frame = raw.outcomes
    when = frame["known_at"].dt.strftime("%m-%d %H:%M")
    return {
        (t, o): (v, w) for t, o, v, w in zip(frame["ticket_id"], frame["outcome"], frame["value"], when, strict=True)
    }


def test_an_event_log_gives_tickets_by_their_first_row_and_outcomes_by_their_last(log: Raw) -> None:
    assert log.tickets["ticket_id"].tolist() == ["A1", "B2"]
    assert log.tickets["fields.category"].tolist() == ["mail", "audio"]
    assert log.tickets["fields.category.1"].fillna("-").tolist() == ["spam", "-"]
    assert outcomes(log) == {
        ("A1", "topic"): ("net", "02-04 10:00"),
        ("B2", "topic"): ("audio", "02-13 10:00"),
        ("A1", "queue"): ("g2", "02-04 10:00"),
        ("B2", "queue"): ("g3", "02-13 10:00"),
        ("A1", "escalated"): ("1", "02-04 10:00"),
        ("B2", "escalated"): ("0", "02-08 09:00"),
    }


def test_personal_data_is_redacted_before_it_is_stored(log: Raw, tmp_path: Path) -> None:
    assert log.tickets["subject"].iloc[0] == "call me on [PHONE]"
    assert log.tickets["customer_id"].iloc[0].startswith("person-")
    for path in (tmp_path / "raw").iterdir():
        assert b"1234567" not in path.read_bytes()
        assert b"ann@" not in path.read_bytes()


def test_states_are_events_in_our_words_and_odd_ones_are_counted(log: Raw) -> None:
    status = log.events[log.events["kind"] == "status"]
    assert status["value"].tolist() == ["new", "new", "closed", "closed"]
    assert log.imports[0]["counts"]["status_outside_levels"] == 1


def test_who_wrote_a_row_made_its_changes_and_stays_a_field_of_the_ticket(tmp_path: Path) -> None:
    mapping = yaml.safe_load(LOG_MAPPING)
    mapping["events"]["actor"] = "by"
    mapping["fields"].append("by")
    writers = ["by", "front-desk", "front-desk", "kim@example.org", "lee", "?"]
    rows = [f"{line},{by}\n" for line, by in zip(LOG.splitlines(), writers, strict=True)]
    import_table([put(tmp_path / "log.csv", "".join(rows))], parse_mapping(mapping), tmp_path / "raw", now=NOW)
    raw = load_raw(tmp_path / "raw")
    status = raw.events[(raw.events["kind"] == "status").to_numpy(bool)]
    assert status["actor"].fillna("-").tolist() == ["front-desk", "front-desk", "lee", "-"]
    moved = raw.events[(raw.events["value"] == "g2").to_numpy(bool, na_value=False)]
    assert str(moved["actor"].item()).startswith("person-")
    assert raw.events.loc[(raw.events["kind"] == "updated").to_numpy(bool), "actor"].isna().all()
    assert raw.tickets["fields.by"].tolist() == ["front-desk", "front-desk"]
    assert b"kim@" not in (tmp_path / "raw" / "events.parquet").read_bytes()


def test_an_actor_changes_nothing_else(tmp_path: Path, log: Raw) -> None:
    mapping = yaml.safe_load(LOG_MAPPING)
    mapping["events"]["actor"] = "state"
    import_table([put(tmp_path / "log.csv", LOG)], parse_mapping(mapping), tmp_path / "by", now=NOW)
    found = load_raw(tmp_path / "by").events
    pd.testing.assert_frame_equal(found.drop(columns="actor"), log.events.drop(columns="actor"))


def test_settings_redefine_outcomes_from_the_facts(log: Raw) -> None:
    definitions, frame = relabel(log, {"escalated": {"column": "group", "equals": "g3"}, "topic": None})
    assert sorted(definitions) == ["escalated", "queue"]
    assert dict(zip(frame["ticket_id"], frame["value"], strict=True))["B2"] in ("1", "g3")
    escalated = frame[frame["outcome"] == "escalated"]
    assert escalated["value"].tolist() == ["0", "1"]


def test_settings_that_name_an_unkept_column_say_what_to_do(log: Raw) -> None:
    with pytest.raises(ConfigError, match="track") as caught:
        relabel(log, {"queue": "grup"})
    assert "'group'" in str(caught.value)


def test_settings_with_a_value_that_never_occurs_are_refused(log: Raw) -> None:
    with pytest.raises(ConfigError, match="'g3'"):
        relabel(log, {"escalated": {"column": "group", "equals": "g9"}})


def test_a_grown_log_adds_events_to_the_tickets_that_are_there(tmp_path: Path) -> None:
    mapping = parse_mapping(yaml.safe_load(LOG_MAPPING))
    lines = LOG.splitlines(keepends=True)
    out = tmp_path / "parts"
    import_table([put(tmp_path / "one.csv", "".join(lines[:4]))], mapping, out, now=NOW)
    summary = import_table([put(tmp_path / "two.csv", LOG)], mapping, out, now=NOW)
    assert summary.refused == {}
    import_table([put(tmp_path / "log.csv", LOG)], mapping, tmp_path / "whole", now=NOW)
    parts, whole = load_raw(out), load_raw(tmp_path / "whole")
    pd.testing.assert_frame_equal(parts.outcomes, whole.outcomes)
    assert len(parts.tickets) == 2


def test_a_log_in_two_files_is_one_log(tmp_path: Path, log: Raw) -> None:
    lines = LOG.splitlines(keepends=True)
    one = put(tmp_path / "one.csv", "".join(lines[:3]))
    two = put(tmp_path / "two.csv", "".join([lines[0], *lines[3:]]))
    import_table([one, two], parse_mapping(yaml.safe_load(LOG_MAPPING)), tmp_path / "parts", now=NOW)
    parts = load_raw(tmp_path / "parts")
    pd.testing.assert_frame_equal(parts.outcomes, log.outcomes)
    pd.testing.assert_frame_equal(parts.events, log.events)


def test_a_log_whose_rows_run_backwards_is_noticed(tmp_path: Path) -> None:
    lines = LOG.splitlines(keepends=True)
    path = put(tmp_path / "log.csv", "".join([lines[0], *reversed(lines[1:])]))
    summary = import_table([path], parse_mapping(yaml.safe_load(LOG_MAPPING)), tmp_path / "raw", now=NOW)
    assert summary.notes["tickets_with_rows_out_of_order"] == 2


def test_an_empty_outcome_is_unknown_and_one_outside_the_levels_is_counted(tmp_path: Path) -> None:
    summary = import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(TABLE_MAPPING), tmp_path / "raw", now=NOW)
    assert summary.outside_levels == {"priority": {"9": 1}}
    assert outcomes(load_raw(tmp_path / "raw")) == {
        ("1", "topic"): ("pay", "01-01 00:00"),
        ("2", "topic"): ("login", "01-02 00:00"),
        ("1", "priority"): ("high", "01-01 00:00"),
        ("2", "priority"): ("low", "01-02 00:00"),
    }


def test_the_order_of_levels_outlives_the_file(tmp_path: Path) -> None:
    import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(TABLE_MAPPING), tmp_path / "raw", now=NOW)
    assert load_raw(tmp_path / "raw").definitions["priority"].order == ("low", "high")


def test_values_that_never_occur_leave_nothing_behind(tmp_path: Path) -> None:
    raw = TABLE_MAPPING | {"outcomes": {"escalated": {"column": "pr", "equals": "yes"}}}
    with pytest.raises(MappingError, match="'9'"):
        import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(raw), tmp_path / "raw", now=NOW)
    assert not list((tmp_path / "raw").glob("*.parquet"))


def test_refused_rows_lie_in_the_rejects_file_without_their_text(tmp_path: Path) -> None:
    rows = ["1,2026-01-04", ",2026-01-04", "4,soon"]
    path = put(tmp_path / "t.csv", TABLE + "".join(f"{row},secret words,pay,1\n" for row in rows) + "x\n")
    summary = import_table([path], parse_mapping(TABLE_MAPPING), tmp_path / "raw", now=NOW)
    assert summary.refused == {"bad_time": 1, "duplicate_id": 1, "missing_id": 1, "ragged_row": 1}
    assert summary.refused_share == pytest.approx(4 / 7)
    lines = [json.loads(line) for line in (tmp_path / "raw" / "rejects.jsonl").read_text().splitlines()]
    assert lines[0] == {"source": "t.csv:row-4", "code": "duplicate_id", "ticket_id": "1"}
    assert lines[1] == {"source": "t.csv:row-5", "code": "missing_id"}
    assert [line["source"] for line in lines] == [f"t.csv:row-{n}" for n in (4, 5, 6, 7)]
    assert "secret" not in (tmp_path / "raw" / "rejects.jsonl").read_text()


def test_a_refused_tickets_facts_are_not_kept(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", TABLE + "1,2026-01-04,copy,other,1\n")
    import_table([path], parse_mapping(TABLE_MAPPING), tmp_path / "raw", now=NOW)
    assert "other" not in set(load_raw(tmp_path / "raw").events["value"].dropna())


def test_a_second_import_adds_and_its_copies_are_refused(tmp_path: Path) -> None:
    mapping = parse_mapping(TABLE_MAPPING)
    import_table([put(tmp_path / "t.csv", TABLE)], mapping, tmp_path / "raw", now=NOW)
    more = "id,opened,title,intent,pr\n3,2026-01-03,changed,changed,1\n4,2026-01-04,fourth,pay,1\n"
    summary = import_table([put(tmp_path / "u.csv", more)], mapping, tmp_path / "raw", now=NOW)
    raw = load_raw(tmp_path / "raw")
    assert summary.refused == {"duplicate_id": 1}
    assert raw.tickets["subject"].tolist() == ["first", "second", "third", "fourth"]
    assert ("3", "topic") not in outcomes(raw)
    assert outcomes(raw)["4", "topic"][0] == "pay"
    assert len(raw.imports) == 2


def test_an_outcome_that_is_defined_anew_is_told(tmp_path: Path) -> None:
    import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(TABLE_MAPPING), tmp_path / "raw", now=NOW)
    raw = TABLE_MAPPING | {"outcomes": {"topic": "pr"}}
    summary = import_table(
        [put(tmp_path / "u.csv", "id,opened,title,pr\n9,,x,1\n")], parse_mapping(raw), tmp_path / "raw"
    )
    assert summary.redefined == ("topic",)


def test_rows_without_ids_keep_apart_when_files_are_added(tmp_path: Path) -> None:
    mapping = parse_mapping({"subject": "title", "outcomes": {"topic": "intent"}})
    one, two = put(tmp_path / "one.csv", TABLE), put(tmp_path / "two.csv", TABLE)
    import_table([one], mapping, tmp_path / "raw", now=NOW)
    import_table([two], mapping, tmp_path / "raw", now=NOW)
    ids = load_raw(tmp_path / "raw").tickets["ticket_id"].tolist()
    assert ids == ["row-1", "row-2", "row-3", "two.csv:row-1", "two.csv:row-2", "two.csv:row-3"]
    assert import_table([one], mapping, tmp_path / "raw", now=NOW).refused == {"duplicate_id": 3}
    import_table([one, two], mapping, tmp_path / "both", now=NOW)
    assert load_raw(tmp_path / "both").tickets["ticket_id"].iloc[0] == "one.csv:row-1"


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(TABLE_MAPPING), tmp_path / name, now=NOW)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_imported_tickets_can_be_read_for_scoring(tmp_path: Path) -> None:
    import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(TABLE_MAPPING), tmp_path / "raw", now=NOW)
    frame = pd.concat(list(read_tickets(tmp_path / "raw" / "tickets.parquet")))
    assert frame["ticket_id"].tolist() == ["1", "2", "3"]
    assert frame["error"].isna().all()


def test_columns_without_a_time_may_be_tracked_too(tmp_path: Path) -> None:
    raw = {"subject": "title", "events": {"track": ["pr"]}}
    import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(raw), tmp_path / "raw", now=NOW)
    _, frame = relabel(load_raw(tmp_path / "raw"), {"queue": "pr"})
    assert frame["value"].tolist() == ["1", "2", "9"]
    assert frame["known_at"].isna().all()


def test_a_date_column_is_read_like_the_creation_time(tmp_path: Path) -> None:
    text = "id,opened,title,intent,closed\n1,3/2/2026,a,pay,5/2/2026 10:00\n2,3/2/2026,b,pay,\n"
    raw = {
        "ticket_id": "id",
        "created_at": {"column": "opened", "dayfirst": True},
        "subject": "title",
        "outcomes": {"topic": {"column": "intent", "known_at": "closed"}},
    }
    import_table([put(tmp_path / "t.csv", text)], parse_mapping(raw), tmp_path / "raw", now=NOW)
    assert outcomes(load_raw(tmp_path / "raw")) == {("1", "topic"): ("pay", "02-05 10:00")}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "home"
    out.mkdir()
    put(out / "letter.txt", "dear")
    with pytest.raises(OutputError, match=r"letter\.txt"):
        import_table([put(tmp_path / "t.csv", TABLE)], parse_mapping(TABLE_MAPPING), out, now=NOW)


PEOPLE = """id,opened,title,who,contact.mail,phone,mobile
1,2026-01-01,first,ann@example.org,,,
2,2026-01-02,second,u7,Ann <Ann+shop@Example.org>,0049 (0)30 1234567,?
3,2026-01-03,third,,,,+49 30 1234567
4,2026-01-04,fourth,u8,info@firm.example,none,?
5,2026-01-05,fifth,,,,
"""
PEOPLE_MAPPING: dict[str, Any] = {
    "ticket_id": "id",
    "created_at": "opened",
    "subject": "title",
    "customer_id": "who",
    "customer": {"email": "contact.mail", "phone": ["phone", "mobile"]},
    "missing": ["?"],
}


def test_one_customer_across_channels_has_the_same_keys_and_no_address_is_stored(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", PEOPLE)
    summary = import_table([path], parse_mapping(PEOPLE_MAPPING), tmp_path / "raw", now=NOW)
    assert summary.notes["shared_mailboxes"] == summary.notes["odd_customer_addresses"] == 1
    raw = load_raw(tmp_path / "raw")
    mail, phone = key("email", "ann@example.org"), key("phone", "+49301234567")
    assert raw.tickets["customer_keys"].fillna("").tolist() == [mail, f"{mail} {phone}", phone, "", ""]
    assert raw.imports[0]["mapping"]["customer"] == {"email": ["contact.mail"], "phone": ["phone", "mobile"]}
    for stored in (tmp_path / "raw").iterdir():
        assert not any(word in stored.read_bytes().lower() for word in (b"1234567", b"ann@", b"shop@"))


def test_keys_are_the_same_when_tickets_are_read_for_scoring_and_read_again(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", PEOPLE)
    import_table([path], parse_mapping(PEOPLE_MAPPING), tmp_path / "raw", now=NOW)
    kept = load_raw(tmp_path / "raw").tickets["customer_keys"]
    for source, mapping in ((path, parse_mapping(PEOPLE_MAPPING)), (tmp_path / "raw" / "tickets.parquet", None)):
        frame = pd.concat(list(read_tickets(source, mapping, chunk_rows=2)), ignore_index=True)
        pd.testing.assert_series_equal(frame["customer_keys"], kept)


def test_an_address_inside_an_object_is_found_and_a_missing_column_is_named(tmp_path: Path) -> None:
    lines = [{"id": 1, "title": "x", "contact": {"mail": "ann@example.org"}}, {"id": 2, "title": "y"}]
    path = put(tmp_path / "t.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    raw = {"ticket_id": "id", "subject": "title", "customer": {"email": "contact.mail"}}
    import_table([path], parse_mapping(raw), tmp_path / "raw", now=NOW)
    found = load_raw(tmp_path / "raw").tickets["customer_keys"].fillna("").tolist()
    assert found == [key("email", "ann@example.org"), ""]
    with pytest.raises(MappingError, match=r"'contact\.mial': did you mean 'contact\.mail'"):
        import_table(
            [put(tmp_path / "t.csv", PEOPLE)],
            parse_mapping(PEOPLE_MAPPING | {"customer": {"email": "contact.mial"}}),
            tmp_path / "other",
            now=NOW,
        )


def test_a_bare_address_in_our_own_column_of_keys_is_dropped(tmp_path: Path) -> None:
    text = "ticket_id,subject,customer_id,customer_keys\n1,x,u1,ann@example.org account:7\n2,y,info@firm.example,\n"
    frame = pd.concat(list(read_tickets(put(tmp_path / "t.csv", text))))
    assert frame["customer_keys"].tolist() == ["account:7", "shared:id"]


def test_a_file_without_a_record_is_an_import_of_nothing(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", TABLE.splitlines(keepends=True)[0])
    summary = import_table([path], parse_mapping(TABLE_MAPPING), tmp_path / "raw", now=NOW)
    assert summary.tickets == 0
    with pytest.raises(InputError):
        import_table([put(tmp_path / "void.csv", "")], parse_mapping(TABLE_MAPPING), tmp_path / "void", now=NOW)
