"""Redis Streams: partitions with one owner at a time, results written once for each key, and dead letters.

A place is `redis://[USER:PASSWORD@]HOST[:PORT][/DB][?OPTIONS]`, or `rediss://` for TLS. Options of an inlet, of
its dead letters and of a feed: `stream` (default `tickets`), `partitions` (kept at the broker by whoever comes first: 4
unless said; another number later is an error), `trim=done` (what all groups have done is deleted; without it nothing
is). Of an outlet: `stream` (default `scored`), `keep_days` (how long a key is remembered, default 7), `maxlen` (about
how many results the stream keeps; all unless said). Of both: `timeout_seconds` (default 10). `SSL_CERT_FILE`
says whose certificates are trusted.

Memory of the server: a key takes some for as long as it is kept (`MEMORY USAGE` says how much), besides
the streams. `maxmemory-policy` has to be `noeviction`, its default: any other forgets keys.

How safe a write is, the server decides: `appendonly yes` with `appendfsync always` loses nothing; with `everysec` a
crash may lose the last two seconds. What is lost is the newest, so where messages and results are on one server,
a lost result is scored again; where they are on two, that of the results needs `always`. Groups and inlet streams may
share an outlet stream: each has a fence of its own.

All keys are used together in scripts, so a Redis Cluster can't hold them. See `redis_scripts` for the keys.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from secrets import token_hex
from zlib import crc32

from pipeline.errors import BrokerError, InputError
from pipeline.serving.stream import redis_scripts as scripts
from pipeline.serving.stream.partition import partition_of
from pipeline.serving.stream.redis_server import Arg, Options, Server
from pipeline.serving.stream.transport import FencedError, Holding, Letter, Message, Place, Result, Written

PARTITIONS = 4
"""How many a stream gets where nobody says: as many workers can share it."""

BATCH_BYTES = 16_000_000
"""Values of one batch together; a larger one comes alone."""

SENT_AT_ONCE = 1_000
"""Messages of one script, results and acknowledgements too: the server does nothing else meanwhile."""

_INLET = ("stream", "partitions", "trim", "timeout_seconds")
_OUTLET = ("stream", "keep_days", "maxlen", "timeout_seconds")
_MOST_PARTITIONS = 1024
_DAY_SECONDS = 86_400
_LETTERS_AT_ONCE = 16


def open_inlet(place: Place, holding: Holding) -> RedisInlet:
    """Where messages are taken from.

    Raises
    ------
    InputError
        A wrong option, or the extra `stream` isn't installed.
    """
    return RedisInlet(place, holding)


def open_outlet(place: Place, source: str = "") -> RedisOutlet:
    """Where results go. Raises as `open_inlet`."""
    return RedisOutlet(place, source)


def open_dead(place: Place) -> RedisDeadLetters:
    """The dead letters of an inlet's stream. Raises as `open_inlet`."""
    return RedisDeadLetters(place)


def open_feed(place: Place) -> RedisFeed:
    """The way into an inlet's stream. Raises as `open_inlet`."""
    return RedisFeed(place)


class _Stream:
    """What an inlet, its dead letters and its feed have in common: one address."""

    def __init__(self, place: Place) -> None:
        options = Options(place, _INLET, "tickets")
        self.name, self.place = options.stream, place
        self.wished = options.whole("partitions", _MOST_PARTITIONS)
        trim = place.options.get("trim", "")
        if trim not in ("", "done"):
            raise options.wrong("trim isn't a way to trim", trim, "write trim=done, or leave it out")
        self.trim = trim == "done"
        self.server = Server(place, options.timeout_seconds)

    def key(self, *parts: object) -> str:
        return ":".join(map(str, (self.name, *parts)))

    def check(self, count: int) -> None:
        """The partitions that the place wishes are those that there are."""
        if self.wished not in (None, count):
            do = f"leave partitions out, or write {count}; for another number make a new stream"
            what = f"the stream has {count} partitions"
            raise InputError(what, where=self.place.shown, got=f"partitions={self.wished}", do=do)


