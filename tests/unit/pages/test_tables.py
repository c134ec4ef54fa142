"""The plain text table for a terminal."""

from __future__ import annotations

import pytest

from pipeline.pages.tables import text_table


def test_numbers_stand_on_the_right_and_words_on_the_left() -> None:
    table = text_table(["queue", "tickets", "share"], [["mail", 1200, "45.2 %"], ["accounts", 7, None]])
    assert table.splitlines() == [
        "queue     tickets   share",
        "--------  -------  ------",
        "mail        1,200  45.2 %",
        "accounts        7       –",
    ]


def test_floats_have_three_digits_and_nan_is_a_dash() -> None:
    assert text_table(["x"], [[0.5], [float("nan")]]).splitlines()[2:] == ["0.500", "    –"]


def test_a_hostile_label_cannot_steer_the_terminal() -> None:
    table = text_table(["label"], [["\x1b[2Jx\nsecond line\r\u202e"]])
    assert "\x1b" not in table and "\r" not in table and "\u202e" not in table and len(table.splitlines()) == 3


def test_wide_and_combining_characters_keep_the_columns_straight() -> None:
    lines = text_table(["label", "n"], [["邮件", 1], ["re\u0301sume\u0301", 2]]).splitlines()
    assert lines[2:] == ["邮件    1", "re\u0301sume\u0301  2"]


def test_long_cells_are_cut_with_an_ellipsis() -> None:
    assert text_table(["x"], [["a" * 100]], widest=10).splitlines()[2] == "a" * 9 + "…"


def test_no_rows_give_the_headers_alone() -> None:
    assert text_table(["a", "b"], []) == "a  b\n-  -"


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="as many cells"):
        text_table(["a", "b"], [["x"]])
