"""A scored file read back is the frame that was written, in every format."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from unit.serving.standin import LEVELS, StandIn, made_intake, write_tickets

from pipeline.errors import InputError
from pipeline.serving import sink
from pipeline.serving.scored_file import newest, read_scored
from pipeline.tickets import schema


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    source = write_tickets(tmp_path_factory.mktemp("in") / "in.jsonl", 12, refused_every=5)
    return next(StandIn().score(tickets) for tickets in made_intake(source).read(None))  # type: ignore[arg-type]


def written(scored: pd.DataFrame, path: Path) -> Path:
    path.write_bytes(sink.whole(scored, sink.format_of(path), LEVELS))
    return path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "csv.gz", "jsonl.gz"])
def test_what_was_written_comes_back(scored: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    found = read_scored(written(scored, tmp_path / f"out.{suffix}"))
    again = written(found, tmp_path / f"again.{suffix}")
    assert again.read_bytes() == (tmp_path / f"out.{suffix}").read_bytes()
    assert found.dtypes.tolist() == scored.dtypes.tolist()
    assert found["topic_candidates"][0] == scored["topic_candidates"][0]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_file_without_rows_is_a_frame_without_rows(scored: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    found = read_scored(written(scored.head(0), tmp_path / f"out.{suffix}"))
    assert len(found) == 0 and list(found) == schema.names("scored")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such file"),
        ("a.xlsx", b"", "format isn't known"),
        ("a.csv", b"number,words\n1,hello\n", "no scored tickets"),
        ("a.csv", b"", "can't be read"),
        ("a.jsonl", b'{"ticket_id": "1"\n', "can't be read"),
        ("a.jsonl", b"[1]\n", "can't be read"),
        ("a.jsonl.gz", b"plain", "can't be read"),
        ("a.parquet", b"PAR1", "can't be read"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_scored(tmp_path / name)


def test_the_newest_line_of_a_ticket_counts_and_a_refused_one_says_nothing(scored: pd.DataFrame) -> None:
    one = scored[scored["error"].isna()].iloc[:1]
    day = pd.Timedelta(days=1)
    late = one.assign(as_of=one["as_of"] + day, topic="late")
    refused = one.assign(as_of=one["as_of"] + 2 * day, topic="refused", error="unscorable")
    again = late.assign(topic="again")
    undated = one.assign(as_of=pd.Series(pd.NaT, one.index, dtype=one["as_of"].dtype), topic="undated")
    assert newest(pd.concat([undated, late, refused, one, scored]))["topic"].tolist()[0] == "late"
    assert newest(pd.concat([late, again, one]))["topic"].tolist() == ["again"]
    assert newest(scored)["ticket_id"].tolist() == scored["ticket_id"].dropna().tolist()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("as_of", "junk", "an as_of that is no time"), ("ticket_id", None, "no ticket_id and no error"),
        ("escalation_risk", 7.0, "outside 0 to 1"), ("escalation_risk", float("inf"), "outside 0 to 1"),
        ("escalation_risk", -0.1, "outside 0 to 1"),
    ],
)  # fmt: skip
def test_a_line_that_no_scorer_wrote_is_refused(
    scored: pd.DataFrame, tmp_path: Path, column: str, value: object, said: str
) -> None:
    good = scored[scored["error"].isna()].astype({column: "object"})
    good.iloc[1, good.columns.get_loc(column)] = value
    path = tmp_path / "odd.jsonl"
    good[["ticket_id", "as_of", "queue_reason", "escalation_risk"]].to_json(
        path, orient="records", lines=True, date_format="iso"
    )
    if value == float("inf"):  # which JSON can't say: CSV can
        path = tmp_path / "odd.csv"
        good[["ticket_id", "as_of", "queue_reason", "escalation_risk"]].to_csv(path, index=False)
    with pytest.raises(InputError, match="1 lines that no scorer wrote") as error:
        read_scored(path)
    assert said in str(error.value.got)
