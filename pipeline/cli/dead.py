"""`triage stream dead`: the messages that could not be scored, one by one, and again into the stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import InputError

if TYPE_CHECKING:
    from pipeline.serving.stream.transport import DeadLetters, Letter

app = typer.Typer(help="Dead letters: messages that could not be scored.", no_args_is_help=True)

_FROM = "The stream that they were taken from, as `triage stream --from` has it."
_Source = Annotated[str, typer.Option("--from", metavar="URL", help=_FROM)]
_Code = Annotated[str | None, typer.Option(metavar="CODE", help="Only those with this code.")]


@app.command("list")
def list_(
    source: _Source,
    code: _Code = None,
    rows: Annotated[int, typer.Option(min=1, help="Most that are shown.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """List dead letters, the oldest first: why, how often tried, and where they stood; never what they say.

    Exit codes: 0 done; 2 usage or input error.
    """
    from rich.markup import escape
    from rich.table import Table

    from pipeline.cli.terminal import console
    from pipeline.errors import ROW_CODES

    with _opened(source) as dead:
        found = [one for one in dead.letters() if code in (None, one.code)]
    if as_json:
        for letter in found:
            typer.echo(json.dumps(_about(letter), ensure_ascii=False))
        return
    table = Table("id", "code", "tries", "position", "died at", "ticket", "bytes")
    for one in found[:rows]:
        cells = (one.id, one.code, str(one.tries), one.position, one.died_at, one.key or "", str(len(one.value)))
        table.add_row(*map(escape, cells))
    out = console()
    if found:
        out.print(table)
    counts = {name: sum(one.code == name for one in found) for name in sorted({one.code for one in found})}
    for name, count in counts.items():
        out.print(f"{count} × {name}: {ROW_CODES.get(name, 'not a code of this version')}", markup=False)
    if len(found) > rows:
        out.print(f"{len(found) - rows} more: --rows {len(found)}", markup=False)
    if not found:
        out.print("no dead letters", markup=False)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="Of `dead list`.")],
    source: _Source,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the message itself, as it was sent: it may hold personal data.")
    ] = False,
) -> None:
    """Show one dead letter: what is known of it and, without its words, what it is made of.

    Exit codes: 0 done; 2 usage or input error.
    """
    from pipeline.errors import ROW_CODES

    with _opened(source) as dead:
        found = _found(dead, letter)
    if raw:
        sys.stdout.buffer.write(found.value)
        sys.stdout.buffer.flush()
        return
    for name, value in _about(found).items():
        typer.echo(f"{name}: {value}")
    typer.echo(f"meaning: {ROW_CODES.get(found.code, 'not a code of this version')}")
    for line in _made_of(found.value):
        typer.echo(line)
    typer.echo("--raw writes the message itself")


@app.command()
def retry(
    source: _Source,
    letters: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Of `dead list`.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    code: _Code = None,
) -> None:
    """Send dead letters into the stream again, last in their partitions, and strike them off.

    Exit codes: 0 done; 2 usage or input error.
    """
    from pipeline.pages.formats import plural

    if bool(letters) == every:
        raise InputError("which ones isn't said", where="ID", do="name some, or give --all")
    with _opened(source) as dead:
        chosen = [_found(dead, name) for name in letters or ()] if letters else list(dead.letters())
        chosen = [one for one in chosen if code in (None, one.code)]
        for one in chosen:
            dead.retry(one)
    typer.echo(f"{plural(len(chosen), 'message')} sent again")


@contextmanager
def _opened(source: str) -> Iterator[DeadLetters]:
    from pipeline.serving.stream.transport import open_dead, parse_place

    dead = open_dead(parse_place(source, "--from"))
    try:
        yield dead
    finally:
        dead.close()


def _found(dead: DeadLetters, name: str) -> Letter:
    found = next((one for one in dead.letters() if one.id == name), None)
    if found is None:
        raise InputError("no such dead letter", where="ID", got=name, do="see `triage stream dead list`")
    return found


def _about(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "code": letter.code,
        "tries": letter.tries,
        "position": letter.position,
        "died_at": letter.died_at,
        "ticket_id": letter.key,
        "bytes": len(letter.value),
    }


def _made_of(value: bytes) -> list[str]:
    """Names and sizes of a message's parts."""
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        return ["parts: none, it is no JSON in UTF-8"]
    if not isinstance(said, dict):
        return [f"parts: none, it is a {type(said).__name__}"]
    parts = list(said.items())
    if said.keys() <= {"ticket", "event", "again"}:
        inner = [(name, own) for name, own in said.items() if isinstance(own, dict)]
        parts = [(f"{name}.{own_name}", value) for name, own in inner for own_name, value in own.items()]
    sizes = ((name, type(value).__name__, _size(value)) for name, value in parts[:50])
    return [f"part {name!a}: {kind}, {size} characters" for name, kind, size in sizes]


def _size(value: Any) -> int | str:
    try:
        return len(json.dumps(value))
    except RecursionError:
        return "too deep to count its"
