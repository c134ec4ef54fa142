"""What happened is played into a stream again: in its order, at its own pace, faster, or as fast as it goes.

Times aren't shifted: a ticket of 2021 comes as one of 2021. Given again from the moment where it was stopped, a play
sends that moment's messages once more; their results are repeats, which a sink drops by their keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipeline.history.log import NEVER
from pipeline.serving.stream.timeline import Moment
from pipeline.serving.stream.transport import Feed

AT_ONCE = 500
"""Most messages in one call of the feed."""

AT_ONCE_BYTES = 4 << 20
SHORTEST_PAUSE_SECONDS = 0.005
"""Messages that are due within so long of each other are sent together."""


@dataclass(frozen=True)
class Played:
    """How far a play is.

    Attributes
    ----------
    tickets, events : int
        Sent so far.
    at : int or None
        Moment of the last, in microseconds since 1970; None where it had none.
    """

    tickets: int = 0
    events: int = 0
    at: int | None = None

    @property
    def sent(self) -> int:
        """Messages."""
        return self.tickets + self.events


@dataclass(frozen=True)
class Clock:
    """What time is measured and waited by."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


_REAL = Clock()


def play(
    messages: Iterable[Moment], feed: Feed, *, pace: float | None = None, most: int | None = None, clock: Clock = _REAL
) -> Iterator[Played]:
    """Send messages, and tell after each call of the feed how far it is.

    Parameters
    ----------
    messages : iterable of Moment
        In the order of time.
    feed : Feed
        Closed by whoever opened it.
    pace : float, optional
        How many times faster than it happened, above 0. The first message goes at once. None: as fast as it goes.
    most : int, optional
        Send no more than so many.
    clock : Clock, optional
        For tests.

    Raises
    ------
    BrokerError, OutputError
        The stream can't take them (any more); what was told before is sent.
    """
    told, begun, first = Played(), clock.now(), NEVER
    waiting: list[Moment] = []
    size = 0
    for count, message in enumerate(messages):
        if most is not None and count == most:
            break
        if pace is not None and message.at != NEVER:
            first = message.at if first == NEVER else first
            due = begun + (message.at - first) / 1e6 / pace
            if due - clock.now() > SHORTEST_PAUSE_SECONDS:
                if waiting:
                    told = _sent(feed, waiting, told)
                    waiting, size = [], 0
                    yield told
                clock.sleep(max(0.0, due - clock.now()))
        waiting.append(message)
        size += len(message.value)
        if len(waiting) == AT_ONCE or size >= AT_ONCE_BYTES:
            told = _sent(feed, waiting, told)
            waiting, size = [], 0
            yield told
    if waiting:
        yield _sent(feed, waiting, told)


def _sent(feed: Feed, messages: list[Moment], told: Played) -> Played:
    feed.put([(one.key, one.value) for one in messages])
    tickets = sum(one.kind == "ticket" for one in messages)
    last = messages[-1].at
    return Played(told.tickets + tickets, told.events + len(messages) - tickets, last if last != NEVER else told.at)
