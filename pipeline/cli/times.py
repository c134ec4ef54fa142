"""Moments as people write them in an option."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


def moment(text: str, option: str) -> pd.Timestamp:
    """A moment in ISO 8601, UTC without an offset.

    Raises
    ------
    ConfigError
        Naming the option.
    """
    import pandas as pd

    try:
        found: Any = pd.Timestamp(text) if text[:1].isdigit() else pd.NaT  # pandas knows words such as `today` too
    except ValueError:
        found = pd.NaT
    if pd.isna(found):
        raise ConfigError("not a moment", where=option, got=text, do="write it like 2025-04-01 or 2025-04-01T12:00:00Z")
    utc: pd.Timestamp = found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")
    return utc.as_unit("us")


def moment_or_now(text: str, option: str) -> pd.Timestamp:
    """The same; `now` is the moment at which the command was given."""
    return moment(datetime.now(UTC).isoformat() if text == "now" else text, option)
