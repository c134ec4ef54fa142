"""A chat endpoint on a free port of this machine, that answers as it is told and remembers what it was sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[str], "Sent | str"]
"""Given what the user said, an answer."""


@dataclass(frozen=True)
class Sent:
    """An answer that isn't just a text."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0
    trickle_seconds: float = 0.0


def chat(text: Any, ended: str = "stop") -> bytes:
    """The body of a chat completion."""
    return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": ended}]}).encode()


@dataclass
class Model:
    """The running endpoint."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    running: int = 0
    most_at_once: int = 0

    @property
    def said(self) -> str:
        """Everything that was sent."""
        return json.dumps(self.asked, ensure_ascii=False)


@contextmanager
def model(reply: Reply) -> Iterator[Model]:
    """A server that lives as long as the block."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                made.asked.append(body)
                made.headers.append(dict(self.headers))
                made.paths.append(self.path)
                made.running += 1
                made.most_at_once = max(made.most_at_once, made.running)
            try:
                self._answer(reply(body["messages"][-1]["content"]))
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client had enough
            finally:
                with lock:
                    made.running -= 1

        def _answer(self, found: Sent | str) -> None:
            sent = Sent(body=chat(found)) if isinstance(found, str) else found
            time.sleep(sent.wait_seconds)
            self.send_response(sent.status)
            for name, value in {"Content-Length": str(len(sent.body)), **sent.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for byte in sent.body if sent.trickle_seconds else ():
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(sent.trickle_seconds)
            if not sent.trickle_seconds:
                self.wfile.write(sent.body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Model(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
