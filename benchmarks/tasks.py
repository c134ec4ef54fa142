"""What is measured: which files are imported, trained on and scored, and which figures each row asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One RAW_DIR.

    Attributes
    ----------
    files : tuple of str
        Below the data folder; those that begin with `made/` are written by `reshape`.
    mapping : str or None
        File in benchmarks/mappings; None: Kitsune's own records.
    """

    files: tuple[str, ...]
    mapping: str | None = None


@dataclass(frozen=True)
class Job:
    """One `triage run`, and what its scorer scores.

    Attributes
    ----------
    source : str
        Name in `SOURCES`.
    scored : dict
        Name → file to score, as in `Source.files`; an empty name is the source's tickets from `test_from` on, without
        their outcomes, out of RAW_DIR (training rows needn't be encoded twice).
    test_from : str or None
        Nothing known from then on trains.
    params : str or None
        File in benchmarks/params.
    """

    source: str
    scored: dict[str, str]
    test_from: str | None = None
    params: str | None = None


@dataclass(frozen=True)
class Figure:
    """A figure asked for.

    Attributes
    ----------
    metric : str
        As the referee names it; `out_of_scope.auroc` is inside another object.
    words : str
        For people.
    reach : float or None
        None: measured, nothing is asked.
    plain, best : float or None
        The plain pipeline, and the best simple baseline known.
    at_most : bool
        Whether less is better.
    """

    metric: str
    words: str
    reach: float | None = None
    plain: float | None = None
    best: float | None = None
    at_most: bool = False


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    title : str
    job : str
        Name in `JOBS`.
    scored : str
        Which of the job's files.
    judge : tuple of str
        The referee's task and options.
    truth : str
        Function in `truth`.
    figures : tuple of Figure
    model : str
        The scorer's model that is judged.
    also : tuple of (words, truth, figures)
        Parts of the test that are judged by themselves too.
    evaluate : bool
        Whether what `triage evaluate` says is kept beside the figures.
    """

    title: str
    job: str
    scored: str
    judge: tuple[str, ...]
    truth: str
    figures: tuple[Figure, ...]
    model: str
    also: tuple[tuple[str, str, tuple[Figure, ...]], ...] = ()
    evaluate: bool = False


@dataclass(frozen=True)
class PromiseRow:
    """One promise: asked for in the job's settings, held against what happened.

    Attributes
    ----------
    parts : tuple of (scored, truth)
        Files of the job, each with the function in `truth` that knows what is right.
    asked : str
        In words.
    by : str
        `month` (then `triage evaluate` is asked too) or `fifth`.
    """

    title: str
    job: str
    parts: tuple[tuple[str, str], ...]
    asked: str
    by: str


THUNDERBIRD = ("thunderbird/questions-*.csv.gz", "thunderbird/answers-*.csv.gz", "thunderbird/articles.csv.gz")
INCIDENTS = "servicenow-incidents/incident_event_log.csv.gz"
HALF = "half the error that routing everything would make"

SOURCES = {
    "thunderbird": Source(THUNDERBIRD),
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
    "thunderbird-escalated": Job("thunderbird", {"test": ""}, "2025-01-01T00:00:00Z", "thunderbird-escalated.yaml"),
    "thunderbird-unanswered": Job("thunderbird", {"test": ""}, "2025-01-01T00:00:00Z", "thunderbird-unanswered.yaml"),
    "incidents-sla": Job("incidents", {"log": INCIDENTS}, "2016-05-02T11:30:00Z", "incidents-sla.yaml"),
    "incidents-reassigned": Job("incidents", {"log": INCIDENTS}, "2016-05-02T11:30:00Z", "incidents-reassigned.yaml"),
    "mozilla": Job("mozilla", {"bugs": "bugs/mozilla.csv.gz"}, "2019-12-14T17:34:32Z"),
    "openoffice": Job("openoffice", {"bugs": "bugs/openoffice.csv.gz"}, "2016-06-29T21:21:00Z"),
    "banking77": Job("banking77", {"test": "banking77/test.csv.gz"}, params="half.yaml"),
    "clinc": Job("clinc", {"test": "made/clinc-test.csv", "scope": "made/clinc-scope.csv"}, params="clinc.yaml"),
    "endava": Job("endava", {"test": "made/endava-test.csv"}, params="half.yaml"),
}

WRITTEN = (Figure("quadratic_kappa", "quadratic kappa", 0.50, None, 0.477),)
RISK = (Figure("roc_auc", "ROC-AUC"), Figure("average_precision", "AP"))
LEVELS = ("priority", "--order", "P5,P4,P3,P2,P1")

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
        "Thunderbird `unanswered_72h`", "thunderbird-unanswered", "test", ("escalation",), "thunderbird_unanswered",
        (
            Figure("roc_auc", "ROC-AUC", None, 0.707, 0.739),
            Figure("average_precision", "AP", None, 0.431, 0.472),
            Figure("ece", "ECE", at_most=True),
        ),
        "escalated",
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

NAMES = (*ROWS, *PROMISES)
