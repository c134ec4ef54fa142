"""Clients of a Kafka cluster: how an address sets them up, and what their faults are called."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pipeline.errors import BrokerError, InputError
from pipeline.serving.stream.transport import Place

try:
    from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
except ImportError:
    raise InputError("Kafka needs its client", do="pip install 'triage-tickets[stream]'") from None

WAIT_SECONDS = 4.0
"""How long a call waits for a broker's answer; one that needs several answers waits less for each."""

PASSWORD = "TRIAGE_KAFKA_PASSWORD"
"""The environment variable that `sasl.password` is taken from, where the address has none."""

_OURS = {
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "debug",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "metadata.broker.list",
    "partition.assignment.strategy",
}
_SECRET = re.compile("password|secret|pem|token|oauthbearer.config")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
_AWAY = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._AUTHENTICATION,
    KafkaError._RESOLVE,
    KafkaError._SSL,
    KafkaError._TRANSPORT,
}

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())  # without one, Python prints warnings on stderr

Settings = Mapping[str, str | int]
"""Of librdkafka."""

T = TypeVar("T")


class Alarm:
    """What librdkafka calls when a broker is away; it goes on trying by itself."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        if error.code() in _AWAY:
            self.error = error


@dataclass(frozen=True)
class Cluster:
    """A cluster and a topic of it.

    Attributes
    ----------
    shown : str
        Its address without secrets.
    topic : str
    partitions : int
        How many the topic gets if it has to be created.
    identity : str
        With which the names of transactional producers begin.
    settings : mapping of str to str
        Of librdkafka, from the address.
    """

    shown: str
    topic: str
    partitions: int
    identity: str
    settings: Mapping[str, str] = field(repr=False)

    def hide(self, text: str) -> str:
        """A text of librdkafka without the secrets of the address."""
        for name, value in self.settings.items():
            if value and _SECRET.search(name):
                text = text.replace(value, "…")
        return text

    def consumer(self, ours: Settings, alarm: Alarm | None = None) -> Consumer:
        """A consumer that reads what is committed, from the start where nothing else is known."""
        made: Consumer = self._client(
            Consumer,
            alarm,
            {
                "auto.offset.reset": "earliest",
                "enable.auto.commit": "false",
                "enable.auto.offset.store": "false",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "range",
            },
            ours,
        )
        return made

    def producer(self, ours: Settings, alarm: Alarm | None = None) -> Producer:
        """A producer whose own retries neither repeat nor reorder anything."""
        # The broker's limit counts, not the client's, which is lower.
        fixed: Settings = {"enable.idempotence": "true", "acks": "all", "message.max.bytes": 1 << 24}
        made: Producer = self._client(Producer, alarm, fixed, ours)
        return made

    def partitions_of(self, client: Consumer | Producer, topic: str, partitions: int) -> int:
        """How many partitions a topic has; it is created where it is missing.

        Raises
        ------
        BrokerError
            No answer, or no topic, and it may not be created.
        """
        try:
            # Asked for one topic, brokers may create it with a number of partitions of their own.
            found = client.list_topics(timeout=WAIT_SECONDS).topics.get(topic)
            if found is None or not found.partitions:
                why = self._create(topic, partitions)
                found = client.list_topics(topic, timeout=2).topics.get(topic)
                if found is None or found.error or not found.partitions:
                    do = f"create it: kafka-topics.sh --create --topic {topic} --partitions {partitions}"
                    raise BrokerError(f"no topic {topic}", where=self.shown, got=self.hide(why), do=do)
        except KafkaException as error:
            raise self.fault("the topic can't be looked up", error) from None
        return len(found.partitions)

    def fault(self, what: str, error: Exception | KafkaError | str) -> BrokerError:
        """A fault of the cluster, without secrets."""
        got = error if isinstance(error, str) else reason(error).str()
        do = "check that the broker runs and lets you in; it is tried again"
        return BrokerError(what, where=self.shown, got=self.hide(got), do=do)

    def _create(self, topic: str, partitions: int) -> str:
        """Why it can't be created; empty where it is."""
        admin = self._client(AdminClient, None, {}, {})
        try:
            # A factor of −1 is the broker's default.
            admin.create_topics([NewTopic(topic, partitions, -1)], request_timeout=2)[topic].result(3)
        except KafkaException as error:
            return reason(error).str()
        except TimeoutError:
            return "no answer"
        return ""

    def _client(
        self,
        kind: Callable[..., Any],
        alarm: Alarm | None,
        fixed: Mapping[str, str | int],
        ours: Mapping[str, str | int],
    ) -> Any:
        settings: dict[str, Any] = {
            "client.id": "triage",
            "log_level": 2,
            "reconnect.backoff.max.ms": 2000,
            "socket.timeout.ms": 10_000,
            "error_cb": alarm or Alarm(),
            **ours,
            **self.settings,
            **fixed,
        }
        try:
            return kind(settings, logger=_LOG)
        except (KafkaException, TypeError, ValueError) as error:
            got = reason(error).str() if isinstance(error, KafkaException) else str(error)
            do = "see librdkafka's CONFIGURATION.md for what may follow the question mark"
            raise InputError("a wrong option", where=self.shown, got=self.hide(got), do=do) from None


