"""A trained scorer's folder: loaded it scores the same, trained again it is the same, touched it is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import folders
import numpy as np
import pandas as pd
import pytest
import sklearn

from pipeline.artifact import CHECKSUM, MANIFEST, SIGNATURE
from pipeline.config import Encoder, Escalation, Gates, Params, Topic
from pipeline.errors import ConfigError, IntegrityError, ScorerError, TriageError, VersionError
from pipeline.scorer import FORMAT, Scorer
from pipeline.sources.sample import generate, write
from pipeline.training.run import run

KEY = b"a key of these tests"


@pytest.fixture
def folder(small_scorer: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(small_scorer, tmp_path / "scorer"))


@pytest.fixture
def tickets(small_raw: Path) -> pd.DataFrame:
    frame = pd.read_parquet(small_raw / "tickets.parquet").head(40)
    odd = pd.DataFrame({"ticket_id": ["", "odd", "odd"], "body": ["no id", None, "twice \x00 ☃ " + "x" * 5_000]})
    return pd.concat([frame, odd], ignore_index=True)


def refused(folder: Path, kind: type[TriageError], match: str | None = None, key: bytes | None = None) -> None:
    with pytest.raises(kind, match=match):
        Scorer.load(folder, key=key)


# ── the same again ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("explain", [False, True])
def test_a_loaded_scorer_that_is_saved_and_loaded_scores_the_same(
    small_scorer: Path, tmp_path: Path, tickets: pd.DataFrame, explain: bool
) -> None:
    first = Scorer.load(small_scorer)
    second = first.save(tmp_path / "again")
    third = Scorer.load(tmp_path / "again", key=None)
    assert first.version == second.version == third.version
    wanted = first.score(tickets, explain=explain)
    pd.testing.assert_frame_equal(third.score(tickets, explain=explain), wanted, check_exact=True)
    assert wanted["explanation"].notna().any() == explain


def test_what_was_just_trained_scores_as_it_does_when_loaded(tmp_path: Path, tickets: pd.DataFrame) -> None:
    made = trained(tmp_path / "raw", encoder="static")
    saved = made.save(tmp_path / "scorer")
    loaded = Scorer.load(tmp_path / "scorer")
    fresh = made.score(tickets, explain=True).drop(columns="scorer_version")
    pd.testing.assert_frame_equal(loaded.score(tickets, explain=True).drop(columns="scorer_version"), fresh)
    assert loaded.version == saved.version != made.version


def test_saving_twice_gives_the_same_bytes(small_scorer: Path, tmp_path: Path) -> None:
    Scorer.load(small_scorer).save(tmp_path / "again", key=KEY)
    ours = {p.name: p.read_bytes() for p in small_scorer.iterdir()}
    assert ours == {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["static", pytest.param("minilm", marks=pytest.mark.encoder)])
def test_the_same_data_settings_and_seed_give_the_same_scorer_in_another_process(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cwd", "other-cwd"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "cwd")  # where the cache lies: each process begins without one
    here = trained(tmp_path / "raw", encoder=encoder).save(tmp_path / "here").version
    script = (
        "import sys; from pathlib import Path; from model.test_scorer_folder import trained; raw, out = sys.argv[2:];"
        "print(trained(Path(raw), encoder=sys.argv[1]).save(Path(out)).version)"
    )
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "OMP_NUM_THREADS": "1", "PYTHONPATH": tests}
    command = [sys.executable, "-c", script, encoder, str(tmp_path / "raw"), str(tmp_path / "there")]
    elsewhere = tmp_path / "other-cwd"
    done = subprocess.run(command, env=environment, cwd=elsewhere, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    there = {p.name: p.read_bytes() for p in (tmp_path / "there").iterdir()}
    assert not [p.name for p in (tmp_path / "here").iterdir() if p.read_bytes() != there[p.name]]
    assert done.stdout.strip() == here


def test_another_seed_in_the_settings_is_another_version(small_scorer: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_scorer, tmp_path / "scorer"))
    folders.rewrite(folder, lambda manifest: manifest["about"]["settings"].update(seed=1))
    assert Scorer.load(folder).version != Scorer.load(small_scorer).version


# ── damage ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", [None, KEY], ids=["without the key", "with the key"])
def test_a_flipped_byte_in_any_file_is_refused(folder: Path, key: bytes | None) -> None:
    files = sorted(folder.iterdir())
    assert {MANIFEST, SIGNATURE, CHECKSUM} < {p.name for p in files}
    for path in files:
        whole = path.read_bytes()
        folders.flip(path)
        named = SIGNATURE if key and path.name == MANIFEST else path.name  # the signature is the manifest's
        refused(folder, IntegrityError, re.escape(named), key)
        path.write_bytes(whole)
    Scorer.load(folder, key=key)


def test_a_missing_file_is_refused_with_its_name(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.unlink()
        refused(folder, ScorerError, re.escape(path.name))
        path.write_bytes(whole)


def test_a_truncated_or_an_empty_file_is_refused(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for size in (0, len(whole) - 1):
            path.write_bytes(whole[:size])
            refused(folder, IntegrityError, re.escape(path.name))
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["notes.txt", "topic_9.npz", "model.pkl", "sub"])
def test_an_extra_file_is_refused_with_its_name(folder: Path, name: str) -> None:
    (folder / name).mkdir() if name == "sub" else (folder / name).write_bytes(b"x")
    refused(folder, IntegrityError, re.escape(name))


def test_a_file_of_another_scorer_is_refused(folder: Path) -> None:
    (folder / "queue.npz").write_bytes((folder / "topic.npz").read_bytes())
    refused(folder, IntegrityError, r"queue\.npz")


# ── a rewritten manifest ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", [folders.pickled, folders.pickled_array, folders.joblib_dump])
def test_a_hostile_pickle_under_a_rewritten_manifest_is_refused_and_never_run(
    folder: Path, tmp_path: Path, make: Any
) -> None:
    marker = tmp_path / "it-ran"
    for path in sorted(folder.glob("*.npz")) + sorted(folder.glob("*.json")):
        if path.name == MANIFEST:
            continue
        whole = path.read_bytes()
        path.write_bytes(make(marker))
        folders.rewrite(folder)
        refused(folder, IntegrityError, path.stem)
        path.write_bytes(whole)
    assert not marker.exists()


def test_the_hostile_pickle_does_run_where_it_is_opened(tmp_path: Path) -> None:
    import pickle

    pickle.loads(folders.pickled(tmp_path / "it-ran"))
    assert (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("name", ["topic.pkl", "topic.joblib", "topic.skops", "topic.py"])
def test_another_kind_of_file_is_refused_though_the_manifest_names_it(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_bytes(folders.pickled(tmp_path / "it-ran"))
    folders.rewrite(folder)
    refused(folder, IntegrityError, re.escape(name))
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("make", [folders.bomb, folders.liar], ids=["bomb", "liar"])
def test_an_array_file_that_grows_is_refused(folder: Path, make: Any) -> None:
    (folder / "terms.npz").write_bytes(make())
    folders.rewrite(folder)
    refused(folder, IntegrityError, "terms")


def test_parts_that_dont_make_a_scorer_are_refused(folder: Path) -> None:
    arrays = dict(np.load(folder / "topic_0.npz"))
    for name in arrays:
        np.savez(folder / "topic_0.npz", **{k: v for k, v in arrays.items() if k != name})
        folders.rewrite(folder)
        refused(folder, IntegrityError)


@pytest.mark.parametrize("part", ["policy", "terms", "fields", "encoder", "neighbours"])
def test_a_manifest_without_a_part_that_is_needed_is_refused(folder: Path, part: str) -> None:
    for path in folder.glob(f"{part}.*"):
        path.unlink()
    folders.rewrite(folder, lambda manifest: manifest["parts"].remove(part))
    refused(folder, IntegrityError, "don't make a scorer")


def test_the_key_tells_a_rewritten_manifest_from_the_right_one(folder: Path) -> None:
    Scorer.load(folder, key=KEY)
    folders.rewrite(folder, lambda manifest: manifest["about"].update(has_text=False))
    Scorer.load(folder)
    refused(folder, IntegrityError, "signature", KEY)


def test_a_wrong_key_and_a_missing_signature_are_refused(folder: Path) -> None:
    refused(folder, IntegrityError, "signature", b"another key")
    folders.rewrite(folder)
    refused(folder, IntegrityError, "signature", KEY)


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def other_minor(version: str) -> str:
    major, minor, *rest = version.split(".")
    return ".".join([major, str(int(minor) + 1), *rest])


@pytest.mark.parametrize("library", ["sklearn", "numpy"])
def test_another_minor_version_of_a_library_is_refused_before_a_part_is_opened(folder: Path, library: str) -> None:
    for path in folder.glob("*.npz"):
        path.write_bytes(b"not to be opened")
    here = {"sklearn": sklearn.__version__, "numpy": np.__version__}[library]
    folders.rewrite(folder, lambda manifest: manifest["about"]["libraries"].update({library: other_minor(here)}))
    refused(folder, VersionError, f"{library}(?s:.*){re.escape(other_minor(here))}")


def test_another_patch_version_of_a_library_is_taken(folder: Path) -> None:
    major, minor = sklearn.__version__.split(".")[:2]
    folders.rewrite(folder, lambda manifest: manifest["about"]["libraries"].update(sklearn=f"{major}.{minor}.99"))
    Scorer.load(folder)


@pytest.mark.parametrize("libraries", [None, {}, [], "1.9"])
def test_a_manifest_without_library_versions_is_refused(folder: Path, libraries: Any) -> None:
    folders.rewrite(folder, lambda manifest: manifest["about"].update(libraries=libraries))
    refused(folder, VersionError, "sklearn")


@pytest.mark.parametrize("number", [None, 0, FORMAT - 1, FORMAT + 1, str(FORMAT)])
def test_another_format_of_the_parts_is_refused(folder: Path, number: Any) -> None:
    folders.rewrite(folder, lambda manifest: manifest["about"].update(format=number))
    refused(folder, VersionError, "another version of Triage")


def test_another_schema_is_refused(folder: Path) -> None:
    folders.rewrite(folder, lambda manifest: manifest["about"].update(schema="0" * 64))
    refused(folder, VersionError, "schema")


def test_settings_that_this_version_doesnt_know_are_refused(folder: Path) -> None:
    folders.rewrite(folder, lambda manifest: manifest["about"]["settings"].update(colour="green"))
    refused(folder, ConfigError, "colour")
    folders.rewrite(folder, lambda manifest: manifest["about"].pop("settings"))
    refused(folder, IntegrityError, "don't make a scorer")


def test_the_manifest_says_what_the_scorer_was_trained_on(small_scorer: Path) -> None:
    about = json.loads((small_scorer / MANIFEST).read_text("utf-8"))["about"]
    assert about["synthetic"] is True
    assert len(about["trained"]["ids"]) >= about["trained"]["rows"] > 300
    assert about["encoder"] == "none"


def trained(raw: Path, *, encoder: str) -> Scorer:
    """A scorer from few tickets, nothing left out; the tickets are written where there are none."""
    if not raw.exists():
        write(generate(seed=5, tickets=80 if encoder == "minilm" else 160, days=120), raw)
    settings = Params(
        encoder=Encoder(name=encoder, cache="cache", max_tokens=32),
        topic=Topic(candidates=("words", "both"), regularisation=(1.0,)),
        escalation=Escalation(candidates=("text", "table")),
        gates=Gates(enabled=False),
    )
    return run(raw, settings, say=lambda line: None).scorer
