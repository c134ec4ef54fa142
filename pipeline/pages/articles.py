"""What a report says of suggested articles."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.pages.figures import Calibration, Metric


@dataclass(frozen=True)
class Articles:
    """Suggestions held against the articles that helpers cited.

    Attributes
    ----------
    tickets : int
        With a cited article that the scorer knows.
    shown : int
        Most suggestions for a ticket.
    none, none_of_all : float
        Share of these tickets, and of all, for which none was said to fit.
    metrics : tuple of Metric
        Beside the most cited articles.
    calibration : Calibration
        Of the first suggestion.
    """

    tickets: int
    shown: int
    none: float
    none_of_all: float
    metrics: tuple[Metric, ...]
    calibration: Calibration
