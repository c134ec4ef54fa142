"""What the ledger can't take waits on the disk, and goes in once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from made_ledger import NOW, contents, decided, refused_id, said
from made_postgres import Postgres, running_postgres

from pipeline.errors import OutputError, StoreError, ValueRefusedError
from pipeline.ledger import Journal, Ledger, Replayed, Spool, open_ledger, spool_of

WRITER = """
import sys
from pathlib import Path
from made_ledger import decided
from pipeline.ledger import Journal, Spool, open_ledger
url, spool, first = sys.argv[1:]
journal = Journal(open_ledger(url, lazily=True, timeout_seconds=0.05), Spool(Path(spool)), retry_seconds=0.02)
for number in range(int(first), 10_000):
    made = decided(f"t{number}", f"u{number}", body="x" * 3_000)
    if journal.write(made):
        print("\\n".join(one.key for one in made), flush=True)
"""

FILLER = """
import resource, signal, sys
from pathlib import Path
from made_ledger import decided
from pipeline.errors import OutputError
from pipeline.ledger import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    Spool(Path(sys.argv[1])).append(decided("t2"))
except OutputError:
    sys.exit(7)
"""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool.jsonl")


@pytest.fixture
def journal(ledger: Ledger, spool: Spool) -> Journal:
    return Journal(ledger, spool, retry_seconds=0.0)


def down(folder: Path) -> Ledger:
    """A ledger whose server isn't there."""
    pytest.importorskip("psycopg")
    return open_ledger("postgresql://nobody@127.0.0.1:1/none", lazily=True, timeout_seconds=0.2)


class TestSpool:
    def test_what_was_spooled_goes_in_as_it_was(self, ledger: Ledger, spool: Spool) -> None:
        made, told = decided("t1", "t\x002", customer_id="4711"), [said("t1")]
        spool.append(made, told)
        assert spool.waiting
        assert spool.replay(ledger.take_in) == Replayed(3, 3)
        assert ledger.decisions("t1") == made[:1] and ledger.feedback("t1")[0].key == told[0].key
        assert not spool.waiting and not list(spool.path.parent.glob("spool*"))
        assert spool.replay(ledger.take_in) == Replayed()

    def test_only_its_owner_may_read_it(self, spool: Spool) -> None:
        spool.append(decided("t1"))
        assert spool.path.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("cut", [1, 40, -2])
    def test_a_line_that_was_cut_off_is_dropped_and_the_next_ones_are_not(
        self, ledger: Ledger, spool: Spool, cut: int
    ) -> None:
        spool.append(decided("t1", "t2"))
        lines = spool.path.read_bytes().splitlines(keepends=True)
        spool.path.write_bytes(lines[0] + lines[1][:cut])
        spool.append(decided("t3"))
        assert spool.replay(ledger.take_in) == Replayed(2, 2, damaged=1)
        assert {i for i, _ in contents(ledger)} == {"t1", "t3"}

    def test_a_last_line_that_lacks_only_its_end_is_whole(self, ledger: Ledger, spool: Spool) -> None:
        spool.append(decided("t1", "t2"))
        spool.path.write_bytes(spool.path.read_bytes()[:-1])
        spool.append(decided("t3"))
        assert spool.replay(ledger.take_in) == Replayed(3, 3)

    @pytest.mark.parametrize(
        "odd", [b"\x00\x00\x00\n", b"[]\n", b'{"decision":{}}\n', b'{"decision":3}\n', b"7\n", b"\xff\n"]
    )
    def test_lines_that_tell_nothing_are_counted(self, ledger: Ledger, spool: Spool, odd: bytes) -> None:
        spool.append(decided("t1"))
        with spool.path.open("ab") as handle:
            handle.write(odd)
        assert spool.replay(ledger.take_in) == Replayed(1, 1, damaged=1)

    def test_a_file_that_a_crash_left_aside_goes_in_too(self, ledger: Ledger, spool: Spool) -> None:
        spool.append(decided("t1"))
        os.link(spool.path, spool.aside)  # killed between the two names
        spool.append(decided("t2"))
        assert spool.replay(ledger.take_in).new == 2
        assert {i for i, _ in contents(ledger)} == {"t1", "t2"} and not spool.waiting

    def test_a_replay_that_fails_leaves_everything_waiting(self, spool: Spool, tmp_path: Path) -> None:
        spool.append(decided("t1"))
        with pytest.raises(StoreError):
            spool.replay(down(tmp_path).take_in)
        spool.append(decided("t2"))
        with open_ledger(f"{tmp_path}/l.db") as ledger:
            assert spool.replay(ledger.take_in) == Replayed(2, 2)

    def test_writers_and_replays_at_once_lose_nothing(self, tmp_path: Path, spool: Spool) -> None:
        with open_ledger(f"{tmp_path}/l.db") as ledger, ThreadPoolExecutor(6) as pool:
            writing = [pool.submit(spool.append, decided(f"t{i}", f"u{i}")) for i in range(40)]
            replaying = [pool.submit(spool.replay, ledger.take_in) for _ in range(20)]
            assert all(done.result() is None for done in writing)
            assert sum(done.result().damaged for done in replaying) == 0
            spool.replay(ledger.take_in)
            assert len(contents(ledger)) == 80

    def test_a_full_disk_is_an_error_that_leaves_no_half_line(self, spool: Spool) -> None:
        spool.append(decided("t1"))
        before = spool.path.read_bytes()
        assert (
            subprocess.run(
                [sys.executable, "-c", FILLER, str(spool.path), str(len(before) + 100)], env=_environment(), check=False
            ).returncode
            == 7
        )
        assert spool.path.read_bytes() == before

    def test_a_folder_that_is_gone_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="the spool can't be written"):
            Spool(tmp_path / "gone" / "spool.jsonl").append(decided("t1"))

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("a/l.db", "a/l.db.spool.jsonl"),
            ("sqlite:///a/l.db", "a/l.db.spool.jsonl"),
            ("postgresql://u@h/d", "out/ledger.spool.jsonl"),
        ],
    )
    def test_it_lies_beside_the_ledgers_file_or_in_a_folder_of_the_doors_own(self, url: str, name: str) -> None:
        assert spool_of(url, Path("out")).path == Path(name)


