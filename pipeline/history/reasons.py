"""Contact reasons: what says at a ticket's creation what it is about, as a code that tells equal ones and no more."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from pipeline.config import History
from pipeline.tickets.cells import text_of
from pipeline.tickets.redact import redact

QUEUE = "queue"
"""What `history.contact_reason` says for the first queue; anything else is a column of tickets."""

REASON = "reason"
"""Column of a history's tickets that holds the codes; it isn't there where reasons aren't looked at."""


def reason_column(settings: History) -> str | None:
    """Column of tickets that says their reason; None: no field does."""
    return None if settings.contact_reason == QUEUE else settings.contact_reason


def reasons_of(tickets: pd.DataFrame, settings: History) -> np.ndarray:
    """Code of each ticket's contact reason, None where nobody says one; shape (n,), object.

    Parameters
    ----------
    tickets : DataFrame
        With the column that the settings name: a field, or `queue`.
    """
    if settings.contact_reason is None or settings.contact_reason not in tickets:
        return np.full(len(tickets), None, dtype=object)
    said = [text_of(value) for value in tickets[settings.contact_reason].tolist()]
    codes = {text: None if text is None else reason_code(text) for text in set(said)}
    return np.array([codes[text] for text in said], dtype=object)


def reason_code(text: str) -> str:
    """A hash of what a ticket says, once personal data are redacted: a door's ticket has the code of an imported one.

    Examples
    --------
    >>> reason_code("billing"), reason_code("from a@b.org") == reason_code("from [EMAIL]")
    ('24d41c2a46191011', True)
    """
    return hashlib.blake2b(redact(text).encode(), digest_size=8).hexdigest()
