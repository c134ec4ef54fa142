"""The pyfunc answers what the scorer answers: to any frame, in another process, without Triage, and over JSON."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import folders
import pandas as pd
import pytest

from pipeline.errors import IntegrityError
from pipeline.scorer import Scorer
from pipeline.tickets.schema import names

pytestmark = pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra `tracking` isn't installed")

KEY = b"a key of these tests"
Frames = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def folder(tracked: dict[str, Any]) -> Path:
    """The model's folder in the store."""
    return next((tracked["folder"] / "mlruns").rglob("MLmodel")).parent


@pytest.fixture(scope="module")
def model(tracked: dict[str, Any]) -> Any:
    """The champion, loaded as people load it."""
    import mlflow

    path = list(sys.path)
    mlflow.set_tracking_uri(tracked["uri"])
    try:
        return mlflow.pyfunc.load_model("models:/tests@champion")
    finally:
        mlflow.set_tracking_uri(None)
        sys.path[:] = path


@pytest.fixture(scope="module")
def scorer(small_scorer: Path) -> Scorer:
    return Scorer.load(small_scorer)


@pytest.fixture(scope="module")
def tickets(small_raw: Path) -> pd.DataFrame:
    return pd.read_parquet(small_raw / "tickets.parquet").head(30)


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def backwards(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame.columns[::-1]].iloc[::-1]


def other_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis([f"row {i}" for i in range(len(frame))])


def least(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["ticket_id", "body"]]


def only_fields(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["ticket_id", "fields.product"]]


