"""One quiet visit to an MLflow store: no telemetry, nothing on the terminal, and everything as it was afterwards."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config import Tracking
from pipeline.errors import OutputError, TriageError

_SQLITE = "sqlite:///"

_SERVERS = ("postgresql", "mysql", "mssql")
_ARTIFACTS = "mlruns"

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # it would take the requirements from whatever project lies in this folder
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # seven by default: minutes, where a server is away
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Set for the visit, unless the user has set them otherwise."""


def is_installed() -> bool:
    """Whether MLflow can be imported; it is imported to find out."""
    with _environment(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import mlflow.pyfunc  # noqa: F401
        except ImportError:
            return False
    return True


@contextmanager
def visit(settings: Tracking) -> Iterator[str]:
    """Everything inside goes to the store at `settings.uri`; gives the experiment's id.

    Raises
    ------
    OutputError
        Whatever goes wrong inside: a store that can't be reached or written, a name that it refuses.
    """
    assert settings.uri is not None
    do = "mend the address, or set tracking: {uri: null}"
    with at(settings.uri, what="the run can't be tracked", do=do):
        yield _experiment(settings)


@contextmanager
def at(uri: str, *, what: str, do: str) -> Iterator[None]:
    """Everything inside asks the store at an address.

    Parameters
    ----------
    what, do : str
        What the error says.

    Raises
    ------
    OutputError
        Whatever goes wrong inside.
    """
    with _environment():
        import mlflow

        before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
        with _quiet():
            try:
                mlflow.set_tracking_uri(uri)
                _reach(uri)
                yield
            except TriageError:
                raise
            except Exception as error:  # MLflow, SQLAlchemy, requests: each raises its own
                where, got = f"tracking: uri: {without_password(uri)}", _first_line(error, uri)
                raise OutputError(what, where=where, got=got, do=do) from error
            finally:
                mlflow.set_tracking_uri(before)


def _reach(uri: str) -> None:
    """Fail at once where a database server can't be used: MLflow would try ten times, for a minute and a half."""
    if not uri.startswith(_SERVERS):
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def without_password(uri: str) -> str:
    """The address, fit for a message."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return uri.replace(parts.netloc, "…@" + parts.netloc.rpartition("@")[2], 1)


def _experiment(settings: Tracking) -> str:
    """Id of the experiment, made where there is none; beside an SQLite file its artifacts lie beside the file."""
    from mlflow import MlflowClient

    client = MlflowClient()
    if (known := client.get_experiment_by_name(settings.experiment)) is not None:
        return str(known.experiment_id)
    return str(client.create_experiment(settings.experiment, artifact_location=_artifacts(settings.uri or "")))


def _artifacts(uri: str) -> str | None:
    if not uri.startswith(_SQLITE):
        return None
    folder = Path(uri.removeprefix(_SQLITE).partition("?")[0]).absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / _ARTIFACTS).as_uri()


@contextmanager
def _environment() -> Iterator[None]:
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    address = os.environ.get("MLFLOW_TRACKING_URI")  # MLflow writes it when told where to go
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        if address is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = address


@contextmanager
def _quiet() -> Iterator[None]:
    from mlflow.utils.logging_utils import MLFLOW_LOGGING_STREAM, disable_logging, enable_logging

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels, spoke = [logger.level for logger in loggers], MLFLOW_LOGGING_STREAM.enabled
    disable_logging()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if spoke:
            enable_logging()


def _first_line(error: Exception, uri: str) -> str:
    line = (str(error).splitlines() or [""])[0].replace(uri, without_password(uri))
    return f"{type(error).__name__}: {line[:200]}"
