"""What an outcome is, in the settings' own words: parsed into one frozen value per outcome, every fault named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import pandas as pd

from pipeline.config import nearest
from pipeline.errors import ConfigError, TriageError

Form = Literal[
    "value", "equals", "at_least", "reply_matches", "reply_links", "no_reply_within", "never_answered",
    "returns_within", "reopened_within", "kind", "satisfaction_below",
]  # fmt: skip

OUT_OF_SCOPE = "__out_of_scope__"
"""Topic of a ticket that is known to belong to no topic: it trains `topic_oos_score`, never a label."""

SAME_TOPIC = "topic"
"""What `same` says for the outcome of that name; any other word is a source's column."""

HAPPENINGS = ("reply", "note", "status", "assignment", "priority", "reopened", "escalated", "satisfaction")
"""Kinds of events that `kind` may name: not those that every ticket has."""

OUTCOME_NAMES = ("topic", "queue", "priority", "escalated", "article")

YES = ("1", "true", "yes", "y", "t")
NO = ("0", "false", "no", "n", "f")

LONGEST = pd.Timedelta(days=36_500)
"""No window, and no age, is longer than a century."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_RATING = "write a number above 0, at most 1: `satisfaction_below: 0.5`"
_FORM_KEYS: dict[Form, tuple[str, ...]] = {
    "value": ("column", "levels", "out_of_scope", "separator", "at", "known_at"),
    "equals": ("column", "equals", "at", "known_at"),
    "at_least": ("column", "at_least", "within", "known_at"),
    "reply_matches": ("reply_matches",),
    "reply_links": ("reply_links",),
    "no_reply_within": ("no_reply_within",),
    "never_answered": ("never_answered",),
    "returns_within": ("returns_within", "same", "except"),
    "reopened_within": ("reopened_within",),
    "kind": ("kind", "within"),
    "satisfaction_below": ("satisfaction_below", "within"),
}
_FORMS: dict[str, tuple[Form, ...]] = {
    "topic": ("value",),
    "queue": ("value",),
    "priority": ("value",),
    "escalated": (
        "equals", "at_least", "reply_matches", "no_reply_within", "never_answered", "returns_within",
        "reopened_within", "kind", "satisfaction_below", "value",
    ),
    "article": ("reply_links", "value"),
}  # fmt: skip
_WINDOWS = ("within", "no_reply_within", "never_answered", "returns_within", "reopened_within")


@dataclass(frozen=True)
class Definition:
    """One outcome's definition.

    Attributes
    ----------
    outcome : str
        One of `OUTCOME_NAMES`.
    form : str
        Which of the forms below it is.
    column : str or None
        The source's column that holds it.
    at : {'first', 'last', 'any'} or None
        Which row of an event log counts; None: the last, and a condition is known from when it became true.
        `any` (articles): every value that the ticket ever had.
    known_at : str or None
        A column that says when the outcome was known.
    levels : tuple of (value, name)
        The source's values and our names for them; for a priority from least to most urgent.
    out_of_scope : tuple of str
        Topics that mean "no topic of ours".
    equals : tuple of str
        Values that mean yes.
    at_least : float or None
        The count that has to be reached.
    window : Timedelta or None
        The time that a condition has: from the ticket's creation; to be opened again, from its resolution.
    patterns : tuple of str
        Regular expressions (case ignored) looked for in the replies' text as it was written, HTML and all.
        For `reply_links` their first group is an article's slug.
    separator : str or None
        What stands between several article ids in one value.
    excluded : tuple of str
        Customers who never count as coming back: shared accounts.
    same : str or None
        What a customer who comes back has to come back with: `SAME_TOPIC`, or a column; None: anything.
    kind : str or None
        The kind of event that makes a condition true, one of `HAPPENINGS`.
    below : float or None
        The rating, from 0 to 1, that such an event has to stay below.
    """

    outcome: str
    form: Form
    column: str | None = None
    at: Literal["first", "last", "any"] | None = None
    known_at: str | None = None
    levels: tuple[tuple[str, str], ...] = ()
    out_of_scope: tuple[str, ...] = ()
    equals: tuple[str, ...] = ()
    at_least: float | None = None
    window: pd.Timedelta | None = None
    patterns: tuple[str, ...] = ()
    separator: str | None = None
    excluded: tuple[str, ...] = ()
    same: str | None = None
    kind: str | None = None
    below: float | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """The level names in the order in which they were written, each once: least to most urgent."""
        return tuple(dict.fromkeys(name for _, name in self.levels))


def source_columns(definition: Definition) -> set[str]:
    """The source's columns that an outcome is made from: they give it away.

    The column that `same` names isn't one: at creation it says nothing of a ticket that is still to come.
    """
    return {c for c in (definition.column, definition.known_at) if c is not None}


def parse_definitions(raw: Any, where: str, *, error: type[TriageError] = ConfigError) -> dict[str, Definition]:
    """Definitions from the plain values of an `outcomes:` section; a null value means "not this one".

    Raises
    ------
    TriageError
        Of the kind `error`: an unknown outcome or key (the nearest is named), a form that the outcome can't have,
        a pattern or a duration that can't be read.
    """
    if not isinstance(raw, Mapping):
        raise error("expected outcomes by name", where=where, got=type(raw).__name__, do="write `topic: COLUMN` lines")
    definitions: dict[str, Definition] = {}
    for key, value in raw.items():
        name = "article" if key == "articles" else str(key)
        if name not in _FORMS:
            raise error(f"unknown outcome {name!r}", where=where, got=name, do=_hint(name, OUTCOME_NAMES))
        if name in definitions:
            raise error("an outcome is defined twice", where=where, got=name, do="keep one of them")
        if value is not None:
            definitions[name] = _Parser(name, f"{where}: {key}", error).definition(value)
    return definitions


def parse_duration(text: Any) -> pd.Timedelta | None:
    """A duration such as `30m`, `72h` or `7d`, of at most `LONGEST`; None when it isn't one."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", str(text))
    if not found or float(found[1]) <= 0:
        return None
    seconds = float(found[1]) * _SECONDS[found[2]]
    return pd.Timedelta(seconds=seconds) if seconds <= LONGEST.total_seconds() else None


