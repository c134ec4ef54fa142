"""Several hidden layers of a sentence encoder, each pooled as the model pools its last, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer


class SideBySide(torch.nn.Module):  # type: ignore[misc]
    """The modules behind the transformer, applied to each chosen layer; the vectors stand one beside the other.

    Lower layers keep more of a sentence's wording than the last, which was trained to forget it (Jawahar et al., 2019).

    Parameters
    ----------
    behind : sequence of modules
        What the model does with its last layer: pooling, and maybe more.
    layers : sequence of int
        Counted from the last, which is 1; layers that a shallower model doesn't have are left out.
    """

    def __init__(self, behind: Sequence[torch.nn.Module], layers: Sequence[int]) -> None:
        super().__init__()
        self.behind, self.layers = torch.nn.ModuleList(behind), tuple(layers)

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Adds `sentence_embedding`, shape (n, layers · d); each layer's part is of unit length."""
        hidden, parts = features["all_layer_embeddings"], []
        for layer in self.layers:
            if layer >= len(hidden):
                continue
            one = features | {"token_embeddings": hidden[-layer]}
            for module in self.behind:
                one = module(one)
            parts.append(torch.nn.functional.normalize(one["sentence_embedding"], dim=1))
        features["sentence_embedding"] = torch.cat(parts, dim=1)
        return features


def side_by_side(model: SentenceTransformer, layers: Sequence[int]) -> SentenceTransformer:
    """The same model with vectors of several layers; itself where only the last is asked for, or it has no layers."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    if tuple(layers) == (1,) or getattr(config, "num_hidden_layers", 0) < 2:
        return model
    model[0].auto_model.config.output_hidden_states = True
    wide = SentenceTransformer(modules=[model[0], SideBySide(list(model)[1:], layers)], device="cpu")
    wide.max_seq_length = model.max_seq_length
    return wide
