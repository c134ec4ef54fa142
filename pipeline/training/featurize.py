"""Stage featurize: prepared rows → the candidate blocks, near-duplicate groups, and the label audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from pipeline import artifact
from pipeline.config import Params
from pipeline.features.build import Blocks, FeatureBuilder
from pipeline.features.cache import encode_cached
from pipeline.features.encoder import Encoder, StaticEncoder, encoder_from_state, load_encoder
from pipeline.features.text import BITS, count_tickets
from pipeline.training.prepare import Prepared, cut_of
from pipeline.training.snapshots import Snapshots, snapshots
from pipeline.training.split import near_duplicates, stable_order

Say = Callable[[str], None]

CHUNK = 4096


@dataclass(frozen=True)
class Featurized:
    """What models learn from.

    Attributes
    ----------
    builder : FeatureBuilder
        Fitted on the prepared rows.
    blocks : Blocks
        Of all prepared rows, in their order.
    groups : ndarray of int, shape (n,)
        Near-duplicate groups.
    order : ndarray of uint64, shape (n,)
        Stable hash of each group's first text.
    snapshots : Snapshots or None
        The tickets at fixed ages, where there is a history.
    """

    builder: FeatureBuilder
    blocks: Blocks
    groups: np.ndarray
    order: np.ndarray
    snapshots: Snapshots | None = None

    def without(self, names: list[str]) -> Blocks:
        """The blocks as if some fields had never been filled: an outcome's model doesn't see what gives it away."""
        fields = self.builder.fields
        hidden = [j for j, n in enumerate(fields.names) if n.removeprefix("fields.") in names]
        if not hidden:
            return self.blocks
        codes = self.blocks.codes.copy()
        codes[:, hidden] = 0
        keep = np.array([n.removeprefix("fields.") not in names for n in fields.one_hot_fields()], dtype=np.float32)
        return replace(
            self.blocks, codes=codes, one_hot=sp.csr_matrix(self.blocks.one_hot @ sp.diags(keep), dtype=np.float32)
        )

    def save(self, folder: Path) -> None:
        """Write an artifact folder."""
        blocks = {
            "terms": self.blocks.terms,
            "meaning": self.blocks.meaning,
            "one_hot": self.blocks.one_hot,
            "codes": self.blocks.codes,
            "numbers": self.blocks.numbers,
            "groups": self.groups,
            "order": self.order,
        }
        parts = self.builder.states() | {"blocks": blocks}
        if self.snapshots is not None:
            parts["snapshots"] = asdict(self.snapshots)
        artifact.write(folder, parts, {"stage": "featurize"})

    @classmethod
    def load(cls, folder: Path, params: Params) -> Featurized:
        """Read what `save` wrote."""
        parts, _, _ = artifact.read(folder)
        encoder = encoder_from_state(parts["encoder"], params.encoder)
        settings = {"sla": params.sla, "customers": params.history}
        builder = FeatureBuilder.from_states(parts, encoder, params.features, **settings)  # type: ignore[arg-type]
        own: dict[str, Any] = parts["blocks"]
        blocks = Blocks(own["terms"], own["meaning"], own["one_hot"], own["codes"], own["numbers"])
        seen = Snapshots(**parts["snapshots"]) if "snapshots" in parts else None
        return cls(builder, blocks, own["groups"], own["order"], seen)


def featurize(prepared: Prepared, params: Params, *, say: Say = print) -> Featurized:
    """Count, encode and group the prepared rows."""
    frame = prepared.frame
    texts = frame["text"].fillna("").astype(object).tolist()
    parts = []
    for start in range(0, len(frame), CHUNK):
        parts.append(count_tickets(frame.iloc[start : start + CHUNK], params.features))
        if len(frame) > 2 * CHUNK:
            say(f"counted {min(start + CHUNK, len(frame)):,} of {len(frame):,} tickets")
    counts = sp.vstack(parts, format="csr") if len(parts) > 1 else parts[0]
    words = sp.csr_matrix(_words(counts))
    groups = near_duplicates(words, params.split.near_duplicate_similarity)
    encoder, meaning = _meaning(texts, params, say)
    as_of = prepared.as_of(params)
    builder = FeatureBuilder.fit(frame, counts, encoder, params.features, as_of)
    blocks = builder.assemble(frame, counts, meaning)
    order = stable_order(frame["text"].fillna("").where(frame["text"].notna(), frame["ticket_id"]))[groups]
    if as_of is None or prepared.history is None:
        return Featurized(builder, blocks, groups, order)
    seen = snapshots(frame, prepared.history, as_of, cut=cut_of(prepared))
    say(f"looked at {len(np.unique(seen.rows)):,} tickets at {len(seen):,} moments of their lives")
    return Featurized(builder, blocks, groups, order, seen)


def _words(counts: sp.csr_matrix) -> sp.csr_matrix:
    """The words of the whole text, single and in pairs."""
    kept = counts.indices < 2**BITS
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[kept]
    indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=counts.shape[0])))
    return sp.csr_matrix((counts.data[kept], counts.indices[kept], indptr), shape=(counts.shape[0], 2**BITS))


def encoded(encoder: Encoder, texts: list[str], params: Params, say: Say, *, what: str = "texts") -> np.ndarray:
    """Vectors of texts; those that the cache of the settings has aren't encoded again."""

    def progress(done: int, of: int) -> None:
        say(f"encoded {done:,} of {of:,} new {what}")

    cache = Path(params.encoder.cache) if params.encoder.cache and params.encoder.name != "static" else None
    return encode_cached(encoder, texts, cache, progress=progress)


def _meaning(texts: list[str], params: Params, say: Say) -> tuple[Encoder | None, np.ndarray]:
    nothing = np.zeros((len(texts), 0), dtype=np.float32)
    if not any(t.strip() for t in texts):
        return None, nothing
    encoder: Encoder | None = load_encoder(params.encoder)
    if encoder is None and params.encoder.name == "static":
        encoder = StaticEncoder.fit(texts, seed=params.seed)
    if encoder is None:
        return None, nothing
    return encoder, encoded(encoder, texts, params, say)