class RedisInlet:
    """See `transport.Inlet`; for one thread.

    What is taken and not yet done is pending at the broker, and is looked for there when the next batch begins. The
    list of it here only says which partitions aren't given up now.
    """

    ended = False

    def __init__(self, place: Place, holding: Holding) -> None:
        self._stream, self._holding = _Stream(place), holding
        self._life, self._begins = token_hex(8), True
        self._tokens: dict[int, int] = {}
        self._taken: dict[int, set[str]] = {}
        self._partitions = self._turn = 0

    @property
    def partitions(self) -> int:
        """See `Inlet.partitions`; 0 before."""
        return self._partitions

    def tend(self) -> Mapping[int, int]:
        """See `Inlet.tend`.

        A partition of which messages are taken and not done isn't given up for the sake of a fair share.

        Raises
        ------
        BrokerError
            Also where a process that began later works under the same name.
        InputError
            The stream has another number of partitions than the place says.
        """
        stream, holding = self._stream, self._holding
        busy = [p for p, taken in self._taken.items() if taken]
        claim_ms = max(1, int(holding.claim_seconds * 1000))
        who: list[Arg] = [holding.worker, self._life, int(self._begins), claim_ms, stream.wished or "", PARTITIONS]
        keys = [stream.key("meta"), *(self._of_group(n) for n in ("workers", "lives", "owners", "tokens"))]
        count, word, *owned = stream.server.run(scripts.TEND, keys, [*who, *busy])
        stream.check(count)
        if word == b"other life":
            self._tokens, self._taken = {}, {}
            do = "give each worker its own name, the same after its restart"
            raise BrokerError(
                "another process works under this name", where=stream.place.shown, got=holding.worker, do=do
            )
        self._begins, self._partitions = False, count
        self._tokens = {int(p): int(token) for p, token in zip(owned[::2], owned[1::2], strict=True)}
        self._taken = {p: taken for p, taken in self._taken.items() if p in self._tokens}
        return dict(self._tokens)

    def take(self, most: int, seconds: float) -> list[Message]:
        """See `Inlet.take`. Values are 16 MB together at most; a larger one comes alone."""
        until = time.monotonic() + seconds
        pause = max(0.005, seconds / 8)
        taken: list[Message] = []
        while True:
            try:
                word, found, stands = self._read(most - len(taken), BATCH_BYTES - _bytes(taken), begins=not taken)
            except BrokerError:
                if taken:
                    return taken  # they were read: thrown away they would come back as begun
                raise
            taken += found
            left = until - time.monotonic()
            if word != b"more" or left <= 0:
                return taken
            if taken:
                time.sleep(min(pause, left))  # to wake for each message would be dearer than the delay
            elif stands:
                self._stream.server.wait(stands, left)
            else:
                time.sleep(left)
                return []

    def begin(self, messages: Sequence[Message]) -> None:
        """Nothing: the broker has counted them when they were taken."""

    def done(self, messages: Sequence[Message]) -> None:
        """See `Inlet.done`."""
        stream = self._stream
        for partition in dict.fromkeys(m.partition for m in messages):
            ids = [m.at for m in messages if m.partition == partition]
            for begin in range(0, len(ids), SENT_AT_ONCE):
                args: list[Arg] = [self._holding.group, int(stream.trim), *ids[begin : begin + SENT_AT_ONCE]]
                stream.server.run(scripts.DONE, [stream.key(partition)], args)
            self._taken.get(partition, set()).difference_update(ids)

    def lag(self) -> int | None:
        """See `Inlet.lag`; None after messages in the middle of a partition were deleted."""
        keys = [self._stream.key(p) for p in self._tokens]
        found: int = self._stream.server.run(scripts.LAG, keys, [self._holding.group]) if keys else 0
        return None if found < 0 else found

    def close(self) -> None:
        """Give the partitions back; where the broker is away, they lapse by themselves."""
        keys = [self._of_group(n) for n in ("workers", "lives", "owners")]
        with suppress(BrokerError):
            self._stream.server.run(scripts.LEAVE, keys, [self._holding.worker, self._life])
        self._tokens, self._taken, self._begins = {}, {}, True
        self._stream.server.close()

    def _read(self, most: int, room: int, *, begins: bool) -> tuple[bytes, list[Message], dict[str, str]]:
        """What is there now; whether more would fit; and where to wait, by streams."""
        if not self._tokens:
            return b"more", [], {}
        stream, owned = self._stream, sorted(self._tokens)
        self._turn += 1  # another partition is first each time, so that a busy one doesn't keep the others waiting
        owned = [owned[(self._turn + i) % len(owned)] for i in range(len(owned))]
        keys = [self._of_group("tokens"), *(stream.key(p) for p in owned)]
        pairs = [n for p in owned for n in (p, self._tokens[p])]
        args: list[Arg] = [self._holding.group, most, room, int(begins), *pairs]
        lost, word, found, stands = stream.server.run(scripts.TAKE, keys, args)
        for partition in lost:
            self._tokens.pop(int(partition))
            self._taken.pop(int(partition), None)
        messages = [_message(*entry) for entry in found]
        for m in messages:
            self._taken.setdefault(m.partition, set()).add(m.at)
        return word, messages, {stream.key(p): at.decode() for p, at in zip(owned, stands, strict=True) if at}

    def _of_group(self, name: str) -> str:
        return self._stream.key(self._holding.group, name)


