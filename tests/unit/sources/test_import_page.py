"""The YAML on the page about importing is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pipeline.history.definitions import _FORM_KEYS, parse_definitions
from pipeline.sources.article_files import parse_article_mapping
from pipeline.sources.event_mapping import _KEYS as _EVENT_KEYS
from pipeline.sources.event_mapping import parse_event_mapping
from pipeline.sources.macro_table import parse_macro_mapping
from pipeline.sources.mapping import _KEYS, parse_mapping
from pipeline.sources.mapping_values import WORDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "import.md"
BLOCKS = re.findall(r"```yaml( params| events| articles| macros)?\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize(("kind", "block"), BLOCKS)
def test_every_block_of_yaml_is_a_mapping_or_settings(kind: str, block: str) -> None:
    raw = yaml.safe_load(block)
    if kind == " events":
        assert parse_event_mapping(raw, where="docs/import.md")
    elif kind == " articles":
        assert parse_article_mapping(raw, where="docs/import.md")
    elif kind == " macros":
        assert parse_macro_mapping(raw, where="docs/import.md")
    elif kind:
        assert parse_definitions(raw["outcomes"], "docs/import.md")
    else:
        assert parse_mapping(raw, where="docs/import.md")


def test_every_key_of_a_mapping_and_of_a_definition_is_explained() -> None:
    text = PAGE.read_text("utf-8")
    keys = {*_KEYS, *_EVENT_KEYS, *WORDS, *(key for keys in _FORM_KEYS.values() for key in keys)}
    assert not [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)]
