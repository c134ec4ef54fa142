"""What goes wrong with a store is said in our words, and loses nothing that was acknowledged."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_history import DEFINITIONS, LOOK, MANY, MONDAY, Event, Ticket, events_frame, rows_of, tickets_frame
from made_postgres import PASSWORD, Postgres, running_postgres
from made_store import contents, put
from sqlalchemy import Connection, Engine, event

from pipeline.errors import StoreError
from pipeline.history.record import record
from pipeline.history.store import Counts, Put, Store, open_store, statements
from pipeline.history.store.tables import OUTCOMES, TICKETS
from pipeline.tickets.schema import empty

ONE = [Ticket(f"t{i}", float(i), "ann", (), "first") for i in range(8)]


def happened(number: int) -> list[Event]:
    """What a writer puts in as its `number`th: events of two tickets."""
    state = ("open", "resolved", "pending", "closed")[number % 4]
    at = float(number + 1)
    moved = Event("assignment", at, f"q{number % 3}", f"t{(number + 3) % 8}")
    return [Event("status", at, state, f"t{number % 8}"), moved]


class TestOpening:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("mysql://someone:secret@host/db", "a store of an unknown kind"),
            ("postgresql+psycopg2://someone:secret@host/db", "a store of an unknown kind"),
            ("sqlite://", "a store must be a file"),
            ("sqlite:///:memory:", "a store must be a file"),
            ("history.sqlite", "the store's URL can't be read"),
            ("postgresql://someone:secret@host:port/db", "the store's URL can't be read"),
            ("sqlite:////nowhere/at/all/history.db", "the store's folder isn't there"),
            ("nowhere/at/all/history.db", "the store's folder isn't there"),
        ],
    )
    def test_a_url_that_leads_nowhere_is_an_error_that_shows_no_password(self, url: str, said: str) -> None:
        with pytest.raises(StoreError, match=said) as error:
            open_store(url, MANY)
        assert "secret" not in str(error.value) and error.value.do

    def test_a_bare_path_and_a_url_name_the_same_file(self, tmp_path: Path) -> None:
        with open_store(f"{tmp_path}/s.db", MANY) as store:
            put(store, ONE)
        with open_store(f"sqlite:///{tmp_path}/s.db", MANY) as store:
            assert store.counts().tickets == len(ONE)

    @pytest.mark.parametrize("content", [b"not a database, but a text of some length" * 100, b"\x89PNG" + bytes(8000)])
    def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "s.db"
        path.write_bytes(content)
        with pytest.raises(StoreError, match="the file is no database"):
            open_store(str(path), MANY)
        assert path.read_bytes() == content

    def test_an_empty_file_becomes_a_store(self, tmp_path: Path) -> None:
        (tmp_path / "s.db").touch()
        with open_store(f"{tmp_path}/s.db", MANY) as store:
            assert put(store, ONE) == Put(len(ONE))

    def test_a_folder_of_that_name_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "s.db").mkdir()
        with pytest.raises(StoreError, match="can't be opened"):
            open_store(f"{tmp_path}/s.db", MANY)

    def test_a_store_of_another_version_is_an_error_that_names_both(self, tmp_path: Path) -> None:
        open_store(f"{tmp_path}/s.db", MANY).close()
        with sqlite3.connect(tmp_path / "s.db") as connection:
            connection.execute("UPDATE history_meta SET value = '0' WHERE name = 'version'")
        connection.close()
        with pytest.raises(StoreError, match="made by another version") as error:
            open_store(f"{tmp_path}/s.db", MANY)
        assert "version 0; this is" in error.value.got

    def test_a_missing_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(StoreError, match="needs the extra `postgres`"):
            open_store("postgresql://someone@host/db", MANY)

    def test_a_server_that_is_not_there_is_an_error_that_shows_no_password(self) -> None:
        pytest.importorskip("psycopg")
        with pytest.raises(StoreError, match="the server can't be reached") as error:
            open_store(f"postgresql://someone:{PASSWORD}@127.0.0.1:1/db", MANY)
        assert PASSWORD not in str(error.value) and "127.0.0.1:1/db" in error.value.where

    def test_a_wrong_password_is_an_error_that_shows_none(self, postgres: Postgres) -> None:
        with pytest.raises(StoreError, match="the server can't be reached") as error:
            open_store(postgres.url(password="guessed"), MANY)
        assert "guessed" not in str(error.value) and PASSWORD not in str(error.value)

    def test_a_database_that_is_not_there_is_an_error(self, postgres: Postgres) -> None:
        with pytest.raises(StoreError, match="the server can't be reached"):
            open_store(postgres.url("nothing"), MANY)


class TestLocked:
    def test_a_file_that_another_process_writes_is_an_error_after_a_while_and_can_be_read(self, tmp_path: Path) -> None:
        with open_store(f"{tmp_path}/s.db", MANY, timeout_seconds=0.2) as store:
            put(store, ONE)
            other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked by another process"):
                put(store, ONE, happened(1))
            assert store.counts().events == 0
            other.execute("ROLLBACK")
            other.close()
            assert put(store, ONE, happened(1)).events_new == 2

    def test_a_server_on_which_another_process_writes_is_an_error_after_a_while(self, postgres: Postgres) -> None:
        url = postgres.new_database("locked")
        with open_store(url, MANY, timeout_seconds=0.2) as store, open_store(url, MANY) as other:
            with other.place.writing(), pytest.raises(StoreError, match="locked by another process"):
                put(store, ONE)
            assert put(store, ONE) == Put(len(ONE))


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        with open_store(f"{tmp_path}/s.db", MANY) as store:
            put(store, ONE, [e for n in range(300) for e in happened(n)])
        return tmp_path / "s.db"

    def test_a_truncated_file_is_an_error(self, path: Path) -> None:
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(StoreError, match="damaged"), open_store(str(path), MANY) as store:
            store.read(rows_of(ONE, [99.0] * len(ONE)))
            store.counts()
            put(store, ONE, happened(301))

    def test_pages_of_rubbish_are_an_error(self, path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        with pytest.raises(StoreError, match=r"damaged|no database"), open_store(str(path), MANY) as store:
            store.counts()

    def test_a_table_that_is_gone_is_an_error(self, path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("DROP TABLE history_events")
        connection.close()
        with open_store(str(path), MANY) as store, pytest.raises(StoreError, match="isn't as the store left it"):
            put(store, ONE, happened(301))

    def test_a_full_disk_loses_nothing_that_was_there_and_stores_nothing_of_the_put(self, path: Path) -> None:
        pages = path.stat().st_size // 4096 + 2

        def small(connection: Any, _: Any) -> None:
            connection.execute(f"PRAGMA max_page_count={pages}")

        event.listen(Engine, "connect", small)
        try:
            with open_store(str(path), MANY) as store:
                before = contents(store)
                with pytest.raises(StoreError, match="the disk is full"):
                    put(store, [Ticket("new")], [e for n in range(300, 900) for e in happened(n)])
                assert contents(store) == before
        finally:
            event.remove(Engine, "connect", small)
        with open_store(str(path), MANY) as store:
            assert put(store, [Ticket("new")], [e for n in range(300, 900) for e in happened(n)]).events_new == 1200


WRITER = """
import sys
sys.path[:0] = {paths!r}
from made_history import MANY
from made_store import put
from unit.history.test_store_faults import ONE, happened
from pipeline.history.store import open_store

