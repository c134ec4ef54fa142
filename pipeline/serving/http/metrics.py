"""What the service counts, for Prometheus: a registry of its own, and never a ticket's words, ids or names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from pipeline.serving.answers import Said

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Counters and gauges by their names in `/metrics`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter("triage_requests", "Answered requests.", ["path", "status"], registry=registry)
        self.seconds = Histogram(
            "triage_request_seconds", "From the headers to the end.", ["path"], buckets=_SECONDS, registry=registry
        )
        self.tickets = Counter("triage_tickets", "Scored tickets, refused ones included.", registry=registry)
        self.abstained = Counter("triage_abstained", "Tickets that were left to a person.", registry=registry)
        self.refused = Counter("triage_refused", "Tickets with an error, by its code.", ["code"], registry=registry)
        self.batches = Histogram("triage_batch_tickets", "Tickets of a batch.", buckets=_ITEMS, registry=registry)
        self.scoring = Histogram("triage_batch_seconds", "Scoring a batch.", buckets=_SECONDS, registry=registry)
        self.faults = Counter("triage_faults", "Faults in Triage itself.", ["kind"], registry=registry)
        self.ledger_failures = Counter(
            "triage_ledger_failures", "Writes that the ledger didn't take: they went to the spool.", registry=registry
        )
        self.unlogged = Counter("triage_unlogged", "Tickets whose decision could not be logged.", registry=registry)
        self.cancelled = Counter("triage_cancelled", "Requests whose client had gone.", registry=registry)
        self.reloads = Counter("triage_reloads", "New scorers, by what came of them.", ["outcome"], registry=registry)
        self.scorer = Gauge("triage_scorer", "1 for the scorer in service.", ["version"], registry=registry)
        self.ready = Gauge("triage_ready", "1 where the service takes tickets.", registry=registry)

    def watch(self, name: str, help_: str, value: Callable[[], float]) -> None:
        """A gauge that is looked up when it is asked for."""
        Gauge(name, help_, registry=self.registry).set_function(value)

    def serving(self, version: str) -> None:
        """Another scorer is in service."""
        self.scorer.clear()
        self.scorer.labels(version).set(1)

    def said(self, answers: Sequence[Said]) -> None:
        """A batch was scored."""
        for answer in answers:
            self.tickets.inc(len(answer.records))
            for record in answer.records:
                if record["error"] is not None:
                    self.refused.labels(record["error"]).inc()
                elif record["queue_reason"] == "abstained":
                    self.abstained.inc()

    def page(self) -> bytes:
        """What `/metrics` shows."""
        return generate_latest(self.registry)
