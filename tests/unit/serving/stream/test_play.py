"""What happened is played in its order and at its pace; what can't be read is counted; a play can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.history.log import NEVER
from pipeline.serving.stream.play import Clock, Played, play
from pipeline.serving.stream.recorded import Recorded, Span, record
from pipeline.serving.stream.timeline import Moment, new_timeline
from pipeline.sources.sample import generate, write
from pipeline.tickets.files import read_parquet

NOW = pd.Timestamp("2026-11-23", tz="UTC")
SECOND = 1_000_000
ALWAYS = Span()


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("play") / "raw"
    write(generate(seed=5, tickets=60, days=30), folder)
    return folder


def recorded(what: Path, span: Span = ALWAYS, mapping: Path | None = None) -> tuple[list[Moment], Recorded]:
    with new_timeline() as timeline:
        told = record(what, timeline, mapping=mapping, span=span, now=NOW, progress=lambda name, count: None)
        return list(timeline.ordered()), told


def said(found: Sequence[Moment]) -> list[dict[str, Any]]:
    return [json.loads(one.value) for one in found]


def write_lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


class Taken:
    """A feed that keeps what it is given, and when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.puts: list[tuple[float, list[bytes]]] = []

    def put(self, messages: Sequence[tuple[str | None, bytes]]) -> None:
        self.puts.append((self.now, [value for _, value in messages]))

    def close(self) -> None:
        """Nothing is open."""

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


def test_tickets_and_events_of_a_raw_dir_come_in_the_order_of_time(raw: Path) -> None:
    found, told = recorded(raw)
    tickets, events = (read_parquet(raw / f"{name}.parquet") for name in ("tickets", "events"))
    assert told.rows == len(found) == len(tickets) + len(events) and not told.refused
    assert [one.at for one in found] == sorted(one.at for one in found)
    born = {one.key: n for n, one in enumerate(found) if one.kind == "ticket"}
    assert set(born) == set(tickets["ticket_id"])
    assert all(born[one.key] < n for n, one in enumerate(found) if one.kind == "event")
    first = next(one for one in said(found) if "ticket" in one)["ticket"]
    row = tickets[tickets["ticket_id"] == first["ticket_id"]].iloc[0]
    assert first["body"] == row["body"] and pd.Timestamp(first["created_at"]) == row["created_at"]
    assert "source" not in first and None not in first.values()
    kept = {name for one in said(found) for name in one.get("event", ())}
    assert kept <= {"ticket_id", "occurred_at", "received_at", "kind", "side", "actor", "field", "value", "text"}


def test_a_file_in_our_own_schema_is_sorted_and_rows_that_can_not_be_read_are_counted(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "in.jsonl",
        {"ticket_id": "b", "created_at": "2026-01-02", "subject": "Später", "fields.product": "x"},
        {"ticket_id": "a", "created_at": "2026-01-01T12:00:00+02:00", "subject": "s"},
        {"ticket_id": "a", "created_at": "2026-01-01", "subject": "again"},
        {"ticket_id": None, "subject": "nobody"},
        {"ticket_id": "c", "created_at": "soon", "subject": "s"},
    )
    with file.open("ab") as stream:
        stream.write(b"{torn\n")
    found, told = recorded(file)
    assert said(found) == [
        {"ticket": {"ticket_id": "a", "created_at": "2026-01-01T10:00:00+00:00", "subject": "s"}},
        {
            "ticket": {
                "ticket_id": "b",
                "created_at": "2026-01-02T00:00:00+00:00",
                "subject": "Später",
                "fields.product": "x",
            }
        },
    ]
    assert "Später".encode() in found[1].value and b" " not in found[1].value
    assert told.rows == 6
    assert told.refused == {"duplicate_id": 1, "missing_id": 1, "bad_time": 1, "unreadable_record": 1}


