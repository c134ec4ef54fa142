"""What Kitsune's form and the asker's browser tell at creation: its metadata, taken apart."""

from __future__ import annotations

import json
import re

import pandas as pd

from pipeline.sources.rows import redacted

_KEYS = "useragent|product|os|ff_version|kb_visits_prior|category|solver_id|troubleshooting|plugins|addon|sites"
_METADATA = re.compile(rf"(?:^|;)({_KEYS}):")
_KEPT = {"product": "form_product", "os": "os", "ff_version": "ff_version", "category": "category"}
_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Thunderbird", r"Thunderbird/(\d+)"),
    ("Chrome", r"(?:Chrome|CriOS)/(\d+)"),
    ("Safari", r"Version/(\d+)\S* .*Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows NT"),
    ("Android", "Android"),
    ("iOS", "iPhone"),
    ("iOS", "iPad"),
    ("macOS", "Mac OS X"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


def creation_fields(questions: pd.DataFrame) -> dict[str, pd.Series]:
    """Fields known at creation, by name; never tags, votes, flags or who solved it.

    Parameters
    ----------
    questions : DataFrame
        With `metadata` (`;key:value;key:value`), `locale` and `product`.
    """
    cells = [metadata(value) for value in questions["metadata"]]
    agents = [c.get("useragent", "") for c in cells]
    browsers = [browser(agent) for agent in agents]
    made: dict[str, list[str | None]] = {new: [c.get(old) or None for c in cells] for old, new in _KEPT.items()}
    made["browser"] = [name for name, _ in browsers]
    made["browser_version"] = [version for _, version in browsers]
    made["system"] = [next((name for name, mark in _SYSTEMS if mark in agent), None) for agent in agents]
    made["kb_visits_prior"] = [_visits(c.get("kb_visits_prior", "")) for c in cells]
    columns = {name: pd.Series(values, index=questions.index, dtype="str") for name, values in made.items()}
    columns |= {"locale": questions["locale"], "product": questions["product"]}
    return {name: redacted(values) for name, values in columns.items()}


def metadata(value: object) -> dict[str, str]:
    """`;key:value;key:value` as a dictionary; values may hold semicolons."""
    if not isinstance(value, str):
        return {}
    parts = _METADATA.split(value)
    return {key: text.strip() for key, text in zip(parts[1::2], parts[2::2], strict=True)}


def browser(agent: str) -> tuple[str | None, str | None]:
    """Family and major version from a browser's user agent.

    Examples
    --------
    >>> browser("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0")
    ('Firefox', '133')
    """
    for name, pattern in _BROWSERS:
        found = re.search(pattern, agent)
        if found:
            return name, found[1]
    return None, None


def _visits(value: str) -> str | None:
    """Slugs of the articles that were opened before, joined by spaces."""
    try:
        paths = json.loads(value) if value else []
    except ValueError:
        return None
    if not isinstance(paths, list):
        return None
    return " ".join(str(p).rstrip("/").rsplit("/", 1)[-1] for p in paths) or None
