"""Ticket and history → numbers: one fitted object, used in training and in service."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.config import Features, Sla
from pipeline.config import History as Customers
from pipeline.features.encoder import Encoder
from pipeline.features.table import FieldCodes, numbers
from pipeline.features.text import Terms, count_tickets, written
from pipeline.history.as_of import AsOf
from pipeline.history.record import DatedFacts


@dataclass(frozen=True)
class Blocks:
    """The numeric blocks of n tickets; models choose among them.

    Attributes
    ----------
    terms : csr_matrix of float32, shape (n, m)
        Words and characters, weighted.
    meaning : ndarray of float32, shape (n, d)
        Sentence embeddings of unit length; d = 0 without an encoder.
    one_hot : csr_matrix of float32, shape (n, f)
        Frequent values of fields.
    codes : ndarray of int32, shape (n, fields)
        Category codes of fields.
    numbers : ndarray of float32, shape (n, 9)
        What can be counted.
    moment : ndarray of float32, shape (n, h), or None
        What was known as of a moment (`AsOf.names`); None without a history.
    """

    terms: sp.csr_matrix
    meaning: np.ndarray
    one_hot: sp.csr_matrix
    codes: np.ndarray
    numbers: np.ndarray
    moment: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> Blocks:
        """The blocks of some rows."""
        moment = None if self.moment is None else self.moment[rows]
        parts = (self.terms[rows], self.meaning[rows], self.one_hot[rows], self.codes[rows], self.numbers[rows])
        return Blocks(*parts, moment)

    def tabular(self, rows: np.ndarray) -> Blocks:
        """The same of fields and numbers alone: rows may repeat, and text would be copied for nothing."""
        none = sp.csr_matrix((len(rows), 0), dtype=np.float32)
        moment = None if self.moment is None else self.moment[rows]
        return Blocks(none, np.zeros((len(rows), 0)), none, self.codes[rows], self.numbers[rows], moment)


@dataclass(frozen=True)
class FeatureBuilder:
    """The fitted transformer.

    Attributes
    ----------
    terms, fields : Terms, FieldCodes
        What was learned from the training rows (no label is looked at).
    encoder : Encoder or None
        Sentence encoder.
    settings : Features
        How terms are counted.
    as_of : AsOf or None
        What is looked at in a history; None where the model learned from none.
    """

    terms: Terms
    fields: FieldCodes
    encoder: Encoder | None
    settings: Features
    as_of: AsOf | None = None

    @classmethod
    def fit(
        cls,
        tickets: pd.DataFrame,
        counts: sp.csr_matrix,
        encoder: Encoder | None,
        settings: Features,
        as_of: AsOf | None = None,
    ) -> FeatureBuilder:
        """Learn from parsed training tickets and their `count_tickets`."""
        terms = Terms.fit(counts, min_documents=settings.min_documents, max_terms=settings.max_terms)
        return cls(terms, FieldCodes.fit(tickets, rare=settings.rare_field_values), encoder, settings, as_of)

    def transform(self, tickets: pd.DataFrame, history: DatedFacts | None = None) -> Blocks:
        """Blocks of parsed tickets (`tickets.parse`), and of what the history knew as of each one's moment."""
        texts = written(tickets["text"])
        blocks = self.assemble(tickets, count_tickets(tickets, self.settings), self._meaning(texts))
        if self.as_of is None or history is None:
            return blocks
        return replace(blocks, moment=self.as_of.look(tickets, history))

    def assemble(self, tickets: pd.DataFrame, counts: sp.csr_matrix, meaning: np.ndarray) -> Blocks:
        """Blocks from counts and vectors that are at hand already: training counts and encodes once."""
        codes = self.fields.transform(tickets)
        return Blocks(self.terms.transform(counts), meaning, self.fields.one_hot(codes), codes, numbers(tickets))

    def with_encoder(self, encoder: Encoder | None) -> FeatureBuilder:
        """The same with another encoder object (one that is loaded already)."""
        return replace(self, encoder=encoder)

    def _meaning(self, texts: list[str]) -> np.ndarray:
        if self.encoder is None:
            return np.zeros((len(texts), 0), dtype=np.float32)
        return self.encoder.encode(texts)

    def states(self) -> dict[str, State]:
        """What is stored: parts `terms`, `fields`, `encoder` and `as_of` (empty without one)."""
        return {
            "terms": self.terms.state(),
            "fields": self.fields.state(),
            "encoder": self.encoder.state() if self.encoder else {},
            "as_of": self.as_of.state() if self.as_of else {},
        }

    @classmethod
    def from_states(
        cls, parts: dict[str, State], encoder: Encoder | None, settings: Features, *, sla: Sla, customers: Customers
    ) -> FeatureBuilder:
        """The stored one again, with its encoder opened by the caller."""
        as_of = AsOf.from_state(parts["as_of"], sla=sla, customers=customers) if parts["as_of"] else None
        return cls(Terms.from_state(parts["terms"]), FieldCodes.from_state(parts["fields"]), encoder, settings, as_of)
