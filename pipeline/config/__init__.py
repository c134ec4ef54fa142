"""params.yaml → frozen settings; an unknown key is an error that names the nearest right one.

Defaults stand in `sections.py`; `params.yaml` in the project's root shows every one of them with a comment, and a test
holds the two together.
"""

from pipeline.config.reading import as_dict, build, checked, load_params, nearest
from pipeline.config.sections import (
    Articles,
    Encoder,
    Escalation,
    Explain,
    Features,
    Gates,
    History,
    Ledger,
    Ordering,
    Params,
    Priority,
    Promise,
    Rescore,
    Routing,
    Rule,
    Sla,
    Split,
    Tickets,
    Topic,
    Tracking,
)

__all__ = [
    "Articles",
    "Encoder",
    "Escalation",
    "Explain",
    "Features",
    "Gates",
    "History",
    "Ledger",
    "Ordering",
    "Params",
    "Priority",
    "Promise",
    "Rescore",
    "Routing",
    "Rule",
    "Sla",
    "Split",
    "Tickets",
    "Topic",
    "Tracking",
    "as_dict",
    "build",
    "checked",
    "load_params",
    "nearest",
]
