"""What is begun is counted before it is done."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from made_ledger import decided

from pipeline.ledger import Ledger, Step, Steps, open_ledger
from pipeline.ledger.retention import purge


def test_steps_on_a_server_or_in_a_file_are_counted_given_up_and_forgotten(ledger: Ledger) -> None:
    made, now = Steps(ledger), datetime(2026, 11, 22, tzinfo=UTC)
    for _ in range(3):
        made.begin(["k", "l"], now)
    made.begin([], now)
    made.give_up(["k"])
    made.done(["l", "never begun"])
    assert made.known(["k", "l"]) == {"k": Step(3, given_up=True)}


def test_a_ledger_of_an_earlier_version_gets_its_table_and_old_steps_go_with_the_words(tmp_path: Path) -> None:
    path = f"{tmp_path}/ledger.db"
    with open_ledger(path) as ledger:
        ledger.write(decided("t1", "t2", "t3"))
    with open_ledger(path) as ledger, ledger.place.writing() as connection:
        connection.exec_driver_sql("DROP TABLE ledger_steps")
    with open_ledger(path, as_it_is=True) as reading:
        assert reading.counts()["decisions"] == 3
        purge(reading, kept_before=datetime(2026, 1, 1, tzinfo=UTC))
    with open_ledger(path) as ledger:
        Steps(ledger).begin(["k"], datetime(2026, 11, 20, tzinfo=UTC))
        Steps(ledger).begin(["k", "l"], datetime(2026, 11, 22, tzinfo=UTC))
        assert Steps(ledger).known(["k", "l", "m"]) == {"k": Step(2), "l": Step(1)}
        purge(ledger, kept_before=datetime(2026, 11, 21, tzinfo=UTC))
        assert Steps(ledger).known(["k", "l"]) == {"k": Step(2), "l": Step(1)}
        purge(ledger, kept_before=datetime(2026, 11, 23, tzinfo=UTC))
        assert Steps(ledger).known(["k", "l"]) == {}