def ids(url: str) -> list[str]:
    """Of which the ledger takes only the first and the last."""
    return ["t1", refused_id(url), "t2"]


class TestRefused:
    """A value that the database refuses each time holds nobody else up, and isn't lost."""

    def test_it_is_set_aside_with_its_code_and_the_others_go_in(self, journal: Journal, url: str) -> None:
        names, spool = ids(url), journal.spool
        with pytest.raises(ValueRefusedError):
            journal.ledger.write(decided(*names))
        assert journal.write(decided(*names)) and isinstance(journal.fault, ValueRefusedError)
        assert journal.write(decided("t3")) and journal.fault is None  # nobody waits as if the ledger were away
        assert journal.add_feedback([said("t1")])
        assert journal.replay() == Replayed(2, 2, refused=1) and not spool.waiting
        assert journal.refused == 1 and len(contents(journal.ledger)) == 3
        (line,) = spool.refused.read_text("utf-8").splitlines()
        told = json.loads(line)
        assert told["decision"]["ticket_id"] == names[1] and told["code"] in ("54000", "SQLITE_CONSTRAINT_TRIGGER")
        assert spool.refused.stat().st_mode & 0o077 == 0

    def test_a_crash_before_the_spool_is_gone_sets_it_aside_once_and_its_line_can_be_tried_again(
        self, ledger: Ledger, spool: Spool, url: str
    ) -> None:
        names = ids(url)
        for _ in range(2):
            spool.append(decided(*names))
            spool.replay(ledger.take_in)
        lines = spool.refused.read_bytes()
        assert lines.count(b"\n") == 1
        if ledger.place.engine.dialect.name == "sqlite":
            with ledger.place.writing() as connection:
                connection.exec_driver_sql("DROP TRIGGER no")
            spool.path.write_bytes(lines)
            assert spool.replay(ledger.take_in) == Replayed(1, 1)

    def test_one_that_can_not_be_set_aside_goes_on_waiting(self, ledger: Ledger, spool: Spool, url: str) -> None:
        spool.append(decided(*ids(url)))
        spool.refused.mkdir()
        with pytest.raises(OutputError, match="the spool can't be written"):
            spool.replay(ledger.take_in)
        assert spool.waiting

    def test_a_database_that_is_away_is_no_refusal(self, spool: Spool, tmp_path: Path) -> None:
        spool.append(decided("t1"))
        with pytest.raises(StoreError) as error:
            spool.replay(down(tmp_path).take_in)
        assert not isinstance(error.value, ValueRefusedError) and not spool.refused.exists()


