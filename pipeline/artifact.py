"""A folder of fitted parts: a manifest of SHA-256 that is checked before anything is opened, arrays and JSON, no pickles.

`state` is the word for what a fitted object gives away to be stored: a dict of NumPy arrays, sparse matrices and plain
JSON values. Arrays go to `.npz` and are read with pickles forbidden, plain values to `.json`. Which class a part becomes
is fixed in `Scorer.load`, not in the folder, so a rewritten manifest can't smuggle one in.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from pipeline.errors import IntegrityError, OutputError, ScorerError

State = dict[str, Any]

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"

SUFFIXES = frozenset({".json", ".npz", ".sig"})
"""Kinds of files that a folder may hold. Neither can carry a class or a call: there is no pickle to be hostile."""


def write(folder: Path, parts: dict[str, State], about: dict[str, Any], *, key: bytes | None = None) -> str:
    """Write `parts` and what is to be said `about` them; the folder appears whole or not at all.

    Returns
    -------
    str
        The version: the first 12 hexadecimal digits of the manifest's SHA-256.
    """
    fresh = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, state in parts.items():
            for file_name, content in _files(name, state).items():
                _write_synced(fresh / file_name, content)
        manifest = {
            "about": about,
            "files": {p.name: _sha256(p.read_bytes()) for p in sorted(fresh.iterdir())},
            "parts": sorted(parts),
        }
        content = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False).encode()
        _write_synced(fresh / MANIFEST, content)
        if key is not None:
            _write_synced(fresh / SIGNATURE, hmac.new(key, content, hashlib.sha256).hexdigest().encode())
        _swap(fresh, folder)
    except OSError as error:
        raise OutputError("the folder can't be written", where=folder.name, got=os.strerror(error.errno or 0)) from error
    return _sha256(content)[:12]


def read(folder: Path, *, key: bytes | None = None) -> tuple[dict[str, State], dict[str, Any], str]:
    """Read the parts, what is said about them, and the version.

    Parameters
    ----------
    key : bytes, optional
        With a key, a folder without a right signature is refused; without one, signatures are not looked at.

    Raises
    ------
    ScorerError
        No such folder.
    IntegrityError
        A file that is changed, missing, extra or of another kind (a pickle, say); a wrong signature.
    """
    manifest, version = check(folder, key=key)
    parts: dict[str, State] = {}
    for name in manifest["parts"]:
        try:
            parts[name] = _read_state(folder, name)
        except IntegrityError:
            raise
        except Exception as error:  # hostile bytes can raise anything; the hash being right doesn't make them kind
            raise IntegrityError("a part can't be read", where=name, got=type(error).__name__, do="train again") from error
    return parts, manifest["about"], version


def check(folder: Path, *, key: bytes | None = None) -> tuple[dict[str, Any], str]:
    """The manifest and the version, after every file has been held against its hash; nothing else is opened."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ScorerError("no scorer here", where=str(folder), got=f"no {MANIFEST}", do="name a folder made by `triage run`")
    content = path.read_bytes()
    if key is not None:
        found = (folder / SIGNATURE).read_bytes() if (folder / SIGNATURE).is_file() else b""
        if not hmac.compare_digest(hmac.new(key, content, hashlib.sha256).hexdigest().encode(), found):
            raise IntegrityError("the signature isn't right", where=SIGNATURE, do="check the key, or train again")
    try:
        manifest = json.loads(content)
        expected = {str(k): str(v) for k, v in manifest["files"].items()}
        _ = manifest["about"], [str(p) for p in manifest["parts"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError("the manifest can't be read", where=MANIFEST, got=type(error).__name__, do="train again") from error
    present = {p.name for p in folder.iterdir()} - {MANIFEST, SIGNATURE}
    if present != set(expected):
        odd = sorted(present ^ set(expected))[0]
        raise IntegrityError("a file is missing or extra", where=odd, do="copy the folder again, or train again")
    for name, digest in expected.items():
        if Path(name).suffix not in SUFFIXES or Path(name).name != name:
            raise IntegrityError("a kind of file that a scorer never holds", where=name, do="don't open this scorer; train again")
        if _sha256((folder / name).read_bytes()) != digest:
            raise IntegrityError("a file isn't the one that the manifest names", where=name, do="copy the folder again, or train again")
    return manifest, _sha256(content)[:12]


def _files(name: str, state: State) -> dict[str, bytes]:
    arrays: dict[str, np.ndarray] = {}
    plain: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, np.ndarray):
            arrays[key] = value
        elif sp.issparse(value):
            matrix = sp.csr_matrix(value)
            arrays |= {f"{key}:data": matrix.data, f"{key}:indices": matrix.indices, f"{key}:indptr": matrix.indptr}
            arrays[f"{key}:shape"] = np.array(matrix.shape)
        else:
            plain[key] = value
    files = {f"{name}.json": json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()}
    if arrays:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{k: arrays[k] for k in sorted(arrays)})  # type: ignore[arg-type]
        files[f"{name}.npz"] = buffer.getvalue()
    return files


def _read_state(folder: Path, name: str) -> State:
    state: State = json.loads((folder / f"{name}.json").read_text("utf-8"))
    if (path := folder / f"{name}.npz").is_file():
        with np.load(path, allow_pickle=False) as arrays:
            flat = {k: arrays[k] for k in arrays.files}
        for key in [k for k in flat if k.endswith(":shape")]:
            stem = key.removesuffix(":shape")
            pieces = (flat.pop(f"{stem}:data"), flat.pop(f"{stem}:indices"), flat.pop(f"{stem}:indptr"))
            state[stem] = sp.csr_matrix(pieces, shape=tuple(flat.pop(key)))
        state |= flat
    return state


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _swap(fresh: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
