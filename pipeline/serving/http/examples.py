"""What the OpenAPI page shows: a ticket of the generated helpdesk, and what a scorer trained on it said (made up)."""

from __future__ import annotations

from typing import Any

TICKET: dict[str, Any] = {
    "ticket_id": "Q-100731",
    "created_at": "2026-03-19T07:44:42Z",
    "subject": "Parcel",
    "body": "The tracking says delivered, but nothing is here. I asked the neighbours. Order QF-27368.",
    "customer_id": "C10062",
    "channel": "email",
    "language": "en",
    "fields.product": "Heron Pro",
    "fields.plan": "business",
}

SCORED: dict[str, Any] = {
    "ticket_id": "Q-100731",
    "as_of": "2026-03-19T07:44:42Z",
    "language": "en",
    "topic": "delivery",
    "topic_confidence": 0.9312,
    "topic_candidates": [
        {"label": "delivery", "probability": 0.9312},
        {"label": "returns-and-refunds", "probability": 0.0254},
    ],
    "topic_oos_score": 0.0688,
    "queue": "logistics",
    "queue_reason": "model",
    "priority": "medium",
    "priority_confidence": 0.5219,
    "priority_probabilities": {"low": 0.1702, "medium": 0.5219, "high": 0.2311, "urgent": 0.0768},
    "escalation_risk": 0.0613,
    "articles": [
        {
            "article_id": "kb-102",
            "title": "The parcel is delivered, but not here",
            "url": "https://quillfeather.example/help/kb-102",
            "probability": 0.4127,
        }
    ],
    "similar": [],
    "reply": None,
    "summary": None,
    "auto_answer": None,
    "explanation": None,
    "error": None,
    "scorer_version": "8647aba7dd1d",
    "logged": True,
    "shown": True,
}

FEEDBACK: dict[str, Any] = {
    "ticket_id": "Q-100731",
    "topic": "returns-and-refunds",
    "queue": "finance",
    "by": "agent-7",
}

EVENTS: dict[str, Any] = {
    "tickets": [{"ticket_id": "Q-100731", "created_at": "2026-03-19T07:44:42Z", "customer_id": "C10062"}],
    "events": [
        {
            "ticket_id": "Q-100731",
            "kind": "reply",
            "side": "customer",
            "occurred_at": "2026-03-20T09:12:00Z",
            "text": "Still nothing. What happens now?",
        },
        {"ticket_id": "Q-100731", "kind": "status", "value": "pending", "occurred_at": "2026-03-20T10:00:00Z"},
    ],
}

TICKET_LOG: dict[str, Any] = {
    "ticket_id": "Q-100731",
    "scored": {name: value for name, value in SCORED.items() if name not in ("logged", "shown")},
    "decisions": [
        {
            "decided_at": "2026-03-19T07:44:43.120000+00:00",
            "as_of": "2026-03-19T07:44:42+00:00",
            "door": "http",
            "scorer_version": "8647aba7dd1d",
            "content": "0f0cdd0f4bb1a8a3b1f2cb3a4b4e2a4f8ff6e4b7d0a94c1a0f5f6d5c2a1b0c9d",
            "shown": True,
            "history": True,
            "topic": "delivery",
            "topic_confidence": 0.9312,
            "queue": "logistics",
            "queue_reason": "model",
            "priority": "medium",
            "priority_confidence": 0.5219,
            "escalation_risk": 0.0613,
            "error": None,
            "decision": "5c2b9d1f0a7e43c8b6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3",
        }
    ],
    "feedback": [
        {
            "given_at": "2026-03-19T08:02:10+00:00",
            "kind": "topic",
            "value": "returns-and-refunds",
            "by": "agent-7",
            "source": "http",
            "decision": "5c2b9d1f0a7e43c8b6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3",
        }
    ],
}
