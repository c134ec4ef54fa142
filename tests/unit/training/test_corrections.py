"""What people said becomes labels, as of when they said it; what they only took over doesn't."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import NOON, outcomes, tickets
from made_ledger import decided
from unit.training.test_train import LEVELS, PARAMS, history, prepared, quiet

from pipeline.config import Ledger as LedgerSettings
from pipeline.errors import StoreError
from pipeline.estimators.priority import PriorityModel
from pipeline.estimators.topic import TopicModel
from pipeline.history.definitions import parse_definitions
from pipeline.ledger import Decision, Feedback, Kind, open_ledger
from pipeline.ledger.lessons import lessons
from pipeline.sources.raw import Raw
from pipeline.tickets.schema import empty
from pipeline.training.corrections import Corrected, corrected, read_feedback, weights_of
from pipeline.training.featurize import featurize
from pipeline.training.prepare import Prepared, prepare_raw
from pipeline.training.train import train

HOUR = pd.Timedelta(hours=1)
DEFINITIONS = parse_definitions({"topic": "kind", "priority": {"column": "p", "levels": LEVELS}}, "tests")


def feedback(*rows: tuple[str, Kind, str | None, float], accepted: tuple[int, ...] = ()) -> pd.DataFrame:
    """Said of (ticket, kind, value, hours after noon); `accepted` are positions."""
    made = pd.DataFrame(rows, columns=["ticket_id", "kind", "value", "given_at"])
    made["given_at"] = [NOON + hours * HOUR for hours in made["given_at"]]
    return made.astype({"value": "str"}).assign(accepted=[i in accepted for i in range(len(rows))])


def put_right(said: pd.DataFrame, *, cut: float | None = None, **known: list[str | None]) -> Corrected:
    """Outcomes of t0, t1, … known at noon, put right."""
    there = outcomes(known or {"topic": ["a", "b", "c"]}, [f"t{i}" for i in range(3)])
    there["known_at"] = NOON
    moment = None if cut is None else NOON + cut * HOUR
    return corrected(there, said, tickets(3), DEFINITIONS, cut=moment)


def told(found: Corrected, outcome: str = "topic") -> dict[str, list[str]]:
    rows = found.outcomes[found.outcomes["outcome"] == outcome]
    return {str(i): sorted(own["value"]) for i, own in rows.groupby("ticket_id")}


class TestLabels:
    def test_a_correction_takes_the_outcomes_place_from_when_it_was_said(self) -> None:
        found = put_right(feedback(("t1", "topic", "z", 5)))
        assert told(found) == {"t0": ["a"], "t1": ["z"], "t2": ["c"]}
        assert found.outcomes.set_index("ticket_id")["known_at"]["t1"] == NOON + 5 * HOUR
        assert found.tickets == {"topic": frozenset({"t1"})} and found.counts == {"corrections of topic": 1}

    def test_what_was_said_at_the_cut_or_later_is_not_known_and_the_old_outcome_stands(self) -> None:
        said = feedback(("t1", "topic", "y", 2), ("t1", "topic", "z", 5))
        assert told(put_right(said, cut=5))["t1"] == ["y"]
        found = put_right(said, cut=2)
        assert told(found)["t1"] == ["b"] and found.counts == {"not known yet": 2}

    def test_the_last_word_counts(self) -> None:
        found = put_right(feedback(("t1", "topic", "z", 5), ("t1", "topic", "y", 6), ("t1", "topic", "x", 4)))
        assert told(found)["t1"] == ["y"] and found.counts == {"corrections of topic": 1}

    def test_an_outcome_that_nobody_knew_is_known_then(self) -> None:
        said = feedback(("t2", "priority", "high", 1), ("t2", "topic", "z", 1))
        found = put_right(said, priority=["low", "medium", None])
        assert told(found, "priority") == {"t0": ["low"], "t1": ["medium"], "t2": ["high"]}
        assert told(found) == {"t2": ["z"]}

    def test_what_was_only_taken_over_is_no_label(self) -> None:
        found = put_right(feedback(("t1", "topic", "z", 5), accepted=(0,)))
        assert told(found)["t1"] == ["b"] and found.counts == {"only accepted of topic": 1}

    def test_agreeing_in_the_end_takes_a_correction_back_and_repeats_one(self) -> None:
        said = feedback(("t1", "topic", "z", 5), ("t1", "topic", "shown", 6), accepted=(1,))
        assert told(put_right(said))["t1"] == ["b"]
        said = feedback(("t1", "topic", "z", 5), ("t1", "topic", "z", 6), accepted=(1,))
        assert told(put_right(said))["t1"] == ["z"]

    @pytest.mark.parametrize(
        ("said", "count"),
        [
            (("t9", "topic", "z", 1), "of unknown tickets"),
            (("t1", "queue", "z", 1), "not learned of queue"),
            (("t1", "priority", "hihg", 1), "outside the levels of priority"),
            (("t1", "topic", None, 1), "outside the levels of topic"),
        ],
    )
    def test_what_can_not_be_learned_is_counted(self, said: Any, count: str) -> None:
        found = put_right(feedback(said))
        assert told(found) == {"t0": ["a"], "t1": ["b"], "t2": ["c"]} and found.counts == {count: 1}

    def test_without_feedback_nothing_changes(self) -> None:
        there = outcomes({"topic": ["a"]}, ["t0"])
        assert corrected(there, None, tickets(1), DEFINITIONS, cut=None).outcomes is there
        assert corrected(there, feedback(), tickets(1), DEFINITIONS, cut=None).outcomes is there


def against(found: Corrected) -> set[tuple[str, str, pd.Timestamp]]:
    return set(found.dismissed.itertuples(index=False, name=None))


class TestArticles:
    CITED = {"article": ["k1", "k1", "k2"]}

    def test_an_attached_article_is_a_citation_more(self) -> None:
        found = put_right(
            feedback(("t0", "article_attached", "k9", 1), ("t0", "article_attached", "k1", 1)), **self.CITED
        )
        assert told(found, "article") == {"t0": ["k1", "k9"], "t1": ["k1"], "t2": ["k2"]}
        assert found.counts == {"articles attached": 1}

    def test_a_dismissed_article_is_no_citation_of_that_ticket(self) -> None:
        found = put_right(feedback(("t0", "article_dismissed", "k1", 1)), **self.CITED)
        assert told(found, "article") == {"t1": ["k1"], "t2": ["k2"]} and found.counts == {
            "articles dismissed": 1, "citations taken back": 1
        }  # fmt: skip
        assert against(found) == {("t0", "k1", NOON + pd.Timedelta(hours=1))}

    def test_where_none_fits_no_earlier_citation_stands_and_later_ones_do(self) -> None:
        said = feedback(
            ("t0", "article_attached", "k8", -1), ("t0", "none_fits", None, 1), ("t0", "article_attached", "k9", 2)
        )
        assert told(put_right(said, **self.CITED), "article")["t0"] == ["k9"]

    def test_what_was_cited_after_it_was_dismissed_stands(self) -> None:
        found = put_right(feedback(("t0", "article_dismissed", "k1", -1), ("t1", "none_fits", None, -1)), **self.CITED)
        assert told(found, "article") == {"t0": ["k1"], "t1": ["k1"], "t2": ["k2"]} and not against(found)

    def test_what_was_dismissed_without_having_been_cited_speaks_against_the_article(self) -> None:
        said = feedback(("t0", "article_dismissed", "k2", 1), ("t0", "article_dismissed", "k2", 3))
        found = put_right(said, **self.CITED)
        assert told(found, "article")["t0"] == ["k1"] and found.counts == {"articles dismissed": 1}
        assert against(found) == {("t0", "k2", NOON + pd.Timedelta(hours=3))}
        assert not against(put_right(said, cut=1, **self.CITED))

    def test_that_none_fits_speaks_against_no_article_by_its_name(self) -> None:
        assert not against(put_right(feedback(("t0", "none_fits", None, 1)), **self.CITED))

    def test_dismissed_and_attached_again_it_is_one_citation(self) -> None:
        said = feedback(("t0", "article_dismissed", "k1", 1), ("t0", "article_attached", "k1", 2))
        found = put_right(said, **self.CITED)
        assert told(found, "article")["t0"] == ["k1"] and not against(found)


def answered(ids: list[str], topic: str, *, shown: bool) -> list[Decision]:
    return [replace(one, shown=shown, scored=dict(one.scored) | {"topic": topic}) for one in decided(*ids, at=NOON)]


def said_of(ticket: str, value: str, hours: float = 1) -> Feedback:
    at: datetime = (NOON + timedelta(hours=hours)).to_pydatetime()
    return Feedback(ticket, at, "topic", value, by="agent-7")


def test_agreement_with_what_was_shown_is_told_from_agreement_with_what_was_held_out(tmp_path: Path) -> None:
    with open_ledger(f"{tmp_path}/l.db") as ledger:
        ledger.write([*answered(["s"], "a", shown=True), *answered(["h"], "a", shown=False)])
        ledger.add_feedback([said_of(i, v, h) for i in "sh" for h, v in enumerate("ab", 1)] + [said_of("x", "a")])
        found = lessons(ledger).set_index(["ticket_id", "value"])["accepted"]
    assert found.to_dict() == {
        ("s", "a"): True,
        ("s", "b"): False,
        ("h", "a"): False,
        ("h", "b"): False,
        ("x", "a"): False,
    }


def test_a_correction_in_the_ledger_changes_the_next_trainings_label(url: str) -> None:
    rows = history(90)
    assert rows["fields.kind"].iloc[7] == prepared(rows).frame["label.topic"].iloc[7]
    wrong = [str(i) for i in rows["ticket_id"].iloc[:30]]
    with open_ledger(url) as ledger:
        ledger.add_feedback([said_of(one, "new topic", hours=1_000) for one in wrong])
    params = replace(PARAMS, ledger=LedgerSettings(correction_weight=3.0))
    ready = learned(rows, params, url)
    assert ready.frame["label.topic"].tolist()[:30] == ["new topic"] * 30
    assert set(ready.frame["label.topic"].iloc[30:]) == {"printing", "access", "mail"}
    assert (ready.frame["known.topic"].iloc[0] - NOON) == 1_000 * HOUR
    assert weights_of(ready.frame, "topic").tolist() == [3.0] * 30 + [1.0] * 60
    assert ready.about["feedback"] == {"corrections of topic": 30}
    made = train("topic", ready, featurize(ready, params, say=quiet), params, say=quiet)
    assert "new topic" in made.about["classes"]
    before = learned(rows, params, url, cut=NOON + 999 * HOUR)
    assert "new topic" not in set(before.frame["label.topic"]) and weights_of(before.frame, "topic") is None


def learned(rows: pd.DataFrame, params: Any, url: str, *, cut: pd.Timestamp | None = None) -> Prepared:
    raw = Raw(rows, empty("events"), empty("outcomes"), empty("articles"), {"topic": "kind"}, [])
    return prepare_raw(raw, params, test_from=cut, feedback=read_feedback(url))


@pytest.mark.parametrize("target", ["topic", "priority"])
def test_a_correction_that_weighs_more_moves_the_model_more(target: Any) -> None:
    """Of tickets with the words of printing people have called ten otherwise: how likely the model finds that."""
    names = dict(zip(["printing", "access", "mail"], LEVELS, strict=True))
    rows = history(90)
    rows["fields.level"] = rows["fields.kind"].map(names)
    printing = [str(i) for i in rows.loc[rows["fields.kind"] == "printing", "ticket_id"]]
    value = "mail" if target == "topic" else LEVELS[names["mail"]]
    said = feedback(*((i, target, value, 500.0) for i in printing[::3]))
    defined = "kind" if target == "topic" else {"column": "level", "levels": LEVELS}
    likely = [likelihood(rows, target, defined, said, value, weight=weight) for weight in (0.2, 20.0)]
    assert likely[1] > likely[0] + 0.2


def likelihood(
    rows: pd.DataFrame, target: Any, defined: Any, said: pd.DataFrame, value: str, *, weight: float
) -> float:
    """Mean probability of a label on the tickets whose words are those of printing."""
    params = replace(PARAMS, ledger=LedgerSettings(correction_weight=weight))
    raw = Raw(rows, empty("events"), empty("outcomes"), empty("articles"), {target: defined}, [])
    ready = prepare_raw(raw, params, feedback=said)
    found = featurize(ready, params, say=quiet)
    made = train(target, ready, found, params, say=quiet)
    parts: dict[str, Any] = made.parts
    blocks = found.without(ready.about["left_out_fields"][target]).take(
        np.flatnonzero((ready.frame["fields.kind"] == "printing").to_numpy())
    )
    if target == "topic":
        model = TopicModel.from_states(parts, "topic")
        return float(model.probabilities(blocks)[:, model.classes.index(value)].mean())
    levels = PriorityModel.from_state(parts["priority"])
    return float(levels.probabilities(blocks)[:, levels.levels.index(value)].mean())


def test_a_ledger_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no ledger"):
        read_feedback(f"{tmp_path}/none.db")
