"""Folders of parts: what goes in comes out, and what was damaged or made up is refused without being opened."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import folders
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pipeline import artifact
from pipeline.errors import IntegrityError, OutputError, ScorerError

KEY = b"a key"
PARTS: dict[str, artifact.State] = {
    "words": {"weights": sp.csr_matrix(np.eye(3, dtype=np.float32)), "bias": np.arange(3.0), "names": ["ä", "b"]},
    "policy": {"threshold": 0.25, "queues": {"a": None}},
    "empty": {},
}
ABOUT = {"rows": 3, "note": "Grüße"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    artifact.write(tmp_path / "parts", PARTS, ABOUT)
    return tmp_path / "parts"


def test_parts_and_what_is_said_of_them_come_back(folder: Path) -> None:
    parts, about, _ = artifact.read(folder)
    assert about == ABOUT
    assert sorted(parts) == sorted(PARTS)
    assert parts["policy"] == PARTS["policy"]
    assert parts["words"]["names"] == ["ä", "b"]
    np.testing.assert_array_equal(parts["words"]["bias"], [0.0, 1.0, 2.0])
    assert parts["words"]["weights"].dtype == np.float32
    assert (parts["words"]["weights"] != PARTS["words"]["weights"]).nnz == 0


def test_the_same_parts_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    backwards = {name: dict(reversed(state.items())) for name, state in reversed(PARTS.items())}
    versions = {artifact.write(tmp_path / "a", PARTS, ABOUT), artifact.write(tmp_path / "b", backwards, ABOUT)}
    assert len(versions) == 1
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()
    }


def test_the_version_is_in_the_manifests_hash_and_changes_with_any_part(tmp_path: Path) -> None:
    first = artifact.write(tmp_path / "a", PARTS, ABOUT)
    assert artifact.read(tmp_path / "a")[2] == first
    assert artifact.write(tmp_path / "b", PARTS | {"empty": {"x": 1}}, ABOUT) != first
    assert artifact.write(tmp_path / "c", PARTS, ABOUT | {"rows": 4}) != first


def test_the_checksum_file_is_one_that_sha256sum_reads(tmp_path: Path) -> None:
    artifact.write(tmp_path / "parts", PARTS, ABOUT, key=KEY)
    command = ["sha256sum", "-c", artifact.CHECKSUM]
    done = subprocess.run(command, cwd=tmp_path / "parts", capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.count("OK") == 2


def test_writing_again_replaces_the_folder_and_leaves_nothing_beside_it(folder: Path) -> None:
    (folder / "foreign.txt").write_text("x")
    artifact.write(folder, {"only": {"x": 1}}, {})
    assert sorted(p.name for p in folder.iterdir()) == sorted([artifact.MANIFEST, artifact.CHECKSUM, "only.json"])
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_part_that_cant_be_stored_leaves_the_old_folder_as_it_is(folder: Path) -> None:
    before = artifact.read(folder)[2]
    for bad in (np.array([object()]), object(), {1, 2}):
        with pytest.raises((ValueError, TypeError)):
            artifact.write(folder, {"bad": {"x": bad}}, {})
    assert artifact.read(folder)[2] == before


def test_a_folder_that_cant_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="can't be written"):
        artifact.write(tmp_path / "file" / "parts", PARTS, ABOUT)


def test_no_folder_is_a_scorer_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ScorerError, match="triage run"):
        artifact.read(tmp_path / "nothing")


@pytest.mark.parametrize("key", [None, KEY])
def test_a_flipped_byte_in_any_file_is_refused_with_its_name(tmp_path: Path, key: bytes | None) -> None:
    artifact.write(tmp_path / "parts", PARTS, ABOUT, key=key)
    files = sorted((tmp_path / "parts").iterdir())
    assert len(files) == 6 + bool(key)
    for path in files:
        whole = path.read_bytes()
        folders.flip(path)
        with pytest.raises(IntegrityError) as refused:
            artifact.read(tmp_path / "parts")
        assert path.name in str(refused.value)
        path.write_bytes(whole)
    artifact.read(tmp_path / "parts", key=key)


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_manifest_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "one-for-all-bits"
    if not folder.exists():
        artifact.write(folder, PARTS, ABOUT)
    path = folder / artifact.MANIFEST
    whole = path.read_bytes()
    try:
        changed = bytearray(whole)
        changed[place % len(whole)] ^= 1 << bit
        path.write_bytes(changed)
        with pytest.raises(IntegrityError, match="manifest"):
            artifact.read(folder)
    finally:
        path.write_bytes(whole)


def test_a_missing_file_is_refused_with_its_name(folder: Path) -> None:
    (folder / "words.npz").unlink()
    with pytest.raises(IntegrityError, match=r"words\.npz"):
        artifact.read(folder)


@pytest.mark.parametrize("name", ["extra.npz", "extra.pkl", ".hidden"])
def test_an_extra_file_is_refused_with_its_name(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    with pytest.raises(IntegrityError, match=name):
        artifact.read(folder)


def test_a_folder_in_the_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "empty.json").unlink()
    (folder / "empty.json").mkdir()
    with pytest.raises(ScorerError, match=r"empty\.json"):
        artifact.read(folder)


def test_a_missing_checksum_file_is_refused(folder: Path) -> None:
    (folder / artifact.CHECKSUM).unlink()
    with pytest.raises(IntegrityError, match=artifact.CHECKSUM):
        artifact.read(folder)


def test_with_a_key_the_right_signature_is_needed(tmp_path: Path) -> None:
    artifact.write(tmp_path / "signed", PARTS, ABOUT, key=KEY)
    artifact.write(tmp_path / "unsigned", PARTS, ABOUT)
    artifact.read(tmp_path / "signed", key=KEY)
    artifact.read(tmp_path / "signed")
    for name, key in (("signed", b"another key"), ("signed", b""), ("unsigned", KEY)):
        with pytest.raises(IntegrityError, match="signature"):
            artifact.read(tmp_path / name, key=key)


def test_a_signature_of_another_folder_is_refused(tmp_path: Path) -> None:
    artifact.write(tmp_path / "a", PARTS, ABOUT, key=KEY)
    artifact.write(tmp_path / "b", PARTS, ABOUT | {"rows": 4}, key=KEY)
    for name in (artifact.SIGNATURE, artifact.CHECKSUM):
        (tmp_path / "b" / name).write_bytes((tmp_path / "a" / name).read_bytes())
    with pytest.raises(IntegrityError, match="signature"):
        artifact.read(tmp_path / "b", key=KEY)


def test_a_rewritten_manifest_doesnt_get_past_the_key(tmp_path: Path) -> None:
    artifact.write(tmp_path / "parts", PARTS, ABOUT, key=KEY)
    folders.rewrite(tmp_path / "parts", lambda manifest: manifest["about"].update(rows=9))
    assert artifact.read(tmp_path / "parts")[1]["rows"] == 9
    with pytest.raises(IntegrityError, match="signature"):
        artifact.read(tmp_path / "parts", key=KEY)


@pytest.mark.parametrize("make", [folders.pickled, folders.pickled_array, folders.joblib_dump])
@pytest.mark.parametrize("name", ["words.npz", "words.json", "empty.json"])
def test_a_hostile_pickle_in_the_place_of_a_part_is_refused_and_never_run(
    folder: Path, tmp_path: Path, make: Any, name: str
) -> None:
    marker = tmp_path / "it-ran"
    (folder / name).write_bytes(make(marker))
    folders.rewrite(folder)
    with pytest.raises(IntegrityError):
        artifact.read(folder)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["words.pkl", "words.joblib", "words.py", "words.pt", "words.npy", "words"])
def test_a_kind_of_file_that_we_never_write_is_refused_though_the_manifest_names_it(
    folder: Path, tmp_path: Path, name: str
) -> None:
    marker = tmp_path / "it-ran"
    (folder / name).write_bytes(folders.pickled(marker))
    folders.rewrite(folder)
    with pytest.raises(IntegrityError, match="never holds"):
        artifact.read(folder)
    assert not marker.exists()


def test_a_part_outside_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"a": 1}')
    folders.rewrite(folder, lambda manifest: manifest["parts"].append("../secret"))
    with pytest.raises(IntegrityError):
        artifact.read(folder)
    folders.rewrite(folder, lambda manifest: manifest["files"].update({"../secret.json": "0" * 64}))
    with pytest.raises(IntegrityError):
        artifact.read(folder)


@pytest.mark.parametrize("make", [folders.bomb, folders.liar])
def test_an_array_file_that_grows_when_opened_is_refused(folder: Path, make: Any) -> None:
    (folder / "words.npz").write_bytes(make())
    folders.rewrite(folder)
    with pytest.raises(IntegrityError, match="words"):
        artifact.read(folder)


@pytest.mark.parametrize("indices", [[0, 1, 3], [0, 1, -1], [0, 1, 2**31 - 1]])
def test_a_sparse_matrix_whose_indices_point_elsewhere_is_refused(folder: Path, indices: list[int]) -> None:
    arrays = dict(np.load(folder / "words.npz"))
    np.savez(folder / "words.npz", **(arrays | {"weights:indices": np.array(indices, dtype=np.int32)}))
    folders.rewrite(folder)
    with pytest.raises(IntegrityError, match="words"):
        artifact.read(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00\xff", b"null", b"[]", b'"text"', b"{}", b'{"files": {}}',
        b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000,
        b'{"files": [], "parts": [], "about": {}}', b'{"files": {}, "parts": {}, "about": {}}',
        b'{"files": {}, "parts": [], "about": []}', b'{"files": {"a.json": 1}, "parts": [], "about": {}}',
        b'{"files": {}, "parts": [["a"]], "about": {}}', b'{"files": {}, "parts": [null], "about": {}}',
    ],
    ids=lambda content: repr(content[:24]),
)  # fmt: skip
def test_a_manifest_of_another_form_is_refused(folder: Path, content: bytes) -> None:
    folders.put_manifest(folder, content)
    with pytest.raises(IntegrityError, match=r"manifest\.json|missing or extra"):
        artifact.read(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"null", b"\xff"], ids=lambda c: repr(c[:8]))
def test_a_part_of_another_form_is_refused(folder: Path, content: bytes) -> None:
    (folder / "policy.json").write_bytes(content)
    folders.rewrite(folder)
    with pytest.raises(IntegrityError, match="policy"):
        artifact.read(folder)


def test_what_approve_refuses_is_refused_before_a_part_is_opened(folder: Path) -> None:
    (folder / "words.npz").write_bytes(b"no arrays")
    folders.rewrite(folder)
    seen: list[dict[str, Any]] = []

    def refuse(about: dict[str, Any]) -> None:
        seen.append(about)
        raise ScorerError("not today")

    with pytest.raises(ScorerError, match="not today"):
        artifact.read(folder, approve=refuse)
    assert seen == [ABOUT]


def test_the_manifest_is_readable_by_people(folder: Path) -> None:
    text = (folder / artifact.MANIFEST).read_text("utf-8")
    assert "Grüße" in text
    assert json.loads(text)["parts"] == ["empty", "policy", "words"]


def test_a_folder_of_something_else_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "tickets.parquet").write_bytes(b"precious")
    with pytest.raises(OutputError, match="something else is there"):
        artifact.write(raw, PARTS, ABOUT)
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]
    assert (raw / "tickets.parquet").read_bytes() == b"precious"


def test_a_file_is_refused_as_a_target_and_stays(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text("precious", "utf-8")
    with pytest.raises(OutputError, match="something else is there"):
        artifact.write(tmp_path / "export.csv", PARTS, ABOUT)
    assert (tmp_path / "export.csv").read_text("utf-8") == "precious"


@pytest.mark.parametrize("name", [".", "", ".."])
def test_a_folder_without_a_name_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(OutputError, match="without a name"):
        artifact.check_target(Path(name))


def test_an_empty_folder_and_an_earlier_one_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "scorer").mkdir()
    first = artifact.write(tmp_path / "scorer", PARTS, ABOUT)
    assert artifact.write(tmp_path / "scorer", PARTS, ABOUT) == first
