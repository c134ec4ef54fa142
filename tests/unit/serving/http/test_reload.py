"""A new scorer takes over between two batches; one that fails its checks is refused, and the old one stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import folders
import httpx2
import pytest
from served import serving, ticket
from unit.serving.http.test_faults import Load

from pipeline.scorer import Scorer
from pipeline.serving.remember import remember

KEY = b"a key of these tests"


def another(scorer: Path, folder: Path, *, seed: int = 1, key: bytes | None = None) -> str:
    """Put a scorer that differs in its settings alone into a folder, as a training would; its version."""
    loaded = Scorer.load(scorer)
    return replace(loaded, settings=replace(loaded.settings, seed=seed)).save(folder, key=key).version


@pytest.fixture
def place(scorer: Path, tmp_path: Path) -> Path:
    """A folder that may be written to."""
    shutil.copytree(scorer, tmp_path / "place")
    return tmp_path / "place"


def served_version(client: httpx2.Client) -> str:
    got = client.post("/v1/score", json=[ticket(1), ticket(2)])
    (version,) = {got.headers["x-scorer-version"], *(row["scorer_version"] for row in got.json())}
    return version


def test_a_replaced_scorer_takes_over_under_load_and_no_answer_is_of_two(
    scorer: Path, place: Path, tmp_path: Path
) -> None:
    with serving(place, tmp_path) as served, served.client() as client, Load(served) as load:
        before = served_version(client)
        for turn in (1, 2):
            version = another(scorer, place, seed=turn)
            assert served.wait_for("reloaded", turn)["scorer"] == version != before
            assert served_version(client) == version
            assert client.get("/v1/model").json()["scorer_version"] == version
        load.stop()
        assert load.statuses == {200} and not load.failed
        assert served.metric("triage_reloads_total") == 2
        assert f'triage_scorer{{version="{version}"}} 1.0' in client.get("/metrics").text
        assert before not in client.get("/metrics").text
        assert client.get("/health/ready").json()["refused"] is None


def break_a_byte(place: Path) -> None:
    folders.flip(place / "terms.npz")
    folders.rewrite(place, lambda manifest: manifest["files"].update({"terms.npz": "0" * 64}))


def lose_a_part(place: Path) -> None:
    (place / "neighbours.json").unlink()
    folders.rewrite(place, lambda manifest: manifest["parts"].remove("neighbours"))


def another_format(place: Path) -> None:
    folders.rewrite(place, lambda manifest: manifest["about"].update(format=0))


def test_a_scorer_that_fails_its_checks_is_refused_and_the_old_one_serves_on(
    scorer: Path, place: Path, tmp_path: Path
) -> None:
    with serving(place, tmp_path) as served, served.client() as client:
        version = served_version(client)
        for turn, damage in enumerate((break_a_byte, lose_a_part, another_format)):
            damage(place)
            refused = served.wait_for("refused", turn + 1)
            assert served_version(client) == version
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["scorer_version"] == version
        assert ready.json()["refused"]["error"] == refused["error"]
        assert 'triage_reloads_total{outcome="refused"} 3.0' in client.get("/metrics").text
        assert served_version(client) == version
        mended = another(scorer, place)
        served.wait_for("reloaded")
        assert served_version(client) == mended
        assert client.get("/health/ready").json()["refused"] is None


def test_a_hang_up_loads_again_and_a_scorer_must_be_signed_as_the_first(scorer: Path, tmp_path: Path) -> None:
    place, key = tmp_path / "signed", tmp_path / "key"
    key.write_bytes(KEY)
    version = another(scorer, place, key=KEY)
    with serving(place, tmp_path, "--key-file", key) as served, served.client() as client:
        served.process.send_signal(signal.SIGHUP)
        assert served.wait_for("reloaded")["scorer"] == version
        another(scorer, place, seed=2)
        assert "signature" in served.wait_for("refused")["error"]
        assert served_version(client) == version


def test_a_broken_first_scorer_ends_with_a_message_and_2(place: Path, tmp_path: Path) -> None:
    folders.flip(place / "terms.npz")
    with serving(place, tmp_path, ready=False) as served:
        assert served.process.wait(60) == 2
        assert "error: a file isn't the one that the manifest names" in served.log.read_text("utf-8")


def test_until_it_is_warm_it_lives_but_is_not_ready(scorer: Path, tmp_path: Path) -> None:
    with serving(scorer, tmp_path, ready=False) as served:
        served.wait_until_ready("listening")
        with served.client() as client:
            assert client.get("/health/live").status_code == 200
            early = [client.post("/v1/score", json=ticket()), client.get("/health/ready")]
            if "ready" not in {e["event"] for e in served.events()}:
                assert [got.status_code for got in early] == [503, 503]
                assert early[0].headers["retry-after"] == "2"
            served.wait_for("ready")
            assert client.get("/health/ready").json()["ready"] is True


def test_an_alias_of_mlflow_is_followed(scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra `tracking` isn't installed")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    versions = [registered(mlflow, uri, scorer, tmp_path, seed) for seed in (1, 2)]
    client = mlflow.MlflowClient(uri)
    client.set_registered_model_alias("triage", "champion", "1")
    with serving("models:/triage@champion", tmp_path) as served, served.client() as asking:
        assert served_version(asking) == versions[0]
        client.set_registered_model_alias("triage", "champion", "2")
        served.wait_for("reloaded")
        assert served_version(asking) == versions[1]


def registered(mlflow: Any, uri: str, scorer: Path, folder: Path, seed: int) -> str:
    """Register a scorer as a version of `triage`, as little as is needed; its version."""
    made = folder / f"model-{seed}"
    version = another(scorer, made / "artifacts" / "scorer", seed=seed)
    (made / "MLmodel").write_text(json.dumps({"flavors": {}, "run_id": None}), "utf-8")
    client = mlflow.MlflowClient(uri)
    if seed == 1:
        client.create_registered_model("triage")
    client.create_model_version("triage", str(made))
    return version


def test_a_wrong_address_of_a_registered_scorer_is_refused(tmp_path: Path) -> None:
    if "MLFLOW_TRACKING_URI" in os.environ:
        pytest.skip("the environment names a store")
    with serving("models:/triage", tmp_path, ready=False) as served:
        assert served.process.wait(60) == 2


def test_a_release_whose_history_is_away_is_tried_again(scorer: Path, place: Path, tmp_path: Path, desk: Path) -> None:
    url = f"sqlite:///{tmp_path}/history.db"
    remember(desk, url, Scorer.load(scorer).settings, progress=lambda name, count: None)
    with serving(place, tmp_path, "--history", url) as served:
        (tmp_path / "history.db").rename(tmp_path / "elsewhere.db")
        version = another(scorer, place, seed=5)
        served.wait_for("refused")
        (tmp_path / "elsewhere.db").rename(tmp_path / "history.db")
        assert served.wait_for("reloaded")["scorer"] == version
