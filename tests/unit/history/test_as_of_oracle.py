"""Every number as of any moment is what slow, plain counting gives (`oracle.py`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_history import BY_PRODUCT, BY_QUEUE, HOURS, LOOK, MANY, Scene, rows_of, scenes
from unit.history.oracle import numbers_of

from pipeline.config import History as Settings
from pipeline.history.as_of import MESSAGE

WHO = st.sampled_from([MANY, BY_PRODUCT, BY_QUEUE])


@given(scene=scenes(), moments=st.lists(st.one_of(HOURS, st.none()), min_size=3, max_size=6), who=WHO)
@settings(max_examples=150)
def test_every_number_is_what_counting_one_event_after_the_other_gives(
    scene: Scene, moments: list[float | None], who: Settings
) -> None:
    asked, look = [(ticket, at) for ticket in scene.tickets for at in moments], replace(LOOK, customers=who)
    table = look.look(rows_of([t for t, _ in asked], [at for _, at in asked]), scene.known(who))
    for row, (ticket, at) in enumerate(asked):
        expected = numbers_of(scene, ticket, at, who.contact_reason)
        for name, found in zip(look.names[len(MESSAGE) :], table[row, len(MESSAGE) :], strict=True):
            np.testing.assert_allclose(found, np.float32(expected.get(name, np.nan)), rtol=1e-6, err_msg=name)


@given(scene=scenes(most=0), moment=HOURS, who=WHO)
@settings(max_examples=10)
def test_the_oracle_knows_every_number(scene: Scene, moment: float, who: Settings) -> None:
    names = replace(LOOK, customers=who).names
    assert set(numbers_of(scene, scene.tickets[0], moment, who.contact_reason)) == set(names[len(MESSAGE) :])
