"""Whether anything fits: what earlier tickets without an article tell, by a desk where some matters never had one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from factories import tickets
from made_articles import articles
from made_knowledge import PARAMS, UNFIT, WORDS, desk, event, events

from pipeline.config import Articles, Params
from pipeline.sources.raw import Raw
from pipeline.training.featurize import featurize
from pipeline.training.prepare import prepare_raw
from pipeline.training.suggestions import Made, make


def answered(count: int = 600) -> Raw:
    """The desk, each ticket answered in words and resolved, the last one too late to be known."""
    raw = desk(count)
    later = raw.tickets["created_at"] + pd.Timedelta(hours=2)
    ends = raw.tickets["created_at"] + pd.Timedelta(hours=8)
    ids = raw.tickets["ticket_id"]
    said = [event(i, "reply", at, side="agent", text="Open the settings and press reset, then it works.")
            for i, at in zip(ids, later, strict=True)]  # fmt: skip
    ended = [event(i, "status", at, value="resolved") for i, at in zip(ids, ends, strict=True)]
    return replace(raw, events=events([*said, *ended]))


def made(raw: Raw, params: Params = PARAMS) -> Made:
    prepared = prepare_raw(raw, params)
    return make(prepared, featurize(prepared, params, say=str), params, say=str)


@pytest.fixture(scope="module")
def found() -> Made:
    return made(answered())


def test_what_was_settled_without_an_article_is_kept_and_told_from_the_rest(found: Made) -> None:
    known = found.model.uncovered
    assert known is not None and len(known.ticket) == 239 and not known.gone.any()
    told = {n: v for n, v in found.figures.items() if n.startswith("ROC-AUC")}
    assert [*told] == [f"ROC-AUC of “none fits”, {kind}" for kind in ("deleted", "never written", "none was cited")]
    assert min(told.values()) > 0.9


def test_an_article_that_is_gone_is_remembered_by_its_citations(found: Made) -> None:
    left = articles()
    less = made(replace(answered(), articles=left[(left["article_id"] != "print").to_numpy(bool)]))
    known = less.model.uncovered
    assert known is not None and int(known.gone.sum()) == 120 and len(known.ticket) == 359
    assert "print" not in less.model.index.ids and len(less.model.citations.ticket) == 240
    assert len(found.model.citations.ticket) == 360


@pytest.mark.parametrize("most", [0, 25])
def test_only_the_newest_are_kept(found: Made, most: int) -> None:
    some = made(answered(), replace(PARAMS, articles=Articles(max_uncovered=most)))
    known, everything = some.model.uncovered, found.model.uncovered
    assert known is not None and everything is not None
    assert known.ticket.tolist() == everything.ticket.tolist()[len(everything.ticket) - most :]
    assert some.gate is not None and some.gate.passed


def test_a_matter_without_an_article_gets_none_and_another_its_own(found: Made) -> None:
    from pipeline.training.assemble import assemble
    from pipeline.training.train import train

    prepared = prepare_raw(answered(), PARAMS)
    blocks = featurize(prepared, PARAMS, say=str)
    scorer = assemble(prepared, blocks, {"article": train("article", prepared, blocks, PARAMS, say=str)}, PARAMS)
    draw, end = np.random.default_rng(1), prepared.frame["created_at"].max() + pd.Timedelta("30D")
    kinds = [*WORDS] * 10
    body = [" ".join(draw.choice(WORDS[kind], 5)) for kind in kinds]
    names = [f"new{i}" for i in range(len(kinds))]
    new = tickets(len(kinds), ticket_id=names, created_at=end, subject=None, body=body, language="en")
    first = [row[0]["article_id"] if row else None for row in scorer.score(new)["articles"]]
    right = [None if kind in UNFIT else kind for kind in kinds]
    assert np.mean([one == other for one, other in zip(first, right, strict=True)]) > 0.9
