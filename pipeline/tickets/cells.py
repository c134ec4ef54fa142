"""Any cell as text: bytes, numbers, lists and stranger things become text or null, and never raise."""

from __future__ import annotations

import json
import re

import pandas as pd

_NUL_OR_SURROGATE = re.compile(r"[\x00\ud800-\udfff]")


def text_of(value: object) -> str | None:
    """A cell as text; null for what is empty. A whole float is an id that met a null: 12.0 is `12`.

    Examples
    --------
    >>> text_of(12.0), text_of(b"x"), text_of(["a", 1]), text_of(float("nan")), text_of("")
    ('12', 'x', '["a", 1]', None, None)
    """
    if isinstance(value, str):
        return (_NUL_OR_SURROGATE.sub("", value) if _NUL_OR_SURROGATE.search(value) else value) or None
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return text_of(bytes(value).decode("utf-8", "replace"))
    if isinstance(value, float):
        return None if value != value else str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    return _text_of_odd(value)


def _text_of_odd(value: object) -> str | None:
    try:
        if isinstance(value, dict | list | tuple | set | frozenset):
            items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            return text_of(json.dumps(items, ensure_ascii=False, default=str)) if value else None
        if hasattr(value, "tolist"):  # scalars and arrays of numpy
            return text_of(value.tolist())
        return text_of(str(value))
    except Exception:  # a cell may hold any object, with any __str__
        return None
