"""`/metrics` and `/health` of a worker: what it has counted, and whether it takes messages. Never a ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from pipeline.errors import InputError
from pipeline.serving.stream.scoring import Scoring
from pipeline.serving.stream.tally import Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, eq=False)
class Tallied(Collector):
    """A worker's tally as Prometheus reads it."""

    tally: Tally
    scoring: Scoring

    def collect(self) -> Iterator[Metric]:
        """What stands in the tally, by the names of `/metrics`."""
        tally = self.tally
        for name, text, value in (
            ("messages", "Messages that are done.", tally.messages),
            ("results", "Results that the sink took.", tally.new),
            ("repeats", "Results that the sink had already.", tally.repeats),
            ("aged", "Tickets that were scored again as they had waited.", tally.aged),
            ("batches", "Batches.", tally.batches),
            ("batch_seconds", "Seconds spent on scoring them.", tally.batch_seconds),
            ("away", "Times that a broker or a database could not be reached.", tally.away),
            ("lost_partitions", "Times that another worker had taken over.", tally.lost),
            ("unscored_events", "Events of tickets whose words nobody keeps.", self.scoring.unscored),
            ("unlogged", "Tickets whose decision could not be logged.", self.scoring.unlogged),
            ("refused_decisions", "Decisions that the ledger's database refuses.", self.scoring.refused),
        ):
            yield CounterMetricFamily(f"triage_stream_{name}", text, value)
        for name, text, label, counts in (
            ("dead_letters", "Dead letters, by code.", "code", tally.dead),
            ("faults", "Faults in Triage itself.", "kind", tally.faults),
            ("reloads", "New scorers, by what came of them.", "outcome", tally.reloads),
        ):
            family = CounterMetricFamily(f"triage_stream_{name}", text, labels=[label])
            for key, count in sorted(counts.items()):
                family.add_metric([key], count)
            yield family
        if tally.lag is not None:
            yield GaugeMetricFamily("triage_stream_lag", "Messages of the owned partitions to be done.", tally.lag)
        yield GaugeMetricFamily("triage_stream_partitions", "Partitions that are owned.", tally.owned)
        yield GaugeMetricFamily("triage_stream_ready", "1 where messages are taken.", int(tally.ready))
        scorer = GaugeMetricFamily("triage_scorer", "1 for the scorer in use.", labels=["version"])
        scorer.add_metric([tally.version], 1)
        yield scorer


def serve_metrics(host: str, port: int, tally: Tally, scoring: Scoring) -> tuple[int, Callable[[], None]]:
    """Serve them beside the worker.

    Returns
    -------
    int, callable
        The port, and what ends it.

    Raises
    ------
    InputError
        The address can't be served.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(Tallied(tally, scoring))

    class Page(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            """Answer."""
            status, body = 404, b"nothing here\n"
            if self.path == "/metrics":
                status, body = 200, generate_latest(registry)
            elif self.path == "/health/live":
                status, body = 200, b"alive\n"
            elif self.path == "/health/ready":
                status, body = (200, b"ready\n") if tally.ready else (503, b"not ready\n")
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    try:
        server = ThreadingHTTPServer((host, port), Page)
    except OSError as error:
        do = "choose another --metrics"
        got = error.strerror or ""
        raise InputError("the address can't be served", where=f"{host}:{port}", got=got, do=do) from None
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server.server_address[1], server.shutdown
