"""Law 9: whatever was put in, in whatever order and how often, a look sees what it sees in the record of all of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_history import (
    BY_QUEUE,
    DEFINITIONS,
    HOURS,
    LOOK,
    Event,
    Scene,
    Ticket,
    events_frame,
    history_of,
    outcomes_frame,
    rows_of,
    scenes,
    tickets_frame,
)
from made_postgres import Postgres
from made_store import contents, put

from pipeline.config import History as Settings
from pipeline.history.as_of import AsOf
from pipeline.history.definitions import parse_definitions
from pipeline.history.log import moments
from pipeline.history.record import Roles, known_tickets, record
from pipeline.history.store import Store, open_store
from pipeline.sources.mapping import parse_mapping
from pipeline.sources.raw import load_raw
from pipeline.sources.table import import_table

LOG = Path(__file__).resolve().parents[3] / "shared" / "data" / "servicenow-incidents" / "incident_event_log.csv.gz"
BATCHES, ASKED, MANY = 4, 300, 24

MESSAGES = (
    "Das ist gar nicht gut, schon wieder kaputt.",
    "It is broken again, I want a refund!",
    "Merci beaucoup, c'est parfait.",
    "No funciona otra vez, mi abogado escribe.",
    "Thank you, great!",
)
LANGUAGES = ("en", "de", "fr", "es", "xx", None)
SETTINGS = st.builds(
    Settings,
    max_accounts_per_key=st.sampled_from([1, 2, 1000]),
    shared=st.sampled_from([(), ("ben",), ("email:aaaaaaaaaaaaaaaa",)]),
    unlink=st.sampled_from([(), ("id:ann email:bbbbbbbbbbbbbbbb",)]),
    contact_reason=st.sampled_from([None, "fields.product", "queue"]),
)
TELLING = (
    *(Event("status", 0, value) for value in ("open", "pending", "resolved", "closed", "strange")),
    *(Event("assignment", 0, queue) for queue in ("first", "second", None)),
    Event("assignment", 0, "first", field="assignee"),
    Event("reopened", 0),
    *(Event("reply", 0, side=side, actor="bob") for side in ("agent", "customer", None)),
)
ODD_MOMENTS = [None, -5.0, 1e-9, 3.0 + 1e-9 / 3.6, 30_000.0]


@dataclass(frozen=True)
class Facts:
    """What is put in: tickets, canonical events and outcomes."""

    tickets: pd.DataFrame
    events: pd.DataFrame
    outcomes: pd.DataFrame

    @classmethod
    def of(cls, scene: Scene, languages: Sequence[str | None]) -> Facts:
        """Of a scene, whose messages are written in one of many languages."""
        tickets = tickets_frame(scene.tickets).assign(language=pd.Series(languages[: len(scene.tickets)], dtype="str"))
        events = events_frame(scene.events)
        text = [None if pd.isna(t) else MESSAGES[len(t) % len(MESSAGES)] for t in events["text"]]
        events = events.assign(text=pd.Series(text, dtype="str"))
        return cls(tickets, Roles.of(DEFINITIONS, events).canonical(events), outcomes_frame(scene.escalated))

    def before(self, moment: int) -> Facts:
        """What was received before a moment."""
        events = self.events[moments(self.events["received_at"]) < moment]
        return replace(self, events=events, outcomes=self.outcomes[moments(self.outcomes["known_at"]) < moment])

    def amounts(self, settings: Settings) -> set[tuple[str, str, int, int, float]]:
        """Amounts of the record: those of one ticket, key, fact and moment together."""
        return summed(record(self.tickets, self.events, self.outcomes, DEFINITIONS, settings).amounts)

    def seen(self, rows: pd.DataFrame, look: AsOf) -> np.ndarray:
        """Numbers of the rows in the record of all of it."""
        made = record(self.tickets, self.events, self.outcomes, DEFINITIONS, look.customers)
        return look.look(rows, made)

    def put(self, store: Store, parcel: Sequence[tuple[str, int]]) -> None:
        """Put in some rows: of which frame, and which position."""
        part = {name: [i for kind, i in parcel if kind == name] for name in ("tickets", "events", "outcomes")}
        known = known_tickets(self.tickets.iloc[part["tickets"]], Roles.of(DEFINITIONS, self.events), store.settings)
        store.put(known, self.events.iloc[part["events"]], self.outcomes.iloc[part["outcomes"]])

    @property
    def places(self) -> list[tuple[str, int]]:
        """Every row of it."""
        frames = {"tickets": self.tickets, "events": self.events, "outcomes": self.outcomes}
        return [(name, i) for name, frame in frames.items() for i in range(len(frame))]


def summed(amounts: pd.DataFrame) -> set[tuple[str, str, int, int, float]]:
    """Amounts, those of one ticket, key, fact and moment together."""
    sums = amounts.groupby(["ticket_id", "key", "fact", "at"])["amount"].sum()
    return {(*place, amount) for place, amount in sums[sums != 0].items()}


@dataclass(frozen=True)
class Case:
    """Facts, the parcels in which they come, the rows that are asked for, and how."""

    facts: Facts
    parcels: list[list[tuple[str, int]]]
    rows: pd.DataFrame
    look: AsOf


@st.composite
def cases(draw: st.DrawFn) -> Case:
    scene = draw(scenes(most=10))
    facts = Facts.of(scene, draw(st.lists(st.sampled_from(LANGUAGES), min_size=4, max_size=4)))
    places = facts.places
    places += draw(st.lists(st.sampled_from(places), max_size=4))
    parcels: list[list[tuple[str, int]]] = [[]]
    for place in draw(st.permutations(places)):
        if draw(st.integers(0, 2)) == 0:
            parcels.append([])
        parcels[-1].append(place)
    moment = st.one_of(HOURS, st.sampled_from(ODD_MOMENTS))
    asked = draw(st.lists(st.tuples(_asked(scene), moment), min_size=1, max_size=4))
    look = replace(LOOK, customers=draw(SETTINGS))
    rows = rows_of([t for t, _ in asked], [at for _, at in asked])
    return Case(facts, parcels, rows.assign(queue=rows["fields.group"]), look)


def _asked(scene: Scene) -> st.SearchStrategy[Ticket]:
    """A ticket of the scene, as it is or with less in it; or another one."""
    known = st.sampled_from(scene.tickets)
    bare = known.map(lambda t: replace(t, customer=None, keys=(), queue=None, created=None, fields={}))
    other = known.map(lambda t: replace(t, customer="cleo", queue="third", fields={"product": "z"}))
    stranger = Ticket("unknown", 2.0, "ann", queue="first", fields={"product": "x"})
    return st.one_of(known, known, bare, other, st.just(stranger))


def check(case: Case, store: Store) -> None:
    """Put everything in; amounts are those of the record; rows together and each alone look as they do there."""
    for parcel in case.parcels:
        case.facts.put(store, parcel)
    assert contents(store)["history_amounts"] == case.facts.amounts(case.look.customers)
    expected = case.facts.seen(case.rows, case.look)
    np.testing.assert_array_equal(case.look.look(case.rows, store.read(case.rows)), expected)
    for i in range(len(case.rows)):
        row = case.rows.iloc[[i]]
        at = moments(row["as_of"].fillna(row["created_at"]))[0]
        found = case.look.look(row, store.read(row))
        np.testing.assert_array_equal(found, case.facts.before(at).seen(row, case.look))


@pytest.mark.slow
@given(case=cases())
@settings(max_examples=60)
def test_a_file_gives_what_the_whole_record_gives(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder, open_store(f"{folder}/s.db", case.look.customers) as store:
        check(case, store)


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Event]]:
    """What is told of some tickets' states, in the order in which it comes: some of it late, or of the same moment."""
    late = st.sampled_from([0, 0, 0, 0, 1, 2])
    rounds = []
    for hour in range(3, 9):
        told = draw(st.lists(st.tuples(st.sampled_from(TELLING), late, late), min_size=MANY, max_size=MANY))
        moments = [(hour - received, hour - received - occurred) for _, received, occurred in told]
        rounds.append(
            [
                replace(event, ticket=f"t{i}", at=float(at), occurred=float(when))
                for i, ((event, _, _), (at, when)) in enumerate(zip(told, moments, strict=True))
            ]
        )
    return rounds


