"""The ledger with a real scorer: a batch is in it row for row, and every decision can be made again."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from pipeline.ledger import open_ledger, spool_of
from pipeline.ledger.retention import purge
from pipeline.scorer import Scorer
from pipeline.serving.past import open_past
from pipeline.serving.replay import replay


@pytest.fixture(scope="module")
def source(helpdesk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "in.parquet"
    tickets = pd.read_parquet(helpdesk / "tickets.parquet").iloc[200:260]
    odd = tickets.head(3).assign(ticket_id=["odd", None, "personal"], body=["", "<p>x</p>", "mail ann@example.com"])
    pd.concat([tickets, odd, tickets.head(2)]).to_parquet(path)
    return path


@pytest.mark.parametrize("with_history", [False, True], ids=["by itself", "with a history"])
def test_every_decision_of_a_batch_can_be_made_again(call, helpdesk, source, tmp_path, with_history):
    url, out = f"{tmp_path}/l.db", tmp_path / "out.jsonl"
    more = ("--history", helpdesk, "--as-of", "+24h") if with_history else ()
    args = ("--scorer", helpdesk / "scorer", "--ledger", url, "--max-refused", 1, "--explain")
    code, _, err = call("score", source, out, *args, *more)
    assert code == 0 and "decisions written 65" in err
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    scorer = Scorer.load(helpdesk / "scorer")
    with open_ledger(url) as ledger, open_past(str(helpdesk) if with_history else None, scorer.settings) as past:
        made = list(ledger.all_decisions())
        assert sorted(json.dumps(dict(one.scored)) for one in made) == sorted(map(json.dumps, rows))
        assert not any("ann@example.com" in str(one) for one in made)
        for one in random.Random(1).sample(made, 20) + [m for m in made if m.scored["error"]]:
            told = replay(one, scorer, past)
            assert told.same, [d.words for d in told.differences]


def test_the_command_says_the_same_differs_or_what_is_gone(call, helpdesk, source, tmp_path):
    url = f"{tmp_path}/l.db"
    args = ("--scorer", helpdesk / "scorer", "--ledger", url)
    assert call("score", source, tmp_path / "o.csv", *args, "--history", helpdesk, "--max-refused", 1)[0] == 0
    with open_ledger(url) as ledger:
        (first, *_) = (one for one in ledger.all_decisions() if one.scored["topic"])
    code, out, _ = call("replay", first.ticket_id, *args, "--history", helpdesk)
    assert code == 0 and out.endswith(f"by scorer {first.scorer_version}\nthe same\n")
    code, out, _ = call("replay", first.ticket_id, *args)
    assert code == 1 and "gone: it was decided with a history, and none was given" in out
    code, out, _ = call("replay", "no such ticket", *args)
    assert code == 1 and "gone: the ledger holds no such decision" in out
    with open_ledger(url) as ledger:
        with ledger.place.writing() as connection:
            changed = json.dumps(dict(first.scored) | {"topic": "Another"})
            connection.exec_driver_sql("UPDATE ledger_decisions SET scored = ? WHERE key = ?", (changed, first.key))
        code, out, _ = call("replay", first.ticket_id, *args, "--history", helpdesk, "--decision", first.key[:9])
        assert code == 1 and f"differs: topic: Another, now {first.scored['topic']}" in out
        purge(ledger, kept_before=pd.Timestamp("2100-01-01", tz="UTC"))
    code, out, _ = call("replay", first.ticket_id, *args, "--history", helpdesk)
    assert code == 1 and "gone: the ticket isn't kept, or not any more" in out
    assert call("replay", first.ticket_id, "--scorer", helpdesk / "scorer", "--ledger", f"{tmp_path}/none.db")[0] == 2


def test_a_ledger_that_is_away_stops_no_batch_and_is_named_at_the_end(call, helpdesk, source, tmp_path):
    url = "postgresql://someone:never-shown@127.0.0.1:1/db"
    pytest.importorskip("psycopg")
    args = ("--scorer", helpdesk / "scorer", "--ledger", url, "--max-refused", 1)
    code, _, err = call("score", source, tmp_path / "out.csv", *args)
    assert code == 0 and "decisions spooled 65" in err and "the server can't be reached: decisions wait in" in err
    assert "never-shown" not in err and spool_of(url, tmp_path).waiting
    with open_ledger(f"{tmp_path}/l.db") as ledger:
        assert spool_of(url, tmp_path).replay(ledger.take_in).new == 65
    code, _, err = call("score", source, tmp_path / "o.csv", "--scorer", helpdesk / "scorer", "--ledger", "x.sqlite")
    assert code == 2 and "the ledger's URL can't be read" in err


def test_the_changes_of_open_tickets_are_kept_and_can_be_made_again(call, helpdesk, source, tmp_path):
    url, before = f"{tmp_path}/l.db", tmp_path / "before.parquet"
    args, file = ("--scorer", helpdesk / "scorer", "--history", helpdesk), helpdesk / "tickets.parquet"
    assert call("score", source, before, *args, "--max-refused", 1)[0] == 0
    when = str(pd.read_parquet(file)["created_at"].max())
    code, out, err = call("rescore", file, before, *args, "--as-of", when, "--ledger", url, "--max-refused", 1)
    rows = {row["ticket_id"]: row for row in map(json.loads, out.splitlines())}
    assert code == 0 and rows, err
    assert f"decisions written {len(rows)}" in err
    scorer = Scorer.load(helpdesk / "scorer")
    with open_ledger(url) as ledger, open_past(str(helpdesk), scorer.settings) as past:
        made = list(ledger.all_decisions())
        assert {one.ticket_id for one in made} == set(rows) and {one.door for one in made} == {"rescore"}
        assert all(one.scored["escalation_risk"] == rows[one.ticket_id]["escalation_risk"] for one in made)
        for one in random.Random(1).sample(made, min(10, len(made))):
            told = replay(one, scorer, past)
            assert told.same, [d.words for d in told.differences]


def test_a_correction_that_was_imported_changes_the_next_trainings_label(call, helpdesk, tmp_path):
    url, prepared = f"{tmp_path}/l.db", tmp_path / "prepared"
    (tmp_path / "params.yaml").write_text("encoder: {name: none}\n")
    args = ("--raw", helpdesk, "--out", prepared, "--params", tmp_path / "params.yaml")
    assert call("prepare", *args)[0] == 0
    first = pd.read_parquet(prepared / "rows.parquet").iloc[5]
    (tmp_path / "f.csv").write_text(
        f"ticket_id,kind,value,given_at\n{first['ticket_id']},topic,Put right,2026-06-01\nt0,topic,x,2026-06-01\n"
    )
    assert call("feedback", "import", tmp_path / "f.csv", "--ledger", url)[0] == 0
    code, out, _ = call("prepare", *args, "--ledger", url)
    assert code == 0 and "feedback: of unknown tickets 1, corrections of topic 1" in out
    then = pd.read_parquet(prepared / "rows.parquet").set_index("ticket_id").loc[first["ticket_id"]]
    assert first["label.topic"] != then["label.topic"] == "Put right" and then["weight.topic"] == 2.0
    assert call("prepare", *args, "--ledger", f"{tmp_path}/none.db")[0] == 2
