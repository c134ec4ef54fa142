"""Same at every door: a scorer says the same of a ticket whether its history lies in a folder or in a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import History
from pipeline.scorer import Scorer
from pipeline.serving.past import Moment, Remembering, open_past
from pipeline.serving.remember import remember

QUEUES = ("logistics", "care", None)


def looking_at_queues(scorer: Scorer, customers: History) -> Scorer:
    """The same scorer for a helpdesk whose tickets name their first queue."""
    assert scorer.builder.as_of is not None
    look = replace(scorer.builder.as_of, queue="fields.queue", customers=customers)
    settings = replace(scorer.settings, history=customers)
    return replace(scorer, builder=replace(scorer.builder, as_of=look), settings=settings)


@pytest.mark.parametrize("who", ["anybody", "others"])
def test_a_folder_and_a_store_give_the_same_records(
    scorer: Scorer, raw: Path, pool: pd.DataFrame, tmp_path: Path, who: str
) -> None:
    shared = tuple(pool["customer_id"].value_counts().index[:2])
    scorer = looking_at_queues(scorer, History() if who == "anybody" else History(shared, max_accounts_per_key=1))
    tickets = pool.sample(60, random_state=4)
    tickets["fields.queue"] = [QUEUES[n % 3] for n in range(len(tickets))]
    url, settings = f"sqlite:///{tmp_path}/h.db", scorer.settings
    remember(raw, url, settings, progress=lambda name, rows: None)
    middle = tickets["created_at"].median().isoformat()
    with open_past(str(raw), settings) as folder, open_past(url, settings) as store:
        for moment in (None, "+24h", middle):
            one, other = (Remembering(scorer, past, Moment.of(moment)) for past in (folder, store))
            alone = Remembering(scorer, None, Moment.of(moment)).score(tickets)
            found = one.score(tickets, explain=True)
            pd.testing.assert_frame_equal(found, other.score(tickets, explain=True), check_exact=True)
            assert (found["escalation_risk"] != alone["escalation_risk"]).mean() > 0.5
            for row in range(3):
                single = tickets.iloc[[row]]
                pd.testing.assert_frame_equal(one.score(single), other.score(single), check_exact=True)
