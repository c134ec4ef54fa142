"""Rules about files: their size, their first line, what may not stand in them."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

import pipeline

ROOT = Path(__file__).resolve().parents[2]

MACHINE_PATHS = re.compile(r"/(?:root|home/\w+|opt|work)/[\w.]")
REGISTRY_HOSTS = re.compile(r"pypi[.]org|python[h]osted|download[.]pytorch|deb[.]debian[.]org|registry[.]npmjs")
CLOCKS = re.compile(r"[.](?:utc)?now\(|\btime[.]time\(|[.]today\(|\b(?:local|gm)time\(\)")
MAY_READ_THE_CLOCK = ("cli", "serving", "tracking")


def tracked() -> list[Path]:
    """Files of the project; those of a working copy without git where there is no git."""
    try:
        names = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / n for n in names if (ROOT / n).is_file()]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_python_file_is_longer_than_400_lines() -> None:
    long = {
        name_of(p): n for p in tracked() if p.suffix == ".py" and (n := len(p.read_text("utf-8").splitlines())) > 400
    }
    assert not long


def test_the_first_line_of_each_module_says_what_it_does() -> None:
    silent = []
    for path in tracked():
        if path.suffix != ".py" or not path.read_text("utf-8").strip():
            continue
        if not ast.get_docstring(ast.parse(path.read_text("utf-8"))):
            silent.append(name_of(path))
    assert not silent


def test_no_file_is_big() -> None:
    big = {name_of(p): p.stat().st_size for p in tracked() if p.stat().st_size > 1_000_000}
    assert not big
    sample = sum(p.stat().st_size for p in tracked() if name_of(p).startswith("data/sample/"))
    assert sample < 1_000_000


def test_no_file_names_a_machine_path_or_a_registry_host() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line):
                found.append(f"{name_of(path)}:{number}")
    assert not found


def test_the_clock_is_read_at_the_doors_only() -> None:
    found = []
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        if path.relative_to(ROOT / "pipeline").parts[0] in MAY_READ_THE_CLOCK:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if CLOCKS.search(line):
                found.append(f"{name_of(path)}:{number}")
    assert not found


def test_the_changelog_names_the_version() -> None:
    assert re.search(
        rf"^## {re.escape(pipeline.__version__)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )


def test_every_direct_dependency_is_pinned_in_the_constraints() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    pinned = {
        line.partition("==")[0].lower()
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    names = {re.split(r"[<>=\[; ]", w)[0].lower() for w in wanted}
    assert not {n for n in names if n.replace("_", "-") not in {p.replace("_", "-") for p in pinned}}


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in [p for p in tracked() if p.suffix == ".md"]:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target or target.startswith(("#", "mailto:")):
                continue
            if not (page.parent / target.partition("#")[0]).exists():
                broken.append(f"{name_of(page)} → {target}")
    assert not broken
