"""What is right, from the raw files by the definitions of the data's README: one function for each truth file.

Each takes the data folder and gives a frame of `ticket_id` and the column that the referee reads. Nothing here imports
the package: what it computes is held against what the package says.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

TOPIC_FROM, OUTCOME_FROM, END = (pd.Timestamp(t, tz="UTC") for t in ("2025-04-01", "2025-01-01", "2025-07-01"))
INCIDENTS_FROM = pd.Timestamp("2016-05-02 11:30")
MOZILLA_FROM, OPENOFFICE_FROM = "2019-12-14T17:34:32Z", "2016-06-29T21:21:00Z"

BUG = (
    re.compile(
        r"""bugzilla\.mozilla\.org/(?:show_bug\.cgi\?(?:[^"'\s<>]*?[&;])?id=\d+|\d{5,7})|bugzil\.la/\d{5,7}""", re.I
    ),
    re.compile(r"\bbug\s*(?:#|no\.?|number)?\s*\d{6,7}\b", re.I),
)
DELETED_USERS = "user-f5af1827c1f1"
"""The account under which posts of deleted users appear: nobody who comes back."""

MACHINE_TITLE = re.compile(r"^(Intermittent|Permanent|Perma|\[wpt-sync\]|\[?taskcluster)", re.I)


def thunderbird_topic(data: Path) -> pd.DataFrame:
    """The topic of each question from April 2025 on."""
    asked = questions(data)
    return named(asked[asked["at"] >= TOPIC_FROM], "id", "topic", "topic")


def thunderbird_escalated(data: Path) -> pd.DataFrame:
    """Whether somebody other than the asker cited a bug by its number."""
    asked, said = questions(data), replies_of_others(data)
    cites = said["content"].map(lambda html: any(p.search(html) for p in BUG))
    asked["happened"] = asked["id"].isin(said.loc[cites, "question_id"]).astype(int)
    return named(asked[asked["at"] >= OUTCOME_FROM], "id", "happened", "escalated")


def thunderbird_unanswered(data: Path) -> pd.DataFrame:
    """Whether nobody else answered in 72 hours; the questions of the last 72 hours are left out."""
    return unanswered(questions(data), replies_of_others(data), OUTCOME_FROM)


def unanswered(asked: pd.DataFrame, said: pd.DataFrame, since: pd.Timestamp) -> pd.DataFrame:
    """See `thunderbird_unanswered`; for questions asked `since` then."""
    first = asked["id"].map(said.groupby("question_id")["at"].min())
    asked["happened"] = (~((first - asked["at"]) <= pd.Timedelta(hours=72))).astype(int)
    usable = (asked["at"] >= since) & (asked["at"] < END - pd.Timedelta(hours=72))
    return named(asked[usable], "id", "happened", "escalated")


def incidents_sla(data: Path) -> pd.DataFrame:
    """Whether the SLA was missed, by the last event of each incident opened in the test time."""
    log = incident_log(data)
    missed = log.groupby("number")["made_sla"].last() == "false"
    return in_test(log, missed)


def incidents_reassigned(data: Path) -> pd.DataFrame:
    """Whether the incident was reassigned three times or more within 7 days after it was opened."""
    log = incident_log(data)
    soon = (log["updated"] - log["opened"]) <= pd.Timedelta(days=7)
    often = (log["reassignment_count"].astype(int) >= 3) & soon
    return in_test(log, often.groupby(log["number"]).any())


def incidents_sla_open(data: Path, hours: float) -> pd.DataFrame:
    """The same, of incidents still open and not known to have missed it so many hours after they were opened."""
    log = incident_log(data)
    return still_open(log, incidents_sla(data), log["made_sla"] == "false", hours)


def incidents_reassigned_open(data: Path, hours: float, times: int = 3) -> pd.DataFrame:
    """`incidents_reassigned`, of incidents still open and not yet reassigned as often after so many hours."""
    log = incident_log(data)
    often = log["reassignment_count"].astype(int) >= times
    soon = (log["updated"] - log["opened"]) <= pd.Timedelta(days=7)
    truth = in_test(log, (often & soon).groupby(log["number"]).any())
    return still_open(log, truth, often, hours)


def still_open(log: pd.DataFrame, truth: pd.DataFrame, positive: pd.Series, hours: float) -> pd.DataFrame:
    """The rows of a truth whose incident was, by its rows so far, neither resolved nor closed nor positive yet."""
    so_far = log["updated"] <= log["opened"] + pd.Timedelta(hours=hours)
    last = log[so_far].groupby("number")["ident_state"].last()
    over = set(last.index[last.isin(["Resolved", "Closed"])]) | set(log.loc[so_far & positive, "number"])
    return truth[~truth["ticket_id"].isin(over)].reset_index(drop=True)


ARTICLE_LINK = re.compile(
    r"""(?:support\.mozilla\.(?:org|com)|["'\s(]|^)/(?:[a-z]{2,3}(?:-[A-Za-z]{2,4})?/)?kb/([A-Za-z0-9_%-]+)"""
)


def thunderbird_articles(data: Path) -> pd.DataFrame:
    """Articles that somebody other than the asker linked, of English questions; one row a question and article."""
    asked, said, pages = questions(data), replies_of_others(data), table(data / "thunderbird" / "articles.csv.gz")
    links = said.assign(slug=said["content"].map(slugs)).explode("slug").dropna(subset="slug")
    pairs = links[["question_id", "slug"]].drop_duplicates().merge(asked, left_on="question_id", right_on="id")
    pairs = pairs[pairs["slug"].isin(pages["slug"]) & (pairs["locale"] == "en-US") & (pairs["at"] >= OUTCOME_FROM)]
    own = [
        slug in slugs(f"{t} {c}") for slug, t, c in zip(pairs["slug"], pairs["title"], pairs["content"], strict=True)
    ]
    pairs = pairs[[not linked for linked in own]]
    article = pairs["slug"].map(pages.set_index("slug")["id"])
    return pd.DataFrame({"ticket_id": pairs["question_id"], "article_id": article}).reset_index(drop=True)


def thunderbird_articles_named(data: Path) -> pd.DataFrame:
    """Thunderbird's articles as they were exported, but that those of `thunderbird_articles` are each a product alone.

    The others are about no product, so that they fit all tickets.
    """
    pages = table(data / "thunderbird" / "articles.csv.gz")
    cited = pages["id"].isin(thunderbird_articles(data)["article_id"])
    return pages.assign(products_str=("article-" + pages["id"]).where(cited, ""))


def thunderbird_articles_forbidden(data: Path) -> pd.DataFrame:
    """Each ticket of `thunderbird_articles` as ID/1 without a product, and as ID/0 with all but its own articles'.

    A ticket that names products is suggested nothing about others.
    """
    gold = thunderbird_articles(data)
    every = sorted(set(gold["article_id"]))
    rows = []
    for ticket, own in gold.groupby("ticket_id")["article_id"]:
        others = ";".join(f"article-{article}" for article in every if article not in set(own))
        rows += [(ticket, f"{ticket}/1", None), (ticket, f"{ticket}/0", others)]
    return pd.DataFrame(rows, columns=["ticket_id", "scored_as", "fields.product"])


def slugs(html: str) -> list[str]:
    """Slugs of the articles that a text links, each once."""
    return list(dict.fromkeys(slug.lower() for slug in ARTICLE_LINK.findall(html)))


def thunderbird_escalated_open(data: Path, hours: float) -> pd.DataFrame:
    """`thunderbird_escalated`, of questions without such an answer so many hours after they were asked."""
    asked, said = questions(data), replies_of_others(data)
    cites = said[said["content"].map(lambda html: any(p.search(html) for p in BUG))]
    first = asked["id"].map(cites.groupby("question_id")["at"].min())
    early = asked.loc[first <= asked["at"] + pd.Timedelta(hours=hours), "id"]
    truth = thunderbird_escalated(data)
    return truth[~truth["ticket_id"].isin(early)].reset_index(drop=True)


def thunderbird_recontact(data: Path) -> pd.DataFrame:
    """Whether the same asker asked again within 7 days; the questions of the last 7 days are left out."""
    asked = questions(data)
    person = asked["creator"].where(asked["creator"] != DELETED_USERS)
    following = asked.sort_values("at", kind="stable").groupby(person)["at"].shift(-1)
    asked["happened"] = ((following - asked["at"]) <= pd.Timedelta(days=7)).astype(int)
    usable = (asked["at"] >= OUTCOME_FROM) & (asked["at"] < END - pd.Timedelta(days=7)) & person.notna()
    return named(asked[usable], "id", "happened", "escalated")


def incidents_sla_new(data: Path) -> pd.DataFrame:
    """The same, of incidents whose first event is New."""
    return first_seen_as_new(data, incidents_sla(data))


def incidents_reassigned_new(data: Path) -> pd.DataFrame:
    """The same, of incidents whose first event is New."""
    return first_seen_as_new(data, incidents_reassigned(data))


def mozilla(data: Path) -> pd.DataFrame:
    """The priority of Mozilla's bugs that have one."""
    return priorities(data, "mozilla", MOZILLA_FROM)


def mozilla_written(data: Path) -> pd.DataFrame:
    """The same, of titles that a person wrote: no machine's titles, no repeats."""
    bugs = table(data / "bugs" / "mozilla.csv.gz")
    machine = bugs["sd"].map(lambda title: bool(MACHINE_TITLE.search(title)))
    kept = bugs[~machine & (bugs["pr"] != "--") & (bugs["ct"] >= MOZILLA_FROM)].drop_duplicates("sd")
    truth = mozilla(data)
    return truth[truth["ticket_id"].isin(kept["bugID"])]


def openoffice(data: Path) -> pd.DataFrame:
    """The priority of OpenOffice's bugs."""
    return priorities(data, "openoffice", OPENOFFICE_FROM)


def banking77(data: Path) -> pd.DataFrame:
    """The intent of each test question, by its row."""
    return by_row(table(data / "banking77" / "test.csv.gz")["category"])


def clinc_test(data: Path) -> pd.DataFrame:
    """The intent of each sentence of `test`, by its row in the file that `reshape` writes."""
    return by_row(pd.Series([intent for _, intent in clinc(data)["test"]]))


def clinc_scope(data: Path) -> pd.DataFrame:
    """The intent of each sentence of `val` and `oos_val`."""
    parts = clinc(data)
    return by_row(pd.Series([intent for _, intent in parts["val"] + parts["oos_val"]]))


def clinc_oos(data: Path) -> pd.DataFrame:
    """`oos` for each sentence of `oos_val`, of the same file."""
    truth = clinc_scope(data)
    return truth[truth["topic"] == "oos"]


def endava(data: Path) -> pd.DataFrame:
    """The category of each ticket of the test part, by its row there."""
    return by_row(endava_parts(data)[1]["category"])


def clinc(data: Path) -> dict[str, list[list[str]]]:
    """CLINC150 as it lies there."""
    content: dict[str, list[list[str]]] = json.loads(
        gzip.decompress((data / "clinc150" / "data_full.json.gz").read_bytes())
    )
    return content


def endava_parts(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Endava's training and test rows, by a stable hash of the text."""
    tickets = table(data / "endava" / "all_tickets.csv.gz")
    text = tickets["title"] + "\n" + tickets["body"]
    test = text.map(lambda t: int(hashlib.sha256(t.encode()).hexdigest(), 16) % 5 == 0)
    return tickets[~test].reset_index(drop=True), tickets[test].reset_index(drop=True)


def table(path: Path) -> pd.DataFrame:
    """A CSV exactly as it was exported."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def questions(data: Path) -> pd.DataFrame:
    """Thunderbird's questions, with `at`."""
    return forum(data / "thunderbird", "questions").copy()


def replies_of_others(data: Path) -> pd.DataFrame:
    """Answers by somebody other than the asker, with `at`."""
    said = forum(data / "thunderbird", "answers")
    asker = questions(data).set_index("id")["creator"]
    return said[said["creator"] != said["question_id"].map(asker)]


@lru_cache(maxsize=4)
def forum(folder: Path, kind: str) -> pd.DataFrame:
    """All files of one kind, with their times."""
    frame = pd.concat([table(p) for p in sorted(folder.glob(f"{kind}-*.csv.gz"))], ignore_index=True)
    return frame.assign(at=pd.to_datetime(frame["created"], utc=True, format="ISO8601"))


@lru_cache(maxsize=1)
def incident_log(data: Path) -> pd.DataFrame:
    """The event log, with `opened` and `updated`; in time order inside each incident."""
    log = table(data / "servicenow-incidents" / "incident_event_log.csv.gz")
    return log.assign(
        opened=pd.to_datetime(log["opened_at"], dayfirst=True),
        updated=pd.to_datetime(log["sys_updated_at"], dayfirst=True),
    )


def in_test(log: pd.DataFrame, happened: pd.Series) -> pd.DataFrame:
    """Truth of the incidents opened in the test time."""
    first = log.drop_duplicates("number")
    first = first.assign(happened=first["number"].map(happened).astype(int))
    return named(first[first["opened"] >= INCIDENTS_FROM], "number", "happened", "escalated")


def first_seen_as_new(data: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """Those whose first event has the state New."""
    first = incident_log(data).drop_duplicates("number")
    return truth[truth["ticket_id"].isin(first.loc[first["ident_state"] == "New", "number"])]


def priorities(data: Path, name: str, since: str) -> pd.DataFrame:
    """`P5 (lowest)` is P5; `--` isn't a priority."""
    bugs = table(data / "bugs" / f"{name}.csv.gz")
    bugs = bugs[(bugs["pr"] != "--") & (bugs["ct"] >= since)]
    return named(bugs.assign(level=bugs["pr"].str[:2]), "bugID", "level", "priority")


def by_row(labels: pd.Series) -> pd.DataFrame:
    """Topics of tickets that have no id but their row, from 1."""
    return pd.DataFrame({"ticket_id": [f"row-{i}" for i in range(1, len(labels) + 1)], "topic": labels.to_numpy()})


def named(frame: pd.DataFrame, ticket: str, value: str, column: str) -> pd.DataFrame:
    """`ticket_id` and the referee's column."""
    return pd.DataFrame({"ticket_id": frame[ticket], column: frame[value]}).reset_index(drop=True)


TRUTHS: dict[str, Callable[[Path], pd.DataFrame]] = {
    f.__name__: f
    for f in (
        thunderbird_topic, thunderbird_escalated, thunderbird_unanswered, incidents_sla, incidents_sla_new,
        incidents_reassigned, incidents_reassigned_new, mozilla, mozilla_written, openoffice, banking77, clinc_test,
        clinc_scope, clinc_oos, endava, thunderbird_recontact, thunderbird_articles,
        thunderbird_articles_forbidden,
    )
} | {
    "thunderbird_escalated_24h": partial(thunderbird_escalated_open, hours=24),
    "incidents_sla_24h": partial(incidents_sla_open, hours=24),
    "incidents_sla_72h": partial(incidents_sla_open, hours=72),
    "incidents_reassigned_24h": partial(incidents_reassigned_open, hours=24),
    "incidents_reassigned_72h": partial(incidents_reassigned_open, hours=72),
    "incidents_twice_24h": partial(incidents_reassigned_open, hours=24, times=2),
}  # fmt: skip
