"""Replies are learned from answers that settled tickets, judged on later ones, and part of the one scorer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import tickets

from pipeline.config import Articles, Encoder, Params
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw
from pipeline.tickets.schema import conform, empty
from pipeline.training.assemble import assemble
from pipeline.training.featurize import featurize
from pipeline.training.prepare import Prepared, prepare_raw
from pipeline.training.replies import FEWEST, _kept, _Looked, make
from pipeline.training.train import train

PARAMS = replace(Params(), encoder=Encoder(name="none", cache=""))
WORDS = {
    "mail": ["inbox", "smtp", "folder", "send", "receive", "attachment", "message", "address"],
    "print": ["paper", "toner", "jam", "tray", "ink", "scanner", "cartridge", "copies"],
}
ANSWERS = {
    "mail": "<p>Hi {name},</p><p>open the outbox and press the button to send it.</p>",
    "print": "Take out the cartridge and put it back into the case {number}.",
}


def quiet(line: str) -> None:
    """Say nothing."""


def desk(n: int, *, cut: int | None = None) -> Prepared:
    """Tickets whose words say what settled them."""
    draw = np.random.default_rng(0)
    kinds = [list(WORDS)[i] for i in draw.permutation(np.arange(n) % 2)]
    body = [" ".join([*draw.choice(WORDS[k], 5), f"case{draw.integers(1e9)}"]) for k in kinds]
    rows = tickets(n, subject=None, body=body, language="en", fields_kind=kinds)
    ids = ["Ada", "Bob", "Eve"]
    said = [ANSWERS[k].format(name=ids[i % 3], number=i % 7) for i, k in enumerate(kinds)]
    at = rows["created_at"] + pd.Timedelta(hours=1)
    replies = conform(
        pd.DataFrame({"ticket_id": rows["ticket_id"], "kind": "reply", "side": "agent", "text": said}).assign(
            occurred_at=at.to_numpy(), received_at=at.to_numpy(), seq=range(n)
        ),
        "events",
    )
    end = conform(replies.assign(kind="status", value="resolved", text=None, seq=range(n, 2 * n)), "events")
    events = pd.concat([replies, end], ignore_index=True)
    raw = Raw(rows, events, empty("outcomes"), empty("articles"), {"topic": "kind"}, [])
    return prepare_raw(raw, PARAMS, test_from=None if cut is None else rows["created_at"].iloc[cut])


def later(prepared: Prepared) -> pd.DataFrame:
    day = prepared.frame["created_at"].max() + pd.Timedelta("1D")
    body = ["toner jam in the tray, no copies of paper", "smtp inbox folder, cannot receive or send", "the moon is out"]
    return tickets(3, ticket_id=["n1", "n2", "n3"], created_at=day, subject=None, body=body, language="en")


@pytest.fixture(scope="module")
def learned() -> tuple[Prepared, Scorer]:
    prepared = desk(400)
    blocks = featurize(prepared, PARAMS, say=quiet)
    trained = train("article", prepared, blocks, PARAMS, say=quiet)
    return prepared, assemble(prepared, blocks, {"article": trained}, PARAMS)


def test_a_new_ticket_gets_what_settled_those_like_it(learned: tuple[Prepared, Scorer], tmp_path: Path) -> None:
    prepared, scorer = learned
    found = scorer.score(later(prepared))
    first, second, _ = found["reply"]
    assert first["text"].startswith("Take out the cartridge") and first["source"].startswith("macro:")
    assert second["text"] == "Open the outbox and press the button to send it."
    kinds = prepared.frame.set_index("ticket_id")["fields.kind"]
    assert [kinds[s["ticket_id"]] for s in found["similar"][0]] == ["print"] * 3
    assert all(0.9 < s["probability"] <= 1 for s in found["similar"][0])
    scorer.save(tmp_path / "scorer")
    again = Scorer.load(tmp_path / "scorer").score(later(prepared))
    assert again["reply"].tolist() == found["reply"].tolist()
    assert again["similar"].tolist() == found["similar"].tolist()


def test_every_reply_was_written_by_somebody(learned: tuple[Prepared, Scorer]) -> None:
    prepared, scorer = learned
    written = "\n".join(prepared.answers["text"]).casefold()
    for reply in scorer.score(later(prepared))["reply"]:
        assert reply is None or reply["text"].casefold() in written


def test_an_answer_sent_by_an_imported_macro_is_that_macro(tmp_path: Path) -> None:
    rows = [
        ("m1", "Hi {{name}}, open the outbox and press the button to send it."),
        ("m2", "Nobody ever sent this text here."),
    ]
    prepared = replace(desk(400), macros=conform(pd.DataFrame(rows, columns=["macro_id", "text"]), "macros"))
    prepared.save(tmp_path / "prepared")
    prepared, said = Prepared.load(tmp_path / "prepared"), list[str]()
    blocks = featurize(prepared, PARAMS, say=quiet)
    trained = train("article", prepared, blocks, PARAMS, say=said.append)
    assert "replies: 1 of 2 imported macros were sent" in said
    assemble(prepared, blocks, {"article": trained}, PARAMS).save(tmp_path / "scorer")
    found = Scorer.load(tmp_path / "scorer").score(later(prepared))
    by_hand, imported, _ = found["reply"]
    assert (imported["source"], imported["text"]) == ("imported:m1", "Open the outbox and press the button to send it.")
    assert by_hand["source"].startswith("macro:t")


def test_an_answer_in_which_an_agent_or_its_customer_is_named_is_never_suggested() -> None:
    prepared = desk(400)
    people = prepared.frame["ticket_id"].map(lambda i: f"ann_{i}")
    named = prepared.answers.assign(actor="greta")
    texts = named["text"].to_numpy(dtype=object).copy()
    texts[:20] = "Open the outbox, press the button to send it, and tell Greta that you did."
    texts[20:40] = [f"Open the outbox, ann_{i}, and press the button to send it." for i in named["ticket_id"][20:40]]
    prepared = replace(prepared, answers=named.assign(text=texts), frame=prepared.frame.assign(customer_id=people))
    found = make(prepared, featurize(prepared, PARAMS, say=quiet), PARAMS, say=quiet)
    assert found.model is not None and len(found.model.answers.ticket) == len(named) - 40
    assert not [text for text in found.model.texts if "Greta" in text or "ann_" in text]


def test_it_is_judged_on_the_latest_tickets() -> None:
    prepared = desk(400)
    found = make(prepared, featurize(prepared, PARAMS, say=quiet), PARAMS, say=quiet)
    assert found.model is not None and "same topic" in found.note
    assert found.figures["similar right"] > 0.9 and found.figures["replies right of those shown"] > 0.9


def test_chance_suggests_nothing() -> None:
    prepared = desk(400)
    shuffled = np.random.default_rng(1).permutation(prepared.frame["label.topic"].to_numpy())
    prepared = replace(prepared, frame=prepared.frame.assign(**{"label.topic": shuffled}))
    found = make(prepared, featurize(prepared, PARAMS, say=quiet), PARAMS, say=quiet)
    assert found.model is None and "no more often" in found.note


def test_too_few_tickets_to_learn_from_give_none() -> None:
    prepared = desk(FEWEST - 10)
    found = make(prepared, featurize(prepared, PARAMS, say=quiet), PARAMS, say=quiet)
    assert found.model is None and str(FEWEST) in found.note


def test_answers_after_the_cut_are_not_known() -> None:
    prepared = desk(400, cut=200)
    assert 0 < len(prepared.answers) <= 200
    assert (prepared.answers["known_at"] < pd.Timestamp(prepared.about["cut"])).all()


@pytest.mark.parametrize("most", [0, 160])
def test_only_the_newest_answers_are_kept(most: int) -> None:
    params = replace(PARAMS, articles=Articles(max_answers=most))
    prepared = desk(400)
    found: Any = make(prepared, featurize(prepared, params, say=quiet), params, say=quiet)
    assert (found.model is None) == (most == 0)
    if found.model is not None:
        newest = prepared.answers.sort_values("known_at", kind="stable")["ticket_id"].iloc[-most:]
        assert {*found.model.answers.ticket} <= {*newest}


def looked(right_later: float) -> _Looked:
    """400 replies, right as often as their nearness says at first; of the last hundred so many are right."""
    draw = np.random.default_rng(0)
    near = draw.uniform(0.2, 1.0, 400)
    right = draw.uniform(size=400) < np.where(np.arange(400) < 300, near, right_later)
    return _Looked(np.arange(400), np.column_stack([near, np.zeros(400), np.zeros(400)]), right)


@pytest.mark.parametrize(("right_later", "kept"), [(0.8, True), (0.1, False)])
def test_no_reply_is_given_where_later_ones_were_right_far_less_often_than_was_said(
    right_later: float, kept: bool
) -> None:
    assert _kept(looked(right_later), 300, 0.6, seed=0) is kept


def test_where_none_would_be_shown_nothing_is_broken() -> None:
    assert _kept(looked(0.1), 300, 0.999, seed=0)