class TestJournal:
    def test_it_writes_into_the_ledger_while_that_can_take_it(self, journal: Journal) -> None:
        assert journal.write(decided("t1")) and journal.add_feedback([said("t1")])
        assert journal.fault is None and not journal.spool.waiting
        assert len(journal.ledger.decisions("t1")) == len(journal.ledger.feedback("t1")) == 1

    def test_a_locked_file_goes_to_the_spool(self, tmp_path: Path, spool: Spool) -> None:
        with open_ledger(f"{tmp_path}/l.db", timeout_seconds=0.1) as ledger:
            journal = Journal(ledger, spool, retry_seconds=0.0)
            other = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            assert journal.write(decided("t1")) and journal.add_feedback([said("t1")])
            assert "the ledger is locked" in str(journal.fault)
            with pytest.raises(StoreError, match="the ledger is locked"):
                journal.replay()
            other.execute("COMMIT")
            other.close()
            assert journal.replay() == Replayed(2, 2)
            assert contents(ledger) == [("t1", NOW)]

    def test_a_locked_table_on_a_server_goes_to_the_spool(self, postgres: Postgres, spool: Spool) -> None:
        import psycopg

        url = postgres.new_database("locked")
        with open_ledger(url, timeout_seconds=0.3) as ledger, psycopg.connect(url) as other:
            other.execute("LOCK TABLE ledger_decisions IN ACCESS EXCLUSIVE MODE")
            journal = Journal(ledger, spool, retry_seconds=0.0)
            assert journal.write(decided("t1"))
            assert "the ledger is locked" in str(journal.fault)
            other.rollback()
            assert journal.replay() == Replayed(1, 1)

    def test_a_full_file_goes_to_the_spool(self, tmp_path: Path, spool: Spool) -> None:
        with open_ledger(f"{tmp_path}/l.db") as ledger:
            journal = Journal(ledger, spool, retry_seconds=0.0)
            with ledger.place.engine.connect() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            assert journal.write(decided(*(f"t{i}" for i in range(50)), body="x" * 5_000))
            assert "the disk is full" in str(journal.fault)
            ledger.close()
            assert journal.replay() == Replayed(50, 50)

    def test_a_server_that_crashed_goes_to_the_spool_and_everything_is_there_once_in_the_end(
        self, spool: Spool
    ) -> None:
        with running_postgres() as server, open_ledger(server.new_database("gone"), timeout_seconds=1) as ledger:
            journal = Journal(ledger, spool, retry_seconds=0.0)
            assert journal.write(decided("t1"))
            server.crash()
            assert journal.write(decided("t2")) and journal.write(decided("t1"))
            assert journal.fault is not None
            server.start()
            assert journal.replay() == Replayed(2, 1)
            assert {i for i, _ in contents(ledger)} == {"t1", "t2"}

    def test_a_file_that_was_deleted_is_not_written_on_unseen(self, tmp_path: Path, spool: Spool) -> None:
        with open_ledger(f"{tmp_path}/l.db") as ledger:
            journal = Journal(ledger, spool, retry_seconds=0.0)
            assert journal.write(decided("t1"))
            (tmp_path / "l.db").rename(tmp_path / "moved.db")
            assert journal.write(decided("t2"))
            assert "the ledger's file is gone" in str(journal.fault) and spool.waiting
            (tmp_path / "moved.db").rename(tmp_path / "l.db")
            assert journal.replay() == Replayed(1, 1) and len(contents(ledger)) == 2

    def test_another_file_in_its_place_is_left_as_it_is(self, tmp_path: Path, spool: Spool) -> None:
        with open_ledger(f"{tmp_path}/other.db") as other:
            other.write(decided("t0"))
        with open_ledger(f"{tmp_path}/l.db") as ledger:
            journal = Journal(ledger, spool, retry_seconds=0.0)
            assert journal.write(decided("t1"))
            (tmp_path / "other.db").rename(tmp_path / "l.db")
            assert journal.write(decided("t2")) and spool.waiting
            assert "the ledger's file is another one now" in str(journal.fault)
        (tmp_path / "l.db-wal").unlink()
        (tmp_path / "l.db-shm").unlink()
        with open_ledger(f"{tmp_path}/l.db") as ledger:
            assert spool.replay(ledger.take_in) == Replayed(1, 1)
            assert {i for i, _ in contents(ledger)} == {"t0", "t2"}

    def test_it_starts_while_the_server_is_down_and_stops_asking_for_a_while(
        self, tmp_path: Path, spool: Spool
    ) -> None:
        journal = Journal(down(tmp_path), spool, retry_seconds=60.0)
        assert journal.write(decided("t1"))
        begun = time.monotonic()
        for number in range(20):
            assert journal.write(decided(f"u{number}"))
        assert time.monotonic() - begun < 2.0
        assert journal.fault is not None

    def test_soon_after_a_fault_a_replay_asks_nobody_but_for_the_last_time(self, tmp_path: Path, spool: Spool) -> None:
        with open_ledger(f"{tmp_path}/l.db", timeout_seconds=0.1) as ledger:
            journal = Journal(ledger, spool, retry_seconds=60.0)
            other = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            assert journal.write(decided("t1"))
            other.execute("COMMIT")
            other.close()
            assert journal.replay() == Replayed() and spool.waiting
            assert journal.replay(at_once=True) == Replayed(1, 1) and not spool.waiting

    def test_if_even_the_spool_fails_it_says_so(self, tmp_path: Path) -> None:
        journal = Journal(down(tmp_path), Spool(tmp_path / "gone" / "spool.jsonl"))
        assert not journal.write(decided("t1"))
        assert isinstance(journal.fault, OutputError)