def read_place(place: Place) -> Cluster:
    """The cluster of an address `kafka://HOST:PORT,HOST:PORT/TOPIC?OPTION=VALUE&…`.

    Raises
    ------
    InputError
        No host, no topic, or an option that is none or isn't the user's to set.
    """
    user, _, hosts = urlsplit(place.text).netloc.rpartition("@")
    if not hosts or not _TOPIC.fullmatch(place.path):
        do = "write kafka://HOST:PORT/TOPIC"
        raise InputError("no host, or no topic that Kafka allows", where=place.shown, do=do)
    options = dict(place.options)
    if fixed := sorted(_OURS & options.keys()):
        raise InputError("an option that is always set by Triage", where=place.shown, got=fixed[0], do="leave it out")
    partitions = options.pop("partitions", "4")
    if not partitions.isdecimal() or not int(partitions):
        raise InputError("not a number of partitions", where=place.shown, got=f"partitions={partitions}", do="write 4")
    identity = options.pop("transactional.id", "triage")
    if user:
        name, _, password = user.partition(":")
        options.setdefault("sasl.username", unquote(name))
        if password:
            options.setdefault("sasl.password", unquote(password))
    if "sasl.password" not in options and (known := os.environ.get(PASSWORD)):
        options["sasl.password"] = known
    return Cluster(place.shown, place.path, int(partitions), identity, {**options, "bootstrap.servers": hosts})


def reason(error: Exception | KafkaError) -> KafkaError:
    """What librdkafka says in an exception."""
    if isinstance(error, KafkaError):
        return error
    said = error.args[0] if error.args else None
    return said if isinstance(said, KafkaError) else KafkaError(KafkaError._FAIL, type(error).__name__)


class Sender:
    """Sends records to any topic of a cluster, and says when they are safe.

    Parameters
    ----------
    cluster : Cluster
    ours : Settings
        Of the producer.
    """

    def __init__(self, cluster: Cluster, ours: Settings) -> None:
        self._cluster, self._ours = cluster, ours
        self.producer = cluster.producer(ours)
        self._failed: KafkaError | None = None

    def send(
        self,
        topic: str,
        partition: int,
        key: str | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]] = (),
    ) -> None:
        """Queue a record; waits where the queue is full.

        Raises
        ------
        BrokerError
            This one, or one before it, can't be sent.
        """
        end = monotonic() + WAIT_SECONDS
        name = key.encode() if key is not None else None
        while True:
            self._raise()
            try:
                self.producer.produce(topic, value, name, partition, on_delivery=self._delivered, headers=list(headers))
            except BufferError:
                if monotonic() > end:
                    raise self._cluster.fault("a record can't be sent", "its queue is full") from None
                self.producer.poll(0.1)
            except KafkaException as error:
                raise self._fault(reason(error)) from None
            else:
                self.producer.poll(0)
                return

    def flush(self) -> None:
        """Wait until everything sent is safe.

        Raises
        ------
        BrokerError
            It isn't.
        """
        left = self.producer.flush(WAIT_SECONDS)
        self._raise()
        if left:
            raise self._cluster.fault("records can't be sent", f"no answer for {left} of them")

    def _delivered(self, error: KafkaError | None, _: object) -> None:
        self._failed = error or self._failed

    def _raise(self) -> None:
        if failed := self._failed:
            self._failed = None
            raise self._fault(failed)

    def _fault(self, error: KafkaError) -> BrokerError:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.producer = self._cluster.producer(self._ours)
        return self._cluster.fault("a record can't be sent", error)


def ends(client: Consumer, place: TopicPartition, *, cached: bool = False) -> tuple[int, int]:
    """The first offset of a partition, and the one after the last; both −1 where they aren't known yet.

    Raises
    ------
    KafkaException
        No answer.
    """
    found: tuple[int, int] | None = client.get_watermark_offsets(place, timeout=WAIT_SECONDS / 3, cached=cached)
    low, high = found or (-1, -1)
    return max(low, -1), max(high, -1)


def within(seconds: float, call: Callable[[], T]) -> T:
    """What a call of librdkafka gives that has no time limit of its own.

    Raises
    ------
    TimeoutError
        It hasn't ended yet; nobody waits for it any more.
    """
    box: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            box.put((call(), None))
        except Exception as error:
            box.put((None, error))

    Thread(target=run, name="kafka", daemon=True).start()
    try:
        value, error = box.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