class RedisOutlet:
    """See `transport.Outlet`; for one thread."""

    def __init__(self, place: Place, source: str) -> None:
        options = Options(place, _OUTLET, "scored")
        self._name, self._place = options.stream, place
        self._keep_seconds = int((options.number("keep_days", 0.001, 36_500) or 7) * _DAY_SECONDS)
        self._most = options.whole("maxlen", 1_000_000_000)
        self._server = Server(place, options.timeout_seconds)
        self._tokens: dict[int, int] = {}
        self._fence = f"{self._name}:fence:{source}"

    def own(self, tokens: Mapping[int, int]) -> None:
        """See `Outlet.own`; `tokens` are all that are owned."""
        if tokens:
            pairs = [n for pair in tokens.items() for n in pair]
            self._server.run(scripts.OWN, [self._fence], pairs)
        self._tokens = dict(tokens)

    def write(self, results: Sequence[Result]) -> Written:
        """See `Outlet.write`. Partitions are written one after the other; the others are, where one is fenced off."""
        new = written = 0
        fenced = []
        for partition in dict.fromkeys(r.partition for r in results):
            mine = [r for r in results if r.partition == partition]
            for begin in range(0, len(mine), SENT_AT_ONCE):
                found = self._put(partition, mine[begin : begin + SENT_AT_ONCE])
                if found < 0:
                    fenced.append(partition)
                    break
                new, written = new + found, written + len(mine[begin : begin + SENT_AT_ONCE])
        if fenced:
            raise FencedError(f"another worker owns {', '.join(map(str, fenced))} of {self._place.shown}")
        return Written(new, written - new)

    def close(self) -> None:
        """See `Outlet.close`."""
        self._server.close()

    def _put(self, partition: int, results: Sequence[Result]) -> int:
        """How many were new; −1 where nothing was written as the partition isn't owned."""
        if (token := self._tokens.get(partition)) is None:
            return -1
        args: list[Arg] = [partition, token, f"{self._name}:key:", self._keep_seconds, self._most or ""]
        for r in results:
            args += [r.key, int(r.ticket_id is not None), r.ticket_id or "", r.value]
        found: int = self._server.run(scripts.WRITE, [self._fence, self._name], args)
        return found


