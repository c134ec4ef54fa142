"""Who somebody is, without saying so: ids that would give a person away are kept as pseudonyms."""

from __future__ import annotations

import hashlib

import pandas as pd

from pipeline.tickets.redact import redact


def pseudonyms(ids: pd.Series) -> pd.Series:
    """Ids of customers and staff as they are stored: an e-mail address or a phone number becomes `person-` and a hash.

    The same person always gets the same pseudonym, so that their earlier tickets are found; other ids stay.

    Parameters
    ----------
    ids : Series of str
        Null stays null.
    """
    kept = {value: _pseudonym(value) for value in ids.dropna().unique()}
    return ids.map(kept).astype("str")


def _pseudonym(value: str) -> str:
    if redact(value) == value:
        return value
    return "person-" + hashlib.sha256(value.strip().casefold().encode()).hexdigest()[:16]
