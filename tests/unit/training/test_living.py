"""Living labels: a simulated change of the taxonomy is found where it is, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.living import EXPECTED_WHEN_ALIVE, WINDOW, Living, everything, find, renamed


def drawn(names: str, count: int, n: int, *, steep: float = 1.0, seed: int = 0) -> np.ndarray:
    """n labels `NAME0`, `NAME1` …, of which the first are the most frequent."""
    share = 1 / np.arange(1, count + 1) ** steep
    labels = np.array([f"{names}{i}" for i in range(count)])
    return np.random.default_rng(seed).choice(labels, n, p=share / share.sum())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [6, 40, 150])
def test_a_change_of_all_labels_is_found_within_a_window(count: int, seed: int) -> None:
    change = int(np.random.default_rng(seed).integers(1200, 3500))
    labels = np.r_[drawn("old", count, change, seed=seed), drawn("new", count, 4000 - change, seed=seed + 50)]
    found = find(labels, fewest=3)
    assert abs(found.start - change) <= WINDOW / 10
    assert all(label.startswith("new") for label in found.alive)
    assert {why for label, why in found.dead.items() if label.startswith("old")} == {
        "gone from the present set of labels"
    }
    assert f"{4000 - found.start:,} of 4,000" in found.note


@pytest.mark.parametrize("kept", [0.1, 0.3])
def test_a_change_that_keeps_some_labels_is_found(kept: float) -> None:
    both = drawn("both", 5, 4000, seed=1)
    changed = np.r_[drawn("old", 20, 2500, seed=2), drawn("new", 20, 1500, seed=3)]
    labels = np.where(np.random.default_rng(4).random(4000) < kept, both, changed)
    found = find(labels, fewest=3)
    assert abs(found.start - 2500) <= WINDOW
    assert {"both0", "both1", "new0"} <= set(found.alive)


@pytest.mark.parametrize(
    ("count", "steep"), [(2, 0.0), (40, 0.0), (40, 1.0), (150, 0.0), (300, 0.0), (500, 0.0), (2000, 1.0)]
)
@pytest.mark.parametrize("seed", range(3))
def test_stationary_labels_have_one_set_throughout_however_many_there_are(count: int, steep: float, seed: int) -> None:
    found = find(drawn("l", count, 6000, steep=steep, seed=seed), fewest=1)
    assert found.start == 0
    assert found.note == "One set of labels throughout."


def test_a_slow_change_of_frequencies_is_no_break() -> None:
    draw, place = np.random.default_rng(0), np.linspace(0, 1, 6000)
    labels = np.where(draw.random(6000) < 0.7 - 0.4 * place, drawn("a", 10, 6000), drawn("b", 10, 6000))
    assert find(labels, fewest=3).start == 0


@pytest.mark.parametrize("n", [1, 3, 50, 300])
def test_tiny_data_has_one_set_of_labels(n: int) -> None:
    labels = np.r_[drawn("old", 3, n - n // 2), drawn("new", 3, n // 2)]
    found = find(labels, fewest=1)
    assert found.start == 0
    assert set(found.alive) == set(labels)


def test_in_data_too_small_for_three_windows_labels_still_go_out_of_use() -> None:
    found = find(np.r_[drawn("old", 3, 450), drawn("new", 3, 449)], fewest=1)
    assert found.start == 0
    assert set(found.alive) == {"new0", "new1", "new2"}


def test_a_present_too_short_to_learn_from_is_not_taken_alone() -> None:
    labels = np.r_[drawn("old", 10, 3000), drawn("new", 10, 150)]
    assert find(labels, fewest=3).start == 0


def test_a_label_that_went_out_of_use_alone_is_dead() -> None:
    labels = drawn("l", 8, 3000, steep=0.3)
    labels[(labels == "l3") & (np.arange(3000) > 1500)] = "l0"
    found = find(labels, fewest=3)
    assert found.start == 0 and set(found.dead) == {"l3"}
    assert found.dead["l3"] == "not among the last 1000"


def test_a_rare_label_that_did_not_come_lately_stays_alive() -> None:
    labels = drawn("l", 5, 3000, steep=0.0).astype(object)
    rare = int(EXPECTED_WHEN_ALIVE * 2)
    labels[np.linspace(0, 1900, rare).astype(int)] = "rare"
    assert "rare" in find(labels.astype(str), fewest=3).alive


def test_labels_too_rare_to_learn_are_named_with_their_count() -> None:
    labels = np.r_[drawn("l", 4, 1000, steep=0.0), ["odd", "pair", "pair"]]
    for found in (find(labels, fewest=3), everything(labels, fewest=3)):
        assert found.dead == {"odd": "only 1 in use", "pair": "only 2 in use"}
        assert found.alive == ("l0", "l1", "l2", "l3")


def test_with_all_labels_asked_for_none_is_found_dead() -> None:
    labels = np.r_[drawn("old", 5, 2000), drawn("new", 5, 2000)]
    found = everything(labels, fewest=3)
    assert isinstance(found, Living) and found.start == 0 and not found.dead
    assert set(found.alive) == set(labels)


def test_a_renamed_label_is_followed_and_a_scattered_one_is_not() -> None:
    old = np.array(["Mail"] * 100 + ["Misc"] * 100 + ["Rare"] * 10)
    guess = np.array(["e-mail"] * 80 + ["login"] * 20 + ["e-mail", "login", "slow", "crash"] * 25 + ["slow"] * 10)
    assert renamed(old, guess) == {"Mail": "e-mail"}


def test_nothing_old_was_renamed_to_nothing() -> None:
    assert renamed(np.array([], dtype=str), np.array([], dtype=str)) == {}
