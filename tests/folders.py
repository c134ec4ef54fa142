"""Damage to folders of parts: what a disk, a copy or an attacker may do, and a manifest rewritten to hide it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifact import CHECKSUM, MANIFEST, SIGNATURE


def flip(path: Path) -> None:
    """Another value for one byte, at a place that the file's name decides."""
    content = bytearray(path.read_bytes())
    draw = random.Random(path.name)
    content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    path.write_bytes(content)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any] = lambda manifest: None) -> None:
    """Change the manifest, and make all hashes right again: everything that can be done without the key."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    present = [p for p in sorted(folder.iterdir()) if p.name not in (MANIFEST, SIGNATURE, CHECKSUM)]
    manifest["files"] = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in present}
    change(manifest)
    put_manifest(folder, json.dumps(manifest).encode())


def put_manifest(folder: Path, content: bytes) -> None:
    """Any bytes as manifest, with the right checksum and no signature."""
    (folder / MANIFEST).write_bytes(content)
    (folder / CHECKSUM).write_bytes(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode())
    (folder / SIGNATURE).unlink(missing_ok=True)


class Hostile:
    """Runs a command when it is unpickled: leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.marker}'",)


def pickled(marker: Path) -> bytes:
    """A bare pickle."""
    return pickle.dumps(Hostile(marker))


def pickled_array(marker: Path) -> bytes:
    """An array file that holds a pickle."""
    buffer = io.BytesIO()
    np.savez(buffer, values=np.array([Hostile(marker)], dtype=object))
    return buffer.getvalue()


def joblib_dump(marker: Path) -> bytes:
    """What scikit-learn's users pass around."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(Hostile(marker), buffer)
    return buffer.getvalue()


def bomb(megabytes: int = 512) -> bytes:
    """A small array file that grows when it is opened."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (megabytes * 2**17,)}
    )
    buffer = io.BytesIO()
    zeros = bytes(2**20)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("values.npy", "w") as entry:
        entry.write(header.getvalue())
        for _ in range(megabytes):
            entry.write(zeros)
    return buffer.getvalue()


def liar(count: int = 10**13) -> bytes:
    """An array file whose header promises far more than there is."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (count,)})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("values.npy", content.getvalue() + bytes(80))
    return buffer.getvalue()
