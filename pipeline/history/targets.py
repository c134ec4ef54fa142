"""What a desk has promised: business hours until the first reply and the resolution, by priority level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from pipeline.config import Sla, nearest
from pipeline.errors import ConfigError
from pipeline.history.definitions import parse_duration

OTHER = "*"
"""In `sla.first_response` and `sla.resolution`: any level that isn't named, and a ticket whose level isn't known."""


@dataclass(frozen=True)
class Targets:
    """Business hours by priority level, and the statuses in which the resolution clock stands still.

    Attributes
    ----------
    first_response, resolution : mapping of level to hours
        `*` is any other level.
    paused : frozenset of str
        As the events have them: `pending`, `on_hold`, …
    """

    first_response: Mapping[str, float]
    resolution: Mapping[str, float]
    paused: frozenset[str]

    @classmethod
    def of(cls, settings: Sla) -> Targets:
        """The targets of a desk. Durations are business time: `1d` is 24 open hours, and `1w` 168.

        Raises
        ------
        ConfigError
            Naming the level whose target isn't a duration.
        """
        first_response = _hours(settings.first_response, "first_response")
        return cls(first_response, _hours(settings.resolution, "resolution"), frozenset(settings.paused))

    def first_response_hours(self, levels: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        """Business hours until a first reply is due.

        Parameters
        ----------
        levels : array of object, shape (n,)
            Priority levels; null where unknown.

        Returns
        -------
        array of float64, shape (n,)
            nan for a level without a target.
        """
        return _looked_up(self.first_response, levels)

    def resolution_hours(self, levels: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        """Business hours until the resolution is due; the same shape, and nan likewise."""
        return _looked_up(self.resolution, levels)

    def check_levels(self, levels: Iterable[str]) -> None:
        """Raise where a target names a level that isn't there.

        Raises
        ------
        ConfigError
            Naming the nearest level: a misspelt one would silently have the target of `*`, or none.
        """
        known = list(levels)
        for key, targets in (("first_response", self.first_response), ("resolution", self.resolution)):
            for level in targets:
                if level != OTHER and level not in known:
                    near = nearest(level, known)
                    do = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
                    _wrong("a priority level that isn't there", f"{key}: {level}", level, do)


def _hours(durations: Mapping[str, str], key: str) -> dict[str, float]:
    return {level: _hours_of(text, f"{key}: {level}") for level, text in durations.items()}


def _hours_of(text: str, key: str) -> float:
    try:
        duration = parse_duration(text)
    except (ValueError, OverflowError):  # longer than a duration can be
        duration = None
    hours = 0.0 if duration is None else duration.total_seconds() / 3600
    if hours <= 0:
        _wrong("not a duration", key, repr(text), "write a number with a unit, in business time: 30m, 8h, 2d")
    return hours


def _looked_up(targets: Mapping[str, float], levels: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    other = targets.get(OTHER, np.nan)
    found = [targets.get(level, other) if isinstance(level, str) else other for level in levels]
    return np.array(found, dtype=np.float64)


def _wrong(what: str, key: str, got: str, do: str) -> NoReturn:
    raise ConfigError(what, where=f"params.yaml: sla.{key}", got=got, do=do)
