"""Numbers and names as they are written on a page, a card or a terminal."""

from __future__ import annotations

import math
import re
import unicodedata

from pipeline.pages.figures import Estimate

NOTHING = "–"
"""Stands where there is no figure."""

MINUS, SPACE = "\u2212", "\u00a0"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "top3_accuracy": "among the first three",
    "quadratic_kappa": "quadratic kappa",
    "mae_levels": "mean error, levels",
    "too_low": "judged too low",
    "too_high": "judged too high",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "ece": "calibration error",
    "aurc": "area under risk–coverage",
    "auroc": "AUROC",
    "base_rate": "base rate",
}
_PREFIXES = {
    "recall_at_": "found, reviewing {}",
    "precision_at_": "precision, reviewing {}",
    "best_possible_recall_at_": "at best found, reviewing {}",
}


def metric_words(name: str) -> str:
    """A metric's name for people: `recall_at_0.192` → "found, reviewing 19.2 %"."""
    if name in _METRICS:
        return _METRICS[name]
    for prefix, words in _PREFIXES.items():
        if name.startswith(prefix) and re.fullmatch(r"0?\.\d+|[01](\.0*)?", name.removeprefix(prefix)):
            return words.format(percent(float(name.removeprefix(prefix))))
    if match := re.fullmatch(r"coverage_at_(\d+)", name):
        return f"kept at {match[1]}{SPACE}% accuracy"
    return name.replace("_", " ")


def decimal(value: float | None, digits: int = 3) -> str:
    """`0.452`; a true minus sign; an en dash for a figure that doesn't exist."""
    if value is None or not math.isfinite(value):
        return NOTHING
    shown = f"{value:.{digits}f}"
    return shown.lstrip("-") if float(shown) == 0 else shown.replace("-", MINUS)


def percent(share: float | None) -> str:
    """`45.2 %`: one digit, two under 1 %, none where it is a whole number."""
    if share is None or not math.isfinite(share):
        return NOTHING
    value = 100 * share
    digits = 2 if 0 < abs(value) < 0.995 else 1
    shown = f"{value:.{digits}f}"
    whole = shown.rstrip("0").rstrip(".") if abs(value - round(value)) < 1e-9 else shown
    return f"{whole.replace('-', MINUS)}{SPACE}%"


def share(value: float | None) -> str:
    """`45.0 %`: always one digit, so that a column lines up."""
    return NOTHING if value is None or not math.isfinite(value) else f"{decimal(100 * value, 1)}{SPACE}%"


def visible(label: str) -> str:
    """A label whose outer spaces can be seen: twins may differ by them alone."""
    inner = label.strip()
    before, _, after = label.partition(inner) if inner else (label, "", "")
    return "␣" * len(before) + inner + "␣" * len(after)


def count(n: int | float) -> str:
    """`12,345`."""
    return f"{n:,.0f}".replace("-", MINUS)


def compact(n: int, most: int) -> str:
    """A count in at most so many characters: `12,345`, else `12k`, else `1.2M`."""
    if len(count(n)) <= most:
        return count(n)
    thousands = f"{n / 1e3:.0f}k"
    return thousands if len(thousands) <= most else f"{n / 1e6:.1f}M"


def interval(estimate: Estimate | None, *, as_share: bool = False, digits: int = 3) -> str:
    """`0.440 to 0.464`, or as shares `44.0 to 46.4 %`; empty without an interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    if as_share:
        return f"{share(estimate.low).removesuffix(SPACE + '%')} to {share(estimate.high)}"
    return f"{decimal(estimate.low, digits)} to {decimal(estimate.high, digits)}"


def plural(n: int, one: str, many: str = "") -> str:
    """`1 ticket`, `2 tickets`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def listing(words: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def month_label(name: str) -> tuple[str, str]:
    """`2025-04` → ("Apr", "2025"); any other name → (name, "")."""
    match = re.fullmatch(r"(\d{4})-(\d{2})", name)
    if not match or not 1 <= int(match[2]) <= 12:
        return name, ""
    return _MONTHS[int(match[2]) - 1], match[1]


def shorten(name: str, characters: int) -> str:
    """A name that fits, with an ellipsis where it was cut."""
    return name if len(name) <= characters else name[: characters - 1].rstrip() + "…"


def printable(words: str) -> str:
    """Text without characters that could break or mislead a page: controls, surrogates, direction overrides."""
    return "".join("\ufffd" if _unsafe(c) else c for c in words)


def _unsafe(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in {"Cc", "Cs"} or character in _OVERRIDES
