"""Ratios of a large knowledge base: what suggesting adds to scoring, its index, and a change of a few articles.

    python benchmarks/knowledge.py
    python benchmarks/knowledge.py index change --articles 200 --tickets 100

Like `speed.py` this imports the package: what is loaded already can't be seen from outside. It needs no data of others:
articles and tickets are made up, from seeds.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from quality import RESULTS, common_ground
from speed import Row, alternate, line, ratio, score_batch, timed
from verbs import ROOT

from pipeline.articles.index import ArticleIndex
from pipeline.articles.passages import passages
from pipeline.config import Params, load_params
from pipeline.features.encoder import TransformerEncoder, load_encoder
from pipeline.scorer import Scorer
from pipeline.sources.sample import generate, write
from pipeline.sources.sample.tables import articles as made_up
from pipeline.tickets import schema

ARTICLES, TICKETS, LEARNED = 10_000, 1_500, 8_000
CHANGED = 0.01
SEED = 7

WORDS = {
    "syllable": "bar bel cor dan del fen gal hor jun kar lin lum mar nor ost pel quin ral sol tam tor ul van wes zen",
    "part": """account archive backup basket boiler burner cable calendar camera cartridge charger contract counter cup
        delivery display door drawer fan filter folder gasket grinder handle heater hose invoice keyboard label lamp lid
        mailbox menu motor mount network notice nozzle order panel password plug printer profile pump receipt refund
        remote report router sensor setting shelf socket spring statement subscription switch tank terminal ticket timer
        tray valve voucher warranty washer wheel""",
    "verb": """adjust align attach calibrate cancel change charge check clean clear close collect compare configure
        connect copy detach disable drain enable export extend fill find fit import install lock lower measure merge
        mute open pair pause print remove rename renew repair replace reset restart restore return rinse save scan send
        share split start stop store swap tighten turn unlock update upgrade verify warm wipe""",
    "state": """blocked broken damp dark delayed dirty empty expired faint frozen full hot incomplete loose missing
        noisy old outdated overdue pale paused slow stuck swollen unknown unreadable warm wet worn wrong""",
    "place": """above behind below beside near on under""",
}
"""What made-up articles are made of."""

FRAMES = (
    "{Verb} the {part} {place} the {part2} before you {verb2} it.",
    "If the {part} is {state}, {verb} it and wait {number} minutes.",
    "The {part} of the {name} may be {state} after {number} days of use.",
    "A light that blinks {number} times says that the {part} is {state}.",
    "Choose {verb} {part} in the menu of the {name}, then confirm with the code {code}.",
    "You can {verb} the {part} once; to {verb2} it again, write to us with the number {code}.",
    "Most {part}s that seem {state} only need to {verb2}.",
    "It costs nothing to {verb} a {state} {part} within {number} days.",
    "Error {code} stands for a {part} that is {state} {place} the {part2}.",
    "Never {verb} the {part} while the {part2} is {state}.",
)
TITLES = (
    "{Verb} the {part} of the {name}",
    "The {part} of my {name} is {state}",
    "{name}: error {code}",
    "How do I {verb} a {state} {part}?",
    "{Verb} or {verb2} the {part} {place} the {part2}",
)


@dataclass(frozen=True)
class Bench:
    """What the measurements share.

    Attributes
    ----------
    folder : Path
        Where the cache of embeddings and outputs go.
    size, tickets, learned : int
        Articles; tickets that are scored, and that the scorer learns from.
    repeats : int
        How often scoring is measured on each side.
    """

    folder: Path
    size: int
    tickets: int
    learned: int
    repeats: int

    @cached_property
    def params(self) -> Params:
        """Nothing is left to choose: settings decide nothing about the time of scoring. Articles are learned."""
        fixed = load_params(ROOT / "benchmarks" / "params" / "speed-fixed.yaml")
        encoder = replace(fixed.encoder, cache=str(self.folder / "embeddings"))
        return replace(fixed, outcomes={"queue": None}, encoder=encoder)

    @cached_property
    def encoder(self) -> TransformerEncoder:
        """Opened, and warm."""
        encoder = load_encoder(self.params.encoder)
        assert encoder is not None
        encoder.encode(self.texts[:64])
        return encoder

    @cached_property
    def articles(self) -> pd.DataFrame:
        """The knowledge base; its last articles are the generated helpdesk's own, which its agents cite."""
        own = made_up()
        return pd.concat([generated(self.size - len(own), SEED), own], ignore_index=True)

    @cached_property
    def texts(self) -> list[str]:
        """Its passages."""
        return passages_of(self.articles, self.params)

    def indexed(self, articles: pd.DataFrame, encoder: Any) -> ArticleIndex:
        """As the stage `train` makes it."""
        from pipeline.training.featurize import encoded

        words = self.params.articles.passage_words
        return ArticleIndex.build(articles, lambda texts: encoded(encoder, texts, self.params, _quiet), words=words)

    def forget(self) -> None:
        """Empty the cache of embeddings."""
        shutil.rmtree(self.folder / "embeddings", ignore_errors=True)


