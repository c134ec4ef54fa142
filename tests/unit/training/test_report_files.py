"""Where reports and backtests are written: only over what is one of ours, and of the same kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_report import made_up
from unit.pages.test_backtest_page import made

from pipeline.cli.app import main
from pipeline.errors import OutputError
from pipeline.training.report_files import PAGE, Kind, check_folder, replay_files, report_files


def test_a_page_of_ours_is_replaced_by_the_next_of_its_kind(tmp_path: Path) -> None:
    for _ in range(2):
        replay_files(made(), tmp_path / "backtest")
        report_files(made_up(), tmp_path / "report")


def test_a_backtest_never_takes_a_report_s_place_nor_the_other_way_round(tmp_path: Path) -> None:
    page = report_files(made_up(), tmp_path / "report")
    before = page.read_bytes()
    with pytest.raises(OutputError, match="no backtest but a report"):
        replay_files(made(), tmp_path / "report")
    assert page.read_bytes() == before and not (tmp_path / "report" / "backtest.json").exists()
    replay_files(made(), tmp_path / "backtest")
    with pytest.raises(OutputError, match="no report but a backtest"):
        report_files(made_up(), tmp_path / "backtest")


@pytest.mark.parametrize("kind", ["report", "backtest"])
@pytest.mark.parametrize("content", [b"", b"<html>my own page</html>", b"\xff\xfe\x00" * 5000])
def test_what_we_did_not_write_stays(tmp_path: Path, content: bytes, kind: Kind) -> None:
    (tmp_path / PAGE).write_bytes(content)
    with pytest.raises(OutputError, match="the folder holds another page"):
        check_folder(tmp_path, kind)
    with pytest.raises(OutputError, match="the folder holds another page"):
        _ = replay_files(made(), tmp_path) if kind == "backtest" else report_files(made_up(), tmp_path)
    assert (tmp_path / PAGE).read_bytes() == content and len(list(tmp_path.iterdir())) == 1


def test_a_folder_in_the_page_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / PAGE).mkdir()
    with pytest.raises(OutputError, match="the folder holds another page"):
        check_folder(tmp_path, "report")


@pytest.mark.parametrize(
    "verb", [("backtest", "--hands", "2", "--out"), ("evaluate", "--out")], ids=["backtest", "evaluate"]
)
def test_the_verbs_refuse_before_they_read_anything(
    tmp_path: Path, verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / PAGE).write_text("mine")
    args = [*verb, str(tmp_path), "--raw", "nowhere", "--scorer", "nowhere"]
    monkeypatch.setattr("sys.argv", ["triage", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "the folder holds another page" in capsys.readouterr().err
    assert (tmp_path / PAGE).read_text() == "mine"