class RedisDeadLetters:
    """See `transport.DeadLetters`. They are kept until somebody retries them."""

    def __init__(self, place: Place) -> None:
        self._stream = _Stream(place)
        self._keys = [self._stream.key("dead"), self._stream.key("dead", "positions")]

    def add(self, letters: Sequence[Letter]) -> None:
        """See `DeadLetters.add`."""
        for begin in range(0, len(letters), SENT_AT_ONCE):
            args: list[Arg] = []
            for m in letters[begin : begin + SENT_AT_ONCE]:
                args += [m.code, m.tries, m.position, m.died_at, int(m.key is not None), m.key or "", m.value]
            self._stream.server.run(scripts.BURY, self._keys, args)

    def letters(self) -> Iterator[Letter]:
        """See `DeadLetters.letters`."""
        after = "0-0"
        while page := self._stream.server.page(self._keys[0], after, _LETTERS_AT_ONCE):
            yield from (_letter(at, fields) for at, fields in page)
            after = page[-1][0].decode()

    def retry(self, letter: Letter) -> None:
        """See `DeadLetters.retry`. Nothing happens to one that isn't there any more: it was sent by then."""
        partition = letter.position.partition("/")[0]
        keys = [*self._keys, self._stream.key(partition)]
        self._stream.server.run(scripts.RETRY, keys, [letter.id, letter.position])

    def close(self) -> None:
        """See `DeadLetters.close`."""
        self._stream.server.close()


class RedisFeed:
    """See `transport.Feed`. What `put` has sent is as safe as the server makes it."""

    def __init__(self, place: Place) -> None:
        self._stream = _Stream(place)
        self._count: int | str = self._stream.wished or ""

    def put(self, messages: Sequence[tuple[str | None, bytes]]) -> None:
        """See `Feed.put`; one without a ticket goes where the hash of its bytes says.

        Raises
        ------
        BrokerError
            Of a thousand messages, or 16 MB, all were sent or none; those before them were.
        InputError
            The stream has another number of partitions than the place says.
        """
        begin = 0
        while begin < len(messages):
            end, size = begin + 1, len(messages[begin][1])
            while end < min(begin + SENT_AT_ONCE, len(messages)) and size + len(messages[end][1]) <= BATCH_BYTES:
                size += len(messages[end][1])
                end += 1
            while not self._put(messages[begin:end]):
                pass  # the count was learned: it can't be another one twice
            begin = end

    def close(self) -> None:
        """See `Feed.close`."""
        self._stream.server.close()

    def _put(self, messages: Sequence[tuple[str | None, bytes]]) -> bool:
        """Whether they were sent: not where the stream has another number of partitions than was thought."""
        stream, count = self._stream, self._count
        args: list[Arg] = [stream.name, count, stream.wished or "", PARTITIONS]
        for ticket_id, value in messages if count != "" else ():
            partition = crc32(value) % int(count) if ticket_id is None else partition_of(ticket_id, int(count))
            args += [partition, int(ticket_id is not None), ticket_id or "", value]
        self._count = stream.server.run(scripts.PUT, [stream.key("meta")], args)
        stream.check(int(self._count))
        return self._count == count


def _bytes(messages: Sequence[Message]) -> int:
    return sum(len(m.value) for m in messages)


def _message(partition: bytes, at: bytes, tries: int, value: bytes, key: bytes | None = None) -> Message:
    return Message(int(partition), at.decode(), value, None if key is None else key.decode("utf-8", "replace"), tries)


def _letter(at: bytes, fields: Mapping[bytes, bytes]) -> Letter:
    """One as it is kept; what somebody else has put there may lack anything."""
    text = {name: value.decode("utf-8", "replace") for name, value in fields.items() if name != b"value"}
    tries = text.get(b"tries", "")
    return Letter(
        code=text.get(b"code", ""),
        tries=int(tries) if tries.isdecimal() else 0,
        position=text.get(b"position", ""),
        died_at=text.get(b"died_at", ""),
        key=text.get(b"key"),
        value=fields.get(b"value", b""),
        id=at.decode(),
    )
