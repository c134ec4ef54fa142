"""The scorer as MLflow loads it: MLflow copies this file into the model and runs it, so nothing is pickled."""

from os import environ
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from pipeline.scorer import Scorer

KEY_FILE = "TRIAGE_KEY_FILE"
"""Environment variable: a file whose bytes signed the scorer. With it, an unsigned or wrongly signed one is refused."""


class TriageModel(PythonModel):  # type: ignore[misc]  # MLflow's classes have no types
    """Answers what `Scorer.score` answers, to the same frames."""

    _scorer: Scorer

    def load_context(self, context: PythonModelContext) -> None:
        """Open the scorer's folder, after its hashes, versions and (with a key) signature were checked."""
        path = environ.get(KEY_FILE)
        key = Path(path).read_bytes().strip() if path else None
        self._scorer = Scorer.load(Path(context.artifacts["scorer"]), key=key)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Scored tickets, nested columns as lists and dicts; the parameter `explain` fills `explanation`."""
        return self._scorer.score(model_input, explain=bool((params or {}).get("explain", False)))


mlflow.models.set_model(TriageModel())