def one_row(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[[7]]


def no_rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[:0]


def unknown_columns(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(colour="green", **{"fields.unheard": 1.5})


def as_csv_reads(frame: pd.DataFrame) -> pd.DataFrame:
    """Ids that are numbers, times that are text, and columns without a value, which pandas reads as numbers."""
    text = frame.assign(ticket_id=range(len(frame)), channel=None, language=None).to_csv(index=False)
    import io

    return pd.read_csv(io.StringIO(text))


def naive_times(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(created_at=frame["created_at"].dt.tz_localize(None))


def other_zone(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(created_at=frame["created_at"].dt.tz_convert("Asia/Tokyo").dt.as_unit("ns"))


def no_times(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(created_at=pd.NaT, as_of=None)


def as_of(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(as_of=frame["created_at"] + pd.Timedelta(hours=3))


def bad_rows(frame: pd.DataFrame) -> pd.DataFrame:
    ids = frame["ticket_id"].astype(object).tolist()
    ids[:4] = [None, "bad\x01id", ids[5], ""]
    times = frame["created_at"].astype(str).astype(object).tolist()
    times[6:8] = ["not a time", None]
    body = frame["body"].astype(object).tolist()
    body[8:11] = [None, "\x00", 17]
    return frame.assign(ticket_id=ids, created_at=times, body=body)


def coded_rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(error=["ragged_row", None] * (len(frame) // 2))


def categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"channel": "category", "subject": object, "body": "string"})


SHAPES = [
    as_is, backwards, other_index, least, only_fields, one_row, no_rows, unknown_columns, as_csv_reads, naive_times,
    other_zone, no_times, as_of, bad_rows, coded_rows, categories,
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_model_answers_what_the_scorer_answers(
    model: Any, scorer: Scorer, tickets: pd.DataFrame, shape: Frames
) -> None:
    frame = shape(tickets)
    before = frame.copy()
    pd.testing.assert_frame_equal(model.predict(frame), scorer.score(frame), check_exact=True)
    pd.testing.assert_frame_equal(frame, before)


def test_the_model_explains_when_it_is_asked_to(model: Any, scorer: Scorer, tickets: pd.DataFrame) -> None:
    found = model.predict(tickets, params={"explain": True})
    pd.testing.assert_frame_equal(found, scorer.score(tickets, explain=True), check_exact=True)
    assert found["explanation"].notna().all()


def test_a_table_without_ids_is_refused(model: Any) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="ticket_id"):
        model.predict(pd.DataFrame({"body": ["x"]}))


def test_the_signature_names_the_columns_and_the_answers_fit_it(
    model: Any, scorer: Scorer, tickets: pd.DataFrame
) -> None:
    import mlflow

    signature = model.metadata.signature
    assert signature.outputs.input_names() == names("scored")
    assert signature.inputs.required_input_names() == ["ticket_id"]
    assert set(tickets.columns) <= set(signature.inputs.input_names())
    assert [p.name for p in signature.params] == ["explain"]
    for frame in (tickets, bad_rows(tickets)):
        mlflow.models.validate_schema(scorer.score(frame, explain=True), signature.outputs)


@pytest.mark.parametrize("explain", [False, True])
def test_the_served_model_gives_the_same_over_json_and_parquet(
    model: Any, scorer: Scorer, tickets: pd.DataFrame, explain: bool
) -> None:
    from mlflow.pyfunc.scoring_server import invocations

    frame, schema = tickets.astype({"created_at": str}), model.metadata.get_input_schema()
    asked = {"dataframe_split": json.loads(frame.to_json(orient="split", index=False)), "params": {"explain": explain}}
    scored = scorer.score(tickets, explain=explain).drop(columns="as_of")
    wanted = scored.astype(object).where(scored.notna(), None).to_dict("records")
    answer = invocations(json.dumps(asked), "application/json", model, schema)
    assert answer.status == 200
    found = json.loads(answer.response)["predictions"]
    assert [pd.Timestamp(row.pop("as_of")) for row in found] == tickets["created_at"].tolist()
    assert found == wanted
    if not explain:
        answer = invocations(tickets.to_parquet(), "application/vnd.apache.parquet", model, schema)
        assert [row["queue"] for row in json.loads(answer.response)["predictions"]] == [row["queue"] for row in wanted]


def test_the_model_opens_where_triage_isnt_installed_and_needs_no_more_than_it_says(
    folder: Path, tickets: pd.DataFrame, scorer: Scorer, tmp_path: Path
) -> None:
    script = """
import sys, json
from importlib.metadata import packages_distributions
root, folder, rows, out = sys.argv[1:]
sys.path[:] = [p for p in sys.path if p and p != root]
try:
    import pipeline
    raise SystemExit("Triage is still there: " + pipeline.__file__)
except ModuleNotFoundError:
    pass
import mlflow, mlflow.pyfunc, pandas, scipy.sparse, sklearn
before = set(sys.modules)
model = mlflow.pyfunc.load_model(folder)
model.predict(pandas.read_parquet(rows)).to_pickle(out)
import pipeline
known = packages_distributions()
fresh = {m.partition(".")[0] for m in set(sys.modules) - before}
print(json.dumps([pipeline.__file__, sorted({d.lower() for m in fresh for d in known.get(m, [])})]))
"""
    tickets.to_parquet(tmp_path / "rows.parquet")
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", script, root, str(folder), str(tmp_path / "rows.parquet"), str(tmp_path / "out")]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    where, needed = json.loads(done.stdout)
    assert Path(where).is_relative_to(folder)
    pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / "out"), scorer.score(tickets), check_exact=True)
    said = {line.partition("==")[0].lower() for line in (folder / "requirements.txt").read_text().split()}
    brought = {"threadpoolctl", "rich"}  # scikit-learn needs the one, and tries the other
    assert set(needed) - brought - {"triage-tickets"} <= said
    assert "Warning" not in done.stderr


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The model's folder, to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "model"))


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import mlflow

    monkeypatch.setattr(sys, "path", list(sys.path))
    return mlflow.pyfunc.load_model(str(folder))


def test_a_flipped_byte_in_the_models_scorer_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders.flip(next(copy.rglob("terms.npz")))
    with pytest.raises(IntegrityError, match=r"terms\.npz"):
        opened(copy, monkeypatch)


def test_with_a_key_file_the_models_scorer_must_be_signed(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    monkeypatch.setenv("TRIAGE_KEY_FILE", str(path))
    path.write_bytes(KEY + b"\n")
    opened(copy, monkeypatch)
    path.write_bytes(b"another")
    with pytest.raises(IntegrityError, match="signature"):
        opened(copy, monkeypatch)


def test_loading_and_asking_warns_of_nothing(
    copy: Path, tickets: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        opened(copy, monkeypatch).predict(tickets)
    assert caplog.records == []
