"""Who may ask: keys, their hashes, and a share for each."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from served import serving, ticket

from pipeline.errors import InputError
from pipeline.serving.http.keys import KeyFile, hashed, load_keys, new_key, remove_key
from pipeline.serving.http.limits import Limits, Room
from pipeline.serving.http.problems import ProblemError

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def triage(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipeline", *map(str, words)], capture_output=True, text=True)


def test_a_key_is_printed_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    done = triage("keys", "new", "--file", file, "--name", "zendesk")
    key = done.stdout.strip()
    assert done.returncode == 0 and key.startswith("triage_")
    assert key not in file.read_text("utf-8")
    assert json.loads(file.read_text("utf-8"))["keys"][0]["sha256"] == hashed(key)
    assert file.stat().st_mode & 0o077 == 0
    assert triage("keys", "new", "--file", file, "--name", "zendesk").returncode == 2
    assert triage("keys", "remove", "--file", file, "--name", "zendesk").returncode == 0
    assert json.loads(file.read_text("utf-8"))["keys"] == []


def test_several_keys_are_valid_at_once_until_they_are_removed(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    old, new = (new_key(file, name, now=NOW) for name in ("old", "new"))
    watched = KeyFile(file)
    assert [watched.keys.name_of(k) for k in (old, new, "", f"{new} ", "é\udc80")] == ["old", "new", None, None, None]
    remove_key(file, "old")
    watched.look()
    assert [watched.keys.name_of(k) for k in (old, new)] == [None, "new"]
    file.write_text("{}", "utf-8")
    with pytest.raises(InputError):
        watched.look()
    assert watched.keys.name_of(new) == "new"


@pytest.mark.parametrize("content", ["", "[]", '{"keys": 1}', '{"keys": [{"name": "a"}]}', '{"keys": []}'])
def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content, "utf-8")
    with pytest.raises(InputError):
        load_keys(tmp_path / "keys.json")
    with pytest.raises(InputError, match="not a name"):
        new_key(tmp_path / "other.json", "two words", now=NOW)


def test_without_keys_only_this_machine_is_served(tmp_path: Path) -> None:
    done = triage("serve", "--scorer", tmp_path, "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "without keys only this machine may ask" in done.stderr


def test_only_who_has_a_key_is_answered_and_a_new_one_is_taken_while_it_serves(scorer: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = new_key(file, "first", now=NOW)
    with serving(scorer, tmp_path, "--keys", file) as served, served.client() as client:
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {key}"}):
            for got in (
                client.post("/v1/score", json=ticket(), headers=header),
                client.get("/metrics", headers=header),
            ):
                assert got.status_code == 401
                assert got.headers["www-authenticate"] == "Bearer"
        assert client.get("/health/ready").status_code == 200
        assert client.post("/v1/score", json=ticket(), headers={"authorization": f"Bearer {key}"}).status_code == 200
        fresh = {"authorization": f"bearer {new_key(file, 'second', now=NOW)}"}
        served.until(lambda: client.post("/v1/score", json=ticket(), headers=fresh).status_code == 200)
        remove_key(file, "first")
        served.until(lambda: client.get("/metrics", headers={"authorization": f"Bearer {key}"}).status_code == 401)
        assert key not in served.log.read_text("utf-8")


def test_a_key_has_its_share_and_a_place_is_free_again() -> None:
    room = Room(Limits(items_in_flight=10, bytes_in_flight=100, key_share=0.5), shared=True)
    with room.place("a") as mine, room.place("b") as yours:
        mine.take(items=5, size=50)
        with pytest.raises(ProblemError) as full:
            mine.take(items=1)
        assert (full.value.status, full.value.retry_after) == (429, 1)
        yours.take(items=5)
        with pytest.raises(ProblemError) as full:
            yours.take(items=1)
        assert (full.value.status, full.value.retry_after) == (503, 1)
    assert (room.all_items, room.all_bytes, dict(room.items)) == (0, 0, {})
