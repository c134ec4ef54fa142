"""The other shared data, by mappings alone: every count that their README gives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.sources.mapping import parse_mapping
from pipeline.sources.raw import Raw, load_raw, relabel
from pipeline.sources.raw import Summary as Imported
from pipeline.sources.table import import_table, read_tickets

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NOW = pd.Timestamp("2026-11-01", tz="UTC")
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data isn't there")

INCIDENTS = """
ticket_id: number
created_at: {column: opened_at, dayfirst: true, timezone: UTC}
customer_id: caller_id
channel: contact_type
fields: [category, category.1, location]
missing: ["?"]
events: {time: sys_updated_at, track: [assignment_group, reassignment_count, reopen_count, priority, made_sla]}
status:
  column: ident_state
  levels: {New: new, Active: open, "Awaiting User Info": pending, Resolved: resolved, Closed: closed}
outcomes:
  topic: u_symptom
  queue: {column: assignment_group, at: last}
  priority: {column: priority, levels: {"4": low, "3": medium, "2": high, "1": urgent}}
  escalated: {column: reassignment_count, at_least: 3, within: 7d}
"""


def imported(files: list[Path], mapping: dict[str, Any], out: Path) -> tuple[Imported, Raw]:
    summary = import_table(files, parse_mapping(mapping), out, now=NOW)
    return summary, load_raw(out)


def counts(raw: Raw, outcomes: dict[str, Any], name: str = "escalated") -> dict[str, int]:
    frame = relabel(raw, outcomes)[1]
    return {str(k): int(v) for k, v in frame[frame["outcome"] == name]["value"].value_counts().items()}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Imported, Raw]:
    path = DATA / "servicenow-incidents" / "incident_event_log.csv.gz"
    return imported([path], yaml.safe_load(INCIDENTS), tmp_path_factory.mktemp("incidents") / "raw")


class TestIncidents:
    def test_the_first_row_of_each_number_is_its_ticket(self, log: tuple[Imported, Raw]) -> None:
        summary, raw = log
        assert (summary.rows_in, summary.tickets, summary.refused) == (141_712, 24_918, {})
        created = raw.tickets["created_at"]
        assert created.min() == pd.Timestamp("2016-02-29 01:16", tz="UTC")
        cut = pd.Timestamp("2016-05-02 11:30", tz="UTC")
        assert ((created < cut).sum(), (created >= cut).sum()) == (17_442, 7_476)

    @pytest.mark.parametrize(
        ("definition", "positive"),
        [
            ({"column": "made_sla", "equals": "false", "at": "last"}, 9_115),
            ({"column": "reassignment_count", "at_least": 1}, 11_369),
            ({"column": "reassignment_count", "at_least": 3}, 2_848),
            ({"column": "reopen_count", "at_least": 1}, 275),
        ],
    )
    def test_outcomes_are_as_the_data_readme_counts_them(
        self, log: tuple[Imported, Raw], definition: dict[str, Any], positive: int
    ) -> None:
        found = counts(log[1], {"escalated": definition})
        assert (found["1"], sum(found.values())) == (positive, 24_918)

    def test_priorities_are_those_of_the_first_or_the_last_row(self, log: tuple[Imported, Raw]) -> None:
        levels = {"4": "low", "3": "medium", "2": "high", "1": "urgent"}
        last = counts(log[1], {}, "priority")
        assert last == {"medium": 23_466, "low": 774, "high": 408, "urgent": 270}
        first = counts(log[1], {"priority": {"column": "priority", "levels": levels, "at": "first"}}, "priority")
        assert first == {"medium": 23_681, "low": 741, "high": 311, "urgent": 185}
        assert log[1].definitions["priority"].order == ("low", "medium", "high", "urgent")

    def test_an_outcome_is_known_when_its_row_was_written(self, log: tuple[Imported, Raw]) -> None:
        raw = log[1]
        frame = relabel(raw, {"escalated": {"column": "made_sla", "equals": "false"}})[1]
        missed = frame[(frame["outcome"] == "escalated") & (frame["value"] == "1")].set_index("ticket_id")
        created = raw.tickets.set_index("ticket_id")["created_at"].reindex(missed.index)
        days = (missed["known_at"] - created) / pd.Timedelta(hours=24)
        assert days.median() > 5
        assert frame["known_at"].notna().all()

    def test_what_is_read_for_scoring_are_the_imported_tickets(self, log: tuple[Imported, Raw]) -> None:
        path = DATA / "servicenow-incidents" / "incident_event_log.csv.gz"
        frames = read_tickets(path, parse_mapping(yaml.safe_load(INCIDENTS)), chunk_rows=5_000)
        frame = pd.concat(list(frames), ignore_index=True)
        assert frame["error"].isna().all()
        pd.testing.assert_frame_equal(frame.drop(columns="error"), log[1].tickets, check_dtype=False)


@pytest.mark.parametrize(
    ("name", "levels", "known", "outside"),
    [
        ("mozilla", ["P5", "P4", "P3", "P2", "P1"], 2_504, {"priority": {"--": 1_661}}),
        ("openoffice", ["P5 (lowest)", "P4", "P3", "P2", "P1 (highest)"], 4_553, {}),
    ],
)
def test_bug_reports_have_their_product_as_queue_and_a_priority(
    tmp_path: Path, name: str, levels: list[str], known: int, outside: dict[str, Any]
) -> None:
    names = ["lowest", "low", "normal", "high", "highest"]
    mapping = {
        "ticket_id": "bugID",
        "created_at": "ct",
        "subject": "sd",
        "customer_id": "re",
        "fields": ["rp", "os"],
        "outcomes": {"queue": "pd", "priority": {"column": "pr", "levels": dict(zip(levels, names, strict=True))}},
    }
    summary, raw = imported([DATA / "bugs" / f"{name}.csv.gz"], mapping, tmp_path / "raw")
    assert summary.outcomes == {"priority": known, "queue": len(raw.tickets)}
    assert summary.outside_levels == outside
    assert raw.definitions["priority"].order == tuple(names)


def test_banking_questions_have_a_topic_and_no_times(tmp_path: Path) -> None:
    mapping = {"body": "text", "outcomes": {"topic": "category"}}
    summary, raw = imported([DATA / "banking77" / "train.csv.gz"], mapping, tmp_path / "raw")
    assert summary.outcomes == {"topic": 10_003}
    assert raw.outcomes["value"].nunique() == 77
    assert raw.tickets["created_at"].isna().all()
    assert raw.outcomes["known_at"].isna().all()


def test_clinc_has_topics_and_what_is_out_of_scope(tmp_path: Path) -> None:
    parts = json.loads(gzip.decompress((DATA / "clinc150" / "data_full.json.gz").read_bytes()))
    rows = [row for part in ("train", "oos_train") for row in parts[part]]
    pd.DataFrame(rows, columns=["text", "intent"]).to_csv(tmp_path / "clinc.csv", index=False)
    mapping = {"body": "text", "outcomes": {"topic": {"column": "intent", "out_of_scope": ["oos"]}}}
    _, raw = imported([tmp_path / "clinc.csv"], mapping, tmp_path / "raw")
    found = counts(raw, {}, "topic")
    assert found.pop("__out_of_scope__") == 100
    assert (len(found), set(found.values())) == (150, {100})


def test_endavas_numbers_are_topics(tmp_path: Path) -> None:
    mapping = {"subject": "title", "body": "body", "outcomes": {"topic": "category"}}
    summary, raw = imported([DATA / "endava" / "all_tickets.csv.gz"], mapping, tmp_path / "raw")
    assert counts(raw, {}, "topic")["4"] == 3_740
    assert summary.tickets == 5_431
    assert raw.tickets["subject"].isna().sum() == 106 + 1  # one is blank


def test_five_synthetic_files_are_one_table(tmp_path: Path) -> None:
    files = sorted((DATA / "multilang-tickets").glob("*.csv.gz"))
    mapping = {"subject": "subject", "body": "body", "language": "language", "outcomes": {"queue": "queue"}}
    summary, raw = imported(files, mapping, tmp_path / "raw")
    assert summary.tickets == 1_872 + 2_125 + 3_182 + 2_181 + 1_167
    assert raw.tickets["language"].value_counts()["fr"] == 113
