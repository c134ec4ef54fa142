"""What is sent in tests under fault: made-up tickets, events and poisons, and the golden records by `triage score`.

All of it is synthetic: the texts are those of `triage sample`, numbered.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
from nursery import Nursery
from oracle import Sent

SETTINGS = """\
encoder: {name: none}
topic: {candidates: [words]}
priority: {candidates: [words]}
escalation: {candidates: [words]}
gates: {enabled: false}
tracking: {uri: null}
"""
BORN = pd.Timestamp("2026-06-01T08:00:00Z")
BROKEN = (
    b'{"ticket_id": "F-1", "subject": ',
    b"not json \xff\xfe at all",
    b'["a", "list"]',
    b'{"subject": "nobody\'s"}',
)


@dataclass(frozen=True)
class Desk:
    """A small made-up helpdesk, its scorer, and the process that runs `triage` quickly.

    Attributes
    ----------
    raw, scorer : Path
    folder : Path
        For whatever is written.
    nursery : Nursery
    other : Path or None
        Another scorer, to take its place.
    """

    raw: Path
    scorer: Path
    folder: Path
    nursery: Nursery
    other: Path | None = None
    texts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        tickets = pd.read_parquet(self.raw / "tickets.parquet", columns=["subject", "body"]).fillna("")
        self.texts.extend(tickets.itertuples(index=False, name=None))

    def triage(self, *words: object) -> None:
        """Run one command to its end."""
        log = self.folder / "triage.log"
        code = self.nursery.start([*map(str, words)], cwd=self.folder, log=log).wait(1800)
        if code not in (0, 1):
            raise RuntimeError(f"triage {words[0]} ended with {code}: {log.read_text('utf-8', 'replace')[-2000:]}")

    def golden(self, values: Sequence[bytes], *options: object, scorer: Path | None = None) -> list[bytes]:
        """The records that batch scoring makes of some lines, in their order."""
        source, out = self.folder / "golden-in.jsonl", self.folder / "golden-out.jsonl"
        source.write_bytes(b"".join(value + b"\n" for value in values))
        self.triage("score", source, out, "--scorer", scorer or self.scorer, "--force", "--max-refused", 1, *options)
        records = out.read_bytes().splitlines()
        if len(records) != len(values):
            raise RuntimeError(f"{len(records)} golden records for {len(values)} messages")
        return records


def made_desk(work: Path, nursery: Nursery, *, again: bool = False) -> Desk:
    """The helpdesk of the benchmarks, made and trained once."""
    raw, scorer, other = work / "desk", work / "scorer", work / "other"
    work.mkdir(parents=True, exist_ok=True)
    if again or not other.exists():
        for folder in (raw, scorer, other):
            shutil.rmtree(folder, ignore_errors=True)
        (work / "params.yaml").write_text(SETTINGS, "utf-8")
        (work / "other.yaml").write_text(f"{SETTINGS}seed: 1\n", "utf-8")
        for words in (
            ["sample", "--out", raw, "--tickets", 1500, "--days", 200],
            ["run", "--raw", raw, "--scorer", scorer, "--params", work / "params.yaml"],
            ["run", "--raw", raw, "--scorer", other, "--params", work / "other.yaml"],
        ):
            log = work / f"{words[0]}.log"
            if nursery.start([*map(str, words)], cwd=work, log=log).wait(1800):
                raise RuntimeError(log.read_text("utf-8", "replace")[-2000:])
    return Desk(raw, scorer, work / f"run-{os.getpid()}", nursery, other)


def tickets(desk: Desk, count: int, chance: Random, *, broken: float = 0.01) -> list[Sent]:
    """Tickets with their golden records; a few are odd, and a few (`broken`) no ticket at all."""
    values: list[bytes] = []
    ids: list[str | None] = []
    for number in range(count):
        if chance.random() < broken:
            values.append(chance.choice(BROKEN)[:-1] + b" %d" % number if chance.random() < 0.5 else BROKEN[3])
            ids.append(None)
            continue
        ids.append(f"F-{chance.randrange(1 << 32):08x}-{number}")
        values.append(_line(_ticket(desk, str(ids[-1]), number, chance)))
    return [Sent(v, i, g) for v, i, g in zip(values, ids, desk.golden(values), strict=True)]


def poisons(kinds: Sequence[str], each: int, *, tries: int) -> list[Sent]:
    """Tickets that raise, hang, exhaust the memory or kill; what a person is told of each."""
    found = []
    for kind in kinds:
        lone = kind in ("raise", "memory")
        codes = ("unscorable",) if lone else ("worker_died",)
        counts = (1, tries) if lone else (tries + 1, tries + 1)
        for number in range(each):
            name = f"poison-{kind}-{number}"
            value = _line({"ticket_id": name, "subject": "It is broken", "created_at": BORN.isoformat()})
            found.append(Sent(value, name, None, codes, counts))
    return found


def stories(desk: Desk, count: int, chance: Random) -> tuple[list[list[Sent]], Path]:
    """Tickets, then two rounds of customers' replies; and a history store for the stream to go on with.

    All tickets are of one moment, each of a customer of its own, and so are the replies of a round: then what is known
    of the others as of each moment doesn't depend on the order in which partitions are worked on.
    """
    base, whole, raw = desk.folder / "stream-history.db", desk.folder / "golden-history.db", desk.folder / "stories"
    for path in (base, whole):
        path.unlink(missing_ok=True)
    desk.triage("remember", desk.raw, "--history", f"sqlite:///{base}")
    rows = [_ticket(desk, f"S-{n}", n, chance, odd=False) | {"customer_id": f"SC-{n}"} for n in range(count)]
    for row in rows:
        row["created_at"] = BORN.isoformat()
    rounds = [[(_line(row), row, None) for row in rows]]
    events: list[dict[str, Any]] = []
    for number in (1, 2):
        at = BORN + pd.Timedelta(5 * number, "h")
        said = [_reply(row["ticket_id"], at, number) for row in chance.sample(rows, int(0.7 * count))]
        events += said
        by_id = {row["ticket_id"]: row for row in rows}
        rounds.append([(_line({"event": one}), by_id[one["ticket_id"]], at) for one in said])
    _raw(desk, raw, rows, events)
    desk.triage("remember", raw, "--history", f"sqlite:///{whole}")
    found = []
    for messages in rounds:
        asked = [_line(row | ({} if at is None else {"as_of": _just_after(at)})) for _, row, at in messages]
        records = desk.golden(asked, "--history", f"sqlite:///{whole}")
        found.append([Sent(v, row["ticket_id"], g) for (v, row, _), g in zip(messages, records, strict=True)])
    return found, base


def waiting(desk: Desk, count: int, chance: Random, age: pd.Timedelta) -> tuple[list[Sent], list[Sent], Path]:
    """Tickets that stay open, what is owed as they come of age, and a history store for the stream to go on with.

    All are of one moment, each of a customer of its own: see `stories`. What an age comes to is as if it had been sent.
    """
    base, whole, raw = desk.folder / "stream-ages.db", desk.folder / "golden-ages.db", desk.folder / "ages"
    for path in (base, whole):
        path.unlink(missing_ok=True)
    desk.triage("remember", desk.raw, "--history", f"sqlite:///{base}")
    rows = [_ticket(desk, f"W-{n}", n, chance, odd=False) | {"customer_id": f"WC-{n}"} for n in range(count)]
    for row in rows:
        row["created_at"] = BORN.isoformat()
    _raw(desk, raw, rows, [])
    desk.triage("remember", raw, "--history", f"sqlite:///{whole}")
    arrived = desk.golden([_line(row) for row in rows], "--history", f"sqlite:///{whole}")
    asked = [_line(row | {"as_of": (BORN + age).isoformat()}) for row in rows]
    later = desk.golden(asked, "--history", f"sqlite:///{whole}")
    ids = [row["ticket_id"] for row in rows]
    sent = [Sent(_line(row), i, g) for row, i, g in zip(rows, ids, arrived, strict=True)]
    due = [Sent(b"an age of %d" % n, i, g, least=1, most=1) for n, (i, g) in enumerate(zip(ids, later, strict=True))]
    return sent, due, base


def _ticket(desk: Desk, name: str, number: int, chance: Random, *, odd: bool = True) -> dict[str, Any]:
    subject, body = chance.choice(desk.texts)
    made: dict[str, Any] = {"ticket_id": name, "subject": f"{subject} {number}", "body": body}
    made["created_at"] = (BORN + pd.Timedelta(chance.randrange(1_000_000), "s")).isoformat()
    made |= {"customer_id": f"C{chance.randrange(500)}", "channel": chance.choice(("email", "web", "chat"))}
    if odd:
        match chance.randrange(25):
            case 0:
                made["body"] = None
            case 1:
                made.pop("created_at")
            case 2:
                made["body"] = f"{body} 🙂 \u0000 ÄÖÜ €" * chance.randrange(1, 20)
            case 3:
                made["created_at"] = "3000-01-01"  # refused: it has a row and a letter
            case 4:
                made["nobody_reads_this"] = number
            case _:
                pass
    return made


def _reply(name: str, at: pd.Timestamp, number: int) -> dict[str, Any]:
    text = f"Still broken, I am waiting for the {number}. time."
    moment = at.isoformat()
    made = {"ticket_id": name, "occurred_at": moment, "received_at": moment, "kind": "reply", "side": "customer"}
    return made | {"text": text}


def _just_after(at: pd.Timestamp) -> str:
    return str((at + pd.Timedelta(1, "us")).isoformat())


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()


def _raw(desk: Desk, folder: Path, rows: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    """The helpdesk with these tickets and events too, as an import would have left it."""
    shutil.copytree(desk.raw, folder, dirs_exist_ok=True)
    for name, said in (("tickets", rows), ("events", events)):
        if not said:
            continue
        like = pd.read_parquet(desk.raw / f"{name}.parquet")
        frame = pd.DataFrame(said).reindex(columns=like.columns)
        for column in like:
            if str(like[column].dtype).startswith("datetime"):
                frame[column] = pd.to_datetime(frame[column], utc=True)
        if "seq" in frame:
            frame["seq"] = range(len(like), len(like) + len(frame))
        pd.concat([like, frame.astype(like.dtypes.to_dict())]).to_parquet(folder / f"{name}.parquet")
