"""Messages out of a Kafka topic: owned by partition, begun durably, done in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record

from pipeline.errors import BrokerError
from pipeline.serving.stream.attempts import Begun
from pipeline.serving.stream.kafka_client import WAIT_SECONDS, Alarm, Cluster, ends, reason, within
from pipeline.serving.stream.transport import FencedError, Holding, Message

_TAKEN_BYTES = 16 << 20
_AHEAD = 100
_JOIN_SECONDS = 3.5
_LOST = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._FENCED,
}


@dataclass
class _Part:
    """A partition that the group has given to this worker."""

    token: int = 0
    begun: Begun = field(default_factory=Begun)
    ahead: deque[Message] = field(default_factory=deque)
    given: deque[Message] = field(default_factory=deque)
    end: int = -1

    def rewind(self) -> None:
        """What was taken and isn't done comes again."""
        self.ahead.extendleft(reversed(self.given))
        self.given.clear()

    def next(self) -> Message | None:
        """The next one, with its tries; it stays where it is."""
        if not self.token or not self.ahead:
            return None
        message = self.ahead[0]
        if self.begun.at < self.begun.until <= int(message.at):
            # The suspects before it are gone from the log.
            self.begun = self.begun.done(int(message.at))
        return replace(message, tries=self.begun.tries(int(message.at)))

    def give(self) -> Message:
        """The same, taken."""
        message = self.next()
        assert message is not None
        self.ahead.popleft()
        self.given.append(message)
        return message


