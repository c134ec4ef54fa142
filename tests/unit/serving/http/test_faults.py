"""What goes wrong around a service: slow callers, many, too much at once, callers that leave, and its own end."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from served import Served, serving, ticket

from pipeline.ledger import open_ledger

CALLERS = 12


def address(served: Served) -> tuple[str, int]:
    parts = urlsplit(served.url)
    return str(parts.hostname), int(parts.port or 0)


def request_bytes(body: bytes, *, length: int | None = None) -> bytes:
    head = "POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    return head.encode() + str(len(body) if length is None else length).encode() + b"\r\n\r\n" + body


class Load:
    """Callers that send one ticket after another until they are stopped or can't any more; who was answered what."""

    def __init__(self, served: Served, *, first: int = 0) -> None:
        self.served, self.first = served, first
        self.answered: dict[str, bool] = {}
        self.failed: dict[str, str] = {}
        self.statuses: set[int] = set()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._call, args=(number,)) for number in range(CALLERS)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)

    def _call(self, number: int) -> None:
        with self.served.client(timeout=30) as client:
            for turn in range(10_000):
                if self.stopped.is_set():
                    return
                sent = ticket(self.first + number * 10_000 + turn)
                try:
                    got = client.post("/v1/score", json=sent)
                except httpx2.HTTPError as error:
                    self.failed[sent["ticket_id"]] = type(error).__name__
                    return
                self.statuses.add(got.status_code)
                if got.status_code == 200:
                    self.answered[sent["ticket_id"]] = got.json()["logged"]


def in_ledger(url: str) -> list[str | None]:
    with open_ledger(url) as ledger:
        return [one.ticket_id for one in ledger.all_decisions()]


def test_slow_callers_cost_nobody_else_and_are_let_go(scorer: Path, tmp_path: Path) -> None:
    with ExitStack() as stack, serving(scorer, tmp_path, "--timeout", 4) as served, served.client() as client:
        slow = [stack.enter_context(socket.create_connection(address(served))) for _ in range(300)]
        for number, one in enumerate(slow):
            half = request_bytes(b'{"ticket_id":', length=500)
            one.sendall(half if number % 2 else half[:40])  # half of a body, or half of a head
        begun = time.perf_counter()
        assert client.post("/v1/score", json=ticket()).status_code == 200
        assert time.perf_counter() - begun < 3
        for one in slow:
            one.settimeout(30)
        told = [one.recv(1_000) for one in slow]
        assert sum(t.startswith(b"HTTP/1.1 408") for t in told) == 150
        assert sum(t == b"" for t in told) == 150
        assert served.metric("triage_bytes_in_flight") == 0
        assert client.post("/v1/score", json=ticket()).status_code == 200


def test_what_there_is_no_room_for_is_told_to_come_again(scorer: Path, tmp_path: Path) -> None:
    with serving(scorer, tmp_path, "--max-waiting", 50) as served:
        got: list[httpx2.Response] = []

        def send(number: int) -> None:
            with served.client() as client:
                got.append(client.post("/v1/score", json=[ticket(number * 100 + n) for n in range(40)]))

        _together(send, 8)
        with served.client() as client:
            assert client.post("/v1/score", json=ticket()).status_code == 200
            assert client.post("/v1/score", json=[ticket(n) for n in range(51)]).status_code == 503
    statuses = [one.status_code for one in got]
    assert set(statuses) == {200, 503}
    assert all(one.headers["retry-after"] == "1" for one in got if one.status_code == 503)


def test_an_answer_that_takes_too_long_is_given_up_and_its_place_is_free(scorer: Path, tmp_path: Path) -> None:
    with serving(scorer, tmp_path, "--timeout", 0.2) as served, served.client() as client:
        late = client.post("/v1/score", json=[ticket(n) for n in range(1_000)])
        assert late.status_code == 504
        assert served.metric("triage_tickets_in_flight") == 0
        served.until(lambda: client.post("/v1/score", json=ticket()).status_code == 200)


def test_a_caller_that_leaves_frees_its_place_and_harms_nobody(scorer: Path, tmp_path: Path) -> None:
    with serving(scorer, tmp_path) as served, served.client() as client:
        body = json.dumps([ticket(n) for n in range(600)]).encode()
        for _ in range(6):
            with socket.create_connection(address(served)) as leaving:
                leaving.sendall(request_bytes(body))
        served.until(lambda: served.metric("triage_cancelled_total") == 6)
        assert served.metric("triage_tickets_in_flight") == 0
        begun = time.perf_counter()
        assert client.post("/v1/score", json=ticket()).status_code == 200  # one of the six at most was begun
        assert time.perf_counter() - begun < 5
        with socket.create_connection(address(served)) as leaving:
            leaving.sendall(request_bytes(body, length=len(body) + 9))
        served.until(lambda: served.metric("triage_cancelled_total") == 7)
        assert not [e for e in served.events() if e["event"] == "fault"]


def test_every_accepted_request_is_answered_before_the_end(scorer: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with serving(scorer, tmp_path, "--ledger", url) as served, Load(served) as load:
        served.until(lambda: len(load.answered) > 50)
        assert served.end(signal.SIGTERM) == 0
        load.stop()
        assert [e["event"] for e in served.events()][-2:] == ["draining", "stopped"]
    assert load.statuses == {200}
    assert all(load.answered.values())
    assert sorted(map(str, in_ledger(url))) == sorted(load.answered)  # none was scored whose answer was lost


def test_while_it_drains_it_says_that_it_is_not_ready(scorer: Path, tmp_path: Path) -> None:
    with serving(scorer, tmp_path) as served, served.client() as client:
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("draining")
        got = client.get("/health/ready")
        assert (got.status_code, got.json()["draining"]) == (503, True)
        last = client.post("/v1/score", json=ticket())
        assert (last.status_code, last.headers["connection"]) == (200, "close")
        assert served.process.wait(30) == 0


def test_whatever_was_answered_outlives_a_kill_and_is_in_the_ledger_once(scorer: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    answered: dict[str, bool] = {}
    for turn in range(2):
        with serving(scorer, tmp_path, "--ledger", url) as served, Load(served, first=turn * 1_000_000) as load:
            served.until(lambda load=load: len(load.answered) > 60)
            served.end(signal.SIGKILL)
            load.stop()
        answered |= load.answered
    with serving(scorer, tmp_path, "--ledger", url) as served:
        assert served.end() == 0
    kept = in_ledger(url)
    assert all(answered.values())
    assert len(kept) == len(set(kept))
    assert set(answered) <= set(kept)


def test_wrong_requests_of_http_itself_are_refused(scorer: Path, tmp_path: Path) -> None:
    with serving(scorer, tmp_path, "--timeout", 3) as served, served.client() as client:
        for wrong in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9\r\n\r\n", b"GET /" + b"a" * 100_000, b"\r\n" * 9):
            with socket.create_connection(address(served)) as one:
                one.settimeout(30)
                one.sendall(wrong + b"\r\n\r\n")
                assert one.recv(12) in (b"HTTP/1.1 400", b"")
        with socket.create_connection(address(served)) as one:
            one.sendall(
                b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            )
            assert one.recv(1_000).startswith(b"HTTP/1.1 200")
        assert client.get("/health/live").json() == {"live": True}
        assert not [e for e in served.events() if e["event"] == "fault"]


def _together(send: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=send, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
