"""What was served, when, by which scorer, and what people said of it.

A door turns each call of `Scorer.score` into decisions and writes them. Whatever happens to the database, it goes on.

Examples
--------
>>> from datetime import UTC, datetime
>>> from pathlib import Path
>>> from tempfile import mkdtemp
>>> import pandas as pd
>>> from pipeline.answer import Answer
>>> from pipeline.ledger import Feedback, Journal, Spool, decisions_of, open_ledger
>>> folder = Path(mkdtemp())
>>> tickets = pd.DataFrame({"ticket_id": ["1"], "subject": ["It leaks"], "customer_id": ["ann@example.com"]})
>>> as_of = pd.Series(pd.to_datetime(["2026-11-23"], utc=True))
>>> scored = Answer(1).frame(as_of, tickets.index)  # what `Scorer.score(tickets)` gives
>>> scored = scored.assign(ticket_id=["1"], topic=["leaks"], scorer_version=["0123456789ab"])
>>> ledger = open_ledger(f"{folder}/ledger.db", lazily=True)
>>> journal = Journal(ledger, Spool(folder / "ledger.spool.jsonl"))
>>> now = datetime(2026, 11, 23, 9, tzinfo=UTC)
>>> journal.write(decisions_of(tickets, scored, door="http", decided_at=now))
True
>>> journal.add_feedback([Feedback("1", now, "topic", "spills", by="agent-7")])
True
>>> journal.replay()  # from time to time; nothing waited
Replayed(lines=0, new=0, damaged=0, refused=0)
>>> ledger.decisions("1")[0].scored["topic"], ledger.feedback("1")[0].value
('leaks', 'spills')
"""

from pipeline.ledger.decisions import Decision, decisions_of, is_shown
from pipeline.ledger.feedback import KINDS, Feedback, Kind
from pipeline.ledger.journal import Journal
from pipeline.ledger.ledger import Ledger, open_ledger
from pipeline.ledger.spool import Replayed, Spool, spool_of
from pipeline.ledger.steps import Step, Steps
from pipeline.ledger.tables import Words

__all__ = [
    "KINDS",
    "Decision",
    "Feedback",
    "Journal",
    "Kind",
    "Ledger",
    "Replayed",
    "Spool",
    "Step",
    "Steps",
    "Words",
    "decisions_of",
    "is_shown",
    "open_ledger",
    "spool_of",
]
