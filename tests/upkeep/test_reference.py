"""Every verb, option, setting, column and code is documented, and the reference is the code's."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pipeline.config import Params, as_dict, load_params
from pipeline.errors import ROW_CODES
from pipeline.tickets.schema import FRAMES

ROOT = Path(__file__).resolve().parents[2]


def load_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = load_maker()
VERBS = MAKER.verbs()


@pytest.mark.parametrize("page", ["cli.md", "settings.md", "columns.md", "codes.md"])
def test_the_page_is_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text("utf-8")
    assert written == MAKER.pages()[page], "run `make docs` and commit the result"


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_and_each_of_its_options_has_a_help_text(name: str) -> None:
    verb = VERBS[name]
    assert verb.help, f"triage {name} has no docstring"
    silent = [p.name for p in verb.params if p.name != "help" and not getattr(p, "help", None)]
    assert not silent, f"triage {name}: no help for {silent}"


def test_the_verbs_that_other_peoples_scripts_rely_on_are_there() -> None:
    relied_on = {
        "import table": {"--mapping", "--out"},
        "import kitsune": {"--questions", "--answers", "--articles", "--out", "--product", "--since"},
        "run": {"--raw", "--scorer", "--params", "--test-from"},
        "score": {"--scorer", "--mapping", "--explain", "--force", "--max-refused"},
        "evaluate": {"--raw", "--scorer", "--out"},
        "sample": set(),
        "audit": set(),
        "prepare": set(),
        "featurize": set(),
        "train": set(),
        "assemble": set(),
    }
    for name, options in relied_on.items():
        there = {o for p in VERBS[name].params for o in p.opts}
        assert options <= there, f"triage {name} lacks {sorted(options - there)}"


def test_every_setting_stands_in_params_yaml_with_its_default_and_a_comment() -> None:
    path = ROOT / "params.yaml"
    assert as_dict(load_params(path)) == as_dict(Params())
    written = yaml.safe_load(path.read_text("utf-8"))
    comments = MAKER.setting_comments()
    for part in dataclasses.fields(Params):
        assert part.name in written and comments.get(part.name), (
            f"params.yaml: {part.name} is missing or has no comment"
        )
        default: Any = getattr(Params(), part.name)
        for key in dataclasses.fields(default) if dataclasses.is_dataclass(default) else ():
            name = f"{part.name}.{key.name}"
            assert key.name in written[part.name] and comments.get(name), (
                f"params.yaml: {name} is missing or uncommented"
            )


def test_every_setting_is_read_somewhere() -> None:
    package = ROOT / "pipeline"
    code = "\n".join(p.read_text("utf-8") for p in package.rglob("*.py") if p.parent.name != "config")
    unread = []
    for part in dataclasses.fields(Params):
        default: Any = getattr(Params(), part.name)
        for key in dataclasses.fields(default) if dataclasses.is_dataclass(default) else ():
            if f".{key.name}" not in code:
                unread.append(f"{part.name}.{key.name}")
    assert not unread, "settings that do nothing"


def test_every_column_has_a_meaning_and_says_when_it_is_known() -> None:
    for frame, columns in FRAMES.items():
        assert frame in MAKER.FRAME_TEXT
        for column in columns:
            assert column.meaning and column.known, f"{frame}.{column.name}"


def test_every_row_code_has_a_meaning() -> None:
    assert all(meaning and meaning == meaning.strip() for meaning in ROW_CODES.values())
