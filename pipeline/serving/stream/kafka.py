"""Kafka as a stream's broker: `kafka://HOST:PORT[,HOST:PORT]/TOPIC[?OPTION=VALUE&…]`.

Options are librdkafka's (`security.protocol`, `sasl.username`, `session.timeout.ms`, …), and two of our own:
`partitions`, of a topic that has to be created, and `transactional.id`, with which the names of an output's writers
begin (`triage`: for clusters whose access rules go by prefix).
The password may come from the environment, as TRIAGE_KAFKA_PASSWORD.
"""

from __future__ import annotations

from pipeline.serving.stream.kafka_client import read_place
from pipeline.serving.stream.kafka_inlet import KafkaInlet
from pipeline.serving.stream.kafka_outlet import KafkaDeadLetters, KafkaFeed, KafkaOutlet
from pipeline.serving.stream.transport import Holding, Place


def open_inlet(place: Place, holding: Holding) -> KafkaInlet:
    """A member of the consumer group `holding.group`. Raises InputError where the address can't work."""
    return KafkaInlet(read_place(place), holding)


def open_outlet(place: Place, source: str = "") -> KafkaOutlet:
    """A writer of results of the stream and group that `source` names. Raises as `open_inlet`."""
    return KafkaOutlet(read_place(place), source)


def open_dead(place: Place) -> KafkaDeadLetters:
    """The dead letters of the stream at `place`. Raises as `open_inlet`."""
    return KafkaDeadLetters(read_place(place))


def open_feed(place: Place) -> KafkaFeed:
    """The way into the stream at `place`. Raises as `open_inlet`."""
    return KafkaFeed(read_place(place))
