"""Where a store or a ledger lies: its URL becomes an engine with transactions, and every fault a `StoreError`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy import exc as sql

from pipeline.errors import StoreError, ValueRefusedError

_BEGIN = "begin"
_FORMS = "sqlite:///FOLDER/FILE.db, FOLDER/FILE.db or postgresql://USER@HOST/DATABASE"

_FAULTS = {
    "SQLITE_BUSY": ("the {thing} is locked by another process", "try again, or wait longer"),
    "SQLITE_LOCKED": ("the {thing} is locked by another process", "try again, or wait longer"),
    "SQLITE_FULL": ("the disk is full", "make room; what was put before is safe"),
    "SQLITE_NOTADB": ("the file is no database", "check the path"),
    "SQLITE_CORRUPT": ("the database is damaged", "take a copy from before, or put everything into a new {thing}"),
    "SQLITE_CANTOPEN": ("the database can't be opened", "check the path and who may read and write there"),
    "SQLITE_READONLY": ("the database can't be written", "check who may write the file and its folder"),
    "SQLITE_PERM": ("the database can't be opened", "check who may read and write there"),
    "SQLITE_IOERR": ("the disk can't be read or written", "check the disk; what was put before is safe"),
    "SQLITE_ERROR": ("the database isn't as the {thing} left it", "put everything into a new {thing}"),
    "55P03": ("the {thing} is locked by another process", "try again, or wait longer"),
    "53": ("the server has no room or connections left", "make room; what was put before is safe"),
    "25006": ("the database can't be written", "name a server that takes writes"),
    "42501": ("the database can't be written", "let this user create tables in the database"),
    "42": ("the database isn't as the {thing} left it", "put everything into a new database"),
    "57": ("the server has stopped", "start it; what was put before is safe"),
    "40": ("another process came in between", "try again"),
    "08": ("the server can't be reached", "check that it runs; what was put before is safe"),
    "no code": ("the server can't be reached", "check that it runs, and the host, the user and the database"),
}
"""How the databases' codes begin → what is wrong, what to do; the longest that fits."""