class KafkaInlet:
    """A member of a consumer group.

    Who owns a partition is the group's business: a member that is dead, frozen or doesn't come back within the claim
    time is put out of it, and whatever it still commits is refused by the broker.

    What is begun stands in the metadata of the group's committed offsets, beside the partition's fencing token, which
    each new owner raises by one. So both live as long as the group's offsets do.

    Parameters
    ----------
    cluster : Cluster
    holding : Holding
        The worker's name is for the broker's logs: a member is who it was only with a `group.instance.id` in the
        address, and then its partitions wait for it, after `close` too, for the claim time.
    """

    def __init__(self, cluster: Cluster, holding: Holding) -> None:
        self._cluster = cluster
        # Brokers take 6 s to 30 min.
        session = int(min(max(holding.claim_seconds, 6), 1800) * 1000)
        given = cluster.settings.get("session.timeout.ms", "")
        session = int(given) if given.isdecimal() else session
        self._settings: dict[str, str | int] = {
            "group.id": holding.group,
            "client.id": holding.worker,
            "session.timeout.ms": session,
            "heartbeat.interval.ms": max(min(session // 4, 3000), 1),
            "max.poll.interval.ms": max(session, int(holding.claim_seconds * 1000)),
            # Per partition as well as in all: memory stays flat, whatever the lag.
            "enable.partition.eof": "true",
            "queued.min.messages": 1000,
            "queued.max.messages.kbytes": 16_384,
            "fetch.max.bytes": 16 << 20,
            # How long the reader rests once that much is there: by default longer than it lasts.
            "fetch.queue.backoff.ms": 5,
        }
        self._alarm = Alarm()
        self._consumer = self._open()
        self._subscribed, self._joining = False, 0.0
        self._partitions = 0
        self._parts: dict[int, _Part] = {}
        self._paused = False
        self._committed = Event()
        self._committed.set()

    @property
    def partitions(self) -> int:
        """How many the topic has; known after the first `tend`."""
        return self._partitions

    @property
    def ended(self) -> bool:
        """Never: a topic goes on."""
        return False

    def tend(self) -> Mapping[int, int]:
        """See `Inlet.tend`; a partition is owned once the raised token is committed."""
        self._ready()
        self._serve()
        while not self._parts and self._alarm.error is None and time.monotonic() < self._joining:
            self._read(0.05)  # a group takes a while to take a member in
        self._answering()
        self._settle()
        return {number: part.token for number, part in sorted(self._parts.items()) if part.token}

    def take(self, most: int, seconds: float) -> list[Message]:
        """See `Inlet.take`; what was taken before and isn't done comes again."""
        self._ready()
        end = time.monotonic() + seconds
        for part in self._parts.values():
            part.rewind()
        self._pause(False)
        owned = dict(self._parts)
        if any(not part.token for part in owned.values()):
            # What is new has to be owned first, by `tend`.
            time.sleep(max(min(seconds, 0.05), 0))
            self._serve()
            return []
        found: list[Message] = []
        size = 0
        while len(found) < most and size < _TAKEN_BYTES:
            first = self._first_in_turn()
            message = first.next() if first else None
            if first and message:
                if message.tries > 1 and found:
                    break
                found.append(first.give())
                size += len(message.value)
                if message.tries > 1:
                    break
                continue
            left = end - time.monotonic()
            if not self._read(max(left, 0)) and left <= 0:
                break
            if any(owned.get(number) is not part for number, part in self._parts.items()):
                break
        if not found:
            self._answering()
        # A partition may have been lost while the others were read.
        return [message for message in found if self._parts.get(message.partition) is owned[message.partition]]

    def begin(self, messages: Sequence[Message]) -> None:
        """See `Inlet.begin`: one commit that doesn't advance the offsets.

        Raises
        ------
        FencedError
            A partition isn't this worker's any more; nothing may be written of these messages.
        """
        self._commit({n: self._owned(some).begun.begin(*_ends(some)) for n, some in _split(messages).items()})

    def done(self, messages: Sequence[Message]) -> None:
        """See `Inlet.done`: one commit that advances the offsets. Raises as `begin`."""
        states, left = {}, {}
        for number, some in _split(messages).items():
            part = self._owned(some)
            gone = {message.at for message in some}
            left[number] = deque(message for message in part.given if message.at not in gone)
            following = int(left[number][0].at) if left[number] else _ends(some)[1]
            states[number] = part.begun.done(following)
        self._commit(states)
        for number, given in left.items():
            self._parts[number].given = given

    def lag(self) -> int | None:
        """See `Inlet.lag`: by offsets, so marks of transactions among the messages count as well."""
        total = 0
        for number, part in self._parts.items():
            place = TopicPartition(self._cluster.topic, number)
            try:
                low, high = ends(self._consumer, place, cached=True)
                if high < 0:
                    low, high = ends(self._consumer, place)
            except KafkaException as error:
                raise self._cluster.fault("a topic's end can't be read", error) from None
            done = part.end >= high and not part.ahead and not part.given
            total += 0 if done or not part.token else max(high - max(part.begun.at, low), 0)
        return total

    def close(self) -> None:
        """See `Inlet.close`; where the broker doesn't answer, it finds out by itself."""
        self._parts.clear()
        with suppress(TimeoutError, KafkaException):
            within(WAIT_SECONDS, self._consumer.close)

    def _open(self) -> Consumer:
        return self._cluster.consumer(self._settings, self._alarm)

    def _ready(self) -> None:
        if not self._subscribed:
            cluster = self._cluster
            self._partitions = cluster.partitions_of(self._consumer, cluster.topic, cluster.partitions)
            self._consumer.subscribe([cluster.topic], on_assign=self._gained, on_revoke=self._gone, on_lost=self._gone)
            self._subscribed, self._joining = True, time.monotonic() + _JOIN_SECONDS

    def _gained(self, _: Consumer, places: list[TopicPartition]) -> None:
        for place in places:
            self._parts[place.partition] = _Part()
            self._partitions = max(self._partitions, place.partition + 1)

    def _gone(self, _: Consumer, places: list[TopicPartition]) -> None:
        for place in places:
            self._parts.pop(place.partition, None)

    def _serve(self) -> None:
        """Let the group do its business; messages that come along are kept, up to some."""
        self._pause(self._ahead() >= _AHEAD)
        self._read(0)

    def _ahead(self) -> int:
        return sum(len(part.ahead) for part in self._parts.values())

    def _pause(self, pause: bool) -> None:
        if pause == self._paused:
            return
        places = [TopicPartition(self._cluster.topic, number) for number in self._parts]
        (self._consumer.pause if pause else self._consumer.resume)(places)
        self._paused = pause

    def _first_in_turn(self) -> _Part | None:
        """A partition of which there is something to take: first those with suspects."""
        waiting = [part for part in self._parts.values() if part.token and part.ahead]
        return next((part for part in waiting if part.begun.until > part.begun.at), waiting[0] if waiting else None)

    def _read(self, seconds: float) -> bool:
        """Keep the next message, if one comes."""
        try:
            record = self._consumer.poll(seconds)
        except KafkaException as error:
            raise self._broken(reason(error)) from None
        if record is None:
            return False
        part = self._parts.get(_number(record))
        if (said := record.error()) is not None:
            if said.code() == KafkaError._PARTITION_EOF:
                if part is not None:
                    part.end = record.offset() or 0
                return True
            if said.code() in (*_LOST, KafkaError._MAX_POLL_EXCEEDED) and not said.fatal():
                return True  # the group takes this member in again
            raise self._broken(said)
        if part is not None:
            key = record.key()
            name = key.decode("utf-8", "replace") if key is not None else None
            part.ahead.append(Message(_number(record), str(record.offset()), record.value() or b"", name))
        return True

    def _broken(self, error: KafkaError) -> BrokerError:
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            self._subscribed = False  # it is created anew
        if error.fatal():
            self.close()
            self._consumer, self._subscribed, self._paused = self._open(), False, False
        return self._cluster.fault("messages can't be read", error)

    def _answering(self) -> None:
        """Raise while a broker that was away is so."""
        if (error := self._alarm.error) is None:
            return
        try:
            self._consumer.list_topics(self._cluster.topic, timeout=2)
        except KafkaException:
            raise self._cluster.fault("the broker can't be reached", error) from None
        self._alarm.error = None

    def _settle(self) -> None:
        """Own the partitions that are new: see what was begun of each, and raise its token."""
        new = [TopicPartition(self._cluster.topic, number) for number, part in self._parts.items() if not part.token]
        if not new:
            return
        try:
            states, tokens = {}, {}
            for place in self._consumer.committed(new, timeout=WAIT_SECONDS):
                if place.error:
                    raise KafkaException(place.error)
                at = place.offset
                if at < 0:
                    at = max(ends(self._consumer, place)[0], 0)
                token, states[place.partition] = _decoded(place.metadata, at)
                # A group's offsets may be forgotten or set by hand: tokens grow nevertheless.
                tokens[place.partition] = max(token + 1, int(time.time()))
            self._commit(states, tokens)
        except KafkaException as error:
            raise self._cluster.fault("what was begun can't be read", error) from None
        except FencedError:
            return  # they are somebody else's by now; the group will say so

    def _owned(self, messages: Sequence[Message]) -> _Part:
        part = self._parts.get(messages[0].partition)
        if part is None or not {message.at for message in messages} <= {message.at for message in part.given}:
            raise FencedError(f"partition {messages[0].partition} was given to another worker")
        return part

    def _commit(self, states: Mapping[int, Begun], tokens: Mapping[int, int] | None = None) -> None:
        if not states:
            return
        tokens = tokens or {number: self._parts[number].token for number in states}
        offsets = [
            TopicPartition(self._cluster.topic, number, begun.at, f"{tokens[number]} {begun.encode()}")
            for number, begun in states.items()
        ]
        try:
            # One that hasn't been answered yet may still come after this one.
            if not self._committed.wait(WAIT_SECONDS / 2):
                raise TimeoutError
            self._committed.clear()
            error = within(WAIT_SECONDS, lambda: self._write(offsets))
        except TimeoutError:
            raise self._cluster.fault("offsets can't be committed", "no answer") from None
        if error is not None and error.code() in _LOST:
            raise FencedError(f"partitions {sorted(states)} were given to others: {error.name()}")
        if error is not None:
            raise self._cluster.fault("offsets can't be committed", error)
        for number, begun in states.items():
            self._parts[number].begun, self._parts[number].token = begun, tokens[number]

    def _write(self, offsets: list[TopicPartition]) -> KafkaError | None:
        """Commit; what is wrong with it."""
        try:
            answers = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            return reason(error)
        finally:
            self._committed.set()
        return next((answer.error for answer in answers if answer.error), None)


def _number(record: Record) -> int:
    number = record.partition()
    return -1 if number is None else number


def _split(messages: Sequence[Message]) -> dict[int, list[Message]]:
    parts: dict[int, list[Message]] = {}
    for message in messages:
        parts.setdefault(message.partition, []).append(message)
    return parts


def _ends(messages: Sequence[Message]) -> tuple[int, int]:
    """Offset of the first, and the one after the last."""
    return int(messages[0].at), int(messages[-1].at) + 1


def _decoded(metadata: str | None, at: int) -> tuple[int, Begun]:
    """Token and what is begun, as it was committed; a text of somebody else's says nothing."""
    token, _, text = (metadata or "").partition(" ")
    try:
        begun = Begun.decode(text)
        return int(token), begun if begun.at == at else Begun(at, at)
    except ValueError:
        return 0, Begun(at, at)
