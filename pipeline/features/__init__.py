"""Ticket to numbers: one fitted object, used in training and in service."""