def as_text(value: Any) -> str:
    """A YAML scalar as a table would hold it: `false` for False, `4` for 4."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class _Parser:
    """Reads one definition; knows where it stands and which error to raise."""

    name: str
    where: str
    error: type[TriageError]

    def definition(self, raw: Any) -> Definition:
        if not isinstance(raw, Mapping):
            raw = {"column": raw}
        cells = {str(k): v for k, v in raw.items()}
        form = self._form(cells)
        definition = Definition(
            outcome=self.name,
            form=form,
            column=self._text(cells, "column"),
            at=self._at(cells),
            known_at=self._text(cells, "known_at"),
            levels=self._levels(cells),
            out_of_scope=self._texts(cells, "out_of_scope"),
            equals=self._texts(cells, "equals"),
            at_least=self._number(cells, "at_least", "write `at_least: 3`"),
            window=self._window(cells),
            patterns=self._patterns(cells, form),
            separator=self._text(cells, "separator"),
            excluded=self._texts(cells, "except"),
            same=self._text(cells, "same"),
            kind="satisfaction" if form == "satisfaction_below" else self._text(cells, "kind"),
            below=self._number(cells, "satisfaction_below", _RATING),
        )
        self._complete(definition)
        return definition

    def _form(self, cells: dict[str, Any]) -> Form:
        possible = _FORMS[self.name]
        form = next((f for f in possible if f in cells), "value" if "column" in cells else None)
        if form is None or form not in possible:
            do = _forms_hint(possible, tuple(cells))
            self._wrong(f"no form that {self.name} can have", ", ".join(cells) or "nothing", do)
        allowed = _FORM_KEYS[form]
        for key in cells:
            if key not in allowed:
                self._wrong(f"unknown key {key!r}", key, _hint(key, allowed))
        return form

    def _complete(self, made: Definition) -> None:
        if made.form in ("value", "equals", "at_least") and not made.column:
            self._wrong("the column is missing", "no `column`", "write `column: NAME`")
        if self.name == "priority" and not made.levels:
            do = "write `levels: {VALUE: name, ...}` from least to most urgent"
            self._wrong("the levels are missing", "no `levels`", do)
        if made.out_of_scope and self.name != "topic":
            self._wrong("only a topic can be out of scope", "out_of_scope", "leave it out here")
        if made.separator and self.name != "article":
            self._wrong("only articles can be several", "separator", "leave it out here")
        if made.at == "any" and self.name != "article":
            self._wrong("only articles can be at any row", "any", "write first or last")
        if made.form in ("kind", "satisfaction_below"):
            self._complete_happening(made)

    def _complete_happening(self, made: Definition) -> None:
        if made.kind not in HAPPENINGS:
            self._wrong("no kind of event that a condition can name", str(made.kind), _hint(str(made.kind), HAPPENINGS))
        if made.window is None:
            self._wrong("the window is missing", "no `within`", "write `within: 14d`")
        if made.below is not None and not 0 < made.below <= 1:
            self._wrong("a rating goes from 0 to 1", str(made.below), _RATING)

    def _text(self, cells: dict[str, Any], key: str) -> str | None:
        value = cells.get(key)
        if value is None:
            return None
        if isinstance(value, Mapping | list) or as_text(value) == "":
            self._wrong(f"{key} must be one value", type(value).__name__, f"write `{key}: NAME`")
        return as_text(value)

    def _texts(self, cells: dict[str, Any], key: str) -> tuple[str, ...]:
        if key not in cells:
            return ()
        value = cells[key]
        items = value if isinstance(value, list) else [value]
        if not items or any(isinstance(i, Mapping | list) or i is None for i in items):
            self._wrong(f"{key} must be a value or a list of values", type(value).__name__, f"write `{key}: [A, B]`")
        return tuple(as_text(i) for i in items)

    def _at(self, cells: dict[str, Any]) -> Literal["first", "last", "any"] | None:
        value = cells.get("at")
        if value not in (None, "first", "last", "any"):
            self._wrong("`at` is first or last", str(value), "write `at: last`")
        return value

    def _levels(self, cells: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        levels = cells.get("levels")
        if levels is None:
            return ()
        if not isinstance(levels, Mapping) or not levels:
            self._wrong("levels must map values to names", type(levels).__name__, "write `levels: {VALUE: name, ...}`")
        return tuple((as_text(k), as_text(v)) for k, v in levels.items())

    def _number(self, cells: dict[str, Any], key: str, do: str) -> float | None:
        if key not in cells:
            return None
        value = cells[key]
        try:
            return float(value)
        except (TypeError, ValueError):
            self._wrong(f"{key} must be a number", repr(value), do)

    def _window(self, cells: dict[str, Any]) -> pd.Timedelta | None:
        key = next((k for k in _WINDOWS if k in cells), None)
        if key is None:
            return None
        window = parse_duration(cells[key])
        if window is None:
            self._wrong(f"{key} must be a duration", repr(cells[key]), "write a number with a unit: 30m, 72h, 7d, 2w")
        return window

    def _patterns(self, cells: dict[str, Any], form: Form) -> tuple[str, ...]:
        patterns = self._texts(cells, form) if form in ("reply_matches", "reply_links") else ()
        for pattern in patterns:
            try:
                groups = re.compile(pattern, re.IGNORECASE).groups
            except re.error as fault:
                do = "write a regular expression in single quotes"
                self._wrong("a pattern can't be read", f"{pattern!r}: {fault}", do)
            if form == "reply_links" and not groups:
                self._wrong("the pattern has no group for the slug", repr(pattern), "put the slug in ( )")
        return patterns

    def _wrong(self, what: str, got: str, do: str) -> NoReturn:
        raise self.error(what, where=self.where, got=got, do=do)


def _hint(name: str, known: Sequence[str]) -> str:
    near = nearest(name.lower(), known)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"


def _forms_hint(forms: Sequence[Form], written: Sequence[str]) -> str:
    near = [n for name in written for n in nearest(name.lower(), [f for f in forms if f != "value"], 1)]
    known = "one of: " + "; ".join("column" if f == "value" else ", ".join(_FORM_KEYS[f][:2]) for f in forms)
    return f"did you mean {near[0]!r}? Otherwise {known}" if near else known
