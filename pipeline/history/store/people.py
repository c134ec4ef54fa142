"""People as the store keeps them: pseudonyms and keys, also where a door passed on an address."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline.history.identity import pseudonyms
from pipeline.history.keys import SHARED_ID, key, split_keys
from pipeline.tickets.redact import redact

Texts = list[str | None]


def people(ids: Sequence[str | None]) -> Texts:
    """Ids as an import keeps them: what would give a person away is a pseudonym."""
    odd = [id_ for id_ in dict.fromkeys(ids) if id_ is not None and redact(id_) != id_]
    known = dict(zip(odd, pseudonyms(pd.Series(odd, dtype="str")).tolist(), strict=True)) if odd else {}
    return [None if id_ is None else known.get(id_, id_) for id_ in ids]


def customers(ids: Sequence[str | None], keys: Sequence[str | None]) -> tuple[Texts, Texts]:
    """Ids and keys of customers; a mailbox that many share stays one that stands for nobody (`keys.SHARED_ID`)."""
    named, kept = people(ids), Texts()
    for id_, name, text in zip(ids, named, keys, strict=True):
        own = list(split_keys(text))
        if id_ is not None and id_ != name and key("id", id_) is None and SHARED_ID not in own:
            own.append(SHARED_ID)
        kept.append(" ".join(own) or None)
    return named, kept


def values(given: Sequence[str | None], fields: Sequence[str | None]) -> Texts:
    """Values of events: an assignee is a person, and nothing else holds an address either."""
    persons = people([value if field == "assignee" else None for value, field in zip(given, fields, strict=True)])
    told = zip(given, persons, strict=True)
    return [person if value is None or person is not None else redact(value) for value, person in told]
