"""Rescoring: open tickets only, changes that matter only, never over a person's word; the files whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_history import Event, Ticket, changed, moved, time_of
from unit.serving.made_open import NOW, Open, Told, opened

from pipeline.config import Params, Rescore
from pipeline.errors import OutputError
from pipeline.ledger import Decision, open_ledger
from pipeline.serving import sink
from pipeline.serving.intake import open_intake
from pipeline.serving.ledgered import Keep, nowhere, open_ledgered
from pipeline.serving.rescore import rescore, rescore_file
from pipeline.serving.rescored import Rescored, Summary, Targets
from pipeline.serving.scored_file import read_scored
from pipeline.serving.work import claimed
from pipeline.tickets import schema

TICKETS = [Ticket(id=name, queue="it") for name in ("calm", "risky", "closed", "back", "fixed")]
EVENTS = [
    Event("status", 1.0, "closed", ticket="closed"),
    Event("status", 1.0, "resolved", ticket="back"),
    Event("reopened", 2.0, ticket="back", side="customer"),
    Event("priority", 3.0, "high", ticket="fixed", side="agent", actor="bob"),
    moved(3.0, "vip", ticket="fixed", side="agent", actor="bob"),
]
BEFORE = Told(says={t.id: {"escalation_risk": 0.2, "queue": "it", "priority": "low"} for t in TICKETS})
AFTER = Told(says=BEFORE.says | {"risky": {"escalation_risk": 0.45, "queue": "it", "priority": "low"}})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Open]:
    with opened(tmp_path, TICKETS, EVENTS) as made:
        yield made


def again(desk: Open, scored: pd.DataFrame, scorer: Told, at: float = 10.0, **settings: Any) -> Rescored:
    intake, moment = open_intake(desk.file), time_of(at)
    assert moment is not None
    return rescore(intake, scored, scorer, desk.past, moment=moment, now=NOW, settings=Rescore(**settings))


def changes(found: Rescored) -> dict[str, list[str]]:
    return dict(zip(found.changes["ticket_id"], found.changes["changed"], strict=True))


def test_only_open_tickets_are_scored_as_of_the_moment(desk: Open) -> None:
    scorer = replace(AFTER, asked=[])
    found = again(desk, desk.scored(BEFORE, 5.0), scorer)
    assert [name for name, _ in scorer.asked] == ["calm", "risky", "back", "fixed"]
    assert {at for _, at in scorer.asked} == {str(time_of(10.0))}
    assert (found.summary.tickets, found.summary.open, found.summary.missing) == (5, 4, 0)
    assert again(desk, desk.scored(BEFORE, 0.1), AFTER, at=1.5).summary.open == 3
    assert again(desk, desk.scored(BEFORE, 0.1), AFTER, at=0.5).summary.open == 5


def test_only_what_changed_is_told_as_a_whole_row(desk: Open) -> None:
    found = again(desk, desk.scored(BEFORE, 5.0), AFTER)
    assert changes(found) == {"risky": ["escalation_risk"]}
    row = found.changes.iloc[0]
    assert (row["escalation_risk"], row["as_of"], row["topic"] is not None) == (0.45, time_of(10.0), True)
    assert (found.summary.changed, found.summary.unchanged) == (1, 3)
    assert found.summary.fields["escalation_risk"] == 1


def test_the_state_holds_the_newest_line_of_every_ticket_and_drift_adds_up_against_it(desk: Open) -> None:
    state, told = desk.scored(BEFORE, 5.0), []
    for step in range(1, 8):
        risky = {"risky": BEFORE.says["risky"] | {"escalation_risk": 0.2 + 0.04 * step}}
        found = again(desk, state, Told(says=BEFORE.says | risky), at=5.0 + step)
        told.append(len(found.changes))
        assert found.state["ticket_id"].tolist() == state["ticket_id"].tolist()
        state = found.state
    assert told == [0, 0, 1, 0, 0, 1, 0]
    kept = state.set_index("ticket_id")["as_of"]
    assert kept["risky"] == time_of(11.0) and kept["calm"] == kept["closed"] == time_of(5.0)


def test_a_ticket_that_was_never_scored_is_new_and_comes_last_in_the_state(desk: Open) -> None:
    before = desk.scored(BEFORE, 5.0)
    found = again(desk, before[before["ticket_id"] != "calm"], BEFORE)
    assert changes(found) == {"calm": ["escalation_risk", "topic", "queue", "priority"]}
    assert found.summary.new == 1 and found.state["ticket_id"].iloc[-1] == "calm"
    assert len(again(desk, schema.empty("scored"), BEFORE).state) == 4


def test_a_person_s_queue_and_priority_are_kept_in_this_run_and_in_all_later_ones(desk: Open) -> None:
    other = {"fixed": {"escalation_risk": 0.9, "queue": "finance", "priority": "low"}}
    found = again(desk, desk.scored(BEFORE, 2.5), Told(says=BEFORE.says | other))
    row = found.changes.set_index("ticket_id").loc["fixed"]
    assert row["changed"] == ["escalation_risk"]
    assert (row["priority"], row["queue"], row["queue_reason"]) == ("high", "vip", "person")
    assert found.summary.kept == {"priority": 1, "queue": 1}
    later = again(desk, found.state, Told(says=BEFORE.says | other), at=20.0)
    assert changes(later) == {} and later.summary.kept == {"priority": 1, "queue": 1}


def test_what_a_program_wrote_back_is_no_person_s_word(desk: Open) -> None:
    before = desk.scored(BEFORE, 2.5)
    other = Told(says=BEFORE.says | {"fixed": {"escalation_risk": 0.2, "queue": "finance", "priority": "urgent"}})
    found = again(desk, before, other, machines=("bob",))
    assert changes(found) == {"fixed": ["queue", "priority"]} and found.summary.kept == {"priority": 0, "queue": 0}


def test_a_field_event_of_the_source_s_own_column_is_a_person_s_word_too(tmp_path: Path) -> None:
    events = [
        Event("priority", 3.0, "high", side="agent", as_field=True),
        moved(3.0, "vip", side="agent", as_field=True),
        changed(3.0, "product", "y", side="agent"),
    ]
    with opened(tmp_path, [Ticket(queue="it")], events) as desk:
        found = again(desk, schema.empty("scored"), Told())
    assert found.changes[["priority", "queue"]].iloc[0].tolist() == ["high", "vip"]
    assert changes(found) == {"t": ["escalation_risk", "topic"]}


@pytest.mark.parametrize(
    "events",
    [
        [Event("priority", 3.0, "high", side="system")],
        [Event("priority", 3.0, "high", side="customer")],
        [Event("priority", 3.0, "high", side="agent"), Event("priority", 4.0, "low", side="system")],
        [Event("priority", 11.0, "high", side="agent")],
        [Event("priority", 3.0, None, side="agent")],
    ],
    ids=["a rule set it", "the customer set it", "a rule set another since", "later", "cleared"],
)
def test_what_is_no_standing_word_of_an_agent_binds_nobody(tmp_path: Path, events: list[Event]) -> None:
    with opened(tmp_path, [Ticket()], events) as desk:
        found = again(desk, schema.empty("scored"), Told(says={"t": {"priority": "urgent"}}))
    assert found.changes["priority"].tolist() == ["urgent"] and "priority" in changes(found)["t"]


def test_a_line_of_a_later_moment_is_left_as_it_is(desk: Open) -> None:
    found = again(desk, desk.scored(BEFORE, 12.0), AFTER)
    assert (found.summary.newer, found.summary.changed, found.summary.unchanged) == (4, 0, 0)


def test_refused_tickets_are_counted_by_code_and_keep_their_last_line(desk: Open) -> None:
    bad = {"risky": {"error": "unscorable", "queue_reason": "fallback:unscorable"}}
    before = desk.scored(BEFORE, 5.0)
    intake_file = desk.file
    with intake_file.open("a") as handle:
        handle.write('{"ticket_id": "", "subject": "whose?"}\n{"ticket_id": "closed", "subject": "twice"}\n')
    intake, moment = open_intake(intake_file), time_of(10.0)
    assert moment is not None
    found = rescore(intake, before, Told(says=bad), desk.past, moment=moment, now=NOW, settings=Rescore())
    assert found.summary.refused == {"missing_id": 1, "unscorable": 1}
    assert "risky" not in changes(found)
    assert found.state.set_index("ticket_id").loc["risky", "as_of"] == time_of(5.0)


def test_an_open_ticket_without_its_words_is_missing(desk: Open) -> None:
    fewer = replace(desk, tickets=desk.tickets[1:])
    assert again(fewer, schema.empty("scored"), BEFORE).summary.missing == 1


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(
    desk: Open, stream: io.BytesIO | None = None, *, scorer: Told = AFTER, keep: Keep = nowhere, **targets: Any
) -> Summary:
    moment = time_of(10.0)
    assert moment is not None
    return rescore_file(
        open_intake(desk.file), desk.folder / "scored.jsonl", scorer, desk.past, Targets(**targets),
        stream or io.BytesIO(), moment=moment, now=NOW, settings=Rescore(), keep=keep,
    )  # fmt: skip


@pytest.fixture
def written(desk: Open) -> Open:
    scored = sink.whole(desk.scored(BEFORE, 5.0), sink.Format("jsonl"), AFTER.levels)
    (desk.folder / "scored.jsonl").write_bytes(scored)
    return desk


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_changes_and_state_are_written_and_the_state_is_the_next_run_s_scored_file(written: Open, suffix: str) -> None:
    out, state = written.folder / f"changes.{suffix}", written.folder / f"state.{suffix}"
    told = run(written, changes=out, state=state)
    assert (told.changed, told.unchanged) == (1, 3)
    assert json.loads((written.folder / f"changes.{suffix}.summary.json").read_text())["changed"] == 1
    assert read_scored(out)["ticket_id"].tolist() == ["risky"]
    if suffix == "jsonl":
        assert json.loads(out.read_text())["changed"] == ["escalation_risk"]
    if suffix == "csv":
        assert out.read_text().splitlines()[1].endswith('"[""escalation_risk""]"')
    if suffix == "parquet":
        assert pd.read_parquet(out)["changed"].iloc[0].tolist() == ["escalation_risk"]
    found = again(written, read_scored(state), AFTER, at=11.0)
    assert (len(found.changes), len(found.state)) == (0, 5)
    assert not list(written.folder.glob(".*"))


def test_without_a_file_the_changes_are_json_lines_in_the_stream(written: Open) -> None:
    stream = io.BytesIO()
    run(written, stream, state=written.folder / "state.jsonl", summary=written.folder / "told.json")
    assert [json.loads(line)["ticket_id"] for line in stream.getvalue().splitlines()] == ["risky"]
    assert (written.folder / "told.json").exists() and (written.folder / "state.jsonl").exists()


def test_a_file_that_is_there_is_replaced_only_on_request_also_the_scored_file_itself(written: Open) -> None:
    scored = written.folder / "scored.jsonl"
    before = scored.read_bytes()
    with pytest.raises(OutputError, match="already there"):
        run(written, state=scored)
    assert scored.read_bytes() == before
    run(written, state=scored, force=True)
    assert read_scored(scored).set_index("ticket_id").loc["risky", "escalation_risk"] == 0.45


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"changes": "scored.jsonl", "force": True}, "the same file"),
        ({"changes": "a.csv", "state": "a.csv"}, "the same file"),
        ({"changes": "tickets.jsonl", "force": True}, "the same file"),
        ({"changes": "none/a.csv"}, "folder doesn't exist"),
        ({"changes": "a.xlsx"}, "format isn't known"),
    ],
)
def test_targets_that_can_t_be_are_refused_before_anything_is_scored(
    written: Open, targets: dict[str, Any], message: str
) -> None:
    paths = {k: written.folder / v if isinstance(v, str) else v for k, v in targets.items()}
    before = (written.folder / "scored.jsonl").read_bytes()
    with pytest.raises(OutputError, match=message):
        run(written, **paths)
    assert (written.folder / "scored.jsonl").read_bytes() == before
    assert not list(written.folder.glob("a.*")) and not list(written.folder.glob(".*"))


class _Gone(io.BytesIO):
    def write(self, data: Any) -> int:
        raise BrokenPipeError


def test_a_reader_that_has_gone_leaves_the_state_as_it_was(written: Open) -> None:
    with pytest.raises(OutputError, match="reader of the changes has gone"):
        run(written, _Gone(), state=written.folder / "state.jsonl")
    assert not (written.folder / "state.jsonl").exists() and not list(written.folder.glob(".*"))


def test_a_second_run_on_the_same_state_ends_at_once(written: Open) -> None:
    state = written.folder / "state.jsonl"
    with claimed(state), pytest.raises(OutputError, match="another run"):
        run(written, state=state)


# ── ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def decided(url: str) -> list[Decision]:
    with open_ledger(url) as ledger:
        return list(ledger.all_decisions())


def test_the_ledger_gets_what_changed_as_the_scorer_itself_says_it(written: Open, url: str) -> None:
    says = {"fixed": {"escalation_risk": 0.9, "queue": "finance", "priority": "low"}}
    keep = open_ledgered(url, written.folder, Params(), history=True, door="rescore")
    stream = io.BytesIO()
    told = run(written, stream, scorer=Told(says=AFTER.says | says), keep=keep)
    keep.close()
    risky, fixed = sorted(decided(url), key=lambda one: str(one.ticket_id), reverse=True)
    assert (told.changed, told.ledger) == (2, {"written": 2})
    assert (risky.ticket_id, risky.door, risky.as_of, risky.decided_at) == ("risky", "rescore", time_of(10.0), NOW)
    assert risky.history and risky.ticket is not None and risky.scored["escalation_risk"] == 0.45
    # People were told what a person had set; it is no answer of the scorer, nor is it counted as one.
    assert (fixed.scored["priority"], fixed.scored["queue"]) == ("low", "finance")
    lines = {row["ticket_id"]: row for row in map(json.loads, stream.getvalue().splitlines())}
    assert lines["fixed"]["priority"] == "high" and lines["risky"]["escalation_risk"] == 0.45


def test_the_ledger_gets_the_same_change_once_and_nothing_of_a_run_that_changes_nothing(written: Open) -> None:
    url = f"{written.folder}/l.db"
    keep = open_ledgered(url, written.folder, Params(), history=True, door="rescore")
    for _ in range(2):
        run(written, keep=keep)
    assert run(written, scorer=BEFORE, keep=keep).ledger is None
    keep.close()
    assert [one.ticket_id for one in decided(url)] == ["risky"]


def test_the_ledger_knows_a_change_before_anybody_is_told(written: Open) -> None:
    url = f"{written.folder}/l.db"
    keep = open_ledgered(url, written.folder, Params(), history=True, door="rescore")
    with pytest.raises(OutputError, match="reader of the changes has gone"):
        run(written, _Gone(), keep=keep)
    keep.close()
    assert [one.ticket_id for one in decided(url)] == ["risky"]


def test_a_ledger_that_is_away_stops_no_change(written: Open) -> None:
    folder, out = written.folder / "gone", written.folder / "changes.jsonl"
    folder.mkdir()
    keep = open_ledgered(f"{folder}/l.db", written.folder, Params(), history=True, door="rescore")
    folder.rmdir()
    assert run(written, keep=keep, changes=out).ledger == {"lost": 1}
    keep.close()
    assert read_scored(out)["ticket_id"].tolist() == ["risky"]
    assert json.loads((written.folder / "changes.jsonl.summary.json").read_text())["ledger"] == {"lost": 1}
