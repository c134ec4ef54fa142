"""Labels over time: how many tickets each had in each month, which are alive, and what the others became."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.history.definitions import OUT_OF_SCOPE
from pipeline.pages.findings import LabelLife, Taxonomy
from pipeline.training.labels import LABEL_PREFIX
from pipeline.training.prepare import Prepared
from pipeline.training.train import Trained

NEW_WITHIN = 0.8
"""A label whose first ticket comes after this share of the months began is said to be new."""


def taxonomy(prepared: Prepared, model: Trained) -> Taxonomy | None:
    """Of a topic (or a learned queue); None where tickets have no times or the model wasn't made."""
    if not prepared.about["dated"] or "living" not in model.about:
        return None
    frame = prepared.frame
    labels = frame[LABEL_PREFIX + model.target]
    known = (labels.notna() & (labels != OUT_OF_SCOPE) & frame["created_at"].notna()).to_numpy(dtype=bool)
    created = frame["created_at"][known].dt.strftime("%Y-%m")
    months = _all_months(created)
    table = pd.crosstab(labels[known].astype(str), created).reindex(columns=list(months), fill_value=0)
    living, renamed = model.about["living"], model.about.get("renamed", {})
    alive = set(model.about["classes"])
    lives = []
    for label, row in table.iterrows():
        name, counts = str(label), tuple(int(n) for n in row)
        lives.append(
            LabelLife(name, counts, name in alive, renamed.get(name, ""), _note(name, counts, months, living["dead"]))
        )
    start = frame["created_at"].iloc[model.about["first_row"]] if living["start"] else None
    return Taxonomy(
        months=months,
        totals=tuple(int(n) for n in table.sum(axis=0)),
        labels=tuple(sorted(lives, key=_largest_first)),
        learn_from="" if start is None or pd.isna(start) else start.strftime("%Y-%m"),
        note=living["note"],
    )


def _all_months(created: pd.Series) -> tuple[str, ...]:
    first, last = pd.Period(created.min(), "M"), pd.Period(created.max(), "M")
    return tuple(str(p) for p in pd.period_range(first, last, freq="M"))


def _note(name: str, counts: tuple[int, ...], months: tuple[str, ...], dead: dict[str, str]) -> str:
    used = np.flatnonzero(counts)
    if name in dead:
        last = f", last in {months[used[-1]]}" if len(used) else ""
        return f"{dead[name]}{last}"
    return f"new in {months[used[0]]}" if len(used) and used[0] > NEW_WITHIN * len(months) else ""


def _largest_first(life: LabelLife) -> tuple[int, str]:
    return -sum(life.counts), life.label
