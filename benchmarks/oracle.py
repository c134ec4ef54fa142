"""What a stream owes for what was sent, against what a consumer finds: by golden records, sharing no code with Triage.

A result is a JSON line that ends with `,"key":"…"}`; without its key it must have the bytes of the golden record. The
first result of a key counts; one more of the same key is a repeat, and must be the same byte for byte.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_KEYED = re.compile(rb',"key":"([^"\\]+)"}\Z')


@dataclass
class Sent:
    """One message, and what is owed for it.

    Attributes
    ----------
    value : bytes
    ticket_id : str or None
        None where the message names none.
    golden : bytes or None
        The record it must come to. None: a person decides, with one of `codes`.
    others : tuple of bytes
        Records that will do as well: by another scorer that was in service meanwhile. One of all of them is owed.
    codes : tuple of str
        Codes of a poison's row and letter.
    tries : tuple of int
        How often a poison may have been begun: least and most.
    least, most : int
        How often it was sent: most counts what a dying broker may have taken without saying so.
    """

    value: bytes
    ticket_id: str | None
    golden: bytes | None
    codes: tuple[str, ...] = ()
    tries: tuple[int, int] = (1, 1_000_000)
    least: int = 0
    most: int = 0
    others: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Letter:
    """A dead letter as it was found."""

    value: bytes
    code: str
    tries: int


@dataclass(frozen=True)
class Found:
    """What a consumer finds when all is over.

    Attributes
    ----------
    results : sequence of bytes
        In their order.
    letters : sequence of Letter
    waiting : int
        Messages that aren't done.
    drops : bool
        Whether the sink promises to drop repeats.
    """

    results: Sequence[bytes]
    letters: Sequence[Letter]
    waiting: int
    drops: bool = True


@dataclass
class Verdict:
    """Counts, and what is wrong.

    Attributes
    ----------
    messages, tickets : int
        That were sent.
    results, repeats, letters : int
        That were found; results are effective ones.
    wrong : Counter
        Kind of fault → how many: missing, doubled, altered, unknown, letters, waiting.
    examples : list of str
        The first of them, by ticket id.
    """

    messages: int = 0
    tickets: int = 0
    results: int = 0
    repeats: int = 0
    letters: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def blame(self, kind: str, what: object, count: int = 1) -> None:
        """Note something wrong."""
        self.wrong[kind] += count
        if len(self.examples) < 20:
            self.examples.append(f"{kind}: {what}")


def judge(sent: Iterable[Sent], found: Found) -> Verdict:
    """Hold what was found against what is owed.

    Parameters
    ----------
    sent : iterable of Sent
        Those that were never sent (`most` 0) are left out.
    found : Found

    Returns
    -------
    Verdict
        `wrong` is empty where nothing is.
    """
    owed = [s for s in sent if s.most]
    verdict = Verdict(messages=sum(s.least for s in owed), tickets=len({s.ticket_id for s in owed if s.ticket_id}))
    by_ticket: defaultdict[str | None, list[bytes]] = defaultdict(list)
    for record in _effective(found, verdict):
        name = json.loads(record).get("ticket_id")
        by_ticket[name].append(record)
    poisons: defaultdict[str, list[Sent]] = defaultdict(list)
    golden: defaultdict[str, set[frozenset[bytes]]] = defaultdict(set)
    for s in owed:
        if s.ticket_id is None:
            continue
        if s.golden is None:
            poisons[s.ticket_id].append(s)
        else:
            golden[s.ticket_id].add(frozenset({s.golden, *s.others}))
    nameless = Counter(by_ticket.pop(None, []))
    for name in golden.keys() | by_ticket.keys() - poisons.keys():
        _ticket(name, golden[name], by_ticket.get(name, []), verdict)
    for name, them in poisons.items():
        _poison(name, them, by_ticket.get(name, []), nameless, verdict)
    _nameless([s for s in owed if s.ticket_id is None], nameless, verdict)
    _letters(owed, found.letters, verdict)
    if found.waiting:
        verdict.blame("waiting", f"{found.waiting} messages", found.waiting)
    return verdict


def _effective(found: Found, verdict: Verdict) -> list[bytes]:
    """The first result of each key, without the key."""
    first: dict[bytes, bytes] = {}
    for line in found.results:
        match = _KEYED.search(line)
        if match is None or not _is_record(line):
            verdict.blame("unknown", f"no result: {len(line)} bytes")
            continue
        key = match[1]
        if key not in first:
            first[key] = line
            continue
        verdict.repeats += 1
        if first[key] != line:
            verdict.blame("altered", f"a repeat of {key.decode()[:12]} differs")
        elif found.drops:
            verdict.blame("doubled", f"{key.decode()[:12]} was not dropped")
    verdict.results = len(first)
    return [_KEYED.sub(b"}", line) for line in first.values()]


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _ticket(name: str | None, golden: set[frozenset[bytes]], records: list[bytes], verdict: Verdict) -> None:
    """One ticket: of each group of golden records at least one, each once and under one key, and nothing else."""
    there, every = Counter(records), {g for group in golden for g in group}
    lacking = [group for group in golden if not group & there.keys()]
    missing = {g for group in lacking for g in group}
    moments = {json.loads(m).get("as_of") for m in missing}
    for record in [r for r in there if r not in every]:
        altered = json.loads(record).get("as_of") in moments
        if altered:
            moments.discard(json.loads(record).get("as_of"))
        verdict.blame("altered" if altered else "unknown", f"{name}: {_difference(record, missing)}")
    altered_count = len({json.loads(m).get("as_of") for m in missing}) - len(moments)
    if len(lacking) > altered_count:
        verdict.blame("missing", name, len(lacking) - altered_count)
    if again := sum(there[g] - 1 for g in every if there[g] > 1):
        verdict.blame("doubled", f"{name} under another key", again)


def _difference(record: bytes, missing: set[bytes]) -> str:
    """Fields in which a record differs from the golden one of its moment."""
    said = json.loads(record)
    for golden in map(json.loads, missing):
        if golden.get("as_of") == said.get("as_of"):
            names = [n for n in {**golden, **said} if golden.get(n) != said.get(n)]
            return ", ".join(f"{n} {said.get(n)!r:.60} for {golden.get(n)!r:.60}" for n in names) or "other bytes"
    return f"as of {said.get('as_of')}, error {said.get('error')}"


def _poison(name: str, them: list[Sent], records: list[bytes], nameless: Counter[bytes], verdict: Verdict) -> None:
    """A poison's row is one for a person; where nothing but its bytes name the ticket, the row names none."""
    least, most, rows = sum(s.least for s in them), sum(s.most for s in them), [*records]
    if not rows:
        for record in [r for r, left in nameless.items() if left > 0 and json.loads(r).get("error") in them[0].codes]:
            rows.append(record)
            nameless[record] -= 1
            break
    if not least <= len(rows) <= most:  # a row for each position: what it says was never read
        verdict.blame("missing" if len(rows) < least else "doubled", f"{name}: {len(rows)} rows")
    for row in map(json.loads, rows):
        if row.get("error") not in them[0].codes or row.get("queue_reason") != f"fallback:{row.get('error')}":
            verdict.blame("altered", f"{name}: {row.get('error')}, {row.get('queue_reason')}")


