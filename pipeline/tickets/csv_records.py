"""CSV records: quoted line ends, any of four separators, and a quote that never closes costs one row, not the file."""

from __future__ import annotations

import csv
import io
import itertools
import re
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
    source = _Source(lines)
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

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._again: Iterator[tuple[str, str | None]] = iter(())
        self._first: tuple[str, str | None] | None = None
        self._more = io.StringIO(newline="")
        self._flags: dict[int, str] = {}
        self._count = 0
        self._size = 0
        self.ended = False

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        if self.ended:
            raise StopIteration
        line, flag = next(self._again, None) or self._read()
        if line is _END:
            self.ended = True
            return line
        if self._first is None:
            self._first = line, flag
        else:
            self._more.write(line)
            if flag is not None:
                self._flags[self._count] = flag
            if self._size > _LONGEST_RECORD:
                self._size += len(line)
                raise _EndlessError
        self._count += 1
        self._size += len(line)
        return line

    def _read(self) -> tuple[str, str | None]:
        try:
            return next(self._lines), self._lines.flag
        except StopIteration:
            return _END, None

    def put_back(self, line: str) -> None:
        """The line will be read again before all others."""
        self._again = itertools.chain([(line, None)], self._again)

    def take(self) -> tuple[int, str | None]:
        """(characters, what was wrong with a line) of the record just read."""
        size, flag = self._size, self._first[1] if self._first is not None else None
        if self._count > 1:
            flag = flag or next(iter(self._flags.values()), None)
        self._forget()
        return size, flag

    def rewind(self) -> None:
        """All lines but the first of the record at hand will be read again."""
        again = self._more
        again.seek(0)
        self._more = io.StringIO(newline="")
        flags = self._flags
        lines = ((line, flags.get(number)) for number, line in enumerate(again, start=1))
        self._again = itertools.chain(lines, self._again)
        self._flags = {}
        self._forget()
        self.ended = False

    def _forget(self) -> None:
        if self._count > 1:
            self._more = io.StringIO(newline="")
            self._flags = {}
        self._first = None
        self._count = self._size = 0


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
