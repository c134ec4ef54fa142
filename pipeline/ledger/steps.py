"""Work that nobody sends again is counted before it is begun, so that what kills its worker each time is found.

A step is named by a key. It has a row from its first beginning until it is done; one that is given up keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Executable, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.history.store.tables import pieces
from pipeline.ledger.decisions import micros
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.tables import STEPS


@dataclass(frozen=True, slots=True)
class Step:
    """How often it was begun, and whether it was given up."""

    tries: int = 0
    given_up: bool = False


@dataclass(frozen=True)
class Steps:
    """The steps that a ledger knows of. Every method raises StoreError where the ledger can't be asked."""

    ledger: Ledger

    def known(self, keys: Sequence[str]) -> dict[str, Step]:
        """Those that were begun and aren't done."""
        found: dict[str, Step] = {}
        self.ledger.prepare()
        with self.ledger.place.reading() as connection:
            for some in pieces(sorted(keys)):
                for row in connection.execute(select(STEPS).where(STEPS.c.key.in_(some))).mappings():
                    found[row["key"]] = Step(row["tries"], bool(row["given_up"]))
        return found

    def begin(self, keys: Sequence[str], at: datetime) -> None:
        """Count one more beginning of each; once this returns, a crash doesn't lose it."""
        if not keys:
            return
        self.ledger.prepare()
        rows = [{"key": key, "tries": 1, "given_up": False, "begun_at": micros(at)} for key in sorted(set(keys))]
        with self.ledger.place.writing(alone=False) as connection:
            connection.execute(_once_more(connection.dialect.name), rows)

    def done(self, keys: Sequence[str]) -> None:
        """Forget them."""
        self.ledger.prepare()
        with self.ledger.place.writing(alone=False) as connection:
            for some in pieces(sorted(keys)):
                connection.execute(delete(STEPS).where(STEPS.c.key.in_(some)))

    def give_up(self, keys: Sequence[str]) -> None:
        """Never begin them again."""
        self.ledger.prepare()
        with self.ledger.place.writing(alone=False) as connection:
            for some in pieces(sorted(keys)):
                connection.execute(update(STEPS).where(STEPS.c.key.in_(some)).values(given_up=True))


def _once_more(dialect: str) -> Executable:
    statement = postgresql.insert(STEPS) if dialect == "postgresql" else sqlite.insert(STEPS)
    said = {"tries": STEPS.c.tries + 1, "begun_at": statement.excluded.begun_at}
    return statement.on_conflict_do_update(index_elements=["key"], set_=said)