def _nameless(owed: list[Sent], there: Counter[bytes], verdict: Verdict) -> None:
    """Messages without a ticket: one row for each that was sent, as nothing tells two of them apart."""
    least: Counter[bytes] = Counter()
    most: Counter[bytes] = Counter()
    for s in owed:
        assert s.golden is not None
        least[s.golden] += s.least
        most[s.golden] += s.most
    for record in least.keys() | +there:
        if there[record] < least[record]:
            verdict.blame("missing", "a nameless message", least[record] - there[record])
        if there[record] > most[record]:
            kind = "doubled" if record in most else "unknown"
            verdict.blame(kind, f"a nameless row, {json.loads(record).get('error')}", there[record] - most[record])


def _letters(owed: list[Sent], letters: Sequence[Letter], verdict: Verdict) -> None:
    """One letter for each bad message that was sent, with its code and its count; none for another."""
    verdict.letters = len(letters)
    there: defaultdict[bytes, list[Letter]] = defaultdict(list)
    for letter in letters:
        there[letter.value].append(letter)
    groups: defaultdict[bytes, list[Sent]] = defaultdict(list)
    for s in owed:
        groups[s.value].append(s)
    for value, them in groups.items():
        s, own = them[0], there.pop(value, [])
        codes = s.codes if s.golden is None else (json.loads(s.golden).get("error"),)
        if codes == (None,):
            if own:
                verdict.blame("letters", f"{s.ticket_id} is good, and dead of {own[0].code} after {own[0].tries}")
            continue
        least, most = sum(t.least for t in them), sum(t.most for t in them)
        if not least <= len(own) <= most:
            verdict.blame("letters", f"{s.ticket_id}: {len(own)} where {least} to {most} are owed")
        for letter in own:
            if letter.code not in codes or not s.tries[0] <= letter.tries <= s.tries[1]:
                verdict.blame("letters", f"{s.ticket_id}: {letter.code} after {letter.tries}")
    for value in there:
        verdict.blame("letters", f"of {len(value)} bytes that nobody sent", len(there[value]))
