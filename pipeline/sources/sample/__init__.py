"""The generated helpdesk: a made-up company, two languages, and the truth behind each ticket."""

from __future__ import annotations

from pipeline.sources.sample.files import write
from pipeline.sources.sample.tables import Sample, generate, iter_tickets

__all__ = ["Sample", "generate", "iter_tickets", "write"]