@dataclass
class Counting:
    """An encoder that keeps what it was asked to encode."""

    encoder: TransformerEncoder
    asked: list[str]

    @property
    def identity(self) -> str:
        """The same: it gives the same vectors."""
        return self.encoder.identity

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """See `TransformerEncoder`."""
        self.asked += texts
        return self.encoder.encode(texts)


def main() -> int:
    """Measure, print, and write results/knowledge.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)}; all without a name")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "benchmarks", help="where the cache goes")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where knowledge.json goes")
    parser.add_argument("--articles", type=int, default=ARTICLES, help="articles of the knowledge base")
    parser.add_argument("--tickets", type=int, default=TICKETS, help="generated tickets that are scored")
    parser.add_argument("--learned", type=int, default=LEARNED, help="generated tickets that the scorer learns from")
    parser.add_argument("--repeats", type=int, default=3, help="how often scoring is measured on each side")
    args = parser.parse_args()
    if unknown := [n for n in args.names if n not in MEASURES]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(MEASURES)}")
    folder = args.work.resolve() / "knowledge"
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(folder, args.articles, args.tickets, args.learned, args.repeats)
    path = args.results / "knowledge.json"
    rows = {r["name"]: r for r in json.loads(path.read_text("utf-8"))["rows"]} if path.exists() and args.names else {}
    for name in [n for n in MEASURES if n in args.names or not args.names]:
        rows[name] = {"name": name} | MEASURES[name](bench)
        print(line(rows[name]), flush=True)
        result = {"kind": "knowledge", **common_ground(), "rows": [rows[n] for n in MEASURES if n in rows]}
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def index(bench: Bench) -> Row:
    """Cutting, counting and encoding the articles against sentence-transformers' own `encode` of their passages."""
    from sentence_transformers import SentenceTransformer

    encoder = bench.encoder
    own = SentenceTransformer(str(encoder.folder), device="cpu", model_kwargs={"torch_dtype": encoder.precision})
    own.max_seq_length = encoder.max_tokens
    own.encode(bench.texts[:64], show_progress_bar=False)
    bench.forget()
    ours = timed(lambda: bench.indexed(bench.articles, encoder))
    theirs = timed(lambda: own.encode(bench.texts, show_progress_bar=False))
    known = timed(lambda: bench.indexed(bench.articles, encoder))
    return ratio(
        f"index of {len(bench.articles):,} articles in {len(bench.texts):,} passages, {encoder.precision}",
        ours,
        "sentence-transformers' `encode` of the passages",
        theirs,
        1.3,
        beside=f"all but encoding takes {known:.1f} s",
    )


def change(bench: Bench) -> Row:
    """What is encoded anew when a hundredth of the articles changed, against the passages of those articles."""
    bench.indexed(bench.articles, bench.encoder)  # as it was known; encoded already, if `index` was measured before
    chosen = sorted(random.Random(SEED).sample(range(bench.size), max(1, round(CHANGED * bench.size))))
    revised = bench.articles.copy()
    revised.loc[chosen, "title"] = revised.loc[chosen, "title"] + " (revised)"
    changed = passages_of(revised.loc[chosen], bench.params)
    counting = Counting(bench.encoder, [])
    seconds = timed(lambda: bench.indexed(revised, counting))
    other = len(set(counting.asked) - set(changed))
    return {
        "what": f"passages encoded anew after {len(chosen):,} of {bench.size:,} articles changed",
        "ours": f"{len(counting.asked):,}",
        "baseline": f"passages of these articles {len(changed):,}",
        "ratio": round(len(counting.asked) / len(changed), 3),
        "asked": 1.0,
        "beside": f"of other articles {other:,}; the index anew in {seconds:.1f} s",
    }


