"""What a report says of suggested articles and replies."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.pages.figures import Calibration, Estimate, Metric


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


@dataclass(frozen=True)
class Replies:
    """Similar tickets and suggested replies held against what settled the tickets later.

    Attributes
    ----------
    tickets : int
    shown : float
        Share of them for which a reply was suggested.
    means : str
        What "right" means: "both were answered by the same article".
    judged, compared : int
        Replies, and tickets with similar ones, where it is known of both sides.
    right, similar : Estimate
        Share of those replies, and of the similar tickets, that were right; None where there are too few.
    calibration : Calibration or None
        Of the replies that were suggested.
    """

    tickets: int
    shown: float
    means: str
    judged: int
    compared: int
    right: Estimate
    similar: Estimate
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Inner:
    """What training measured of articles or of replies, on its latest tickets.

    Attributes
    ----------
    name : {'articles', 'replies'}
    note : str
        The gate in words, or why there is none.
    tickets : int or None
        Looked at.
    figures : tuple of (str, float)
        By a model that had learned from the others.
    """

    name: str
    note: str
    tickets: int | None = None
    figures: tuple[tuple[str, float], ...] = ()
