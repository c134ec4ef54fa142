"""Write docs/reference from the code: verbs, settings, columns and codes. Run by `make docs`; a test compares."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import typing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n"


def pages() -> dict[str, str]:
    """Every page of the reference: file name → text."""
    return {
        "cli.md": _cli(),
        "settings.md": _settings(),
        "columns.md": _columns(),
        "codes.md": _codes(),
    }


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


# ── verbs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def verbs() -> dict[str, Any]:
    """Every verb by its full name, such as `import table`."""
    import typer

    from pipeline.cli.app import app

    found: dict[str, Any] = {}

    def walk(command: Any, name: str) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            found[name] = command
        for child_name, child in (children or {}).items():
            walk(child, f"{name} {child_name}".strip())

    walk(typer.main.get_command(app), "")
    return found


def _cli() -> str:
    text = [
        NOTE,
        "# Verbs\n",
        "`triage VERB`, or `python -m pipeline VERB`. Each verb has `--help`.\n",
        "Exit codes are the same for all: see [codes](codes.md#exit-codes).\n",
    ]
    for name, command in verbs().items():
        text.append(f"## triage {name}\n")
        text.append(inspect.cleandoc(command.help or "") + "\n")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        usage = " ".join(["triage", name, *(_argument_name(p) for p in arguments), "[OPTIONS]" if options else ""])
        text.append(f"```text\n{usage.strip()}\n```\n")
        if arguments:
            text.append(
                table(["argument", "meaning"], [[f"`{_argument_name(p)}`", _one_line(p.help)] for p in arguments])
            )
        if options:
            text.append(table(["option", "default", "meaning"], [_option_row(p) for p in options]))
    return "\n".join(text)


def _argument_name(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper()
    return f"{name}..." if parameter.nargs == -1 and not name.endswith("...") else name


def _option_row(parameter: Any) -> list[str]:
    value = f" {parameter.metavar}" if parameter.metavar else ""
    names = ", ".join(f"`{o}{value}`" for o in [*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default is None or default is False or callable(default) or default in ((), []):
        shown = ""
    else:
        shown = f"`{default}`"
    return [names, shown, _one_line(parameter.help)]


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def setting_comments() -> dict[str, str]:
    """Every key of params.yaml (`section.key`, or `section`) → the comment above it."""
    comments: dict[str, str] = {}
    section, above = "", ""
    for line in (ROOT / "params.yaml").read_text("utf-8").splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above = f"{above} {stripped.lstrip('# ')}".strip()
            continue
        match = re.match(r"( *)([a-z_]+):", line)
        if match and len(match[1]) in (0, 2):
            section = match[2] if not match[1] else section
            comments[match[2] if not match[1] else f"{section}.{match[2]}"] = above
        above = ""
    return comments


def _settings() -> str:
    from pipeline.config import Params, Rule

    comments = setting_comments()
    text = [
        NOTE,
        "# Settings\n",
        "Every key of `params.yaml`. A file of yours needs only what differs from the default.\n"
        "An unknown key is an error that names the nearest right one.\n",
    ]
    hints = typing.get_type_hints(Params)
    top = [f for f in dataclasses.fields(Params) if not dataclasses.is_dataclass(hints[f.name])]
    text.append(table(["setting", "default", "meaning"], [_setting_row(f, f.name, comments) for f in top]))
    for part in dataclasses.fields(Params):
        if part in top:
            continue
        kind = hints[part.name]
        rows = [_setting_row(f, f"{part.name}.{f.name}", comments) for f in dataclasses.fields(kind)]
        text += [f"## {part.name}\n", comments[part.name] + "\n", table(["setting", "default", "meaning"], rows)]
    rows = [[f"`{f.name}`", RULE_KEYS[f.name]] for f in dataclasses.fields(Rule)]
    text += ["## One rule of `routing.rules`\n", table(["key", "meaning"], rows)]
    return "\n".join(text)


RULE_KEYS = {
    "name": "its name; the scored ticket shows it as `rule:NAME`",
    "queue": "where a ticket goes that meets every condition",
    "when": "`before`: it wins over the model (the default); `after`: it is asked where the model abstains",
    "keywords": "any of these words stands in the text (case ignored)",
    "fields": "{field: [values]}: each named field has one of its values",
    "customers": "the customer is one of these",
    "languages": "the language is one of these",
    "priorities": "the predicted priority is one of these",
    "topics": "the predicted topic is one of these",
}


def _setting_row(field: Any, name: str, comments: dict[str, str]) -> list[str]:
    default = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    return [f"`{field.name}`", f"`{_yaml(default)}`", comments[name]]


def _yaml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_yaml(v) for v in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{k}": {_yaml(v)}' for k, v in value.items()) + "}"
    return str(value)


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────

FRAME_TEXT = {
    "tickets": "`tickets.parquet`, and what `triage score` reads. Also any number of `fields.NAME` columns (string, "
    "known at creation), where NAME is the source's own name, and an optional `as_of` (default: `created_at`).",
    "events": "`events.parquet`: dated things that happened to a ticket.",
    "outcomes": "`outcomes.parquet`: what was learned later. Empty means unknown, never “no”.",
    "articles": "`articles.parquet`: the knowledge base.",
    "macros": "`macros.parquet`, where macros were imported: texts that agents send with a click.",
    "scored": "What `triage score` writes: one row for every row that came in. In Parquet the nested columns are "
    "lists and structs, in CSV they are JSON text, in JSONL they are themselves.",
}


def _columns() -> str:
    from pipeline.tickets.schema import FRAMES

    text = [NOTE, "# Columns\n", "Times are UTC. A column without “yes” may be null or absent.\n"]
    for frame, columns in FRAMES.items():
        rows = [[f"`{c.name}`", c.kind, "yes" if c.required else "", c.known, c.meaning] for c in columns]
        text += [
            f"## {frame}\n",
            FRAME_TEXT[frame] + "\n",
            table(["column", "kind", "required", "known", "meaning"], rows),
        ]
    return "\n".join(text)


# ── codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _codes() -> str:
    from pipeline import errors

    rows = [[f"`{code}`", meaning] for code, meaning in errors.ROW_CODES.items()]
    tree = inspect.cleandoc(errors.__doc__ or "").partition("::\n")[2].partition("\n\nA wrong")[0]
    return "\n".join(
        [
            NOTE,
            "# Codes\n",
            "## Codes of refused rows\n",
            "A bad row never stops a run. It gets one of these codes in the column `error` of the scored file,\n"
            "goes to the triage queue with the reason `fallback:CODE`, and is counted in the summary.\n"
            "At import it lies in `rejects.jsonl`.\n",
            table(["code", "meaning"], rows),
            "## Reasons of a queue\n",
            table(["queue_reason", "meaning"], REASONS),
            "## Exit codes\n",
            table(["code", "meaning"], EXITS),
            "## Errors in Python\n",
            f"```text\n{inspect.cleandoc(tree)}\n```\n",
        ]
    )


REASONS = [
    ["`model`", "the model was sure enough"],
    ["`rule:NAME`", "the rule of that name in `routing.rules` decided"],
    ["`abstained`", "the model wasn't sure enough: a person decides"],
    ["`person`", "a person has set it in the helpdesk (only by `triage rescore`)"],
    ["`fallback:CODE`", "the row couldn't be scored (a code from the table above)"],
    [
        "`fallback:no_text`",
        "the ticket has no words: it was scored from its fields or the base rates, and a person decides",
    ],
]
EXITS = [
    ["0", "done"],
    ["1", "too many rows were refused (`--max-refused`), or a gate failed"],
    ["2", "usage or input error: the message says what, where, what was got, and what to do"],
    ["3", "a fault in Triage itself; `TRIAGE_TRACEBACK=1` shows where"],
    ["130", "stopped by Ctrl-C"],
]


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
