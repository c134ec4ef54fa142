"""A file or a pipe is opened by what it holds: gzip and Parquet by their first bytes, encodings by their marks."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.errors import InputError

STDIN = "-"
LONGEST_LINE = 256 * 1024 * 1024
"""Characters; a longer line is one unreadable record, and is read past."""

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_OTHERS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a damaged gzip file raises."""


@contextmanager
def opened(path: Path | str, *, may_be_empty: bool = False) -> Iterator[io.BufferedReader]:
    """The bytes of a file, or of standard input for `-`, unpacked if they are gzip.

    Raises
    ------
    InputError
        For a file that is missing, a folder, empty, not to be read, or packed in another way.
    """
    if str(path) == STDIN:
        pipe = sys.stdin.buffer
        yield _unpacked(
            pipe if isinstance(pipe, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, pipe)), STDIN
        )
        return
    path = Path(path)
    if path.is_dir():
        raise InputError("a folder, not a file", where=str(path), do="name a CSV, JSONL or Parquet file in it")
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise InputError("no such file", where=str(path), do="check the path") from error
    except OSError as error:
        raise InputError(
            "the file can't be opened", where=str(path), got=error.strerror or "", do="check its permissions"
        ) from error
    with stream:
        yield _unpacked(stream, str(path), may_be_empty=may_be_empty)


def kind(head: bytes, path: Path | str, given: str | None) -> str:
    """csv, jsonl or parquet: as given, by the first bytes, by name, or by the first character."""
    if given is not None:
        if given not in ("csv", "jsonl", "parquet"):
            raise InputError("unknown format", where=str(path), got=given, do="use csv, jsonl or parquet")
        return given
    if head.startswith(_PARQUET):
        return "parquet"
    if str(path) == STDIN:
        return "jsonl"
    suffixes = [s.lower() for s in Path(path).suffixes if s.lower() not in (".gz", ".gzip")]
    if suffixes and suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    return "jsonl" if head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"{") else "csv"


def text_encoding(head: bytes, given: str | None, path: Path | str) -> str:
    """The encoding as given, by its mark, else UTF-8.

    Raises
    ------
    InputError
        For a name that Python doesn't know, or that isn't an encoding of text.
    """
    if given is not None:
        try:
            "".encode(given)
            b"".decode(given)
            return codecs.lookup(given).name
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                "unknown encoding", where=str(path), got=given, do="use a name such as utf-8, cp1252, latin-1"
            ) from error
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


class Lines:
    """Lines of text, one at a time, without NUL characters.

    Attributes
    ----------
    flag : str or None
        What is wrong with the line read last: `bad_encoding`, or `unreadable_record` for one longer than
        `LONGEST_LINE` (an empty line stands for it).
    """

    def __init__(self, stream: BinaryIO, *, encoding: str, given: bool, newline: str) -> None:
        self._marks_bad = not given
        self._escapes = self._marks_bad and encoding in ("utf-8", "utf-8-sig")
        errors = "surrogateescape" if self._escapes else "replace"
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline=newline)
        self.flag: str | None = None

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        self.flag = None
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        if len(line) >= LONGEST_LINE and not line.endswith(("\n", "\r")):
            line = self._past_the_end()
        if self._marks_bad and not line.isascii():
            line = self._checked(line)
        return line.replace("\0", "") if "\0" in line else line

    def _past_the_end(self) -> str:
        self.flag = "unreadable_record"
        while piece := self._text.readline(1 << 20):
            if piece.endswith(("\n", "\r")):
                break
        return "\n"

    def _checked(self, line: str) -> str:
        if not self._escapes:
            self.flag = "bad_encoding" if "\ufffd" in line else None
            return line
        try:
            line.encode("utf-8")
        except UnicodeEncodeError:
            self.flag = "bad_encoding"
            return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return line


def _unpacked(stream: io.BufferedReader, where: str, *, may_be_empty: bool = False) -> io.BufferedReader:
    head = stream.peek(8)[:8]
    if not head and not may_be_empty:
        raise InputError("the file is empty", where=where, do="name a file with records")
    if head.startswith(_GZIP):
        # Not buffered once more: what was unpacked before the file breaks must still come out.
        return cast(io.BufferedReader, gzip.GzipFile(fileobj=stream, mode="rb"))
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise InputError(
                f"the file is {what}", where=where, do="unpack it, or export CSV, JSONL or Parquet (gzip is fine)"
            )
    return stream