def test_killed_again_and_again_every_acknowledged_decision_is_there_once(url: str, tmp_path: Path) -> None:
    spool, told = tmp_path / "spool.jsonl", list[str]()
    for first, held in ((0, False), (1_000, True), (2_000, False)):  # the second writer finds the ledger locked
        with _held(url) if held else nullcontext():
            told += _killed_after(0.5, url, spool, first)
    with open_ledger(url) as ledger:
        assert Spool(spool).replay(ledger.take_in).new
        there = [one.key for one in ledger.all_decisions()]
    assert len(told) > 10 and set(told) <= set(there) and len(there) == len(set(there))


@contextmanager
def _held(url: str) -> Iterator[None]:
    """Nobody else writes."""
    with open_ledger(url) as ledger, ledger.place.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE ledger_decisions IN ACCESS EXCLUSIVE MODE")
        yield


def _killed_after(seconds: float, url: str, spool: Path, first: int) -> list[str]:
    """Whole lines that a writer printed, told of what is safe, until it was killed."""
    command = [sys.executable, "-c", WRITER, url, str(spool), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip()]
        time.sleep(seconds)
        os.kill(writer.pid, signal.SIGKILL)
        return [line for line in [*told, *writer.stdout.read().split("\n")] if len(line) == 64]


def _environment() -> dict[str, str]:
    tests = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"}
