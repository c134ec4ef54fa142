"""Feeds a stream while it is under fault, and counts how often each message was sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from fault_brokers import AwayError, Broker, Message
from oracle import Sent

NEAR = 80
"""Nothing more is sent while so many messages wait."""


class Feeder(threading.Thread):
    """Sends messages in bursts; used as a block it begins at once, and stops at the end.

    Parameters
    ----------
    broker : Broker
    messages : sequence of Sent
        In the order in which they are sent; one may stand there several times.
    chance : Random
        Only to draw a seed of its own from: what the thread does mustn't depend on when it does it.
    preload : int
        So many are sent before it begins.
    rate : float
        A second, about.
    """

    def __init__(
        self, broker: Broker, messages: Sequence[Sent], chance: Random, *, preload: int, rate: float = 40.0
    ) -> None:
        super().__init__(daemon=True)
        self._broker, self._messages, self._rate = broker, messages, rate
        self._chance, self._preload = Random(chance.random()), preload
        self._next, self._stop_now, self._fault = 0, threading.Event(), None
        self._hurry = threading.Event()

    @property
    def sent(self) -> Sequence[Sent]:
        """Those that were sent so far."""
        return self._messages[: self._next]

    def rest(self) -> None:
        """Send what is left, and come back when it is sent."""
        self._hurry.set()
        self.join()

    def run(self) -> None:
        """Send bursts."""
        while self._next < len(self._messages) and not self._stop_now.is_set():
            count = self._chance.randint(1, 40)
            self.put(count)
            if not self._hurry.is_set():
                self._stop_now.wait(count / self._rate)
                self._catch_up()

    def _catch_up(self) -> None:
        """Let the workers come near: what is sent is sent while they work."""
        while not (self._stop_now.is_set() or self._hurry.is_set()):
            with suppress(AwayError):
                if self._broker.waiting() < NEAR:
                    return
            self._stop_now.wait(0.05)

    def put(self, count: int) -> None:
        """Send some more, and again where nobody knows whether they came."""
        some = self._messages[self._next : self._next + count]
        messages: list[Message] = [(s.ticket_id if self._broker.keyed else None, s.value) for s in some]
        self._next += len(some)
        while True:
            for s in some:
                s.most += 1
            with suppress(AwayError):
                self._broker.put(messages)
                break
            time.sleep(0.1)
        for s in some:
            s.least += 1

    def __enter__(self) -> Feeder:
        while self._next < min(self._preload, len(self._messages)):
            self.put(50)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_now.set()
        self.join()
