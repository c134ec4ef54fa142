"""The public verbs and the referee as subprocesses, in a work folder where finished steps are used again."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import reshape
import yaml
from forms import Job
from tasks import JOBS, SOURCES
from truth import TRUTHS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class FailedError(Exception):
    """A verb ended with an exit code that isn't 0."""


@dataclass
class Workshop:
    """Where things are, and which steps were done.

    Attributes
    ----------
    shared : Path
        The folder with `data/` and `bench/`.
    work : Path
        RAW_DIRs, scorers, scored files and the embedding cache.
    encoder : str
        Setting `encoder: name` of every run.
    triage : tuple of str
        The command.
    again : bool
        Do every step, also those that were done with the same code, settings and data.
    """

    shared: Path
    work: Path
    encoder: str = "minilm"
    triage: tuple[str, ...] = (str(Path(sys.executable).with_name("triage")),)
    again: bool = False
    done: set[str] = field(default_factory=set)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.shared / "data"

    def imported(self, source: str) -> Path:
        """The RAW_DIR of a source."""
        spec, raw = SOURCES[source], self.work / "raw" / source
        files = [str(f) for name in spec.files for f in self._files(name)]
        if spec.mapping is None:
            kinds = {"--questions": "/questions-", "--answers": "/answers-", "--articles": "/articles."}
            command = ["import", "kitsune"]
            for option, mark in kinds.items():
                command += [option, *(f for f in files if mark in f)]
        else:
            command = ["import", "table", *files, "--mapping", str(HERE / "mappings" / spec.mapping)]
        stamp = _hash(code_hash(), command, mapping_text(spec.mapping), [Path(f).stat().st_size for f in files])
        self._step(f"import-{source}", stamp, raw, [*command, "--out", str(raw)])
        return raw

    def trained(self, name: str) -> Path:
        """The scorer of a job."""
        job, folder = JOBS[name], self._folder(name)
        raw = self.imported(job.source)
        settings = self.settings(job)
        folder.mkdir(parents=True, exist_ok=True)
        known = self._seconds_file(f"import-{job.source}").read_text("utf-8")
        if job.refreshes is not None:
            before = str(self.trained(job.refreshes))
            command = ["articles", "refresh", str(raw), "--scorer", before, "--out", str(folder / "scorer")]
            command += ["--until", str(job.test_from)]
            known += self._seconds_file(self._made(job.refreshes)).read_text("utf-8")
        else:
            params = folder / "params.yaml"
            params.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), "utf-8")
            command = ["run", "--raw", str(raw), "--scorer", str(folder / "scorer"), "--params", str(params)]
            command += ["--test-from", job.test_from] if job.test_from else []
        stamp = _hash(known, settings, job.test_from)
        self._step(self._made(name), stamp, folder / "scorer", command)
        return folder / "scorer"

    def _made(self, name: str) -> str:
        """The step that makes a job's scorer."""
        return f"run-{name}" if JOBS[name].refreshes is None else f"refresh-{name}"

    def scored(self, name: str, part: str) -> Path:
        """A file of scored tickets of a job."""
        job, scorer = JOBS[name], self.trained(name)
        source = SOURCES[job.source]
        out = self._folder(name) / f"{part}.parquet"
        if f"score-{name}-{part}" in self.done:
            return out
        command = ["score"]
        if job.scored[part]:
            command += [str(self._files(job.scored[part])[0]), str(out)]
            command += ["--mapping", str(HERE / "mappings" / str(source.mapping))]
        else:
            command += [str(self._later(name, job)), str(out)]
        if part in job.as_of:
            command += ["--history", str(self.imported(job.source))]
            command += ["--as-of", job.as_of[part]] if job.as_of[part] else []
        stamp = _hash(self._seconds_file(self._made(name)).read_text("utf-8"), command)
        self._step(f"score-{name}-{part}", stamp, out, [*command, "--scorer", str(scorer), "--force"])
        return out

    def judged(self, scored: Path, truth: str, judge: Sequence[str]) -> dict[str, Any]:
        """What the referee says, by a function of `truth`."""
        return self.refereed(scored, TRUTHS[truth](self.data), judge)

    def refereed(self, scored: Path, truth: pd.DataFrame, judge: Sequence[str]) -> dict[str, Any]:
        """What the referee says, by a truth of one row a ticket (of `articles`: a row a ticket and article)."""
        path = scored.with_name(f"{scored.stem}-truth.csv")
        truth.to_csv(path, index=False)
        referee = str(self.shared / "bench" / "referee.py")
        command = [sys.executable, referee, *judge, "--truth", str(path), "--pred", str(scored), "--allow-extra"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FailedError(done.stderr.strip())
        return dict(json.loads(done.stdout))

    def evaluated(self, name: str) -> list[str]:
        """What `triage evaluate` says of the promise and warns of, on the tickets after the cut."""
        scorer, step = self.trained(name), f"evaluate-{name}"
        report = self._folder(name) / "report"
        command = ["evaluate", "--raw", str(self.imported(JOBS[name].source)), "--scorer", str(scorer)]
        stamp = _hash(self._seconds_file(self._made(name)).read_text("utf-8"), command)
        self._step(step, stamp, report, [*command, "--out", str(report)])
        log = self._seconds_file(step).with_suffix(".log").read_text("utf-8")
        return [line.removeprefix("! ") for line in log.splitlines() if line.startswith(("promise: ", "! "))]

    def waited(self, name: str) -> dict[str, Any]:
        """What `triage evaluate` measures of the risk as tickets wait."""
        self.evaluated(name)
        found = json.loads((self._folder(name) / "report" / "metrics.json").read_text("utf-8"))
        return dict(found["waiting"])

    def about(self, name: str) -> dict[str, Any]:
        """What the scorer's manifest says about it."""
        manifest = json.loads((self._folder(name) / "scorer" / "manifest.json").read_text("utf-8"))
        return dict(manifest["about"])

    def seconds(self, name: str) -> dict[str, float]:
        """How long each step of a job took when it was done."""
        steps = [
            f"import-{JOBS[name].source}",
            self._made(name),
            *(f"score-{name}-{part}" for part in JOBS[name].scored),
        ]
        steps.append(f"evaluate-{name}")
        found = {s: self._seconds_file(s) for s in steps}
        return {s: json.loads(p.read_text("utf-8"))["seconds"] for s, p in found.items() if p.exists()}

    def settings(self, job: Job) -> dict[str, Any]:
        """PARAMS.yaml of a job: its own settings, the encoder, one embedding cache for all, no tracking."""
        own = yaml.safe_load((HERE / "params" / job.params).read_text("utf-8")) if job.params else {}
        encoder = {"name": self.encoder, "cache": str(self.work / "embeddings")}
        own |= {section: own.get(section, {}) | given for section, given in job.settings.items()}
        return {"encoder": encoder, "tracking": {"uri": None}} | own

    def _later(self, name: str, job: Job) -> Path:
        """The source's tickets from `test_from` on, in our own schema."""
        path = self._folder(name) / "test-tickets.parquet"
        tickets = pd.read_parquet(self.imported(job.source) / "tickets.parquet")
        later = tickets["created_at"] >= pd.Timestamp(str(job.test_from))
        if job.test_to is not None:
            later &= tickets["created_at"] < pd.Timestamp(job.test_to)
        if job.only is not None:
            later &= tickets["ticket_id"].isin(TRUTHS[job.only](self.data)["ticket_id"])
        tickets = tickets[later]
        if job.variants is not None:
            given = TRUTHS[job.variants](self.data)
            own = tickets.drop(columns=given.columns.drop("ticket_id"), errors="ignore")
            tickets = own.merge(given, on="ticket_id")
            tickets["ticket_id"] = tickets.pop("scored_as")
        tickets.to_parquet(path, index=False)
        return path

    def _files(self, name: str) -> list[Path]:
        if name.startswith("made/"):
            made = self.work / "made"
            make = reshape.named_articles if name.startswith("made/named/") else reshape.reshape
            if make.__name__ not in self.done:
                make(self.data, made)
                self.done.add(make.__name__)
            return [made / name.removeprefix("made/")]
        found = sorted(self.data.glob(name))
        if not found:
            raise FailedError(f"no file {name} below the data folder")
        return found

    def _step(self, step: str, stamp: str, result: Path, command: Sequence[str]) -> None:
        """Do it, unless it was done in this process, or before with the same stamp."""
        record = self._seconds_file(step)
        if step in self.done:
            return
        if not self.again and result.exists() and _stamp(record) == stamp:
            self.done.add(step)
            return
        _remove(result)
        record.unlink(missing_ok=True)
        log = record.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        print(f"· {step}", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        with log.open("w", encoding="utf-8") as handle:
            code = subprocess.run(
                [*self.triage, *command], stdout=handle, stderr=subprocess.STDOUT, cwd=self.work
            ).returncode
        if code:
            tail = "\n".join(log.read_text("utf-8").splitlines()[-12:])
            raise FailedError(f"triage {command[0]} ended with {code}: {tail}")
        seconds = round(time.perf_counter() - begun, 1)
        record.write_text(json.dumps({"stamp": stamp, "seconds": seconds}), "utf-8")
        self.done.add(step)

    def _folder(self, name: str) -> Path:
        return self.work / self.encoder.replace("/", "-") / name

    def _seconds_file(self, step: str) -> Path:
        top = self.work if step.startswith("import-") else self.work / self.encoder.replace("/", "-")
        return top / "steps" / f"{step}.json"


def code_hash() -> str:
    """SHA-256 of the package's code: another code does every step again."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def mapping_text(name: str | None) -> str:
    """A mapping as it is written."""
    return (HERE / "mappings" / name).read_text("utf-8") if name else ""


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _stamp(record: Path) -> str | None:
    return str(json.loads(record.read_text("utf-8"))["stamp"]) if record.exists() else None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
