"""Files that are made of the data's: CLINC's JSON and Endava's two parts as tables, articles with other products."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import truth

CLINC = {"clinc-train": ("train", "oos_train"), "clinc-test": ("test",), "clinc-scope": ("val", "oos_val")}


def reshape(data: Path, made: Path) -> None:
    """Write the tables into `made`; a few seconds."""
    made.mkdir(parents=True, exist_ok=True)
    parts = truth.clinc(data)
    for name, members in CLINC.items():
        rows = [row for member in members for row in parts[member]]
        pd.DataFrame(rows, columns=["text", "intent"]).to_csv(made / f"{name}.csv", index=False)
    for name, frame in zip(("endava-train", "endava-test"), truth.endava_parts(data), strict=True):
        frame.to_csv(made / f"{name}.csv", index=False)


def named_articles(data: Path, made: Path) -> None:
    """Write Thunderbird's articles as `thunderbird_articles_named` has them."""
    folder = made / "named"
    folder.mkdir(parents=True, exist_ok=True)
    truth.thunderbird_articles_named(data).to_csv(folder / "articles.csv", index=False)
