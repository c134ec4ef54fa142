"""Triage: read support tickets, say what each is about, how urgent it is, and where it should go.

The few public names. They load on first use, so that importing `pipeline` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import Params, load_params
    from pipeline.errors import TriageError
    from pipeline.scorer import Scorer

__version__ = "0.1.0"

__all__ = ["Params", "Scorer", "TriageError", "__version__", "load_params"]

_HOMES = {
    "Params": "pipeline.config",
    "Scorer": "pipeline.scorer",
    "TriageError": "pipeline.errors",
    "load_params": "pipeline.config",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
