"""Contact reasons from training to the doors: what the model learns of them, says of them, and sees at any door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Encoder, Escalation, Features, Gates, History, Params
from pipeline.errors import ConfigError
from pipeline.history.as_of import SAME_REASON
from pipeline.history.store import open_store
from pipeline.scorer import Scorer
from pipeline.serving.happenings import Happenings, put_in
from pipeline.serving.past import Moment, Remembering, open_past
from pipeline.serving.remember import remember
from pipeline.sources.mapping import parse_mapping
from pipeline.sources.raw import Raw, load_raw
from pipeline.sources.table import import_table
from pipeline.tickets.json_records import record_of
from pipeline.tickets.schema import empty
from pipeline.training.prepare import prepare
from pipeline.training.run import run

NOW = pd.Timestamp("2026-10-01", tz="UTC")
COLUMNS = {"ticket_id": "id", "created_at": "opened", "customer_id": "customer", "fields": ["product"]}
ESCALATED = {"column": "escalated", "equals": "1", "known_at": "known"}
PARAMS = Params(
    encoder=Encoder(name="none"),
    escalation=Escalation(candidates=("table",)),
    gates=Gates(enabled=False),
    history=History(contact_reason="fields.product"),
)


def table(count: int) -> pd.DataFrame:
    """Tickets that escalate where their customer came with the same product in the 20 days before: synthetic."""
    draw = np.random.default_rng(5)
    made = pd.DataFrame({"id": [f"t{n}" for n in range(count)]})
    made["opened"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.sort(draw.random(count) * 200), unit="D")
    made["customer"] = draw.choice([f"c{n}" for n in range(40)], count)
    made["product"] = draw.choice(["a", "b", "c", "d", None], count)
    since = made["opened"] - made.groupby(["customer", "product"])["opened"].shift()
    often = np.where((since < pd.Timedelta("20D")).to_numpy(), 0.95, 0.05)
    made["escalated"] = (draw.random(count) < often).astype(int)
    made["known"] = made["opened"] + pd.Timedelta("9D")
    return made


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("reasons")
    table(900).to_csv(top / "tickets.csv", index=False)
    mapping = parse_mapping(COLUMNS | {"outcomes": {"escalated": ESCALATED}})
    import_table([top / "tickets.csv"], mapping, top / "raw", now=NOW)
    return top / "raw"


@pytest.fixture(scope="module")
def scorer(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder = tmp_path_factory.mktemp("scorer") / "scorer"
    run(raw, PARAMS, say=lambda line: None).scorer.save(folder)
    return Scorer.load(folder)


def test_the_risk_is_of_earlier_tickets_for_the_same_reason_and_says_so(scorer: Scorer, raw: Path) -> None:
    assert scorer.builder.as_of is not None and {*SAME_REASON} <= {*scorer.builder.as_of.names}
    tickets = load_raw(raw).tickets.tail(200)
    with open_past(str(raw), scorer.settings) as past:
        scored = Remembering(scorer, past, Moment.of("+1h")).score(tickets, explain=True)
    truth = table(900).set_index("id")["escalated"].reindex(scored["ticket_id"]).to_numpy()
    risk = scored["escalation_risk"].to_numpy()
    assert risk[truth == 1].mean() > risk[truth == 0].mean() + 0.4
    said = {str(part["name"]) for why in scored["explanation"] for part in why["escalation"]["contributions"]}
    assert any(words.endswith("of the customer for the same contact reason in 30 days") for words in said)


def test_a_folder_a_store_and_a_store_that_a_door_filled_give_the_same(
    scorer: Scorer, raw: Path, tmp_path: Path
) -> None:
    settings, read = scorer.settings, load_raw(raw)
    remember(raw, f"{tmp_path}/h.db", settings, progress=lambda name, rows: None)
    asked = read.tickets.tail(60).reset_index(drop=True)
    asked.loc[:9, "fields.product"] = None
    asked.loc[10:19, "fields.product"] = "b"
    with (
        open_past(str(raw), settings) as folder,
        open_past(f"{tmp_path}/h.db", settings) as store,
        open_past(_told(tmp_path, read, settings.history), settings) as told,
    ):
        for moment in (None, "+24h", "2026-06-20"):
            one, *others = (Remembering(scorer, past, Moment.of(moment)) for past in (folder, store, told))
            found = one.score(asked, explain=True)
            for other in others:
                pd.testing.assert_frame_equal(found, other.score(asked, explain=True), check_exact=True)
                for row in range(0, 60, 6):
                    single = asked.iloc[[row]]
                    pd.testing.assert_frame_equal(one.score(single), other.score(single), check_exact=True)


@pytest.mark.parametrize(
    ("reason", "give_away", "message"),
    [
        ("fields.prduct", "leave_out", "did you mean product"),
        ("queue", "leave_out", "no ticket names its first queue"),
        ("fields.sent_up", "leave_out", "gives the escalation away"),
        ("fields.sent_up", "keep", None),
    ],
)
def test_a_reason_that_is_not_there_at_creation_is_refused_before_anything_is_trained(
    tmp_path: Path, reason: str, give_away: Literal["leave_out", "keep"], message: str | None
) -> None:
    made = table(300)
    made["sent_up"] = made["escalated"].map({0: "no", 1: "yes"})
    made.to_csv(tmp_path / "tickets.csv", index=False)
    columns = COLUMNS | {"fields": ["product", "sent_up"], "outcomes": {"escalated": ESCALATED}}
    import_table([tmp_path / "tickets.csv"], parse_mapping(columns), tmp_path / "raw", now=NOW)
    settings = replace(PARAMS, history=History(contact_reason=reason), features=Features(give_away=give_away))
    if message is None:
        assert prepare(tmp_path / "raw", settings).history is not None
        return
    with pytest.raises(ConfigError, match=f"(?s)history: contact_reason.*{message}|{message}.*contact_reason"):
        prepare(tmp_path / "raw", settings)


def _told(folder: Path, raw: Raw, settings: History) -> str:
    """A store that was told of the tickets some at a time, the last first, as the service and the stream tell it."""
    url = f"{folder}/told.db"
    with open_store(url, settings) as store:
        for start in range(len(raw.tickets) - 50, -1, -50):
            said = [row.dropna().drop("source") for _, row in raw.tickets.iloc[start : start + 50].iterrows()]
            items = [{k: v.isoformat() if isinstance(v, pd.Timestamp) else v for k, v in s.items()} for s in said]
            put_in(store, Happenings(tickets=tuple(record_of(item, 100) for item in items)), None, now=NOW)
        store.put(empty("tickets"), empty("events"), raw.outcomes)
    return url
