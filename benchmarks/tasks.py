"""What is measured: which files are imported, trained on and scored, and which figures each row asks for."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pandas as pd
from forms import Figure, Job, LeadRow, Pair, PromiseRow, Row, Source

THUNDERBIRD = ("thunderbird/questions-*.csv.gz", "thunderbird/answers-*.csv.gz", "thunderbird/articles.csv.gz")
INCIDENTS = "servicenow-incidents/incident_event_log.csv.gz"
INCIDENTS_FROM = "2016-05-02T11:30:00Z"
LATER = {"24h": "+24h", "72h": "+72h"}
HALF = "half the error that routing everything would make"

SOURCES = {
    "thunderbird": Source(THUNDERBIRD),
    "thunderbird-named": Source((*THUNDERBIRD[:2], "made/named/articles.csv")),
    "incidents": Source((INCIDENTS,), "incidents.yaml"),
    "mozilla": Source(("bugs/mozilla.csv.gz",), "mozilla.yaml"),
    "openoffice": Source(("bugs/openoffice.csv.gz",), "openoffice.yaml"),
    "banking77": Source(("banking77/train.csv.gz",), "banking77.yaml"),
    "clinc": Source(("made/clinc-train.csv",), "clinc.yaml"),
    "endava": Source(("made/endava-train.csv",), "endava.yaml"),
}

JOBS = {
    "thunderbird-topic": Job("thunderbird", {"test": ""}, "2025-04-01T00:00:00Z", "half.yaml"),
    "speed-full": Job("thunderbird", {}, "2025-04-01T00:00:00Z", "speed-full.yaml"),
    "thunderbird-escalated": Job(
        "thunderbird", {"test": "", "24h": ""}, "2025-01-01T00:00:00Z", "thunderbird-escalated.yaml", {"24h": "+24h"}
    ),
    "thunderbird-unanswered": Job(
        "thunderbird", {"test": ""}, "2025-01-01T00:00:00Z", "thunderbird-unanswered.yaml", {"test": ""}
    ),
    "thunderbird-recontact": Job(
        "thunderbird", {"test": ""}, "2025-01-01T00:00:00Z", "thunderbird-recontact.yaml", {"test": ""}
    ),
    "incidents-sla": Job(
        "incidents", {"log": INCIDENTS, "24h": "", "72h": ""}, INCIDENTS_FROM, "incidents-sla.yaml", LATER
    ),
    "incidents-reassigned": Job(
        "incidents", {"log": INCIDENTS, "24h": "", "72h": ""}, INCIDENTS_FROM, "incidents-reassigned.yaml", LATER
    ),
    "incidents-twice": Job("incidents", {"24h": ""}, INCIDENTS_FROM, "incidents-twice.yaml", {"24h": "+24h"}),
    "incidents-ever": Job("incidents", {}, INCIDENTS_FROM, "incidents-ever.yaml"),
    "mozilla": Job("mozilla", {"bugs": "bugs/mozilla.csv.gz"}, "2019-12-14T17:34:32Z"),
    "openoffice": Job("openoffice", {"bugs": "bugs/openoffice.csv.gz"}, "2016-06-29T21:21:00Z"),
    "banking77": Job("banking77", {"test": "banking77/test.csv.gz"}, params="half.yaml"),
    "clinc": Job("clinc", {"test": "made/clinc-test.csv", "scope": "made/clinc-scope.csv"}, params="clinc.yaml"),
    "endava": Job("endava", {"test": "made/endava-test.csv"}, params="half.yaml"),
}

CITED = ("thunderbird-articles.yaml", {}, None, "thunderbird_articles")
JOBS["thunderbird-articles"] = Job("thunderbird", {"test": ""}, "2025-01-01T00:00:00Z", *CITED)
LOST = (0.02, 0.15, 0.3, 0.5, 0.75)
"""Settings of `articles: lost`: at each "none fits" is said a little sooner."""
for _lost in LOST:
    JOBS[f"thunderbird-none-fits-{_lost:g}"] = Job(
        "thunderbird-named", {"test": ""}, "2025-01-01T00:00:00Z", CITED[0], {}, None, CITED[3],
        variants="thunderbird_articles_forbidden",
        settings={"articles": {"product": "product", "lost": _lost, "max_answers": 0}},
    )  # fmt: skip
WEEKS = tuple(f"{day:%Y-%m-%d}" for day in pd.date_range("2025-01-01", "2025-07-02", freq="7D"))
"""The first scorer is refreshed at the beginning of each, with what was known by then."""
for _from, _to in itertools.pairwise(WEEKS):
    _job = Job("thunderbird", {"test": ""}, f"{_from}T00:00:00Z", CITED[0], {}, f"{_to}T00:00:00Z", CITED[3])
    JOBS[f"thunderbird-articles-{_from}"] = replace(_job, refreshes="thunderbird-articles")
COLD = {
    "cold": "2023-01-01T12:00:00Z",
    "1 month": "2023-02-01T00:00:00Z",
    "3 months": "2023-04-01T00:00:00Z",
    "a year": "2024-01-01T00:00:00Z",
}
"""Citations from the beginning of the data to here: how suggestions get better as they arrive."""
for _from in COLD.values():
    JOBS[f"thunderbird-articles-until-{_from[:10]}"] = Job(
        "thunderbird",
        {"test": ""},
        _from,
        CITED[0],
        {},
        None,
        "thunderbird_articles",
    )
WEEKLY = tuple(f"thunderbird-articles-{week}" for week in WEEKS[:-1])

ARTICLES = (
    Figure("recall_at_1", "recall@1", 0.44, 0.160, 0.426),
    Figure("recall_at_3", "recall@3", 0.67, 0.264, 0.658),
    Figure("mrr_at_10", "MRR@10", 0.61, 0.255, 0.596),
    Figure("hit_at_3", "hit@3", 0.71, 0.289, 0.696),
)
"""`plain` is BM25 alone here."""
SURE = (
    Figure("ece", "ECE of the first", 0.04, at_most=True),
    Figure("hit_at_3_surest", "hit@3, the surest half", 0.85),
)
NONE_FITS = (
    Figure("none_fits", "ROC-AUC", 0.80),
    Figure("none_fits_by_first", "ROC-AUC by the first's probability"),
)
SEARCHED = (
    Figure("recall_at_1", "recall@1", None, 0.160, 0.272),
    Figure("recall_at_3", "recall@3", 0.50, 0.264, 0.480),
    Figure("mrr_at_10", "MRR@10", None, 0.255, 0.429),
    Figure("hit_at_3", "hit@3", None, 0.289, 0.517),
)

WRITTEN = (Figure("quadratic_kappa", "quadratic kappa", 0.50, None, 0.477),)
RISK = (Figure("roc_auc", "ROC-AUC"), Figure("average_precision", "AP"))
LEVELS = ("priority", "--order", "P5,P4,P3,P2,P1")


def later(
    auc: float,
    ap: float,
    plain: tuple[float, ...],
    best: tuple[float, ...],
    recall: tuple[float, float, float] | None = None,
) -> tuple[Figure, ...]:
    """Figures of a risk with the history: ROC-AUC, AP, recall (asked, plain, best) if asked, calibration."""
    found = [
        Figure("roc_auc", "ROC-AUC", auc, plain[0], best[0]),
        Figure("average_precision", "AP", ap, plain[1], best[1]),
    ]
    found += [Figure("recall_at_0.192", "recall at 19.2 %", *recall)] if recall else []
    return (*found, Figure("ece", "ECE", 0.04, at_most=True))


ROWS = {
    "thunderbird-topic": Row(
        "Thunderbird topic", "thunderbird-topic", "test", ("topic",), "thunderbird_topic",
        (
            Figure("accuracy", "accuracy", 0.45, 0.408, 0.421),
            Figure("macro_f1", "macro-F1", 0.34, 0.262, 0.316),
            Figure("top3_accuracy", "top-3", 0.72, 0.685, 0.693),
            Figure("ece", "ECE", at_most=True),
        ),
        "topic",
    ),
    "banking77": Row(
        "banking77", "banking77", "test", ("topic",), "banking77",
        (Figure("accuracy", "accuracy", 0.945, 0.912, 0.940), Figure("ece", "ECE", 0.015, None, 0.018, True)), "topic",
    ),
    "thunderbird-articles": Row(
        "Thunderbird articles, trained once (*plain*: BM25)", "thunderbird-articles", "test", ("articles",),
        "thunderbird_articles", ARTICLES, "article",
    ),
    "thunderbird-articles-weekly": Row(
        "Thunderbird articles, refreshed each week (*plain*: BM25)", WEEKLY[0], "test", ("articles",),
        "thunderbird_articles", ARTICLES, "article", then=WEEKLY[1:],
    ),
    "thunderbird-articles-sure": Row(
        "Thunderbird articles, trained once: probabilities", "thunderbird-articles", "test", ("articles",),
        "thunderbird_articles", (), "article", suggested=SURE,
    ),
    "thunderbird-articles-weekly-sure": Row(
        "Thunderbird articles, refreshed each week: probabilities", WEEKLY[0], "test", ("articles",),
        "thunderbird_articles", (), "article", then=WEEKLY[1:], suggested=SURE,
    ),
    "thunderbird-articles-none-fits": Row(
        "Thunderbird articles, none fits", "thunderbird-articles", "test", ("articles",), "thunderbird_articles", (),
        "article", suggested=NONE_FITS, none_fits=tuple(f"thunderbird-none-fits-{lost:g}" for lost in LOST),
    ),
    **{
        f"thunderbird-articles-until-{until[:10]}": Row(
            "Thunderbird articles, no citation known (*plain*: BM25; *best*: without any citation)"
            if words == "cold" else f"Thunderbird articles, {words} of citations known (*plain*: BM25)",
            f"thunderbird-articles-until-{until[:10]}", "test", ("articles",), "thunderbird_articles",
            SEARCHED if words == "cold" else tuple(replace(f, reach=None) for f in ARTICLES), "article",
        )
        for words, until in COLD.items()
    },
    "clinc": Row(
        "CLINC150 in scope", "clinc", "test", ("topic",), "clinc_test",
        (Figure("accuracy", "accuracy", 0.967, 0.925, 0.962), Figure("ece", "ECE", 0.01, None, 0.009, True)), "topic",
    ),
    "clinc-oos": Row(
        "CLINC150 out of scope", "clinc", "scope", ("topic", "--out-of-scope", "oos"), "clinc_scope",
        (
            Figure("out_of_scope.auroc", "AUROC", 0.985, 0.942, 0.987),
            Figure("out_of_scope.recall_at_4pct_false", "recall at 4 % false", 0.92, 0.70, 0.94),
        ),
        "topic",
    ),
    "endava": Row(
        "Endava category", "endava", "test", ("topic",), "endava",
        (
            Figure("accuracy", "accuracy", 0.86, 0.841, 0.854),
            Figure("macro_f1", "macro-F1", 0.54, 0.42, 0.529),
            Figure("ece", "ECE", 0.04, None, 0.03, True),
        ),
        "topic",
    ),
    "mozilla-priority": Row(
        "Mozilla bug priority", "mozilla", "bugs", LEVELS, "mozilla",
        (
            Figure("quadratic_kappa", "quadratic kappa", 0.78, 0.765, 0.754),
            Figure("macro_f1", "macro-F1", 0.69, 0.667, 0.675),
            Figure("mae_levels", "MAE in levels", 0.48, 0.503, 0.503, True),
            Figure("ece", "ECE", at_most=True),
        ),
        "priority",
        (("titles a person wrote", "mozilla_written", WRITTEN),),
    ),
    "openoffice-priority": Row(
        "OpenOffice bug priority", "openoffice", "bugs", LEVELS, "openoffice", (), "priority", evaluate=True
    ),
    "incidents-sla": Row(
        "incidents, SLA missed", "incidents-sla", "log", ("escalation",), "incidents_sla",
        (
            Figure("roc_auc", "ROC-AUC", 0.82, 0.695, 0.811),
            Figure("average_precision", "AP", 0.56, 0.418, 0.550),
            Figure("ece", "ECE", 0.05, None, 0.052, True),
        ),
        "escalated",
        (("first seen as New", "incidents_sla_new", RISK),),
    ),
    "incidents-reassigned": Row(
        "incidents, reassigned ≥ 3 within 7 days", "incidents-reassigned", "log",
        ("escalation",), "incidents_reassigned",
        (
            Figure("roc_auc", "ROC-AUC", 0.79, 0.678, 0.781),
            Figure("average_precision", "AP", 0.20, 0.129, 0.189),
            Figure("recall_at_0.192", "recall at 19.2 %", 0.53, 0.400, 0.511),
            Figure("ece", "ECE", 0.03, at_most=True),
        ),
        "escalated",
        (("first seen as New", "incidents_reassigned_new", RISK),),
    ),
    "thunderbird-escalated": Row(
        "Thunderbird `escalated_to_engineering`", "thunderbird-escalated", "test",
        ("escalation",), "thunderbird_escalated",
        (
            Figure("roc_auc", "ROC-AUC", 0.82, 0.804, 0.806),
            Figure("average_precision", "AP", 0.08, 0.063, 0.072),
            Figure("recall_at_0.192", "recall at 19.2 %", 0.60, 0.580, 0.580),
            Figure("ece", "ECE", 0.03, at_most=True),
        ),
        "escalated",
    ),
    "thunderbird-unanswered": Row(
        "Thunderbird `unanswered_72h`, with the asker's history", "thunderbird-unanswered", "test",
        ("escalation",), "thunderbird_unanswered", later(0.75, 0.48, (0.707, 0.431), (0.739, 0.472)), "escalated",
    ),
    "thunderbird-recontact": Row(
        "Thunderbird `recontact_7d`, with the asker's history", "thunderbird-recontact", "test",
        ("escalation",), "thunderbird_recontact", later(0.635, 0.14, (0.553, 0.095), (0.620, 0.130)), "escalated",
    ),
    "incidents-reassigned-24h": Row(
        "incidents, reassigned ≥ 3 within 7 days, as of 24 h", "incidents-reassigned", "24h", ("escalation",),
        "incidents_reassigned_24h",
        later(0.83, 0.39, (0.673, 0.161), (0.817, 0.372), (0.63, 0.386, 0.610)), "escalated",
    ),
    "incidents-reassigned-72h": Row(
        "incidents, reassigned ≥ 3 within 7 days, as of 72 h", "incidents-reassigned", "72h", ("escalation",),
        "incidents_reassigned_72h",
        later(0.84, 0.28, (0.657, 0.108), (0.824, 0.261), (0.73, 0.356, 0.713)), "escalated",
    ),
    "incidents-twice-24h": Row(
        "incidents, reassigned ≥ 2 within 7 days, as of 24 h", "incidents-twice", "24h", ("escalation",),
        "incidents_twice_24h",
        later(0.84, 0.49, (0.700, 0.265), (0.825, 0.468), (0.57, 0.374, 0.546)), "escalated",
    ),
    "incidents-sla-24h": Row(
        "incidents, SLA missed, as of 24 h", "incidents-sla", "24h", ("escalation",), "incidents_sla_24h",
        later(0.73, 0.80, (0.664, 0.742), (0.707, 0.782)), "escalated",
    ),
    "incidents-sla-72h": Row(
        "incidents, SLA missed, as of 72 h", "incidents-sla", "72h", ("escalation",), "incidents_sla_72h",
        later(0.83, 0.957, (0.813, 0.951), (0.820, 0.956)), "escalated",
    ),
}  # fmt: skip

PROMISES = {
    "promise-banking77": PromiseRow("banking77", "banking77", (("test", "banking77"),), HALF, "fifth"),
    "promise-endava": PromiseRow("Endava", "endava", (("test", "endava"),), HALF, "fifth"),
    "promise-clinc": PromiseRow(
        "CLINC150 `test` + `oos_val`", "clinc", (("test", "clinc_test"), ("scope", "clinc_oos")), "5 %", "fifth"
    ),
    "promise-thunderbird": PromiseRow(
        "Thunderbird topic", "thunderbird-topic", (("test", "thunderbird_topic"),), HALF, "month"
    ),
}

PAIRS = {
    "thunderbird-escalated-24h": Pair(
        "Thunderbird `escalated_to_engineering`, as of 24 h against creation", "thunderbird-escalated", "24h", "test",
        "thunderbird_escalated_24h",
    ),
}  # fmt: skip

LEADS = {
    "incidents-lead": LeadRow("incidents, reassigned ≥ 3 at any time, 10 % of a day's tickets", "incidents-ever", 0.5),
}

NAMES = (*ROWS, *PROMISES, *PAIRS, *LEADS)
