"""A plain text table for a terminal: aligned, no colours, no boxes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.pages.formats import NOTHING, printable, shorten

Cell = str | int | float | None

_NUMBER = re.compile(r"[-+\u2212]?[\d,]*\.?\d+(\s?%)?")


def text_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, widest: int = 60) -> str:
    """Headers, a rule, and rows; columns of numbers stand on the right.

    Parameters
    ----------
    headers : sequence of str
        One a column.
    rows : sequence of sequences
        Cells in the order of the headers. None is an en dash, floats get three decimals, whole numbers commas.
    widest : int
        Longer cells are cut with an ellipsis.

    Returns
    -------
    str
        Lines without trailing spaces; no newline at the end. Control characters are replaced, so that a hostile label
        can't steer the terminal.

    Examples
    --------
    >>> print(text_table(["queue", "tickets"], [["mail", 1200], ["accounts", 7]]))
    queue     tickets
    --------  -------
    mail        1,200
    accounts        7
    """
    table = [[_cell(value, widest) for value in row] for row in [headers, *rows]]
    if any(len(row) != len(headers) for row in table):
        raise ValueError("every row needs as many cells as there are headers")
    columns = list(zip(*table, strict=True))
    widths = [max(map(_columns, column)) for column in columns]
    right = [len(column) > 1 and all(_numeric(cell) for cell in column[1:]) for column in columns]
    lines = [_line(row, widths, right) for row in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cell(value: Cell, widest: int) -> str:
    if value is None or value != value:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return shorten(" ".join(printable(value).split()), widest)


def _numeric(cell: str) -> bool:
    return cell in (NOTHING, "") or _NUMBER.fullmatch(cell) is not None


def _columns(words: str) -> int:
    """Places that the words take on a terminal: two for wide characters, none for combining ones."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in words)
    return len(words) + wide - sum(unicodedata.combining(c) > 0 for c in words)


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = []
    for cell, width, to_right in zip(row, widths, right, strict=True):
        space = " " * (width - _columns(cell))
        cells.append(space + cell if to_right else cell + space)
    return "  ".join(cells).rstrip()
