"""The embedding cache: what is encoded again, what a killed or a second writer leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.features.cache import RememberingEncoder, encode_cached
from pipeline.features.encoder import StaticEncoder

TEXTS = [f"printer {i} eats the paper of floor {i % 7}" for i in range(40)]


class Recording:
    """A static encoder that remembers what it was asked to encode."""

    def __init__(self, identity: str = "one") -> None:
        self.identity = identity
        self.asked: list[str] = []
        self._encoder = StaticEncoder.fit(TEXTS, seed=0)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return self._encoder.encode(texts)

    def state(self) -> dict[str, object]:
        return {}


@pytest.fixture
def encoder() -> Recording:
    return Recording()


def pair(folder: Path) -> tuple[Path, Path]:
    (digests,), (vectors,) = folder.glob("*.digests"), folder.glob("*.vectors")
    return digests, vectors


def again(folder: Path, texts: list[str] = TEXTS) -> tuple[np.ndarray, list[str]]:
    """Vectors from the cache, and what had to be encoded for them."""
    fresh = Recording()
    return encode_cached(fresh, texts, folder), fresh.asked


def test_a_second_training_encodes_only_what_is_new(tmp_path: Path, encoder: Recording) -> None:
    first = encode_cached(encoder, TEXTS[:30], tmp_path)
    assert sorted(encoder.asked) == sorted(TEXTS[:30])
    found, asked = again(tmp_path)
    assert sorted(asked) == sorted(TEXTS[30:])
    np.testing.assert_array_equal(found[:30], first)
    np.testing.assert_array_equal(found, Recording().encode(TEXTS))


def test_a_text_that_occurs_twice_is_encoded_once(encoder: Recording) -> None:
    found = encode_cached(encoder, [TEXTS[0], TEXTS[1], TEXTS[0]], None)
    assert sorted(encoder.asked) == sorted(TEXTS[:2])
    np.testing.assert_array_equal(found[0], found[2])


def test_without_a_folder_nothing_is_kept(tmp_path: Path, encoder: Recording) -> None:
    encode_cached(encoder, TEXTS, None)
    assert not list(tmp_path.iterdir())


def test_another_identity_has_another_file_and_encodes_anew(tmp_path: Path, encoder: Recording) -> None:
    encode_cached(encoder, TEXTS, tmp_path)
    other = Recording("two")
    encode_cached(other, TEXTS, tmp_path)
    assert sorted(other.asked) == sorted(TEXTS)
    assert len(list(tmp_path.glob("*.vectors"))) == 2


@pytest.mark.parametrize("lost", [1, 31, 32, 33, 500])
def test_torn_digests_are_cut_off_and_encoded_again(tmp_path: Path, encoder: Recording, lost: int) -> None:
    right = encode_cached(encoder, TEXTS, tmp_path)
    digests, _ = pair(tmp_path)
    digests.write_bytes(digests.read_bytes()[:-lost])
    found, asked = again(tmp_path)
    assert len(asked) == -(-lost // 32)
    np.testing.assert_array_equal(found, right)
    assert again(tmp_path)[1] == []


@pytest.mark.parametrize("lost", [1, 4, 1000])
def test_torn_vectors_are_cut_off_and_encoded_again(tmp_path: Path, encoder: Recording, lost: int) -> None:
    right = encode_cached(encoder, TEXTS, tmp_path)
    _, vectors = pair(tmp_path)
    vectors.write_bytes(vectors.read_bytes()[:-lost])
    found, asked = again(tmp_path)
    assert 0 < len(asked) < len(TEXTS)
    np.testing.assert_array_equal(found, right)
    assert again(tmp_path)[1] == []


@pytest.mark.parametrize("kept", [None, 0, 1, 3])
def test_vectors_of_a_writer_killed_before_its_first_digest_are_never_given_to_other_texts(
    tmp_path: Path, encoder: Recording, kept: int | None
) -> None:
    encode_cached(encoder, TEXTS[:10], tmp_path)
    digests, _ = pair(tmp_path)
    if kept is None:
        digests.unlink()
    else:
        digests.write_bytes(digests.read_bytes()[:kept])
    other = TEXTS[20:]
    encode_cached(Recording(), other, tmp_path)
    found, asked = again(tmp_path, other)
    assert asked == []
    np.testing.assert_array_equal(found, Recording().encode(other))


def test_two_trainings_at_once_share_a_cache_without_mixing_up_vectors(tmp_path: Path) -> None:
    halves = [TEXTS[:25], TEXTS[15:]]
    threads = [
        threading.Thread(target=encode_cached, args=(Recording(), half, tmp_path), kwargs={"chunk": 1})
        for half in halves
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, asked = again(tmp_path)
    assert asked == []
    np.testing.assert_array_equal(found, Recording().encode(TEXTS))


def test_no_texts_give_no_vectors(tmp_path: Path, encoder: Recording) -> None:
    assert len(encode_cached(encoder, [], tmp_path)) == 0


@pytest.mark.parametrize("kept", [False, True])
def test_an_encoder_that_remembers_encodes_a_text_once_however_often_it_is_looked_at(
    tmp_path: Path, encoder: Recording, kept: bool
) -> None:
    known = RememberingEncoder(encoder, tmp_path if kept else None)
    for texts in (TEXTS[:20], TEXTS[10:30], TEXTS[:30][::-1], []):
        np.testing.assert_array_equal(known.encode(texts), Recording().encode(texts))
    assert sorted(encoder.asked) == sorted(TEXTS[:30])
    assert known.identity == encoder.identity and known.state() == encoder.state()
    assert bool(list(tmp_path.iterdir())) == kept


def test_an_encoder_that_remembers_isn_t_asked_for_what_a_training_left_in_the_cache(
    tmp_path: Path, encoder: Recording
) -> None:
    encode_cached(encoder, TEXTS[:30], tmp_path)
    fresh = Recording()
    found = RememberingEncoder(fresh, tmp_path).encode(TEXTS)
    assert sorted(fresh.asked) == sorted(TEXTS[30:])
    np.testing.assert_array_equal(found, Recording().encode(TEXTS))
    assert again(tmp_path)[1] == []
