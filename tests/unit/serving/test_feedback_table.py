"""A helpdesk's own corrections: every good row is in the ledger once, every bad one has a code and is listed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from pipeline.cli.app import main
from pipeline.errors import InputError, MappingError
from pipeline.ledger import Ledger, open_ledger
from pipeline.serving.feedback_table import import_feedback, load_feedback_mapping

NOW = pd.Timestamp("2026-11-25", tz="UTC")
GOOD = (
    "ticket_id,kind,value,given_at,by\n"
    "t1,topic,Billing,2026-11-20T10:00:00Z,agent-7\n"
    "t1,priority,high,2026-11-20T10:05:00+02:00,\n"
    "t2,article_attached,a-12,2026-11-21 08:00,ann@example.com\n"
    "t2,none_fits,whatever,2026-11-21 09:00,agent-7\n"
)


@pytest.fixture
def ledger(url: str):
    with open_ledger(url) as opened:
        yield opened


def test_rows_become_feedback(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(GOOD)
    told = import_feedback(tmp_path / "f.csv", ledger, now=NOW)
    assert (told.rows, told.new, told.refused, told.rejects) == (4, 4, {}, ())
    priority, topic = ledger.feedback("t1")
    assert (topic.kind, topic.value, topic.by, topic.source) == ("topic", "Billing", "agent-7", "f.csv")
    assert topic.given_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert (priority.value, priority.by, priority.given_at.hour) == ("high", None, 8)
    attached, none = ledger.feedback("t2")
    assert attached.value == "a-12" and attached.by is not None and attached.by.startswith("person-")
    assert (none.kind, none.value) == ("none_fits", None)


@pytest.mark.parametrize("name", ["f.jsonl", "f.parquet", "f.csv.gz"])
def test_every_format_gives_the_same_and_a_repeat_nothing(ledger: Ledger, tmp_path: Path, name: str) -> None:
    (tmp_path / "f.csv").write_text(GOOD)
    import_feedback(tmp_path / "f.csv", ledger, now=NOW)
    frame = pd.read_csv(tmp_path / "f.csv", dtype=str)
    if name.endswith("jsonl"):
        frame.to_json(tmp_path / name, orient="records", lines=True)
    elif name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(gzip.compress(GOOD.encode()))
    told = import_feedback(tmp_path / name, ledger, now=NOW)
    assert (told.rows, told.new) == (4, 0) and ledger.counts()["feedback"] == 4


def test_bad_rows_have_a_code_and_the_rest_is_imported(ledger: Ledger, tmp_path: Path) -> None:
    bad = [
        ",topic,x,2026-11-20,a", "\x07,topic,x,2026-11-20,a", "b3,topic,x,soonish,a", "b4,topic,x,,a",
        "b5,topic,x,2027-11-20,a", "b6,mood,x,2026-11-20,a", "b7,,x,2026-11-20,a", "b8,queue,,2026-11-20,a", "b9,topic",
    ]  # fmt: skip
    (tmp_path / "f.csv").write_text(GOOD + "\n".join(bad) + "\n")
    told = import_feedback(tmp_path / "f.csv", ledger, now=NOW)
    assert told.rows == 13 and told.new == 4
    assert [one["code"] for one in told.rejects] == [
        "missing_id", "bad_id", "bad_time", "bad_time", "future_time", "unknown_kind", "unknown_kind", "missing_value",
        "ragged_row",
    ]  # fmt: skip
    assert told.rejects[0]["source"] == "f.csv:row-5" and told.rejects[2]["ticket_id"] == "b3"


MAPPING = """
ticket_id: ref
kind: {column: what, levels: {re-topic: topic, reprio: priority, seen: null}}
value: {column: to, levels: {P1: urgent, P4: low}}
given_at: {column: at, timezone: Europe/Berlin, dayfirst: true}
missing: ["-"]
"""


def test_a_mapping_says_what_the_helpdesks_own_words_mean(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (tmp_path / "f.csv").write_text(
        "ref;what;to;at\n"
        "1;re-topic;Login;3/11/2026 10:00\n2;reprio;P1;3/11/2026 10:00\n3;seen;-;\n4;re-topic;-;3/11/2026\n"
    )
    told = import_feedback(tmp_path / "f.csv", ledger, mapping=load_feedback_mapping(tmp_path / "m.yaml"), now=NOW)
    assert (told.rows, told.new, told.left_out, told.refused) == (4, 2, 1, {"missing_value": 1})
    assert ledger.feedback("1")[0].given_at == datetime(2026, 11, 3, 9, tzinfo=UTC)
    assert ledger.feedback("2")[0].value == "urgent"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ticket_id: a\nkind: k\n", "feedback needs `given_at`"),
        ("ticket_id: a\nkind: {always: tpoic}\ngiven_at: t\n", "unknown word"),
        ("ticket: a\n", "unknown key 'ticket'"),
        ("- a\n", "expected `key: column` lines"),
    ],
)
def test_a_wrong_mapping_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(MappingError, match=said):
        load_feedback_mapping(tmp_path / "m.yaml")


def test_a_file_without_a_column_or_without_rows_is_an_error(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("ticket_id,kind,value,givenat\n1,topic,x,2026-11-20\n")
    with pytest.raises(MappingError, match="column 'given_at'"):
        import_feedback(tmp_path / "f.csv", ledger, now=NOW)
    (tmp_path / "f.csv").write_text("ticket_id,kind,value,given_at\n")
    with pytest.raises(InputError, match="holds no record"):
        import_feedback(tmp_path / "f.csv", ledger, now=NOW)
    assert ledger.counts()["feedback"] == 0


def test_the_command_says_what_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*args: object) -> int:
        monkeypatch.setattr("sys.argv", ["triage", "feedback", "import", *map(str, args)])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0)

    path, url = tmp_path / "f.csv", f"{tmp_path}/l.db"
    path.write_text(GOOD + "t3,mood,x,2026-11-20,a\n")
    assert run(path, "--ledger", url) == 1
    printed = capsys.readouterr()
    assert printed.out == "5 rows read: 4 taken, 4 of them new; 1 refused\n  refused as unknown_kind: 1\n"
    rejects = tmp_path / "f.csv.rejects.jsonl"
    assert "too many rows were refused" in printed.err and str(rejects) in printed.err
    assert json.loads(rejects.read_text()) == {"source": "f.csv:row-5", "code": "unknown_kind", "ticket_id": "t3"}
    path.write_text(GOOD)
    assert run(path, "--ledger", url) == 0 and not rejects.exists()
    assert capsys.readouterr().out == "4 rows read: 4 taken, 0 of them new; 0 refused\n"
