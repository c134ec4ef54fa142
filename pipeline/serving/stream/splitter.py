"""Bytes as they come become lines, each with its place; a line that is too long is passed over in flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST_LINE = 16 << 20
"""Bytes of the longest line that is kept. Of a longer one only the place is: it can't be a ticket (see
`tickets.max_characters`), and a stream's memory mustn't depend on what is sent."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes
    ----------
    begin, end : int
        Its first byte, and the first byte of the next line.
    value : bytes
        Without its end; empty where it was longer than `LONGEST_LINE`.
    """

    begin: int
    end: int
    value: bytes


@dataclass
class Splitter:
    """Takes pieces of a stream in order, and gives lines.

    Parameters
    ----------
    begin : int
        Place of the first byte that it is given.

    Examples
    --------
    >>> splitter = Splitter(100)
    >>> list(splitter.lines(b"one\\r\\n \\ntw")), list(splitter.lines(b"o\\n"))
    ([Line(begin=100, end=105, value=b'one')], [Line(begin=107, end=111, value=b'two')])
    """

    begin: int = 0
    _held: list[bytes] = field(default_factory=list)
    _size: int = 0

    @property
    def read_to(self) -> int:
        """Place of the next byte that it wants."""
        return self.begin + self._size

    def lines(self, piece: bytes) -> Iterator[Line]:
        """Lines that end in this piece; those without anything but spaces are left out."""
        start = 0
        while (stop := piece.find(b"\n", start)) >= 0:
            self._hold(piece[start:stop])
            yield from self._end(1)
            start = stop + 1
        self._hold(piece[start:])

    def rest(self) -> Iterator[Line]:
        """What stands after the last line's end, once nothing more will come."""
        yield from self._end(0)

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > LONGEST_LINE:
            self._held.clear()
        elif piece:
            self._held.append(piece)

    def _end(self, mark: int) -> Iterator[Line]:
        value, size = b"".join(self._held), self._size
        begin, self.begin = self.begin, self.begin + size + mark
        self._held, self._size = [], 0
        value = value.removesuffix(b"\r")
        if value.strip() or size > LONGEST_LINE:
            yield Line(begin, self.begin, value)
