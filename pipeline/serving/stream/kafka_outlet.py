"""Results, dead letters and messages into Kafka topics."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record

from pipeline.serving.stream.kafka_client import WAIT_SECONDS, Cluster, Sender, Settings, ends, reason, within
from pipeline.serving.stream.partition import partition_of
from pipeline.serving.stream.transport import FencedError, Letter, Result, Written

_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}


class _Writer:
    """Writes the results of one partition of the input, each batch in a transaction of its own.

    Its transactional id is that of the partition: when another worker starts a writer of the same id, the broker
    refuses whatever this one still sends.
    """

    def __init__(self, cluster: Cluster, source: str, partition: int, token: int) -> None:
        self.token = token
        self._cluster, self._partition = cluster, partition
        # Below the limit of a transaction, of 60 s, and above that of a call: the next one goes on with what is left.
        limits: Settings = {"message.timeout.ms": 30_000, "linger.ms": 0}
        name = f"{cluster.identity} {source} > {cluster.topic} {partition}"
        settings: Settings = {"transactional.id": name, **limits}
        self._producer = cluster.producer(settings)
        self._state = "new"
        self._keys: list[str] = []

    def start(self) -> None:
        """Fence the older writers of this partition; what they left open is given up."""
        if self._state == "new":
            self._producer.init_transactions(WAIT_SECONDS)
            self._state = "ready"

    def settle(self) -> None:
        """End the transaction that an earlier call had to leave."""
        self.start()
        if self._state in ("open", "aborting"):
            self._state = "aborting"
            self._producer.abort_transaction(WAIT_SECONDS)
            self._state, self._keys = "ready", []
        elif self._state == "committing":
            self.commit()

    def send(self, results: Sequence[Result], partitions: int) -> None:
        """Open a transaction with these results; nothing, where the last one was the same."""
        keys = [result.key for result in results]
        if keys == self._keys:
            return
        self._keys = keys
        self._producer.begin_transaction()
        self._state = "open"
        for result in results:
            named: list[tuple[str, str | bytes | None]] = []
            if result.ticket_id is not None:
                named.append(("ticket_id", result.ticket_id))
            self._producer.produce(
                self._cluster.topic, result.value, result.key, self._partition % partitions, headers=named
            )

    def commit(self) -> None:
        """Make them all visible at once."""
        if self._state != "ready":
            self._state = "committing"
            self._producer.commit_transaction(WAIT_SECONDS)
            self._state = "ready"

    def failed(self, error: KafkaError) -> bool:
        """Note what went wrong; whether the writer is of no more use."""
        astray = error.code() == KafkaError._STATE  # a record after a refused one, or else a fault of ours
        if error.txn_requires_abort() or (astray and self._state == "open"):
            self._state, astray = "open", False
        return error.fatal() or astray or error.code() in _FENCED

    def forget(self) -> None:
        """The next results are others, whatever their keys."""
        self._keys = []

    def close(self) -> None:
        """Let go; an open transaction is given up by the broker, or by the next writer."""
        # Its own `close` warns where there is nothing to warn of; it also goes when nobody holds it any more.
        held = [self._producer]
        del self._producer
        with suppress(TimeoutError):
            within(WAIT_SECONDS, held.clear)


class KafkaOutlet:
    """Results into a topic: keyed, in transactions, each partition of the input by one writer at a time.

    Readers with `isolation.level=read_committed` (librdkafka's default) see only whole batches of the owner; others
    may see a batch that was given up, and that comes again with the same keys.

    A writer is fenced when a newer one of its partition starts, by `own`. So a worker that wakes late can't write;
    should it come as far as `own`, it fences the right owner, can begin nothing itself, and the owner gets a
    FencedError: it has to call `own` again.

    Parameters
    ----------
    cluster : Cluster
    source : str
        Names the stream and the group whose partitions are written. Writers of others are never fenced; workers of one
        group have to name them alike, to the letter.
    """

    def __init__(self, cluster: Cluster, source: str = "") -> None:
        self._cluster, self._source = cluster, source
        self._asking = cluster.producer({})
        self._partitions = 0
        self._tokens: dict[int, int] = {}
        self._writers: dict[int, _Writer] = {}

    def own(self, tokens: Mapping[int, int]) -> None:
        """See `Outlet.own`; it has to be called again after a FencedError."""
        self._tokens = dict(tokens)
        for number in [n for n, writer in self._writers.items() if tokens.get(n) != writer.token]:
            self._writers.pop(number).close()
        end = monotonic() + WAIT_SECONDS
        for number in tokens:
            self._writer(number)
        for number in tokens:
            try:
                self._writers[number].start()
            except KafkaException as error:
                raise self._fault(number, error) from None
            if monotonic() > end:
                break  # the others start when they are written to

    def write(self, results: Sequence[Result]) -> Written:
        """See `Outlet.write`. A call made again with the same results, after it failed, writes what is missing."""
        if not self._partitions:
            cluster = self._cluster
            self._partitions = cluster.partitions_of(self._asking, cluster.topic, cluster.partitions)
        parts: dict[int, list[Result]] = {}
        for result in results:
            parts.setdefault(result.partition, []).append(result)
        faults: list[Exception] = []
        sent = []
        for number, some in parts.items():
            try:
                writer = self._writer(number)
                writer.settle()
                writer.send(some, self._partitions)
                sent.append(number)
            except (KafkaException, BufferError, FencedError) as error:
                faults.append(self._fault(number, error))
        for number in sent:
            try:
                self._writers[number].commit()
            except KafkaException as error:
                faults.append(self._fault(number, error))
        if faults:
            # While a broker is away, the caller tries again: a FencedError would make it drop what can still be sent.
            raise next((fault for fault in faults if not isinstance(fault, FencedError)), faults[0])
        for number in sent:
            self._writers[number].forget()
        return Written(new=len(results))

    def close(self) -> None:
        """See `Outlet.close`."""
        while self._writers:
            self._writers.popitem()[1].close()

    def _writer(self, number: int) -> _Writer:
        if number not in self._tokens:
            raise FencedError(f"partition {number} isn't owned")
        if number not in self._writers:
            self._writers[number] = _Writer(self._cluster, self._source, number, self._tokens[number])
        return self._writers[number]

    def _fault(self, number: int, error: Exception) -> Exception:
        if isinstance(error, FencedError):
            return error
        if isinstance(error, BufferError):
            return self._cluster.fault("results can't be sent", "the queue is full")
        said = reason(error)
        if self._writers[number].failed(said):
            # A new writer would fence the right owner: only `own` makes one.
            self._writers.pop(number).close()
            self._tokens.pop(number)
            if said.code() in _FENCED:
                return FencedError(f"another worker writes of partition {number}")
        return self._cluster.fault("results can't be sent", said)


class KafkaDeadLetters:
    """Dead letters in a topic beside the stream's, `TOPIC.dead`, of one partition and keyed by position.

    The newest record of a position counts; one without a value strikes it off. The topic may be compacted.

    Parameters
    ----------
    cluster : Cluster
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._topic = cluster, f"{cluster.topic}.dead"
        self._sender = Sender(cluster, {"message.timeout.ms": int(WAIT_SECONDS * 1000), "linger.ms": 0})
        self._known = False

    def add(self, letters: Sequence[Letter]) -> None:
        """See `DeadLetters.add`."""
        self._ready()
        for letter in letters:
            headers = [("code", letter.code), ("tries", str(letter.tries)), ("died_at", letter.died_at)]
            headers += [("key", letter.key)] if letter.key is not None else []
            self._sender.send(self._topic, 0, letter.position, letter.value, headers)
        self._sender.flush()

    def letters(self) -> Iterator[Letter]:
        """See `DeadLetters.letters`: what is there when it is called, read twice, so that memory stays flat."""
        self._ready()
        newest: dict[str, int] = {}
        for record in self._records():
            if record.value() is None:
                newest.pop(_text(record.key()), None)
            else:
                newest[_text(record.key())] = record.offset() or 0
        living = set(newest.values())
        for record in self._records() if living else ():
            if record.offset() in living:
                yield _letter(record)

    def retry(self, letter: Letter) -> None:
        """See `DeadLetters.retry`."""
        self._ready()
        self._sender.send(self._cluster.topic, int(letter.position.partition("/")[0]), letter.key, letter.value)
        self._sender.flush()
        self._sender.send(self._topic, 0, letter.position, None)
        self._sender.flush()

    def close(self) -> None:
        """See `DeadLetters.close`: nothing is left to send."""

    def _ready(self) -> None:
        if not self._known:
            self._cluster.partitions_of(self._sender.producer, self._topic, 1)
            self._known = True

    def _records(self) -> Iterator[Record]:
        # A group is never joined here: only a name is asked for.
        settings: Settings = {"group.id": "triage-dead", "queued.max.messages.kbytes": 16_384}
        reader = self._cluster.consumer({**settings, "enable.partition.eof": "true", "fetch.wait.max.ms": 50})
        try:
            place = TopicPartition(self._topic, 0)
            low, end = ends(reader, place)
            place.offset = low
            reader.assign([place])
            quiet = monotonic() + WAIT_SECONDS
            while (record := reader.poll(0.2)) is not None or monotonic() < quiet:
                if record is None:
                    continue
                error, offset = record.error(), record.offset() or 0
                if offset >= end or (error is not None and error.code() == KafkaError._PARTITION_EOF):
                    return
                if error is not None:
                    raise KafkaException(error)
                yield record
                quiet = monotonic() + WAIT_SECONDS
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        except KafkaException as error:
            raise self._cluster.fault("dead letters can't be read", error) from None
        finally:
            within(WAIT_SECONDS, reader.close)


class KafkaFeed:
    """Messages into a topic, those of one ticket into one partition.

    Parameters
    ----------
    cluster : Cluster
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sender = Sender(cluster, {"queue.buffering.max.kbytes": 32_768, "linger.ms": 20})
        self._partitions = 0

    def put(self, messages: Sequence[tuple[str | None, bytes]]) -> None:
        """See `Feed.put`. After an error some of them may be sent, and come again when they are put again."""
        if not self._partitions:
            cluster = self._cluster
            self._partitions = cluster.partitions_of(self._sender.producer, cluster.topic, cluster.partitions)
        for ticket_id, value in messages:
            number = zlib.crc32(value) % self._partitions
            if ticket_id is not None:
                number = partition_of(ticket_id, self._partitions)
            self._sender.send(self._cluster.topic, number, ticket_id, value)

    def close(self) -> None:
        """See `Feed.close`; after an error it may be called again, to go on waiting."""
        self._sender.flush()


def _letter(record: Record) -> Letter:
    said = {name: _text(value) for name, value in dict(record.headers() or []).items()}
    position = _text(record.key())
    tries = said.get("tries", "")
    return Letter(
        code=said.get("code", ""),
        tries=int(tries) if tries.isdecimal() else 0,
        position=position,
        died_at=said.get("died_at", ""),
        key=said.get("key"),
        value=record.value() or b"",
        id=position,
    )


def _text(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
