"""API keys: shown once, kept as hashes, several at a time; compared in a time that tells nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.tickets.files import written_whole

_PREFIX = "triage_"
_NAME = re.compile(r"[\w.-]{1,60}", re.ASCII)


@dataclass(frozen=True)
class Keys:
    """Who may ask.

    Attributes
    ----------
    hashes : dict of str to str
        A key's name → the SHA-256 of the key. A key is 256 bits of chance: nothing slower is needed to hide it.
    """

    hashes: dict[str, str]

    def name_of(self, key: str) -> str | None:
        """The name of a key, None where nobody has it; every hash is looked at, whichever fits."""
        given, found = hashed(key), None
        for name, known in self.hashes.items():
            if hmac.compare_digest(given, known):
                found = name
        return found


class KeyFile:
    """The keys of a file that is looked at again: a new key is taken, an old one refused, without a restart.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        See `load_keys`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = self._now()
        self.keys = load_keys(path)

    def look(self) -> None:
        """Take what stands in the file now.

        Raises
        ------
        InputError
            It can't be read; the keys before stay valid. It is said once for each change.
        """
        now = self._now()
        if now != self._stamp:
            self._stamp = now
            self.keys = load_keys(self.path)

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def hashed(key: str) -> str:
    """SHA-256 of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def load_keys(path: Path) -> Keys:
    """The keys of a file that `new_key` wrote.

    Raises
    ------
    InputError
        No such file, or not one of ours, or without a key.
    """
    hashes = {str(key["name"]): str(key["sha256"]) for key in _read(path)}
    if not hashes:
        raise InputError("no keys", where=str(path), got="an empty list", do="make one with `triage keys new`")
    return Keys(hashes)


def new_key(path: Path, name: str, *, now: datetime) -> str:
    """Make a key, keep its hash in the file, and return it: nobody can read it there again.

    Raises
    ------
    InputError
        The name is taken or can't be one, or the file isn't one of ours.
    OutputError
        The file can't be written.
    """
    there = _read(path) if path.exists() else []
    if not _NAME.fullmatch(name):
        do = "use letters, digits, dots, dashes and underscores"
        raise InputError("not a name for a key", where="--name", got=name[:60], do=do)
    if any(key["name"] == name for key in there):
        raise InputError("there is a key of this name", where=str(path), got=name, do="choose another name")
    key = _PREFIX + secrets.token_urlsafe(32)
    _write(path, [*there, {"name": name, "sha256": hashed(key), "created_at": now.isoformat(timespec="seconds")}])
    return key


def remove_key(path: Path, name: str) -> None:
    """Take a key back.

    Raises
    ------
    InputError
        There is none of this name.
    """
    there = _read(path)
    kept = [key for key in there if key["name"] != name]
    if len(kept) == len(there):
        got = ", ".join(str(key["name"]) for key in there)
        raise InputError("there is no key of this name", where=str(path), got=got, do="name one of these")
    _write(path, kept)


def _read(path: Path) -> list[dict[str, Any]]:
    do = "make one with `triage keys new --file FILE`"
    try:
        keys = json.loads(path.read_text("utf-8"))["keys"]
    except FileNotFoundError:
        raise InputError("no such file of keys", where=str(path), do=do) from None
    except OSError as error:
        raise InputError("the keys can't be read", where=str(path), got=os.strerror(error.errno or 0)) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError("not a file of keys", where=str(path), got=type(error).__name__, do=do) from None
    if not isinstance(keys, list) or not all(isinstance(k, dict) and {"name", "sha256"} <= k.keys() for k in keys):
        raise InputError("not a file of keys", where=str(path), got="another form", do=do)
    return keys


def _write(path: Path, keys: list[dict[str, Any]]) -> None:
    with written_whole(path) as stream:
        stream.write(json.dumps({"keys": keys}, indent=1).encode() + b"\n")
    path.chmod(0o600)
