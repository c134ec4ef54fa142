"""The worker over Kafka, by librdkafka's mock of it: each message has one result, and it ends when none is left."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made_kafka import running_kafka
from unit.serving.stream.bench import Bench

from pipeline.serving.stream.transport import Holding, open_dead, open_feed, open_inlet, open_outlet, parse_place

pytest.importorskip("confluent_kafka", reason="confluent_kafka isn't installed (the extra `stream`)")


def test_the_worker_scores_what_is_in_a_topic_and_ends_when_it_is_empty(bench: Bench):
    with running_kafka() as mock:
        for name, partitions in (("tickets", 2), ("tickets.dead", 1), ("scored", 2)):
            mock.topic(name, partitions)
        source, target = (parse_place(mock.url(name), "test") for name in ("tickets", "scored"))
        tickets = [
            {"ticket_id": f"T-{n}", "subject": "Refund", "created_at": "2026-11-20T10:00:00Z"} for n in range(20)
        ]
        feed = open_feed(source)
        feed.put([(str(ticket["ticket_id"]), json.dumps(ticket).encode()) for ticket in tickets])
        feed.put([(None, b"no ticket at all")])
        feed.close()
        made = bench.worker(until_empty=True, claim_seconds=6.0)
        holding = Holding("triage", "one", 6)
        worker = replace(
            made,
            open_inlet=lambda: open_inlet(source, holding),
            outlet=open_outlet(target, "tickets triage"),
            dead=open_dead(source),
        )
        worker.run()
        found = mock.records("scored")
        scored = [json.loads(value) for _, _, value, _ in found]
        assert sorted(one["ticket_id"] for one in scored if one["ticket_id"]) == sorted(t["ticket_id"] for t in tickets)
        assert len({key for _, key, _, _ in found}) == len(found) == worker.tally.new
        assert worker.tally.messages == 21
        assert bench.events()[-1] == "stopped"
