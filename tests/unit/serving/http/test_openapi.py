"""The whole API under examples that a machine makes from its own description: never a server error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import Served, serving

from pipeline.scorer import Scorer
from pipeline.serving.http import examples
from pipeline.serving.http.openapi import spec
from pipeline.serving.remember import remember
from pipeline.tickets import schema

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = int(os.environ.get("TRIAGE_API_EXAMPLES", "60"))
"""Of each operation. The long run: TRIAGE_API_EXAMPLES=2000 python -m pytest tests/unit/serving/http/test_openapi.py"""


@pytest.fixture(scope="module")
def served(desk: Path, scorer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with all that it can have."""
    folder = tmp_path_factory.mktemp("openapi")
    history = f"sqlite:///{folder}/h.db"
    remember(desk, history, Scorer.load(scorer).settings, progress=lambda name, rows: None)
    with serving(scorer, folder, "--history", history, "--ledger", f"sqlite:///{folder}/l.db") as running:
        yield running
        assert not [e for e in running.events() if e["event"] == "fault"]


def test_the_description_is_served_and_its_examples_are_true(client: httpx2.Client) -> None:
    told = client.get("/openapi.json").json()
    assert told == spec()
    row = client.post("/v1/score", json=examples.TICKET).json()
    assert list(row) == list(examples.SCORED) == [*schema.names("scored"), "logged", "shown"]
    assert row["error"] is None
    assert client.post("/v1/feedback", json=examples.FEEDBACK).json() == {"taken": 2, "errors": [None]}
    assert client.post("/v1/events", json=examples.EVENTS).json()["event_errors"] == [None, None]
    log = client.get(f"/v1/tickets/{examples.TICKET['ticket_id']}").json()
    assert list(log) == list(examples.TICKET_LOG)
    assert list(log["decisions"][0]) == list(examples.TICKET_LOG["decisions"][0])
    assert list(log["feedback"][0]) == list(examples.TICKET_LOG["feedback"][0])


def operations() -> list[Any]:
    made = schemathesis.openapi.from_dict(spec())
    return [found.ok() for found in made.get_all_operations()]


@pytest.mark.parametrize("operation", operations(), ids=lambda one: f"{one.method} {one.path}")
def test_no_example_makes_a_server_error_or_an_answer_that_is_not_described(served: Served, operation: Any) -> None:
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    both = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    for mode in both if operation.method.upper() == "POST" else both[:1]:
        strategy = operation.as_strategy(generation_mode=mode)

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def hold(case: Any) -> None:
            answer = case.call(base_url=served.url)
            case.validate_response(answer, checks=checks)

        hold()
