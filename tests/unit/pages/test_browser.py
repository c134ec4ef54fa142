"""The page in a real browser: no console message, no request, nothing wider than a phone."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from made_report import hostile

from pipeline.pages.page import render
from pipeline.pages.report import Report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--dump-dom",
    "--enable-logging=stderr",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


class Listener(ThreadingHTTPServer):
    """A proxy that lets nothing through and remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuse)
        self.asked: list[str] = []


class _Refuse(BaseHTTPRequestHandler):
    def _refuse(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_error(502)

    do_GET = do_POST = do_HEAD = do_CONNECT = _refuse  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what was asked is in `asked`."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def opened(html: str, folder: Path, *options: str) -> tuple[str, list[str]]:
    """What the browser makes of the page, and what it says on its console."""
    page = folder / "report.html"
    page.write_text(html, "utf-8")
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={folder / 'profile'}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=300, check=True)
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if ":CONSOLE" in line]
    return done.stdout.decode("utf-8"), said


@pytest.mark.parametrize("attacked", [False, True])
def test_the_page_opens_without_a_request_or_a_console_message(
    filled: Report, tmp_path: Path, listener: Listener, attacked: bool
) -> None:
    html = render(hostile(filled) if attacked else filled)
    proxy = f"--proxy-server=127.0.0.1:{listener.server_port}"
    made, said = opened(html, tmp_path, proxy, "--proxy-bypass-list=<-loopback>")
    assert "</html>" in made and "The promise" in made
    assert said == []
    own = ("google.com", "googleapis.com", "gstatic.com")  # the browser's own; the page names no such host
    assert [asked for asked in listener.asked if not any(host in asked for host in own)] == []


def test_the_browser_would_have_told_of_a_request(tmp_path: Path, listener: Listener) -> None:
    proxy = f"--proxy-server=127.0.0.1:{listener.server_port}"
    opened('<!doctype html><img src="http://canary.invalid/x">', tmp_path, proxy)
    assert "GET http://canary.invalid/x" in listener.asked


@pytest.mark.parametrize("width", [500, 1280])
def test_nothing_is_wider_than_the_window(filled: Report, tmp_path: Path, width: int) -> None:
    measure = "<script>document.title = 'width ' + document.documentElement.scrollWidth</script>"
    html = re.sub(r"<meta http-equiv=[^>]*>", "", render(filled)).replace("</body>", measure + "</body>")
    made, _ = opened(html, tmp_path, f"--window-size={width},900")
    found = re.search(r"<title>width (\d+)</title>", made)
    assert found is not None and int(found[1]) <= width
