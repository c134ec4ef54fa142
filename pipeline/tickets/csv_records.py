"""CSV records: quoted line ends, any of four separators, and a quote that never closes costs one row, not the file."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import InputError
from pipeline.tickets.opening import Lines
from pipeline.tickets.records import Record, unique_names

_SEPARATORS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_MARK = "\ufeff"
_END = "\x1e\x1e\n"
"""A last line of our own: if it lands inside a record, that record's quote never closed."""

_LONGEST_RECORD = 96 * 1024 * 1024
_MOST_RESTARTS = 8
"""After so many unclosed quotes each line is a record of its own, so that reading stays linear."""


class _EndlessError(Exception):
    """A record is longer than any could be: its quote isn't closed."""


def read(lines: Lines, path: Path | str) -> tuple[list[str], Iterator[Record]]:
    """The column names and the records below them.

    Raises
    ------
    InputError
        If there is no header, or none that can be read.
    """
    csv.field_size_limit(2**31 - 1)
    source = _Source(lines, deque())
    first = next((line for line in source if line.strip() and line != _END), None)
    if first is None:
        raise InputError("the file has no header", where=str(path), do="write the column names into the first line")
    flags = [source.take()[1]]
    separator = max(_SEPARATORS, key=_QUOTED.sub("", first).count)
    source.put_back(first.removeprefix(_MARK))
    try:
        header = next(csv.reader(source, delimiter=separator), [])
    except (csv.Error, _EndlessError):
        header = []
    flags.append(source.take()[1])
    if source.ended or not header or any(flags):
        what = "a quote in it never closes" if source.ended else "bytes of another encoding, or an endless line"
        raise InputError("the header can't be read", where=f"{path}, line 1", got=what, do="check quotes and encoding")
    return unique_names(header), _records(source, separator, len(header))


class _Source:
    """Lines to be read again, then those of the file, then `_END`; those of the record at hand are kept."""

    def __init__(self, lines: Lines, again: deque[tuple[str, str | None]]) -> None:
        self._lines, self._again = lines, again
        self._kept: list[tuple[str, str | None]] = []
        self._size = 0
        self.ended = False

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        if self.ended:
            raise StopIteration
        if self._again:
            line, flag = self._again.popleft()
        else:
            try:
                line, flag = next(self._lines), self._lines.flag
            except StopIteration:
                self.ended = True
                return _END
        self._kept.append((line, flag))
        self._size += len(line)
        if self._size > _LONGEST_RECORD and len(self._kept) > 1:
            raise _EndlessError
        return line

    def put_back(self, line: str) -> None:
        self._again.appendleft((line, None))

    def take(self) -> tuple[int, str | None]:
        """(characters, what was wrong with a line) of the record just read."""
        size = self._size
        flag = self._kept[0][1] if len(self._kept) == 1 else next((f for _, f in self._kept if f is not None), None)
        self._kept.clear()
        self._size = 0
        return size, flag

    def rewind(self) -> None:
        """All lines but the first of the record at hand will be read again."""
        self._again.extendleft(reversed(self._kept[1:]))
        self._kept.clear()
        self._size = 0
        self.ended = False


def _records(source: _Source, separator: str, width: int) -> Iterator[Record]:
    for _ in range(_MOST_RESTARTS):
        yield from _until_unclosed(source, separator, width)
        if source.ended:
            return
    yield from _line_by_line(source, separator, width)


def _until_unclosed(source: _Source, separator: str, width: int) -> Iterator[Record]:
    """Records up to one that never ends; that one is refused, and the line below its first is the next to be read."""
    reader = csv.reader(source, delimiter=separator)
    while True:
        try:
            row = next(reader)
        except (csv.Error, _EndlessError):
            break
        if source.ended:
            if row == [_END.rstrip("\n")]:
                return
            break
        size, flag = source.take()
        if row or flag:
            yield _record(row, size, flag, width)
    yield Record(None, "unreadable_record", 0)
    source.rewind()


def _line_by_line(source: _Source, separator: str, width: int) -> Iterator[Record]:
    for line in source:
        if source.ended:
            return
        size, flag = source.take()
        rows = list(csv.reader([line, _END], delimiter=separator))
        if len(rows) == 1:
            yield Record(None, "unreadable_record", size)
        elif rows[0] or flag:
            yield _record(rows[0], size, flag, width)


def _record(row: list[str], size: int, flag: str | None, width: int) -> Record:
    if flag is None and len(row) != width:
        flag = "ragged_row"
    return Record(row if flag is None else None, flag, size)
