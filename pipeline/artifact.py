"""A folder of fitted parts: a manifest of SHA-256 that is checked before anything is opened; arrays and JSON.

`state` is the word for what a fitted object gives away to be stored: a dict of NumPy arrays, sparse matrices and
plain JSON values. Arrays go to `.npz` and are read with pickles forbidden, plain values to `.json`. Which class a part
becomes is fixed in `Scorer.load`, not in the folder, so a rewritten manifest can't smuggle one in.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import scipy.sparse as sp

from pipeline.errors import IntegrityError, OutputError, ScorerError

State = dict[str, Any]

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
CHECKSUM = "manifest.sha256"
"""Hashes of the manifest and the signature, as `sha256sum -c` reads them: no byte of the folder is without one."""

SUFFIXES = frozenset({".json", ".npz"})
"""Kinds of files that a folder may hold. Neither can carry a class or a call: there is no pickle to be hostile."""


def write(folder: Path, parts: dict[str, State], about: dict[str, Any], *, key: bytes | None = None) -> str:
    """Write `parts` and what is to be said `about` them; the folder appears whole or not at all.

    Returns
    -------
    str
        The version: the first 12 hexadecimal digits of the manifest's SHA-256.

    Raises
    ------
    OutputError
        The folder can't be written, or holds something else.
    """
    check_target(folder)
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
        signature = b"" if key is None else _signature(key, content)
        if signature:
            _write_synced(fresh / SIGNATURE, signature)
        _write_synced(fresh / CHECKSUM, _checksums(content, signature))
        _swap(fresh, folder)
    except OSError as error:
        raise OutputError(
            "the folder can't be written", where=folder.name, got=os.strerror(error.errno or 0)
        ) from error
    return _sha256(content)[:12]


def check_target(folder: Path) -> None:
    """Refuse a target whose replacement would destroy what isn't ours: only nothing, an empty folder, or one of ours.

    Raises
    ------
    OutputError
        A file, or a folder that holds something else.
    """
    if folder.name in ("", ".."):
        raise OutputError("a folder without a name of its own", where=str(folder), do="name it, such as models/scorer")
    try:
        if not os.path.lexists(folder) or (folder / MANIFEST).is_file() or (folder / CHECKSUM).is_file():
            return
        if folder.is_dir() and next(folder.iterdir(), None) is None:
            return
    except OSError as error:
        got = os.strerror(error.errno or 0)
        raise OutputError("the folder can't be written", where=str(folder), got=got, do="name another one") from error
    raise OutputError(
        "something else is there already, and would be lost",
        where=str(folder),
        got=f"a folder without {MANIFEST}" if folder.is_dir() else "no folder",
        do="name a new folder, or one that holds a scorer",
    )


def read(
    folder: Path, *, key: bytes | None = None, approve: Callable[[dict[str, Any]], None] | None = None
) -> tuple[dict[str, State], dict[str, Any], str]:
    """Read the parts, what is said about them, and the version.

    Parameters
    ----------
    key : bytes, optional
        With a key, a folder without a right signature is refused; without one, the signature isn't looked at.
    approve : callable, optional
        Sees what is said about the parts after all hashes were checked, before any part is opened; may raise.

    Raises
    ------
    ScorerError
        No such folder, or it can't be read.
    IntegrityError
        A file that is changed, missing, extra or of another kind (a pickle, say); a wrong signature.
    """
    manifest, version = check(folder, key=key)
    if approve is not None:
        approve(manifest["about"])
    parts: dict[str, State] = {}
    for name in manifest["parts"]:
        try:
            parts[name] = _read_state(folder, name, manifest["files"])
        except IntegrityError:
            raise
        except Exception as error:  # hostile bytes can raise anything; the hash being right doesn't make them kind
            raise IntegrityError(
                "a part can't be read", where=name, got=type(error).__name__, do="train again"
            ) from error
    return parts, manifest["about"], version


def check(folder: Path, *, key: bytes | None = None) -> tuple[dict[str, Any], str]:
    """The manifest and the version, after every file has been held against its hash; nothing else is opened."""
    if not (folder / MANIFEST).is_file():
        raise ScorerError(
            "no scorer here", where=str(folder), got=f"no {MANIFEST}", do="name a folder made by `triage run`"
        )
    try:
        content = _manifest(folder, key)
        manifest = _parsed(content)
        present = {p.name for p in folder.iterdir()} - {MANIFEST, SIGNATURE, CHECKSUM}
        if odd := sorted(present ^ set(manifest["files"])):
            raise IntegrityError("a file is missing or extra", where=odd[0], do="copy the folder again, or train again")
        for name in manifest["files"]:
            if Path(name).suffix not in SUFFIXES or Path(name).name != name:
                raise IntegrityError(
                    "a kind of file that a scorer never holds", where=name, do="don't open this scorer; train again"
                )
            _open_checked(folder, name, manifest["files"]).close()
    except OSError as error:
        raise ScorerError(
            "the scorer can't be read",
            where=Path(str(error.filename or folder)).name,
            got=os.strerror(error.errno or 0),
            do="check the folder and its permissions",
        ) from error
    return manifest, _sha256(content)[:12]


def _manifest(folder: Path, key: bytes | None) -> bytes:
    """Its bytes, held against the signature (with a key) and the checksum."""
    content = (folder / MANIFEST).read_bytes()
    signature = (folder / SIGNATURE).read_bytes() if (folder / SIGNATURE).is_file() else b""
    if key is not None and not hmac.compare_digest(_signature(key, content), signature):
        raise IntegrityError("the signature isn't right", where=SIGNATURE, do="check the key, or train again")
    sums = (folder / CHECKSUM).read_bytes() if (folder / CHECKSUM).is_file() else b""
    if sums != _checksums(content, signature):
        raise IntegrityError(
            "the manifest isn't the one that was written",
            where=f"{MANIFEST}, {SIGNATURE} or {CHECKSUM}",
            do="copy the folder again, or train again",
        )
    return content


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
        files, parts, about = manifest["files"], manifest["parts"], manifest["about"]
    except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise IntegrityError(
            "the manifest can't be read", where=MANIFEST, got=type(error).__name__, do="train again"
        ) from error
    right = isinstance(files, dict) and isinstance(parts, list) and isinstance(about, dict)
    if not right or not all(isinstance(v, str) for v in files.values()) or any(f"{p}.json" not in files for p in parts):
        raise IntegrityError("the manifest can't be read", where=MANIFEST, got="another form", do="train again")
    return dict(manifest)


def _open_checked(folder: Path, name: str, files: dict[str, str]) -> BinaryIO:
    """The file, after its hash was found right: what is read from it later is what was checked."""
    handle = (folder / name).open("rb")
    if hashlib.file_digest(handle, "sha256").hexdigest() != files[name]:
        handle.close()
        raise IntegrityError(
            "a file isn't the one that the manifest names", where=name, do="copy the folder again, or train again"
        )
    handle.seek(0)
    return handle


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
        np.savez(buffer, allow_pickle=False, **{k: arrays[k] for k in sorted(arrays)})
        files[f"{name}.npz"] = buffer.getvalue()
    return files


def _read_state(folder: Path, name: str, files: dict[str, str]) -> State:
    with _open_checked(folder, f"{name}.json", files) as handle:
        state: State = json.load(handle)
    if not isinstance(state, dict):
        raise TypeError("a part's plain values are an object")
    if f"{name}.npz" not in files:
        return state
    with _open_checked(folder, f"{name}.npz", files) as handle:
        _refuse_compressed(handle, f"{name}.npz")
        with np.load(handle, allow_pickle=False) as arrays:
            flat = {k: arrays[k] for k in arrays.files}
    for key in [k for k in flat if k.endswith(":shape")]:
        stem = key.removesuffix(":shape")
        pieces = (flat.pop(f"{stem}:data"), flat.pop(f"{stem}:indices"), flat.pop(f"{stem}:indptr"))
        matrix = sp.csr_matrix(pieces, shape=tuple(flat.pop(key)))
        matrix.check_format(full_check=True)  # scipy's products don't: an index out of bounds reads foreign memory
        state[stem] = matrix
    return state | flat


def _refuse_compressed(handle: BinaryIO, name: str) -> None:
    """We write arrays as they are; a file that grows when it is opened is a bomb."""
    with zipfile.ZipFile(handle) as archive:
        entries = archive.infolist()
    size = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    if any(e.compress_type != zipfile.ZIP_STORED for e in entries) or sum(e.file_size for e in entries) > size:
        raise IntegrityError(
            "an array file is compressed, which ours never are", where=name, do="don't open this scorer; train again"
        )


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


def _signature(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).hexdigest().encode()


def _checksums(content: bytes, signature: bytes) -> bytes:
    lines = [f"{_sha256(content)}  {MANIFEST}"] + ([f"{_sha256(signature)}  {SIGNATURE}"] if signature else [])
    return "".join(f"{line}\n" for line in lines).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
