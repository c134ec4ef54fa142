"""Dated facts: events, outcomes, and who the customer is."""
