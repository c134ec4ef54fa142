"""`triage backtest`: which tickets arrive again, what the order may know, hours, truth, and what is said of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_desk import Desk, quiet
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from pipeline.cli.app import main
from pipeline.config import Ordering, Sla
from pipeline.errors import ConfigError, InputError
from pipeline.history.calendar import Calendar
from pipeline.ordering import order
from pipeline.pages.backtest import Backtest, Replay, cautions
from pipeline.pages.formats import decimal
from pipeline.scorer import Scorer
from pipeline.sources.raw import Raw
from pipeline.training.backtest import CostIndex, Window, backtest
from pipeline.training.report_files import replay_figures
from pipeline.training.simulate import simulate
from pipeline.training.unseen import unseen
from pipeline.training.urgent import urgent_of

LEVELS = ("low", "medium", "high", "urgent")
OFFICE = Sla(
    hours=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("09:00-17:00",)),
    first_response={"urgent": "1h", "*": "8h"},
)


@pytest.fixture(scope="module")
def replayed(desk: Desk) -> Replay:
    return backtest(desk.raw_dir, desk.scorer, hands=2, say=quiet)


def with_settings(scorer: Scorer, **changed: Any) -> Scorer:
    return replace(scorer, settings=replace(scorer.settings, **changed))


def numbers(result: Backtest) -> list[float]:
    return [
        w for o in result.orders.values() for part in (o.urgent, o.rest) for w in (part.median, part.p90, part.mean)
    ]


# ── what arrives ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_ticket_after_the_cut_arrives_again_and_none_that_was_trained_on(desk: Desk, replayed: Replay) -> None:
    cut = pd.Timestamp(desk.scorer.about["trained"]["cut"])
    later = desk.raw.tickets["created_at"] >= cut
    assert (replayed.tickets, replayed.left_out) == (int(later.sum()), 0)
    assert replayed.first_ticket == cut.strftime("%Y-%m-%d") and replayed.synthetic


def test_a_window_before_the_cut_says_how_many_tickets_the_queue_lacks(desk: Desk) -> None:
    created = desk.raw.tickets["created_at"].sort_values()
    found = backtest(desk.raw, desk.scorer, hands=2, window=Window(since=created.iloc[400]), say=quiet)
    assert (found.tickets, found.left_out) == (400, 200)
    assert any("200 of 600 tickets" in caution for caution in cautions(found))


def test_the_beginning_only_fills_the_queue_and_the_window_is_kept_to(desk: Desk, replayed: Replay) -> None:
    created = desk.raw.tickets["created_at"].sort_values().iloc[600:]
    until = created.iloc[300]
    found = backtest(desk.raw, desk.scorer, hands=2, window=Window(until=until), say=quiet)
    filling = int((created < created.iloc[0] + pd.Timedelta(days=7)).sum())
    assert found.tickets == 300 < replayed.tickets
    assert any(f"The first {filling:,} tickets only fill the queue" in said for said in found.result.assumptions)
    counted = found.result.first_come.urgent.tickets + found.result.first_come.rest.tickets
    assert 0 < counted <= 300 - filling


# ── what the order may know ──────────────────────────────────────────────────────────────────────────────────────────


def test_what_turned_out_urgent_waits_less_in_the_predicted_order_where_escalations_can_be_foreseen(
    desk: Desk, replayed: Replay
) -> None:
    first, then, known = replayed.result.first_come, replayed.result.predicted, replayed.result.oracle
    assert replayed.result.load == pytest.approx(0.9, abs=0.01) and replayed.urgent == "it escalated"
    assert known.urgent.median < then.urgent.median < 0.5 * first.urgent.median
    assert known.urgent.mean < min(then.urgent.mean, first.urgent.mean)
    assert then.urgent.median < 0.5 * first.urgent.median
    assert then.rest.p90 > first.rest.p90  # the price


def test_the_risk_is_that_at_arrival_whatever_happened_later(desk: Desk, replayed: Replay) -> None:
    later = desk.raw.tickets["created_at"] + pd.Timedelta(days=7)
    dated = replace(desk.raw, tickets=desk.raw.tickets.assign(as_of=later))
    again = backtest(dated, desk.scorer, hands=2, say=quiet)
    assert numbers(again.result) == numbers(replayed.result)


@pytest.mark.parametrize("now", [0.0, 7.5, 40.0])
def test_the_index_puts_waiting_tickets_in_the_order_of_triage_order(now: float) -> None:
    draw = np.random.default_rng(3)
    settings = Ordering(wait={"high": 5.0, "*": 1.0}, escalation=30.0, sla_missed=40.0, horizon_hours=6.0)
    levels, risk, due = draw.choice(["low", "high"], 40), draw.random(40), draw.uniform(0, 60, 40)
    due[::9] = np.nan
    table = pd.DataFrame({"ticket_id": np.arange(40).astype(str), "priority": levels, "escalation_risk": risk})
    wanted = order(table.assign(sla_hours_left=due - now), settings, as_of=pd.Timestamp(0, tz="UTC"))
    fixed = 6.0 * np.where(levels == "high", 5.0, 1.0) + 30.0 * risk
    index = CostIndex(fixed, due, settings)
    found = index(np.arange(40), now)
    assert np.argsort(-found).astype(str).tolist() == wanted["ticket_id"].tolist()
    assert np.sort(found)[::-1].tolist() == pytest.approx(wanted["cost"].tolist())


def test_without_deadlines_the_index_is_one_number_a_ticket_and_leads_to_the_same() -> None:
    draw = np.random.default_rng(4)
    arrivals, fixed = np.sort(draw.uniform(0, 50, 60)), draw.random(60)
    index = CostIndex(fixed, np.full(60, np.nan), Ordering())
    chosen = index.choice()
    assert isinstance(chosen, np.ndarray)
    np.testing.assert_array_equal(simulate(arrivals, [2.0] * 60, 1, chosen), simulate(arrivals, [2.0] * 60, 1, index))


def test_a_scorer_and_settings_that_tell_nothing_apart_are_named(desk: Desk) -> None:
    blind = with_settings(desk.scorer, ordering=Ordering(escalation=0.0))
    found = backtest(desk.raw, blind, hands=2, say=quiet)
    assert any("no two of these tickets apart" in caution for caution in cautions(found))
    assert found.result.predicted == found.result.first_come


# ── hours, deadlines, handling ───────────────────────────────────────────────────────────────────────────────────────


def test_hands_work_in_business_hours_and_deadlines_are_counted_in_them(desk: Desk, replayed: Replay) -> None:
    found = backtest(desk.raw, with_settings(desk.scorer, sla=OFFICE), hands=2, say=quiet)
    assert found.clock == "business hours" and "business hours" in " ".join(found.result.assumptions)
    assert found.handling_hours == pytest.approx(replayed.handling_hours * 40 / 168, rel=0.05)
    later = unseen(desk.raw, [desk.scorer], with_outcome=False).parsed
    created, calendar = later["created_at"].dt.as_unit("us").astype("int64").to_numpy(), Calendar.of(OFFICE)
    arrivals = calendar.elapsed(created[0], created)
    starts = simulate(arrivals, np.full(len(arrivals), found.handling_hours), 2)
    late = starts - arrivals > np.where(later["label.priority"] == "urgent", 1.0, 8.0)
    assert found.result.first_come.sla_missed == late[created >= created[0] + 7 * 24 * 3_600_000_000].mean()
    assert all(np.isnan(o.sla_missed) for o in replayed.result.orders.values())


def test_a_stated_handling_time_decides_the_load_and_too_much_work_is_said_plainly(
    desk: Desk, replayed: Replay
) -> None:
    hours = replayed.handling_hours * 1.5
    found = backtest(desk.raw, desk.scorer, hands=2, handling_hours=hours, say=quiet)
    assert found.result.load == pytest.approx(1.5 * replayed.result.load)
    assert any("the queue grows to the end" in caution for caution in cautions(found))
    idle = backtest(desk.raw, desk.scorer, hands=50, handling_hours=1.0, say=quiet)
    assert any("hardly ever a queue" in caution for caution in cautions(idle))
    assert [hands for hands, _ in idle.staffing] == [45, 50, 55, 60]


def test_more_hands_never_lengthen_the_mean_wait(replayed: Replay) -> None:
    means = [result.first_come.urgent.mean for _, result in replayed.staffing]
    assert [hands for hands, _ in replayed.staffing] == [1, 2, 3, 4] and means == sorted(means, reverse=True)
    assert dict(replayed.staffing)[2] is replayed.result


# ── truth ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def labels(**columns: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({f"label.{name}": pd.Series(values, dtype="str") for name, values in columns.items()})


def test_urgent_is_what_escalated_and_unknown_is_never_no() -> None:
    frame = labels(escalated=["1", "0", None], priority=["low", "urgent", None])
    found = urgent_of(frame, LEVELS, counted=np.ones(3, bool))
    np.testing.assert_array_equal(found.truth, [1.0, 0.0, np.nan])
    assert found.priority.tolist() == ["low", "urgent", None]


@pytest.mark.parametrize("escalated", [["0", "0", None], ["1", "0", None]], ids=["none", "only while the queue fills"])
def test_without_escalations_the_most_urgent_level_counts(escalated: list[str | None]) -> None:
    frame = labels(escalated=escalated, priority=["low", "urgent", None])
    found = urgent_of(frame, LEVELS, counted=np.array([False, True, True]))
    np.testing.assert_array_equal(found.truth, [0.0, 1.0, np.nan])
    assert found.words == "its priority turned out to be urgent"


def test_nothing_urgent_at_all_is_an_input_error() -> None:
    with pytest.raises(InputError, match="nothing turned out urgent"):
        urgent_of(labels(priority=["low", "high"]), LEVELS, counted=np.ones(2, bool))


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def only_trained(raw: Raw, desk: Desk) -> Raw:
    cut = pd.Timestamp(desk.scorer.about["trained"]["cut"])
    return replace(raw, tickets=raw.tickets[raw.tickets["created_at"] < cut].reset_index(drop=True))


def undated(raw: Raw, desk: Desk) -> Raw:
    return replace(
        raw, tickets=raw.tickets.assign(created_at=pd.Series(pd.NaT, raw.tickets.index, "datetime64[us, UTC]"))
    )


def at_once(raw: Raw, desk: Desk) -> Raw:
    return replace(raw, tickets=raw.tickets.assign(created_at=raw.tickets["created_at"].max()))


def as_they_are(raw: Raw, desk: Desk) -> Raw:
    return raw


@pytest.mark.parametrize(
    ("change", "more", "error", "said"),
    [
        (only_trained, {}, InputError, "every ticket with an outcome is one that the scorer was trained on"),
        (undated, {}, InputError, "none has a created_at"),
        (at_once, {}, InputError, "nothing to replay"),
        (as_they_are, {"window": Window(since=pd.Timestamp("2050-01-01", tz="UTC"))}, InputError, "in this window"),
        (
            as_they_are,
            {"window": Window(pd.Timestamp("2026-05-01", tz="UTC"), pd.Timestamp("2026-05-01", tz="UTC"))},
            ConfigError,
            "ends before it begins",
        ),
        (as_they_are, {"hands": 0}, ConfigError, "nobody to take"),
        (as_they_are, {"handling_hours": float("nan")}, ConfigError, "handling takes some time"),
        (as_they_are, {"handling_hours": 0.0}, ConfigError, "handling takes some time"),
    ],
)
def test_a_fault_says_what_and_where(
    desk: Desk, change: Callable[[Raw, Desk], Raw], more: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        backtest(change(desk.raw, desk), desk.scorer, **{"hands": 2, "say": quiet} | more)


def test_a_level_that_is_misspelt_in_the_settings_is_an_error(desk: Desk) -> None:
    for changed in ({"ordering": Ordering(wait={"urgnt": 2.0})}, {"sla": Sla(first_response={"urgnt": "1h"})}):
        with pytest.raises(ConfigError, match="did you mean urgent"):
            backtest(desk.raw, with_settings(desk.scorer, **changed), hands=2, say=quiet)


# ── the verb ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def ask(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["triage", "backtest", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return ask


def test_the_verb_leaves_a_page_with_the_numbers_of_its_json(
    desk: Desk, replayed: Replay, call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    given = ("--raw", desk.raw_dir, "--scorer", desk.folder, "--out", tmp_path / "report", "--hands", 2)
    code, out, err = call(*given)
    assert code == 0 and "predicted order" in out and "400 tickets arrive again" in err
    told = json.loads((tmp_path / "report" / "backtest.json").read_text("utf-8"))
    assert told == json.loads(json.dumps(replay_figures(replayed))) and told["synthetic"] is True
    page = HTMLParser((tmp_path / "report" / "index.html").read_text("utf-8"))
    assert "Synthetic data" in page.css_first("p.banner").text()
    shown = [[td.text() for td in tr.css("td")] for tr in page.css("#orders tbody tr")]
    for name, row in zip(("first_come", "predicted", "oracle"), shown, strict=True):
        waits = [told[name][group][part] for group in ("urgent", "rest") for part in ("median", "p90", "mean")]
        assert row == [*(decimal(w, 2) for w in waits), "–", decimal(told[name]["mean_queue"], 1)]
        assert all(cell in out for cell in row)
    assert [li.text() for li in page.css("#assumptions li")] == told["assumptions"] and len(told["assumptions"]) > 8


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--hands", 0), "Invalid value for '--hands'"),
        (("--hands", 2, "--from", "yesterday"), "not a moment"),
        (("--hands", 2, "--from", "2050-01-01"), "no ticket that the scorer wasn't trained on"),
        (("--hands", 2, "--handling", "-1"), "handling takes some time"),
    ],
)
def test_a_wrong_option_ends_with_2_and_no_traceback(
    desk: Desk, call: Callable[..., tuple[int, str, str]], tmp_path: Path, more: tuple[object, ...], said: str
) -> None:
    code, _, err = call("--raw", desk.raw_dir, "--scorer", desk.folder, "--out", tmp_path / "report", *more)
    assert code == 2 and said in " ".join(err.split()) and "Traceback" not in err
    assert not (tmp_path / "report").exists()


def test_no_text_of_a_ticket_is_said_or_written(
    desk: Desk, call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, err = call("--raw", desk.raw_dir, "--scorer", desk.folder, "--out", tmp_path, "--hands", 2)
    written = "".join(p.read_text("utf-8") for p in tmp_path.iterdir())
    subjects = [s for s in desk.raw.tickets["subject"].dropna() if len(s) > 12]
    assert code == 0 and len(subjects) > 100
    assert not [s for s in subjects if s in out + err + written]
