"""Memory is flat: what a batch holds doesn't grow with the file."""

from __future__ import annotations

import pytest
from unit.serving.standin import write_tickets


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_eight_times_the_rows_take_no_more_memory(run, tmp_path, suffix):
    peaks = []
    for count in (1_000, 8_000):
        source = write_tickets(tmp_path / f"{count}.jsonl", count, refused_every=50)
        answer = run(source=str(source), out=str(tmp_path / f"{count}.{suffix}"), chunk_rows=100)
        assert answer["code"] == 0
        peaks.append(answer["peak_kilobytes"])
    assert peaks[1] <= 1.1 * peaks[0]
