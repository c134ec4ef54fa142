"""`triage ledger`: what its verbs print and write, and how they end when something is wrong."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_ledger import NOW, decided, refused_id, said

from pipeline.cli.app import main
from pipeline.ledger import Spool, open_ledger, spool_of

Printed = pytest.CaptureFixture[str]


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr("sys.argv", ["triage", "ledger", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture
def filled(url: str) -> str:
    with open_ledger(url) as ledger:
        ledger.write(decided("t1", customer_id="4711"))
        ledger.write(decided("t2", at=NOW + timedelta(days=2)))
        ledger.add_feedback([said("t1"), said("t1", "none_fits", None, hours=40)])
    return url


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_an_export_holds_everything_in_the_order_of_time(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    assert run(monkeypatch, "export", filled, out, "--tickets") == 0
    assert capsys.readouterr().out == f"{out}: 2 decisions, 2 pieces of feedback\n"
    rows = read(out)
    assert [(row["record"], row["ticket_id"]) for row in rows] == [
        ("decision", "t1"), ("feedback", "t1"), ("feedback", "t1"), ("decision", "t2")
    ]  # fmt: skip
    assert rows[0]["topic"] and float(rows[0]["topic_confidence"]) > 0 and rows[1]["value"] == "billing"
    scored = rows[0]["scored"] if suffix == "jsonl" else json.loads(rows[0]["scored"])
    assert scored["topic"] == rows[0]["topic"] and "Please come" in str(rows[0]["ticket"])


def read(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as stream:
        return [json.loads(line) for line in stream] if path.suffix == ".jsonl" else list(csv.DictReader(stream))


def test_an_export_of_a_period_has_no_tickets_unless_asked(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    assert run(monkeypatch, "export", filled, out, "--from", "2026-11-24", "--to", "2026-12-01") == 0
    assert [row["record"] for row in read(out)] == ["feedback", "decision"]
    assert "Please come" not in out.read_text()
    assert run(monkeypatch, "export", filled, out) == 2
    assert run(monkeypatch, "export", filled, out, "--force") == 0 and len(read(out)) == 4


def test_what_is_wrong_with_an_export_is_said(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    assert run(monkeypatch, "export", filled, tmp_path / "out.xlsx") == 2
    assert "format isn't known" in capsys.readouterr().err
    assert run(monkeypatch, "export", filled, tmp_path / "out.csv", "--from", "soon") == 2
    assert "not a moment" in capsys.readouterr().err
    assert run(monkeypatch, "export", f"{tmp_path}/nowhere.db", tmp_path / "out.csv") == 2
    assert "there is no ledger" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.csv")) and not (tmp_path / "nowhere.db").exists()


def test_a_purge_says_what_it_removed(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    (tmp_path / "params.yaml").write_text("ledger: {keep_tickets_days: 36500}")
    assert run(monkeypatch, "purge", filled, "--params", tmp_path / "params.yaml", "--before", "2026-11-24") == 0
    assert capsys.readouterr().out == "1 ticket removed (kept for 36,500 days); 1 decision removed\n"
    assert run(monkeypatch, "purge", filled, "--feedback") == 2
    assert "before which moment" in capsys.readouterr().err


def test_a_customer_is_forgotten_also_where_the_spool_still_knew_them(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.chdir(tmp_path)
    spool_of(filled, tmp_path).append(decided("t3", customer_id="4711", customer_keys="handle:" + "b" * 16))
    with open_ledger(filled) as ledger:
        ledger.write(decided("t4", customer_keys="handle:" + "b" * 16))
    assert run(monkeypatch, "forget", filled, "4711") == 0
    assert capsys.readouterr().out == (
        "blanked: 2 decisions, 2 pieces of feedback; removed: 2 tickets\n"
        f"the same tickets also named handle:{'b' * 16}: forget these too if it is the same customer\n"
    )
    assert run(monkeypatch, "forget", filled, "4711") == 0
    assert capsys.readouterr().out == "nothing is known of this customer\n"
    assert not spool_of(filled, tmp_path).waiting


def test_agreement_is_a_table_that_says_where_there_is_too_little(
    filled: str, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    assert run(monkeypatch, "agreement", filled) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split() == ["kind", "shown", "n", "held", "out", "n", "difference,", "95", "%", "interval"]
    assert len(told) == 4 and all(line.endswith("too few: 30 of each are needed") for line in told[2:])


def test_a_spool_is_put_in_once(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    spool = tmp_path / "s.jsonl"
    Spool(spool).append(decided("t1", "t5"))
    assert run(monkeypatch, "catch-up", filled, "--spool", spool) == 0
    assert capsys.readouterr().out == f"{spool}: 2 records put in, 2 of them new\n"
    assert run(monkeypatch, "catch-up", filled, "--spool", spool) == 0
    assert capsys.readouterr().out == f"{spool}: 0 records put in, 0 of them new\n"


def test_what_the_ledger_refuses_is_told_and_left_to_a_person(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    spool = Spool(tmp_path / "s.jsonl")
    spool.append(decided("t1", refused_id(filled)))
    assert run(monkeypatch, "catch-up", filled, "--spool", spool.path) == 0
    told = capsys.readouterr().out
    assert told.endswith(f"; 1 record refused, and set aside in {spool.refused}\n")
    assert run(monkeypatch, "forget", filled, "4711", "--spool", spool.path) == 0
    assert f"{spool.refused} holds what the ledger refused" in capsys.readouterr().out
