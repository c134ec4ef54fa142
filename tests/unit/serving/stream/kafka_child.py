"""A worker for tests of Kafka that stops at a named point, or says there that it has come to it, and waits."""

from __future__ import annotations

import os
import signal
import sys

from pipeline.serving.stream.transport import FencedError, Holding, Result, open_inlet, open_outlet, parse_place


def work(source: str, target: str, point: str, alone: bool) -> None:
    place = parse_place(source, "test")
    inlet = open_inlet(place, Holding(place.path, str(os.getpid()), 6))
    outlet = open_outlet(parse_place(target, "test"))
    tokens = inlet.tend()
    while not tokens:
        inlet.take(1, 0.05)
        tokens = inlet.tend()
    outlet.own(tokens)
    messages = []
    while not messages:
        messages = inlet.take(1 if alone else 100, 0.5)
    print("taken", *(f"{message.at}:{message.tries}" for message in messages), flush=True)
    for step in ("taken", "begun", "written", "done"):
        if step == "begun":
            inlet.begin(messages)
        elif step == "written":
            outlet.write([Result(m.partition, f"key {m.at}", m.key, b"result of " + m.value) for m in messages])
        elif step == "done":
            inlet.done(messages)
        if point == f"killed when {step}":
            os.kill(os.getpid(), signal.SIGKILL)
        if point == f"waits when {step}":
            print(f"waits {max(tokens.values())}", flush=True)
            sys.stdin.readline()


if __name__ == "__main__":
    try:
        work(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:] == ["alone"])
        print("ended", flush=True)
    except FencedError:
        print("fenced", flush=True)
    os._exit(0)  # as if it were killed: it gives nothing back
