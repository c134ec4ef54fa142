"""The plain pipeline: scikit-learn's TF-IDF of words (1–2) and characters in words (2–5), and logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.scorer import Scorer
from pipeline.tickets import parse


@dataclass(frozen=True)
class Plain:
    """A fitted one."""

    features: Any
    model: Any

    @classmethod
    def fit(cls, texts: list[str], labels: list[str]) -> Plain:
        """Learn from cleaned texts. Terms of a single text are left out (`min_df=2`), as the scorer does."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import FeatureUnion

        shared: dict[str, Any] = {"sublinear_tf": True, "min_df": 2, "dtype": np.float32}
        words = TfidfVectorizer(ngram_range=(1, 2), **shared)
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **shared)
        features = FeatureUnion([("words", words), ("characters", characters)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression().fit(features.fit_transform(texts), labels)
        return cls(features, model)

    @classmethod
    def of_thunderbird(cls, raw: Path, scorer: Scorer, newest: int = 8_000) -> Plain:
        """Learn the topics that the scorer's own model knows, from the newest of its training tickets."""
        tickets, outcomes = (pd.read_parquet(raw / f"{name}.parquet") for name in ("tickets", "outcomes"))
        topic = outcomes[outcomes["outcome"] == "topic"].set_index("ticket_id")["value"]
        label = tickets["ticket_id"].map(topic)
        known = label.isin(list(scorer.about["models"]["topic"]["counts"]))
        before = tickets["created_at"] < pd.Timestamp(scorer.about["trained"]["cut"])
        rows = tickets[known & before].sort_values("created_at").tail(newest)
        texts = parse(rows, scorer.settings.tickets)["text"].fillna("")
        return cls.fit([str(t) for t in texts], label.loc[rows.index].astype(str).tolist())

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        """Probabilities of each class."""
        return np.asarray(self.model.predict_proba(self.features.transform(texts)))

    @property
    def terms(self) -> int:
        """How many terms it weighs."""
        return int(self.model.coef_.shape[1])

    @property
    def classes(self) -> list[str]:
        """What it tells apart."""
        return [str(c) for c in self.model.classes_]
