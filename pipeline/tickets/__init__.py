"""Tickets: read from files, checked, cleaned, redacted; one frame, one error code for each refused row."""

from pipeline.tickets.validate import parse

__all__ = ["parse"]
