"""Which partition a ticket belongs to: Kafka's default hash, so that a producer in any language agrees."""

from __future__ import annotations

_M, _R, _SEED, _WORD = 0x5BD1E995, 24, 0x9747B28C, 0xFFFFFFFF


def partition_of(ticket_id: str, partitions: int) -> int:
    """A number from 0 to `partitions` − 1: all messages of a ticket go there, and keep their order.

    It is MurmurHash2 as in Kafka's Java client (`DefaultPartitioner`; librdkafka calls it `murmur2`), by Austin
    Appleby, in the public domain.

    Examples
    --------
    >>> [partition_of(ticket_id, 8) for ticket_id in ("1", "kafka", "T-100")]
    [7, 4, 0]
    """
    return (_murmur2(ticket_id.encode("utf-8", "replace")) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    value, whole = _SEED ^ len(data), len(data) & ~3
    for begin in range(0, whole, 4):
        word = int.from_bytes(data[begin : begin + 4], "little") * _M & _WORD
        word = (word ^ word >> _R) * _M & _WORD
        value = value * _M & _WORD ^ word
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * _M & _WORD
    value = (value ^ value >> 13) * _M & _WORD
    return value ^ value >> 15
