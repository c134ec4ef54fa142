"""New tickets as a helpdesk exports them: its own column names, and some rows that nobody would invent."""

from __future__ import annotations

import pandas as pd

from pipeline.sources.sample.grammar import read

COLUMNS = {
    "ticket_id": "number",
    "created_at": "opened_at",
    "customer_id": "requester",
    "email": "requester_email",
    "phone": "requester_phone",
    "channel": "contact_type",
    "language": "locale",
    "subject": "summary",
    "body": "description",
    "fields.product": "product",
    "fields.plan": "plan",
    "fields.country": "country",
    "fields.app_version": "app_version",
    "fields.tags": "tags",
}

MAPPING = """\
# How `triage` reads new-tickets.csv, an export of the made-up Quillfeather helpdesk (synthetic).
ticket_id: number
created_at: {column: opened_at, timezone: UTC}
subject: summary
body: description
customer_id: requester
customer: {email: requester_email, phone: requester_phone}
channel: contact_type
language: locale
fields: [product, plan, country, app_version, tags]
"""


def as_exported(tickets: pd.DataFrame) -> pd.DataFrame:
    """Rows of our schema, with the addresses that the keys are made of, under the helpdesk's own column names."""
    frame = tickets[list(COLUMNS)].rename(columns=COLUMNS)
    frame["opened_at"] = pd.to_datetime(frame["opened_at"], utc=True).dt.strftime("%Y-%m-%d %H:%M:%S")
    return frame


def oddities(exported: pd.DataFrame) -> pd.DataFrame:
    """The rows of oddities.yaml, under the next numbers."""
    last = int(str(exported["number"].iloc[-1]).split("-")[1])
    rows = [
        {
            "number": f"Q-{last + 1 + i}",
            "opened_at": exported["opened_at"].iloc[-1],
            "requester": f"C{90_001 + i}",
            "contact_type": "email" if "<" in letter["body"] else ("email", "web", "chat")[i % 3],
            "locale": None,
            "summary": letter["subject"] or None,
            "description": letter["body"] or None,
            "plan": "basic",
        }
        for i, letter in enumerate(read("oddities"))
    ]
    return pd.DataFrame(rows).reindex(columns=exported.columns)
