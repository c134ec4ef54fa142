"""Ticket → numbers: one fitted object, used in training and in service."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.artifact import State
from pipeline.config import Features
from pipeline.features.encoder import Encoder
from pipeline.features.table import FieldCodes, numbers
from pipeline.features.text import Terms, count_tickets


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
    """

    terms: sp.csr_matrix
    meaning: np.ndarray
    one_hot: sp.csr_matrix
    codes: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> Blocks:
        """The blocks of some rows."""
        return Blocks(self.terms[rows], self.meaning[rows], self.one_hot[rows], self.codes[rows], self.numbers[rows])


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
    """

    terms: Terms
    fields: FieldCodes
    encoder: Encoder | None
    settings: Features

    @classmethod
    def fit(
        cls, tickets: pd.DataFrame, counts: sp.csr_matrix, encoder: Encoder | None, settings: Features
    ) -> FeatureBuilder:
        """Learn from parsed training tickets and their `count_tickets`."""
        terms = Terms.fit(counts, min_documents=settings.min_documents, max_terms=settings.max_terms)
        return cls(terms, FieldCodes.fit(tickets, rare=settings.rare_field_values), encoder, settings)

    def transform(self, tickets: pd.DataFrame) -> Blocks:
        """Blocks of parsed tickets (`tickets.parse`)."""
        texts = tickets["text"].fillna("").astype(object).tolist()
        return self.assemble(tickets, count_tickets(tickets, self.settings), self._meaning(texts))

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
        """What is stored: parts `terms`, `fields`, and `encoder` (empty without one)."""
        return {
            "terms": self.terms.state(),
            "fields": self.fields.state(),
            "encoder": self.encoder.state() if self.encoder else {},
        }

    @classmethod
    def from_states(cls, parts: dict[str, State], encoder: Encoder | None, settings: Features) -> FeatureBuilder:
        """The stored one again, with its encoder opened by the caller."""
        return cls(Terms.from_state(parts["terms"]), FieldCodes.from_state(parts["fields"]), encoder, settings)