_OF_VALUES = ("22", "23", "54", "P0", "SQLITE_TOOBIG", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH")
"""How the codes begin that a value brings about: out of range, in no encoding, longer than an index takes, refused by
a constraint or a trigger of somebody's own."""


@dataclass(frozen=True)
class Thing:
    """What lies at a place.

    Attributes
    ----------
    name : str
        As messages call it.
    made : str
        How one is made: what to do where there is none.
    lock : int
        By which a server keeps a second writer out: any number that nobody else locks by (ours begin with "triage").
    """

    name: str
    made: str
    lock: int


HISTORY = Thing("store", "fill one by `triage remember RAW_DIR --history URL`", 0x7472696167650001)


class OpenFile:
    """Which file a database is in: what goes into one that was deleted meanwhile is lost without a word.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[int, int] | None = None

    def mark(self) -> None:
        """The one that lies there now is meant."""
        self._known = self._now()

    def changed(self) -> str:
        """What has become of it; empty where it is the one that was meant."""
        now = self._now() if self._known is not None else None
        if now == self._known:
            return ""
        return "gone" if now is None else "another one now"

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


@dataclass(frozen=True)
class Place:
    """An engine, and how it is named in messages: without user or password.

    Attributes
    ----------
    engine : Engine
    name : str
    thing : Thing
    file : OpenFile or None
        None: it is on a server.
    """

    engine: Engine
    name: str
    thing: Thing = HISTORY
    file: OpenFile | None = None

    @contextmanager
    def writing(self, *, alone: bool = True) -> Iterator[Connection]:
        """One transaction.

        Parameters
        ----------
        alone : bool
            Whether there must be no second writer at the same time: every put into a history adds to the desk's sums.
            A file never has two.

        Raises
        ------
        StoreError
        """
        self.still_there()
        with self.faults(), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                with connection.execution_options(isolation_level="READ COMMITTED").begin():
                    if alone:
                        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({self.thing.lock})")
                    yield connection
            else:
                with connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin():
                    yield connection
        self.still_there()  # else nobody will find what was written

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One look at the store as it is at this moment, whatever is written meanwhile.

        Raises
        ------
        StoreError
        """
        self.still_there()
        with self.faults(), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    def still_there(self) -> None:
        """See to it that the file is the one that was opened; moved back, it is.

        Another one isn't used: what the old one has beside it (`-wal`) would be put into it, over what it holds.

        Raises
        ------
        StoreError
        """
        if self.file is None or not (state := self.file.changed()):
            return
        self.engine.dispose()
        do = f"put it back, or stop, take away the old one's {self.file.path.name}-wal too, and start again"
        raise StoreError(f"the {self.thing.name}'s file is {state}", where=self.name, do=do)

    @contextmanager
    def faults(self) -> Iterator[None]:
        """What a database says becomes a `StoreError`; without the values in it, which may be anybody's."""
        try:
            yield
        except (OverflowError, UnicodeEncodeError) as error:  # raised by the driver: the value never got there
            raise _refused(type(error).__name__, self) from None
        except sql.DBAPIError as error:
            raise _fault(error.orig, self) from None
        except self.engine.dialect.loaded_dbapi.Error as error:  # of a statement that the driver was handed itself
            raise _fault(error, self) from None
        except sql.TimeoutError:
            what = "too many readers and writers at once"
            do = f"try again, or open a {self.thing.name} for each process"
            raise StoreError(what, where=self.name, do=do) from None


def place(url: str, *, timeout_seconds: float, there: bool = False, thing: Thing = HISTORY) -> Place:
    """The engine for a URL; nothing is opened yet.

    Parameters
    ----------
    there : bool
        Whether a file has to be there: a database makes one otherwise.
    thing : Thing
        What lies there, or will.

    Raises
    ------
    StoreError
        For an unknown kind of URL, a folder that isn't there, an extra that isn't installed.
    """
    if "@" in url and "://" in url and "@" in url.partition("://")[2].rpartition("@")[0]:
        do = "put the password into PGPASSWORD or a password file, or write its @ as %40"
        raise StoreError(f"the {thing.name}'s URL holds more than one @", got="not shown", do=do)
    if "://" not in url and url.endswith(".db"):
        return _file(url, timeout_seconds, there=there, thing=thing)
    try:
        parsed = make_url(url)
    except (sql.ArgumentError, ValueError):
        raise StoreError(f"the {thing.name}'s URL can't be read", got="not shown", do=f"write {_FORMS}") from None
    kind = parsed.get_backend_name()
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return _file(str(parsed.database), timeout_seconds, there=there, thing=thing)
    if kind == "postgresql" and parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return _server(parsed, timeout_seconds, thing)
    what = f"a {thing.name} must be a file" if kind == "sqlite" else f"a {thing.name} of an unknown kind"
    raise StoreError(what, where=f"the {thing.name}'s URL", got=parsed.drivername, do=f"write {_FORMS}")


def without_secrets(place: str) -> str:
    """A mistyped place as a message may show it: not at all where it may hold a password."""
    return "not shown: it may hold a password" if "@" in place else place or "nothing"


def no_store(where: str, thing: Thing = HISTORY) -> StoreError:
    """What is said where somebody wants to read what isn't there."""
    return StoreError(f"there is no {thing.name}", where=where, do=f"check the name, or {thing.made}")


def _file(path: str, timeout_seconds: float, *, there: bool, thing: Thing) -> Place:
    folder, name = Path(path).parent, without_secrets(path)
    if not folder.is_dir():
        where = without_secrets(str(folder))
        raise StoreError(f"the {thing.name}'s folder isn't there", where=where, got="no such folder", do="make it")
    if there and not Path(path).exists():
        raise no_store(name, thing)
    url = URL.create("sqlite", database=path)
    engine = create_engine(
        url, connect_args={"timeout": timeout_seconds, "isolation_level": None}, hide_parameters=True
    )
    event.listen(engine, "connect", partial(_durable, timeout_seconds))
    event.listen(engine, "begin", _begin)
    return Place(engine, name, thing, OpenFile(Path(path)))


def _server(url: URL, timeout_seconds: float, thing: Thing) -> Place:
    try:
        import_module("psycopg")
    except ImportError as error:
        do = "pip install 'triage-tickets[postgres]'"
        what = f"a {thing.name} on PostgreSQL needs the extra `postgres`"
        raise StoreError(what, got="no psycopg", do=do) from error
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={
            "connect_timeout": max(2, int(timeout_seconds)),  # the least that the client library takes
            "options": f"-c lock_timeout={int(timeout_seconds * 1000)}",
            "tcp_user_timeout": max(2, int(timeout_seconds)) * 1000,  # a server that vanished isn't waited for
        },
        hide_parameters=True,
        pool_pre_ping=True,
    )
    host = f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}"
    return Place(engine, f"postgresql://{host}/{url.database or ''}", thing)


def _durable(timeout_seconds: float, connection: sqlite3.Connection, _: Any) -> None:
    """What was committed survives a crash of the machine; readers don't wait for a writer."""
    begun = time.monotonic()
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:  # of several who make a file, all but one are turned away at once
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() - begun > timeout_seconds:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _fault(error: BaseException | None, where: Place) -> StoreError:
    """The fault in our words; the code is the database's own."""
    code = str(getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or "no code")
    of_values = isinstance(error, where.engine.dialect.loaded_dbapi.DataError)
    if code.startswith(_OF_VALUES) or (code == "no code" and of_values):
        return _refused(code, where)
    fits = [start for start in _FAULTS if code.startswith(start)]
    what, do = _FAULTS[max(fits, key=len)] if fits else ("the database refused", "see its own log")
    name = where.thing.name
    return StoreError(what.format(thing=name), where=where.name, got=code, do=do.format(thing=name))


def _refused(code: str, where: Place) -> ValueRefusedError:
    what, do = f"the {where.thing.name} refuses a value", "see what its code means; to try again is of no use"
    return ValueRefusedError(what, where=where.name, got=code, do=do)
