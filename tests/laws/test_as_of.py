"""The laws of a look: blind to what came later, row by row, whatever the order of rows and however often they stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from made_history import BY_PRODUCT, HOURS, LOOK, Event, Scene, Ticket, rows_of, scenes

from pipeline.history.record import History

Asked = tuple[Ticket, float | None]
FEW = settings(max_examples=60)
LOOK_AT_ALL = replace(LOOK, customers=BY_PRODUCT)


def looked(history: History, asked: list[Asked]) -> np.ndarray:
    return LOOK_AT_ALL.look(rows_of([t for t, _ in asked], [at for _, at in asked]), history)


@st.composite
def asked(draw: st.DrawFn, scene: Scene, *, most: int = 4) -> list[Asked]:
    """Tickets of a scene, each at some moment; one may stand there several times."""
    one = st.tuples(st.sampled_from(scene.tickets), st.one_of(HOURS, st.none()))
    return draw(st.lists(one, min_size=1, max_size=most))


def mixed(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame.iloc[np.random.default_rng(seed).permutation(len(frame))]


@given(scene=scenes(), later=scenes(), at=HOURS, seed=st.integers(0, 99), data=st.data())
@FEW
def test_what_is_received_at_or_after_the_moment_and_its_own_outcomes_change_nothing(
    scene: Scene, later: Scene, at: float, seed: int, data: st.DataObject
) -> None:
    ticket = data.draw(st.sampled_from(scene.tickets))
    seen = tuple(e for e in scene.events if e.at is not None and e.at < at)
    there = tuple(t for t in scene.tickets if t == ticket or t.created is None or t.created < at)
    known = tuple((i, h) for i, h in scene.escalated if h is not None and h < at and i != ticket.id)
    least = Scene(there, seen, known)
    after = [replace(e, at=None if e.at is None else e.at + at) for e in later.events]
    others = [replace(t, id=f"later-{t.id}", created=at + (t.created or 0)) for t in later.tickets]
    more = Scene(
        (*scene.tickets, *others),
        (*scene.events, *after, *(replace(e, ticket=f"later-{e.ticket}") for e in after)),
        (*scene.escalated, (ticket.id, 0.0), *((i, at if h is None else at + h) for i, h in later.escalated)),
    )
    whole = more.known(BY_PRODUCT)
    shuffled = History(*(mixed(f, seed) for f in (whole.tickets, whole.events, whole.amounts, whole.links)))
    np.testing.assert_array_equal(looked(shuffled, [(ticket, at)]), looked(least.known(BY_PRODUCT), [(ticket, at)]))


@given(scene=scenes(), data=st.data())
@FEW
def test_rows_together_are_what_each_is_alone(scene: Scene, data: st.DataObject) -> None:
    history, rows = scene.known(BY_PRODUCT), data.draw(asked(scene))
    together = looked(history, rows)
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(together[place], looked(history, [row])[0])


@given(scene=scenes(), seed=st.integers(0, 99), data=st.data())
@FEW
def test_the_order_of_rows_does_not_matter(scene: Scene, seed: int, data: st.DataObject) -> None:
    rows = data.draw(asked(scene))
    unordered = replace(scene, events=tuple(replace(e, seq=None) for e in scene.events))
    history = unordered.known(BY_PRODUCT)
    shuffled = History(*(mixed(f, seed) for f in (history.tickets, history.events, history.amounts, history.links)))
    order = np.random.default_rng(seed)
    anew = replace(
        unordered,
        tickets=tuple(unordered.tickets[i] for i in order.permutation(len(unordered.tickets))),
        events=tuple(unordered.events[i] for i in order.permutation(len(unordered.events))),
        escalated=tuple(unordered.escalated[i] for i in order.permutation(len(unordered.escalated))),
    ).known(BY_PRODUCT)
    expected = looked(history, rows)
    np.testing.assert_array_equal(looked(shuffled, rows), expected)
    np.testing.assert_array_equal(looked(anew, rows), expected)
    np.testing.assert_array_equal(looked(history, rows[::-1]), expected[::-1])


@given(scene=scenes(), data=st.data())
@FEW
def test_what_stands_there_again_changes_nothing(scene: Scene, data: st.DataObject) -> None:
    rows = data.draw(asked(scene))
    again: list[Event] = data.draw(st.lists(st.sampled_from(scene.events), max_size=8)) if scene.events else []
    numbered = [replace(e, seq=1_000 + n) for n, e in enumerate(again)]
    told_twice = replace(scene, events=(*scene.events, *numbered), escalated=scene.escalated * 2)
    np.testing.assert_array_equal(looked(told_twice.known(BY_PRODUCT), rows), looked(scene.known(BY_PRODUCT), rows))


@given(scene=scenes(), data=st.data())
@FEW
def test_of_other_tickets_only_amounts_and_links_matter(scene: Scene, data: st.DataObject) -> None:
    rows = data.draw(asked(scene))
    history, ids = scene.known(BY_PRODUCT), [t.id for t, _ in rows]
    own = replace(
        history,
        tickets=history.tickets[history.tickets["ticket_id"].isin(ids)],
        events=history.events[history.events["ticket_id"].isin(ids)],
    )
    np.testing.assert_array_equal(looked(own, rows), looked(history, rows))


@given(scene=scenes(), data=st.data())
@settings(max_examples=15)
def test_looking_again_through_the_same_settings_gives_the_same(scene: Scene, data: st.DataObject) -> None:
    history, rows = scene.known(BY_PRODUCT), data.draw(asked(scene))
    fresh = replace(LOOK_AT_ALL).look(rows_of([t for t, _ in rows], [at for _, at in rows]), history)
    np.testing.assert_array_equal(looked(history, rows), fresh)
