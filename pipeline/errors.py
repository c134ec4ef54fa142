"""The exception tree: every fault says what, where, what was got, and what to do.

::

    TriageError                exit 2   anything the user can mend
    ├── ConfigError                     params.yaml: an unknown key, a bad value, a dangling name
    ├── InputError                      a file or a table that can't be read as it is
    │   └── MappingError                a mapping that doesn't fit its file
    ├── OutputError                     a target that exists, is in use, or can't be written
    ├── StoreError                      a history store or a ledger that can't be opened, read or written
    │   └── ValueRefusedError           a value that the database refuses, however often it is tried
    ├── BrokerError                     a stream that can't be reached, read or written
    ├── EncoderError                    missing extra, missing weights, wrong weight hash
    ├── ScorerError                     a scorer folder that can't be used
    │   ├── IntegrityError              a changed byte, a class not on the list, a bad signature
    │   └── VersionError                made by another schema or library version
    ├── RefusedError           exit 1   too many rows were refused, or decisions couldn't be kept
    └── GateError              exit 1   nothing left to assemble, or nothing replaced

A wrong *table* raises one of these. A bad *row* never raises: it gets one of the `ROW_CODES`, is kept and counted.
Messages name columns, codes, files and lines, never the text of a ticket.
"""

from __future__ import annotations


class TriageError(Exception):
    """A fault that the user can mend.

    Parameters
    ----------
    what : str
        What is wrong, in one clause.
    where : str
        File, line, column or setting.
    got : str
        What was found there (never ticket text).
    do : str
        What to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", got: str = "", do: str = "") -> None:
        self.what, self.where, self.got, self.do = what, where, got, do
        parts = [what, f"where: {where}" if where else "", f"got: {got}" if got else "", f"do: {do}" if do else ""]
        super().__init__("\n  ".join(p for p in parts if p))


class ConfigError(TriageError):
    """A setting that is unknown, out of range, or points nowhere."""


class InputError(TriageError):
    """A file or a table that can't be read as it is."""


class MappingError(InputError):
    """A mapping that doesn't fit its file."""


class OutputError(TriageError):
    """A target that exists, is in use, or can't be written."""


class StoreError(TriageError):
    """A history store or a ledger that can't be opened, read or written."""


class ValueRefusedError(StoreError):
    """A value that the database refuses: it isn't away, and to try again is of no use."""


class BrokerError(TriageError):
    """A stream that can't be reached, read or written."""


class EncoderError(TriageError):
    """Sentence embeddings asked for, but the extra, the weights or their hash don't allow it."""


class ScorerError(TriageError):
    """A scorer folder that can't be used."""


class IntegrityError(ScorerError):
    """A file of the scorer isn't the one that its manifest names, or holds a class that isn't allowed."""


class VersionError(ScorerError):
    """The scorer was made by another schema or another version of a library that it depends on."""


class RefusedError(TriageError):
    """More rows were refused than `--max-refused` allows, or decisions couldn't be kept."""

    exit_code = 1


class GateError(TriageError):
    """No model passed its gate, or the scorer in place is better."""

    exit_code = 1


ROW_CODES: dict[str, str] = {
    "unreadable_record": "the line is no CSV record, JSON object or Parquet row",
    "not_an_object": "the JSON line holds a value that isn't an object",
    "ragged_row": "the row has more or fewer values than the header names",
    "bad_encoding": "the row holds bytes that aren't in the file's encoding",
    "missing_id": "the id column is empty",
    "no_text": "an article has neither title nor text, or a macro no text",
    "bad_id": "the id holds control characters or is longer than 200 characters",
    "duplicate_id": "an earlier row has the same id; the first is used",
    "bad_time": "the time can't be read, or is missing from an event",
    "future_time": "the time is more than a day after the moment of import",
    "text_too_long": "subject and body together are longer than the limit in params.yaml",
    "unknown_kind": "the mapping doesn't say what kind of event or feedback the row is",
    "other_ticket": "a message of a stream tells a ticket and an event of another one",
    "missing_field": "the row says that a field changed, but not which one",
    "missing_value": "feedback of a kind that needs a value has none",
    "unstorable": "the history store's database refuses a value in it",
    "unscorable": "a part of the scorer failed on this row alone",
    "worker_died": "each worker of a stream that began this message or age died of it or hung",
}
"""Code of a refused row → what it means. Refused rows get the triage queue with the code, or lie in rejects.jsonl."""