def scoring(bench: Bench) -> Row:
    """A batch file with suggestions against the same scorer without any."""
    full = learned(bench)
    assert full.models.articles is not None, "the gate left the articles out"
    without = replace(full, models=replace(full.models, articles=None, replies=None))
    articles_alone = replace(full, models=replace(full.models, replies=None))
    source = bench.folder / "tickets.parquet"
    generate(tickets=bench.tickets, seed=SEED + 1).tickets.to_parquet(source, index=False)
    for scorer in (full, without):
        scorer.score(pd.read_parquet(source).head(64))
    ours, theirs = alternate(
        lambda: score_batch(full, source, bench.folder),
        lambda: score_batch(without, source, bench.folder),
        bench.repeats,
    )
    alone = timed(lambda: score_batch(articles_alone, source, bench.folder))
    replies = "with similar tickets and replies" if full.models.replies else "there are no replies"
    return ratio(
        f"batch of {bench.tickets:,} generated tickets with suggestions, {bench.size:,} articles, "
        f"{len(full.models.articles.citations.ticket):,} citations",
        ours,
        "the same scorer without",
        theirs,
        1.2,
        beside=f"{replies}; articles alone {alone / theirs:.2f} ×; {bench.tickets / ours:,.0f} tickets/s",
    )


def learned(bench: Bench) -> Scorer:
    """A scorer of a generated helpdesk, by the stages, with the large knowledge base."""
    from pipeline.training.assemble import assemble
    from pipeline.training.featurize import featurize
    from pipeline.training.prepare import prepare
    from pipeline.training.train import Trained, train

    raw = bench.folder / f"sample-{bench.learned}"
    if not (raw / "import.json").exists():
        write(generate(tickets=bench.learned, seed=SEED), raw, force=True)
    prepared = replace(prepare(raw, bench.params), articles=bench.articles)
    blocks = featurize(prepared, bench.params, say=_quiet)
    targets: tuple[Any, ...] = ("topic", "priority", "escalated", "article")
    models: dict[str, Trained] = {t: train(t, prepared, blocks, bench.params, say=_quiet) for t in targets}
    return assemble(prepared, blocks, models, bench.params)


def passages_of(articles: pd.DataFrame, params: Params) -> list[str]:
    """The passages of articles, in their order."""
    words = params.articles.passage_words
    cut = (passages(a.title, a.text, words) for a in articles[["title", "text"]].itertuples())
    return [passage for one in cut for passage in one]


def generated(size: int, seed: int) -> pd.DataFrame:
    """Made-up articles, by the schema: about things that don't exist, no two alike. Synthetic."""
    choose = random.Random(seed)
    rows = [_article(number, choose) for number in range(size)]
    return schema.conform(pd.DataFrame(rows, columns=schema.names("articles")), "articles")


def _article(number: int, choose: random.Random) -> dict[str, str]:
    name = "".join(_word("syllable", choose) for _ in range(3)).capitalize()
    paragraphs = [" ".join(_said(FRAMES, name, choose) for _ in range(choose.randint(2, 4))) for _ in range(2)]
    return {
        "article_id": f"made-{number}",
        "title": _said(TITLES, name, choose),
        "url": f"https://help.example/made-{number}",
        "language": "en",
        "text": "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs),
    }


def _said(frames: Sequence[str], name: str, choose: random.Random) -> str:
    verb = _word("verb", choose)
    said = {"name": name, "verb": verb, "Verb": verb.capitalize(), "verb2": _word("verb", choose)}
    said |= {kind: _word(kind, choose) for kind in ("part", "state", "place")} | {"part2": _word("part", choose)}
    numbers = {"number": choose.randint(2, 90), "code": f"{choose.choice('ABCDEFGH')}{choose.randint(100, 9999)}"}
    return choose.choice(frames).format(**said, **numbers)


def _word(kind: str, choose: random.Random) -> str:
    return choose.choice(WORDS[kind].split())


def _quiet(_: str) -> None:
    """Nothing."""


MEASURES: dict[str, Callable[[Bench], Row]] = {"index": index, "change": change, "scoring": scoring}


if __name__ == "__main__":
    sys.exit(main())
