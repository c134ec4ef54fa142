"""A small grammar: `[a|b]` is a choice, `{name}` a slot; templates are read once and spoken many times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import yaml

T = TypeVar("T")
Random = Callable[[], float]
"""Uniform numbers in [0, 1): the only randomness used, so that bytes don't depend on a library's version."""

_TOKEN = re.compile(r"[\[\]|]|\{\w+\}|[^\[\]|{]+")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that a slot's value takes."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several phrases."""

    options: tuple[Phrase, ...]


Phrase = tuple["str | Slot | Choice", ...]


def parse(template: str) -> Phrase:
    """Read one template.

    >>> speak(parse("[Hi|Hello] {name}"), lambda: 0.9, {"name": "Ada"})
    'Hello Ada'
    """
    tokens = _TOKEN.findall(template)
    phrase, position = _sequence(tokens, 0)
    if position != len(tokens):
        raise ValueError(f"unbalanced brackets in the template that starts with {template[:20]!r}")
    return phrase


def speak(phrase: Phrase, random: Random, slots: Mapping[str, str]) -> str:
    """One sentence of a phrase: choices are drawn, slots are filled."""
    out = []
    for part in phrase:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Slot):
            out.append(slots[part.name])
        else:
            out.append(speak(part.options[int(random() * len(part.options))], random, slots))
    return "".join(out)


def lines(block: str) -> tuple[Phrase, ...]:
    """The templates of a block of text, one a line."""
    return tuple(parse(line) for line in block.splitlines() if line.strip())


@cache
def read(name: str) -> Any:
    """The values of one of the YAML files beside this module."""
    text = files("pipeline.sources.sample").joinpath(f"{name}.yaml").read_text("utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def phrases(language: str) -> dict[str, tuple[Phrase, ...]]:
    """The phrases of one language, by kind."""
    return {kind: lines(block) for kind, block in read("phrases")[language].items()}


def pick(items: Sequence[T], random: Random) -> T:
    """One of the items, each as likely."""
    return items[int(random() * len(items))]


def weighted(weights: Mapping[str, float], random: Random) -> str:
    """A key, as likely as its weight is large."""
    left = random() * sum(weights.values())
    key = ""
    for key, weight in weights.items():  # noqa: B007 (the last key catches rounding)
        left -= weight
        if left < 0:
            break
    return key


def bell(random: Random) -> float:
    """About normal with mean 0 and deviation 1, from four uniform numbers: no library's `log` decides a byte."""
    return (random() + random() + random() + random() - 2.0) * 1.732


def _sequence(tokens: list[str], position: int) -> tuple[Phrase, int]:
    parts: list[str | Slot | Choice] = []
    while position < len(tokens) and tokens[position] not in "|]":
        token = tokens[position]
        if token == "[":
            choice, position = _choice(tokens, position + 1)
            parts.append(choice)
            continue
        parts.append(Slot(token[1:-1]) if token.startswith("{") else token)
        position += 1
    return tuple(parts), position


def _choice(tokens: list[str], position: int) -> tuple[Choice, int]:
    options = []
    while True:
        option, position = _sequence(tokens, position)
        options.append(option)
        if position >= len(tokens):
            raise ValueError("a bracket isn't closed")
        position += 1
        if tokens[position - 1] == "]":
            return Choice(tuple(options)), position
