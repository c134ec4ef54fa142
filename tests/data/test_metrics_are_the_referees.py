"""The same figures as the project's referee, which shares no code with the package."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.training import metrics

REFEREE = Path(__file__).resolve().parents[3] / "shared" / "bench" / "referee.py"
SEED, RESAMPLES, ROWS = 11, 40, 317
Record = dict[str, Any]
LEVELS = ["low", "medium", "high", "urgent"]

pytestmark = pytest.mark.skipif(not REFEREE.exists(), reason="../shared/bench is missing")


@pytest.fixture
def made() -> np.random.Generator:
    return np.random.default_rng(20261123)


def judge(task: str, truth: list[Record], said: list[Record], folder: Path, *more: str) -> Record:
    lines = [",".join(truth[0])] + [",".join(str(v) for v in row.values()) for row in truth]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said), "utf-8")
    command = [sys.executable, str(REFEREE), task, "--truth", "truth.csv", "--pred", "said.jsonl"]
    command += ["--seed", str(SEED), "--resamples", str(RESAMPLES), *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=300)
    return dict(json.loads(done.stdout))


def agree(ours: Mapping[str, float], theirs: Mapping[str, Any]) -> None:
    """Every figure of theirs that is there, to the six digits that it is printed with."""
    known = {name: value for name, value in theirs.items() if isinstance(value, (int, float))}
    assert {name: round(float(ours[name]), 6) for name in known} == pytest.approx(known, abs=1.5e-6)


def agree_on_intervals(function: Callable[[metrics.Integers], Mapping[str, float]], theirs: Mapping[str, Any]) -> None:
    ours = metrics.interval(function, ROWS, seed=SEED, resamples=RESAMPLES)
    for name, bounds in theirs.items():
        assert ours[name] == pytest.approx(tuple(bounds), abs=1.5e-6), name


def shaky(made: np.random.Generator, truth: np.ndarray, labels: list[str]) -> np.ndarray:
    return np.where(made.random(len(truth)) < 0.6, truth, made.choice(labels, len(truth)))


def test_topic_figures_with_ties_candidates_and_out_of_scope(made: np.random.Generator, tmp_path: Path) -> None:
    labels = ["mail", "login", "crash", "billing", "oos"]
    truth = made.choice(labels, ROWS, p=[0.4, 0.3, 0.15, 0.05, 0.1])
    guess = shaky(made, truth, [*labels, "never true"])
    sure = np.round(made.random(ROWS), 1)
    candidates = [[g, *made.permutation([x for x in labels if x != g])] for g in guess]
    shares = [{g: float(c), "rest": 1 - float(c)} for g, c in zip(guess, sure, strict=True)]
    scope = np.round(made.random(ROWS), 2)
    said = [
        {"ticket_id": f"t{i}", "topic": g, "confidence": c, "candidates": k, "probabilities": p, "oos_score": o}
        for i, (g, c, k, p, o) in enumerate(zip(guess, sure, candidates, shares, scope, strict=True))
    ]
    result = judge("topic", _rows("topic", truth), said, tmp_path, "--out-of-scope", "oos")

    ours = metrics.class_metrics(truth, guess, candidates=candidates, confidence=sure, probabilities=shares)
    agree(ours, result["metrics"])
    outside = result["metrics"]["out_of_scope"]
    outside.pop("in_scope_accuracy")
    agree(metrics.scope_metrics(truth == "oos", scope, flagged=guess == "oos"), outside)
    names, (t, g) = metrics.encode(truth, guess)
    agree_on_intervals(lambda rows: metrics.code_metrics(t[rows], g[rows], len(names)), result["ci95"])


def test_priority_figures(made: np.random.Generator, tmp_path: Path) -> None:
    truth = made.choice(LEVELS, ROWS, p=[0.5, 0.3, 0.15, 0.05])
    guess = shaky(made, truth, LEVELS)
    said = [{"ticket_id": f"t{i}", "priority": g} for i, g in enumerate(guess)]
    result = judge("priority", _rows("priority", truth), said, tmp_path)

    agree(metrics.class_metrics(truth, guess) | metrics.ordinal_metrics(truth, guess, LEVELS), result["metrics"])
    t, g = (np.array([LEVELS.index(x) for x in column]) for column in (truth, guess))

    def points(rows: metrics.Integers) -> dict[str, float]:
        return metrics.rank_metrics(t[rows], g[rows]) | metrics.code_metrics(t[rows], g[rows], 4)

    agree_on_intervals(points, result["ci95"])


@pytest.mark.parametrize("digits", [1, 6])
def test_escalation_figures_with_and_without_ties(made: np.random.Generator, tmp_path: Path, digits: int) -> None:
    risk = np.round(made.beta(1, 6, ROWS), digits)
    outcome = (made.random(ROWS) < risk + 0.03).astype(int)
    said = [{"ticket_id": f"t{i}", "escalation_risk": r} for i, r in enumerate(risk)]
    result = judge("escalation", _rows("escalated", outcome), said, tmp_path)

    agree(metrics.risk_metrics(outcome, risk), result["metrics"])
    y = outcome.astype(np.float64)
    agree_on_intervals(lambda rows: metrics.ranking_metrics(y[rows], risk[rows]), result["ci95"])


def _rows(column: str, values: np.ndarray) -> list[Record]:
    return [{"ticket_id": f"t{i}", column: value} for i, value in enumerate(values)]
