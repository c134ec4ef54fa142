"""A database becomes a store: its tables, their version, and what events, amounts and links were made by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, inspect, select

from pipeline.config import History as Settings
from pipeline.errors import StoreError
from pipeline.history.keys import shared_keys
from pipeline.history.record import Roles
from pipeline.history.store.engine import Place, no_store
from pipeline.history.store.intake import renew
from pipeline.history.store.statements import delete, fetch, upsert
from pipeline.history.store.tables import EVENTS, META, METADATA, TICKETS, VERSION

_VERSION, _SHARED, _ROLES, _REASON = "version", "shared", "roles", "contact_reason"
_ANOTHER_REASON = "another history.contact_reason"
_SAID = select(META.c.name, META.c.value)


def prepare(place: Place, settings: Settings, *, as_it_is: bool = False) -> bool:
    """Make the tables where there are none; make amounts and links anew where other keys were shared.

    Returns
    -------
    bool
        Whether amounts and links were made anew.

    Parameters
    ----------
    as_it_is : bool
        Refuse both instead.

    Raises
    ------
    StoreError
        The tables are of another version, or their tickets' contact reasons of another kind; or see `as_it_is`.
    """
    with place.reading() as connection:
        there = _meta(connection)
    if _agrees(there, settings):
        return False
    if as_it_is:
        if not there:
            raise no_store(place.name)
        _check_version(there, place)
        got, do = _differs(there, settings), "give `triage remember` the settings that the scorer was trained with"
        raise StoreError("the store was made with other settings", where=place.name, got=got, do=do)
    with place.writing() as connection:
        there = _meta(connection)  # another process may have been quicker
        anew = bool(there) and not _agrees(there, settings)
        if anew:
            _check_version(there, place)
            _check_reason(connection, there, place, settings)
        if not there or _reason(there) != settings.contact_reason:
            METADATA.create_all(connection)  # a store of before has no table of reasons
        if anew:
            renew(connection, settings)
        _say(connection, _ours(settings))
        if settings.contact_reason is None and _reason(there) is not None:
            delete(connection, META, [{"name": _REASON}])
        return anew


def check(connection: Connection, place: Place, settings: Settings) -> None:
    """Refuse to go on once somebody has opened the store with other settings.

    Raises
    ------
    StoreError
    """
    there = _stored(connection)
    if not _agrees(there, settings):
        what, do = "somebody opened the store with other settings since", "open it again"
        raise StoreError(what, where=place.name, got=_differs(there, settings), do=do)


def agree(connection: Connection, place: Place, roles: Roles) -> None:
    """Keep the roles by which events are named, or refuse others: see `Store.agree`.

    Raises
    ------
    StoreError
    """
    told = asdict(roles) | {"levels": [list(level) for level in roles.levels]}
    before = json.loads(_stored(connection).get(_ROLES, "null"))
    if before == told:
        return
    for name in told if before is not None else ():
        if before[name] != told[name] and _matters(connection, name, before[name], told[name]):
            got = "other priority levels" if name == "levels" else f"another column for the {name}"
            do = "put everything into a new store, or define the outcomes as before"
            raise StoreError("the store was filled by other outcome definitions", where=place.name, got=got, do=do)
    _say(connection, {_ROLES: json.dumps(told)})


def agreed(connection: Connection) -> Roles | None:
    """The roles by which events are named; None where nobody has said so yet."""
    told = json.loads(_stored(connection).get(_ROLES, "null"))
    if told is None:
        return None
    return Roles(**told | {"levels": tuple((value, name) for value, name in told["levels"])})


def _matters(connection: Connection, name: str, before: Any, column: Any) -> bool:
    """Whether stored events would be called otherwise: nothing may have been stored yet of what gets a role."""
    if name == "levels":
        found = EVENTS.c.kind == "priority"
    elif before is None:
        found = (EVENTS.c.kind == "field") & (EVENTS.c.field == column)
    else:
        return True
    return connection.scalar(select(EVENTS.c.key).where(found).limit(1)) is not None


def _check_version(there: dict[str, str], place: Place) -> None:
    if there.get(_VERSION) != VERSION:
        got, do = f"version {there.get(_VERSION)}; this is {VERSION}", "put everything into a new store"
        raise StoreError("the store was made by another version", where=place.name, got=got, do=do)


def _check_reason(connection: Connection, there: dict[str, str], place: Place, settings: Settings) -> None:
    """Refuse another contact reason, unless nothing was kept yet that would have had one."""
    if _reason(there) == settings.contact_reason or connection.scalar(select(TICKETS.c.ticket_id).limit(1)) is None:
        return
    do = "put everything into a new store, or name what says a ticket's reason as before"
    raise StoreError("the store was filled with other settings", where=place.name, got=_ANOTHER_REASON, do=do)


def _ours(settings: Settings) -> dict[str, str]:
    shared = " ".join(sorted(shared_keys(settings.shared)))
    ours = {_VERSION: VERSION, _SHARED: hashlib.sha256(shared.encode()).hexdigest()}
    return ours if settings.contact_reason is None else ours | {_REASON: settings.contact_reason}


def _agrees(there: dict[str, str], settings: Settings) -> bool:
    return there.items() >= _ours(settings).items() and _reason(there) == settings.contact_reason


def _differs(there: dict[str, str], settings: Settings) -> str:
    return "another history.shared" if _reason(there) == settings.contact_reason else _ANOTHER_REASON


def _reason(there: dict[str, str]) -> str | None:
    return there.get(_REASON)


def _say(connection: Connection, said: dict[str, str]) -> None:
    upsert(connection, META, [{"name": name, "value": value} for name, value in said.items()])


def _meta(connection: Connection) -> dict[str, str]:
    return _stored(connection) if inspect(connection).has_table(META.name) else {}


def _stored(connection: Connection) -> dict[str, str]:
    there: dict[str, str] = dict(fetch(connection, _SAID, {}))
    return there