first, step = map(int, sys.argv[2:])
with open_store(sys.argv[1], MANY) as store:
    put(store, ONE)
    for number in range(first, 100_000, step):
        put(store, [], happened(number))
        print(number, flush=True)
"""


def writer(url: str, first: int = 0, step: int = 1) -> subprocess.Popen[str]:
    """A process that puts in one event after the other, and says so."""
    code = WRITER.format(paths=[p for p in sys.path if p])
    return subprocess.Popen(
        [sys.executable, "-c", code, url, str(first), str(step)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def acknowledged(process: subprocess.Popen[str], *, seconds: float) -> list[int]:
    """Kill a writer so long after it first said that something was stored; what it had said by then."""
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    out, errors = process.communicate()
    assert first, errors
    lines = [first, *out.splitlines(keepends=True)]
    return [int(line) for line in lines if line.endswith("\n")]  # the last may be cut


def expected(numbers: list[int]) -> Any:
    """What a look at all tickets shows once these were stored."""
    events = events_frame([e for n in numbers for e in happened(n)])
    made = record(tickets_frame(ONE), events, empty("outcomes"), DEFINITIONS, MANY)
    return LOOK.look(asked(), made)


def asked() -> pd.DataFrame:
    return rows_of(ONE * 3, [2.0] * 8 + [30.0] * 8 + [1e6] * 8)


def holds(store: Store, numbers: list[int]) -> None:
    """All that was acknowledged is there, and maybe the put that wasn't yet; the law holds of it."""
    received = pd.concat([store.events(ticket.id)["received_at"] for ticket in ONE])
    stored = {int((at - MONDAY).total_seconds() // 3600) - 1 for at in received}
    assert set(numbers) <= stored
    assert store.counts().events == 2 * len(stored)
    np.testing.assert_array_equal(LOOK.look(asked(), store.read(asked())), expected(sorted(stored)))


@pytest.mark.slow
class TestKilled:
    @pytest.mark.parametrize("seconds", [0.0, 0.05, 0.31])
    def test_a_writer_killed_at_any_moment_loses_nothing_that_it_acknowledged(
        self, tmp_path: Path, seconds: float
    ) -> None:
        url, numbers = f"{tmp_path}/s.db", list[int]()
        for again in range(3):
            numbers += acknowledged(writer(url, first=1000 * again), seconds=seconds + again * 0.017)
            with open_store(url, MANY) as store:
                holds(store, numbers)

    def test_a_writer_to_a_server_killed_loses_nothing_either(self, postgres: Postgres) -> None:
        url = postgres.new_database("killed")
        numbers = acknowledged(writer(url), seconds=0.2)
        time.sleep(0.5)  # the server notices
        with open_store(url, MANY) as store:
            holds(store, numbers)


@pytest.mark.slow
def test_a_server_that_crashes_is_an_error_and_loses_nothing_that_was_acknowledged() -> None:
    with running_postgres() as server, open_store(server.new_database("crash"), MANY) as store:
        put(store, ONE, happened(0))
        server.crash()
        with pytest.raises(StoreError, match="can't be reached"):  # a connection is tried before it is used
            put(store, [], happened(1))
        with pytest.raises(StoreError, match="can't be reached"):
            store.read(asked())
        server.start()
        holds(store, [0])
        put(store, [], happened(1))
        holds(store, [0, 1])


@pytest.mark.parametrize("act", ["read", "put"])
def test_a_server_that_stops_in_the_midst_of_a_transaction_has_stopped(postgres: Postgres, act: str) -> None:
    url = postgres.new_database("stops")
    with open_store(url, MANY) as store, open_store(url, MANY) as other:
        put(store, ONE)

        def told_to_stop(connection: Connection) -> None:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            with other.place.reading() as beside:
                assert beside.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)").scalar()

        with pytest.raises(StoreError, match="the server has stopped") as error:
            if act == "read":
                with store.place.reading() as connection:
                    told_to_stop(connection)
                    statements.rows_of(connection, TICKETS, ["t1"])
            else:
                with store.place.writing() as connection:
                    told_to_stop(connection)
                    statements.insert(connection, OUTCOMES, [{"ticket_id": "t1", "known_at": 1}])
        assert error.value.got == "57P01" and "what was put before is safe" in error.value.do
        assert store.counts() == Counts(len(ONE), 0, 0, 0)


def test_what_is_committed_to_a_file_is_on_the_disk_and_readers_do_not_wait(tmp_path: Path) -> None:
    with open_store(f"{tmp_path}/s.db", MANY) as store, store.place.reading() as connection:
        said = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert said == ["wal", 2]
        assert put(store, ONE) == Put(len(ONE))


@pytest.mark.slow
def test_many_may_make_the_same_store_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for number in range(40):
            opened = pool.map(lambda url: open_store(url, MANY).counts(), [f"{tmp_path}/{number}.db"] * 4)
            assert list(opened) == [Counts(0, 0, 0, 0)] * 4


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    with open_store(f"{tmp_path}/s.db", MANY) as store, ThreadPoolExecutor(4) as pool:
        put(store, ONE)
        list(pool.map(lambda number: put(store, [], happened(number)), range(24)))
        holds(store, list(range(24)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "server"])
def test_two_writers_at_once_store_what_both_acknowledged(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"{tmp_path}/s.db" if kind == "file" else request.getfixturevalue("postgres").new_database("both")
    both = [writer(url, first, 2) for first in (0, 1)]
    numbers = [n for process in both for n in acknowledged(process, seconds=1.0)]
    with open_store(url, MANY) as store:
        holds(store, numbers)


class TestAFileThatIsNoLongerThere:
    def test_moved_away_it_is_gone_and_moved_back_it_goes_on(self, tmp_path: Path) -> None:
        path, aside = tmp_path / "s.db", tmp_path / "aside.db"
        with open_store(str(path), MANY) as store:
            put(store, ONE)
            before = store.counts()
            path.rename(aside)
            for act in (store.counts, store.roles, lambda: put(store, ONE)):
                with pytest.raises(StoreError, match="the store's file is gone") as error:
                    act()
                assert error.value.do
            assert not path.exists()  # nothing new was begun in its place
            aside.rename(path)
            assert store.counts() == before
            put(store, [Ticket("later", 9.0, "ann", (), "first")])
            assert store.counts().tickets == before.tickets + 1

    def test_another_one_in_its_place_is_not_written_to(self, tmp_path: Path) -> None:
        path = tmp_path / "s.db"
        with open_store(f"{tmp_path}/other.db", MANY) as other, open_store(str(path), MANY) as store:
            other.close()
            (tmp_path / "other.db").rename(path)
            with pytest.raises(StoreError, match="another one now"):
                put(store, ONE)
        with open_store(str(path), MANY) as found:
            assert found.counts().tickets == 0

    def test_deleted_while_it_is_written_it_is_no_success(self, tmp_path: Path) -> None:
        path = tmp_path / "s.db"
        with (
            open_store(str(path), MANY) as store,
            pytest.raises(StoreError, match="gone"),
            store.place.writing() as connection,
        ):
            connection.exec_driver_sql("SELECT 1")
            path.unlink()