def test_a_file_is_read_by_its_mapping(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("Nr,When,Title\n7,2026-01-01,Help\n")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("ticket_id: Nr\ncreated_at: When\nsubject: Title\n")
    (found,) = recorded(tmp_path / "in.csv", mapping=mapping)[0]
    assert (found.key, said([found])[0]["ticket"]["subject"]) == ("7", "Help")


def test_a_raw_dir_takes_no_mapping_and_another_folder_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs no mapping"):
        recorded(raw, mapping=tmp_path / "mapping.yaml")
    with pytest.raises(InputError, match="no import made this folder"):
        recorded(tmp_path)


def test_only_a_span_of_time_is_taken_and_what_has_no_time_is_counted(tmp_path: Path) -> None:
    days = [f"2026-01-0{n}" for n in (1, 2, 3, 4)]
    records = [{"ticket_id": day, "created_at": day, "subject": "s"} for day in days]
    file = write_lines(tmp_path / "in.jsonl", *records, {"ticket_id": "none", "subject": "s"})
    at = [pd.Timestamp(day, tz="UTC").value // 1_000 for day in days]
    found, told = recorded(file, Span(at[1], at[3]))
    assert [one.key for one in found] == days[1:3] and (told.undated, told.rows) == (1, 2)
    found, told = recorded(file)
    assert [one.key for one in found] == [*days, "none"] and told.undated == 0


def test_rows_without_any_time_come_in_their_order(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "in.jsonl", *({"ticket_id": str(n), "subject": "s"} for n in range(5)))
    found, _ = recorded(file)
    assert [(one.key, one.at) for one in found] == [(str(n), NEVER) for n in range(5)]
    assert list(play(found, Taken(), pace=1.0)) == [Played(5, 0, None)]


def made(*seconds: float) -> list[Moment]:
    return [Moment(int(s * SECOND), "ticket", str(n), str(n).encode()) for n, s in enumerate(seconds)]


def test_without_a_pace_all_is_sent_at_once_in_pieces() -> None:
    feed = Taken()
    told = list(play(made(*range(1_200)), feed, clock=feed.clock))
    assert [one.sent for one in told] == [500, 1_000, 1_200] and feed.now == 0
    assert told[-1] == Played(1_200, 0, 1_199 * SECOND)
    assert [value for _, values in feed.puts for value in values] == [str(n).encode() for n in range(1_200)]


@pytest.mark.parametrize("pace", [1.0, 2.0, 3_600.0])
def test_with_a_pace_each_message_goes_when_it_is_due(pace: float) -> None:
    feed = Taken()
    list(play(made(100, 100, 101, 105, 105.001), feed, pace=pace, clock=feed.clock))
    due = {0: 0, 1: 0, 2: 1, 3: 5, 4: 5.001}
    sent = {int(value): at for at, values in feed.puts for value in values}
    for number, seconds in due.items():
        assert abs(sent[number] - seconds / pace) < 0.006, number


def test_a_stream_that_is_slower_than_the_pace_is_not_waited_for_in_vain() -> None:
    feed = Taken()
    put = feed.put

    def slow(messages: Sequence[tuple[str | None, bytes]]) -> None:
        put(messages)
        feed.now += 10

    feed.put = slow  # type: ignore[method-assign]
    list(play(made(0, 1, 2, 3, 30), feed, pace=1.0, clock=feed.clock))
    assert [at for at, _ in feed.puts] == [0, 10, 30]


def test_at_most_so_many_are_sent() -> None:
    feed = Taken()
    assert [one.sent for one in play(made(1, 2, 3), feed, most=2)] == [2]
    assert list(play(made(1, 2, 3), feed, most=0)) == []


def test_messages_of_one_moment_stay_as_they_came_and_keep_their_keys() -> None:
    with new_timeline() as timeline:
        timeline.add([Moment(5, "ticket", "ä", b"1"), Moment(3, "event", "b", b"\xff\n")])
        timeline.add([Moment(5, "event", "", b""), Moment(NEVER, "ticket", "x", b"0"), Moment(5, "event", "ä", b"3")])
        assert list(timeline.ordered()) == [
            Moment(NEVER, "ticket", "x", b"0"),
            Moment(3, "event", "b", b"\xff\n"),
            Moment(5, "ticket", "ä", b"1"),
            Moment(5, "event", "", b""),
            Moment(5, "event", "ä", b"3"),
        ]
        assert len(timeline) == 5
