"""`triage import`: what it prints, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.app import main
from pipeline.cli.imports import spread

MAPPING = "ticket_id: id\nsubject: title\noutcomes: {topic: intent}\n"
ROWS = "id,title,intent\n1,one,pay\n2,two,login\n"


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr("sys.argv", ["triage", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mapping.yaml").write_text(MAPPING, "utf-8")
    (tmp_path / "good.csv").write_text(ROWS, "utf-8")
    (tmp_path / "bad.csv").write_text(ROWS + "2,copy,pay\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("args", "made"),
    [
        (["--files", "a", "b", "--out", "x"], ["--files", "a", "--files", "b", "--out", "x"]),
        (["--files", "a", "--files", "b", "c"], ["--files", "a", "--files", "b", "--files", "c"]),
        (["--out", "x", "y", "--files", "a"], ["--out", "x", "y", "--files", "a"]),
        (["--files", "a", "--", "b", "c"], ["--files", "a", "--", "b", "c"]),
        (["--files", "-", "b"], ["--files", "-", "--files", "b"]),
        ([], []),
    ],
)
def test_a_list_option_takes_several_values(args: list[str], made: list[str]) -> None:
    assert spread(args, {"--files"}) == made


def test_a_table_is_imported_and_summed_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "raw"
    code = run(monkeypatch, "import", "table", folder / "good.csv", "--mapping", folder / "mapping.yaml", "--out", out)
    printed = capsys.readouterr()
    assert code == 0
    assert "2 rows read: 2 tickets, 0 of them refused" in printed.out
    assert "outcome topic: 2 known" in printed.out
    assert "good.csv: 2 records" in printed.err
    assert (out / "tickets.parquet").exists()


def test_too_many_refused_rows_end_with_1_and_the_rest_is_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["import", "table", folder / "bad.csv", "--mapping", folder / "mapping.yaml", "--out", folder / "raw"]
    assert run(monkeypatch, *args) == 1
    printed = capsys.readouterr()
    assert "refused as duplicate_id: 1" in printed.out
    assert "rejects.jsonl" in printed.err
    assert (folder / "raw" / "tickets.parquet").exists()
    assert run(monkeypatch, *args[:-1], folder / "raw2", "--max-refused", "0.5") == 0


def test_events_are_imported_and_summed_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "raw"
    (folder / "events.yaml").write_text("{ticket_id: id, occurred_at: at, kind: {always: reply}}", "utf-8")
    (folder / "events.csv").write_text("id,at\n1,2026-01-01\n1,2026-01-02\n9,2026-01-02\n", "utf-8")
    args = ["import", "events", folder / "events.csv", "--mapping", folder / "events.yaml", "--out", out]
    assert run(monkeypatch, *args) == 0
    printed = capsys.readouterr().out
    assert "3 rows read: 3 events, 0 of them refused" in printed
    assert "events of tickets not here: 3" in printed
    (folder / "events.csv").write_text("id,at\n1,2026-01-01\n1,soon\n", "utf-8")
    assert run(monkeypatch, *args) == 1
    both = capsys.readouterr()
    assert "refused as bad_time: 1" in both.out
    assert "too many events were refused" in both.err
    assert run(monkeypatch, *args, "--max-refused", "0.5") == 0


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["events", "good.csv", "--mapping", "mapping.yaml", "--out", "raw"], "unknown key 'subject'"),
        (["table", "absent.csv", "--mapping", "mapping.yaml", "--out", "raw"], "absent.csv"),
        (["table", "good.csv", "--mapping", "absent.yaml", "--out", "raw"], "absent.yaml"),
        (["table", "good.csv", "--mapping", "mapping.yaml", "--out", "good.csv"], "RAW_DIR is a file"),
        (["kitsune", "--out", "raw"], "--questions"),
        (["kitsune", "--product", "post", "--out", "raw"], "--since"),
        (
            ["kitsune", "--questions", "good.csv", "--product", "post", "--since", "2026-01-01", "--out", "raw"],
            "either",
        ),
        (["kitsune", "--questions", "good.csv", "mapping.yaml", "--out", "raw"], "'created'"),
        (["kitsune", "--product", "post", "--since", "soon", "--out", "raw"], "YYYY-MM-DD"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_to_do(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    named: str,
) -> None:
    monkeypatch.chdir(folder)
    assert run(monkeypatch, "import", *args) == 2
    printed = capsys.readouterr()
    assert named in printed.err
    assert "Traceback" not in printed.err
    assert not (folder / "raw" / "tickets.parquet").exists()


def test_macros_are_imported_and_too_many_refused_ones_end_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "macros.csv").write_text("macro_id,text\na,Press reset\nb,\n", "utf-8")
    assert run(monkeypatch, "import", "macros", folder / "macros.csv", "--out", folder / "raw") == 1
    out, err = capsys.readouterr()
    assert "2 rows read: 2 macros, 1 of them refused" in out and "0 articles, 1 macros" in out
    assert "too many macros were refused" in err and "Press" not in out + err
    command = ("import", "macros", folder / "macros.csv", "--out", folder / "raw", "--max-refused", "0.5")
    assert run(monkeypatch, *command) == 0
    assert run(monkeypatch, "import", "macros", folder / "away.csv", "--out", folder / "raw") == 2