@given(rounds=arrivals())
@settings(max_examples=15)
def test_amounts_kept_up_event_by_event_are_those_of_the_record(rounds: list[list[Event]]) -> None:
    created = [None, 0.0, 1.0, 4.0]
    tickets = [Ticket(f"t{i}", created[i % 4], "ann", queue=("first", None)[i % 2]) for i in range(MANY)]
    events: list[Event] = []
    with tempfile.TemporaryDirectory() as folder, open_store(f"{folder}/s.db", BY_QUEUE) as store:
        put(store, tickets)
        for told in rounds:
            put(store, [], told)
            events += told
            assert contents(store)["history_amounts"] == summed(history_of(tickets, events, settings=BY_QUEUE).amounts)


@pytest.mark.slow
@given(case=cases())
@settings(max_examples=40)
def test_a_server_gives_what_the_whole_record_gives(case: Case, postgres: Postgres) -> None:
    with open_store(postgres.new_database("law"), case.look.customers) as store:
        check(case, store)


@pytest.mark.slow
@pytest.mark.skipif(not LOG.exists(), reason="../shared/data/servicenow-incidents isn't there")
def test_a_whole_event_log_in_shuffled_batches_gives_what_its_record_gives(tmp_path: Path, root: Path) -> None:
    mapping = yaml.safe_load((root / "benchmarks" / "mappings" / "incidents.yaml").read_text("utf-8"))
    import_table([LOG], parse_mapping(mapping), tmp_path / "raw", now=pd.Timestamp("2026-11-01", tz="UTC"))
    raw = load_raw(tmp_path / "raw")
    levels = {"4": "low", "3": "medium", "2": "high", "1": "urgent"}
    definitions = parse_definitions(
        {"queue": "assignment_group", "priority": {"column": "priority", "levels": levels}}, "x"
    )
    roles = Roles.of(definitions, raw.events)
    draw = np.random.default_rng(0)
    look = replace(LOOK, tracked=("category", "u_symptom"), counted=(), levels=tuple(levels.values()), queue=None)
    look = replace(look, customers=replace(look.customers, contact_reason="fields.category"))
    tickets, events = known_tickets(raw.tickets, roles, look.customers), roles.canonical(raw.events)
    rows = tickets.iloc[draw.integers(0, len(tickets), ASKED)].reset_index(drop=True).assign(text="")
    hours = draw.choice([0, 1, 5, 24, 100, 1000, 20_000], ASKED) + draw.random(ASKED)
    rows["as_of"] = rows["created_at"] + pd.to_timedelta(hours, unit="h")
    which, whose, of = (draw.integers(0, BATCHES, len(frame)) for frame in (events, tickets, raw.outcomes))
    with open_store(f"{tmp_path}/s.db", look.customers) as store:
        for batch in draw.permutation(BATCHES):
            again = draw.random(len(events)) < 0.01
            part = events[(which == batch) | again].sample(frac=1.0, random_state=int(batch))
            store.put(tickets[whose == batch], part, raw.outcomes[of == batch])
        found = look.look(rows, store.read(rows))
    whole = record(raw.tickets, raw.events, raw.outcomes, definitions, look.customers)
    np.testing.assert_array_equal(found, look.look(rows, whole))
