"""An order of open tickets as a file: CSV, JSON Lines or Parquet, whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pandas as pd

from pipeline.errors import OutputError
from pipeline.serving import sink
from pipeline.serving.faults import point
from pipeline.serving.work import claimed, sync, writing
from pipeline.tickets.files import sync_folder


def check_target(out: Path, scored: Path, *, force: bool) -> None:
    """Refuse before anything is read.

    Parameters
    ----------
    scored : Path
        What is ordered: the order never takes its place.

    Raises
    ------
    OutputError
        Another suffix, no such folder, something that isn't a file, the scored file itself, or a file that is there,
        without `force`.
    """
    sink.format_of(out)
    if not out.parent.is_dir():
        raise OutputError("the output's folder doesn't exist", where=str(out.parent), do="make it, or name another")
    if os.path.realpath(out) == os.path.realpath(scored):
        do = "give the order a file of its own"
        raise OutputError("the order and the scored tickets are the same file", where=out.name, do=do)
    if out.exists() and not (force and out.is_file()):
        raise OutputError("the output is already there", where=out.name, do="name another, or replace it with --force")


def write_order(tickets: pd.DataFrame, out: Path) -> None:
    """Write a table of plain columns.

    Raises
    ------
    OutputError
        A full or closed disk, or another run that writes the same file.
    """
    out = Path(os.path.realpath(out))
    with claimed(out) as work:
        with writing(out.parent), work.copy.open("wb") as handle:
            handle.write(_bytes(tickets, sink.format_of(out)))
            sync(handle)
        point("order_written")
        with writing(out.parent):
            work.copy.replace(out)
            sync_folder(out.parent)
        point("order_named")


def _bytes(tickets: pd.DataFrame, form: sink.Format) -> bytes:
    if form.kind == "parquet":
        buffer = io.BytesIO()
        tickets.to_parquet(buffer, index=False)
        return buffer.getvalue()
    if form.kind == "csv":
        text = tickets.to_csv(index=False, lineterminator="\n")
    else:
        text = tickets.to_json(orient="records", lines=True, force_ascii=False, double_precision=15)
    return gzip.compress(text.encode(), mtime=0) if form.gzipped else text.encode()
