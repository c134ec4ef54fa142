"""A visit to a store: quiet, refused in plain words, and everything as it was afterwards."""

from __future__ import annotations

import logging
import os
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.config import Tracking
from pipeline.errors import InputError, OutputError
from pipeline.tracking.session import visit, without_password

pytestmark = pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra `tracking` isn't installed")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("postgresql://user:secret@host:5432/db", "postgresql://…@host:5432/db"),
        ("https://user:p@ss@host/x", "https://…@host/x"),
    ],
)
def test_a_password_is_never_shown(uri: str, shown: str) -> None:
    assert without_password(uri) == shown


@pytest.mark.parametrize(
    "uri",
    [
        "mlruns", "file:///tmp/runs", "nonsense://x", "sqlite:////proc/no/such/folder.db", "http://127.0.0.1:9",
        "postgresql://user:secret@127.0.0.1:9/db", "",
    ],
)  # fmt: skip
def test_a_store_that_cant_be_used_is_an_output_error_without_noise(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(OutputError, match="can't be tracked") as error, visit(Tracking(uri=uri)):
        pass
    assert "secret" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_fault_of_ours_inside_a_visit_stays_what_it_is(store: str) -> None:
    with pytest.raises(InputError, match="mine"), visit(Tracking(uri=store)):
        raise InputError("mine")


def test_whatever_fails_inside_a_visit_is_an_output_error(store: str) -> None:
    with pytest.raises(OutputError, match="RuntimeError: disk on fire"), visit(Tracking(uri=store)):
        raise RuntimeError("disk on fire\nand more")


def test_a_visit_leaves_everything_as_it_was(store: str) -> None:
    import mlflow

    def state() -> tuple[object, ...]:
        levels = [logging.getLogger(name).level for name in ("mlflow", "alembic")]
        return dict(os.environ), levels, list(warnings.filters), mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set()

    before = state()
    with visit(Tracking(uri=store)):
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
        assert mlflow.get_tracking_uri() == store
    assert state() == before


def test_a_visit_goes_back_to_the_address_that_the_user_had_set(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/theirs.db")
    with visit(Tracking(uri=store)):
        pass
    assert mlflow.get_tracking_uri() == f"sqlite:///{tmp_path}/theirs.db"
    assert not (tmp_path / "theirs.db").exists()
    mlflow.set_tracking_uri(None)


def test_the_same_name_is_the_same_experiment_and_artifacts_lie_beside_the_database(store: str) -> None:
    from mlflow import MlflowClient

    with visit(Tracking(uri=store, experiment="mail")) as first:
        pass
    with visit(Tracking(uri=store, experiment="mail")) as second:
        experiment = MlflowClient().get_experiment(second)
    assert first == second
    folder = Path(store.removeprefix("sqlite:///")).parent
    assert experiment.artifact_location == (folder / "mlruns").as_uri()


def test_a_deleted_experiment_is_said_to_be_so(store: str) -> None:
    import mlflow

    with visit(Tracking(uri=store, experiment="gone")) as experiment:
        mlflow.MlflowClient().delete_experiment(experiment)
    with pytest.raises(OutputError, match="deleted"), visit(Tracking(uri=store, experiment="gone")) as experiment:
        mlflow.start_run(experiment_id=experiment)
