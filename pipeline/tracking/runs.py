"""One MLflow run for each training and each evaluation: settings, figures, the report, and the scorer as a pyfunc."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

import pipeline
from pipeline.config import Params, as_dict
from pipeline.errors import InputError
from pipeline.scorer import Scorer
from pipeline.tracking.names import metrics_of, params_of
from pipeline.tracking.session import is_installed, visit

REPORT_FILES = ("index.html", "model_card.md", "metrics.json")
CHAMPION = "champion"
"""Alias of the registered model whose scorer was put in place last: `models:/EXPERIMENT@champion`."""

_DESCRIPTION = "mlflow.note.content"
_TAG_LENGTH = 5_000
_HASHED = ("ticket_id", "created_at", "text")
_HASHED_PREFIXES = ("label.", "known.", "fields.")


class PreparedLike(Protocol):
    """What is read of the prepared rows."""

    @property
    def frame(self) -> pd.DataFrame:
        """Training rows."""
        ...


class RanLike(Protocol):
    """What is read of a training run (`training.run.Ran`; tracking imports no training)."""

    @property
    def prepared(self) -> PreparedLike:
        """Rows that trained."""
        ...

    @property
    def scorer(self) -> Scorer:
        """What came out, with its version."""
        ...


def why_untracked(settings: Params) -> str:
    """One line for the user who asked for tracking and lacks MLflow; else empty."""
    if settings.tracking.uri is None or is_installed():
        return ""
    return "not tracked: MLflow isn't installed (pip install 'triage-tickets[tracking]')"


def track_training(ran: RanLike, report_files: Path, scorer_dir: Path, settings: Params) -> str | None:
    """Track a training run, with its scorer logged, registered and named champion.

    Parameters
    ----------
    ran : training.run.Ran
        What was trained, the scorer saved.
    report_files : Path
        Folder of `REPORT_FILES`.
    scorer_dir : Path
        The saved scorer.
    settings : Params
        Those of the training; `tracking` says where to.

    Returns
    -------
    str or None
        The run's id; None without an address or without MLflow.

    Raises
    ------
    OutputError
        The store can't be reached or written. Scorer and report are in place by then.
    """
    if settings.tracking.uri is None or not is_installed():
        return None
    scorer = ran.scorer
    about = {
        "scorer_version": scorer.version,
        "data_sha256": data_hash(ran.prepared.frame),
        "synthetic": scorer.about.get("synthetic", False),
        "encoder": scorer.builder.encoder.identity if scorer.builder.encoder else "none",
    } | {f"trained_{k}": v for k, v in scorer.about.get("trained", {}).items() if k in ("rows", "first", "last", "cut")}
    with visit(settings.tracking) as experiment:
        return _run("train", experiment, report_files, settings, about, scorer, scorer_dir)


def track_evaluation(
    report_files: Path, scorer_version: str, settings: Params, *, synthetic: bool | None = None
) -> str | None:
    """Track an evaluation of a scorer: settings, figures and report, tagged with the scorer's version.

    Parameters
    ----------
    report_files : Path
        Folder of `REPORT_FILES`.
    scorer_version : str
        Of the scorer that was evaluated.
    settings : Params
        Those of the scorer; `tracking` says where to.
    synthetic : bool, optional
        Whether the evaluated tickets are made up.

    Returns
    -------
    str or None
        The run's id; None without an address or without MLflow.

    Raises
    ------
    OutputError
        The store can't be reached or written. The report is in place by then.
    """
    if settings.tracking.uri is None or not is_installed():
        return None
    with visit(settings.tracking) as experiment:
        known = {} if synthetic is None else {"synthetic": synthetic}
        return _run("evaluate", experiment, report_files, settings, {"scorer_version": scorer_version} | known)


def registered_name(settings: Params) -> str:
    """The experiment's name, without what MLflow refuses in the name of a model."""
    return re.sub(r"[/:]", "_", settings.tracking.experiment)


def data_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of the rows that trained: ids, times, text, fields and labels, in order."""
    columns = sorted(c for c in frame.columns if c in _HASHED or c.startswith(_HASHED_PREFIXES))
    digest = hashlib.sha256(json.dumps(columns).encode())
    for column in columns:
        digest.update(pd.util.hash_pandas_object(frame[column].astype("str"), index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _run(
    kind: str,
    experiment: str,
    report_files: Path,
    settings: Params,
    about: Mapping[str, Any],
    scorer: Scorer | None = None,
    scorer_dir: Path | None = None,
) -> str:
    import mlflow

    files, figures = _present(report_files), _figures(report_files)
    tags = {"kind": kind, "triage_version": pipeline.__version__} | {k: str(v) for k, v in about.items()}
    with mlflow.start_run(experiment_id=experiment, run_name=f"{kind} {about['scorer_version']}", tags=tags) as run:
        mlflow.log_params(params_of(as_dict(settings)))
        mlflow.log_metrics(metrics_of(figures))
        for path in files:
            mlflow.log_artifact(str(path), "report")
        if (card := report_files / "model_card.md").is_file():
            mlflow.set_tag(_DESCRIPTION, card.read_text("utf-8")[:_TAG_LENGTH])
        if scorer is not None and scorer_dir is not None:
            _log_scorer(scorer, scorer_dir, settings)
        return str(run.info.run_id)


def _log_scorer(scorer: Scorer, folder: Path, settings: Params) -> None:
    """The scorer as a pyfunc that carries this package, so the model opens where Triage isn't installed."""
    import mlflow

    from pipeline.tracking.signature import requirements_of, signature_of

    package = Path(pipeline.__file__).parent
    logged = mlflow.pyfunc.log_model(
        name="scorer",
        python_model=str(package / "tracking" / "model.py"),
        artifacts={"scorer": str(folder.absolute())},
        code_paths=[str(package)],
        signature=signature_of(scorer),
        pip_requirements=requirements_of(settings),
        registered_model_name=registered_name(settings),
        tags={"scorer_version": scorer.version},
    )
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(registered_name(settings), CHAMPION, logged.registered_model_version)


def _present(report_files: Path) -> list[Path]:
    found = [report_files / name for name in REPORT_FILES if (report_files / name).is_file()]
    if not found:
        expected = ", ".join(REPORT_FILES)
        raise InputError("there is no report to track", where=report_files.name, do=f"expected {expected}")
    return found


def _figures(report_files: Path) -> Any:
    path = report_files / "metrics.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
