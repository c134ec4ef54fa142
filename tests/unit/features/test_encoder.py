"""Sentence encoders: the static one, and every way in which one that is asked for can't be had."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import Encoder as Settings
from pipeline.errors import EncoderError, VersionError
from pipeline.features.encoder import (
    MINILM_PACKAGE,
    MINILM_SHA256,
    StaticEncoder,
    TransformerEncoder,
    encoder_from_state,
    load_encoder,
)

PRINTING = [f"the printer on floor {i} eats paper and toner" for i in range(30)]
SIGNING_IN = [f"my password {i} is refused and the account is locked" for i in range(30)]
TEXTS = PRINTING + SIGNING_IN


@pytest.fixture
def other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the right name whose weights aren't the published ones."""
    folder = tmp_path / MINILM_PACKAGE / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_a_static_encoder_finds_texts_alike_that_share_words() -> None:
    vectors = StaticEncoder.fit(TEXTS, seed=0).encode(TEXTS)
    likeness = vectors @ vectors.T
    assert likeness[:30, :30].min() > 0.5 > likeness[:30, 30:].max()


def test_vectors_have_unit_length_and_an_empty_text_has_none() -> None:
    vectors = StaticEncoder.fit(TEXTS, seed=0).encode([*TEXTS[:3], "", "qqqq zzzz"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 0], atol=1e-5)
    assert vectors.dtype == np.float32


def test_the_same_texts_and_seed_give_the_same_encoder() -> None:
    one, two = StaticEncoder.fit(TEXTS, seed=0), StaticEncoder.fit(TEXTS, seed=0)
    assert one.identity == two.identity
    assert StaticEncoder.fit(PRINTING, seed=0).identity != one.identity


def test_a_stored_static_encoder_encodes_the_same() -> None:
    encoder = StaticEncoder.fit(TEXTS, seed=0)
    again = encoder_from_state(encoder.state(), Settings(name="static"))
    assert again is not None and again.identity == encoder.identity
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))


def test_texts_that_share_no_word_cant_teach_an_encoder() -> None:
    with pytest.raises(EncoderError, match="share no words"):
        StaticEncoder.fit(["abcd", "efgh"], seed=0)


@pytest.mark.parametrize("name", ["none", "static"])
def test_no_encoder_is_loaded_where_none_is_named(name: str) -> None:
    assert load_encoder(Settings(name=name)) is None


def test_a_scorer_without_encoder_has_none() -> None:
    assert encoder_from_state({}, Settings()) is None


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EncoderError) as error:
        load_encoder(Settings())
    assert "triage-tickets[encoder]" in error.value.do and "none" in error.value.do
    assert error.value.got == "minilm"


@pytest.mark.encoder
def test_missing_packaged_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MINILM_PACKAGE, None)
    with pytest.raises(EncoderError, match="aren't installed") as error:
        load_encoder(Settings())
    assert "triage-tickets[encoder]" in error.value.do


@pytest.mark.encoder
def test_packaged_weights_of_another_hash_are_refused(other_weights: Path) -> None:
    with pytest.raises(EncoderError, match="aren't the published ones") as error:
        load_encoder(Settings())
    assert error.value.got != MINILM_SHA256[:16]


@pytest.mark.encoder
def test_a_scorer_refuses_weights_that_it_was_not_trained_with(other_weights: Path) -> None:
    stored = {"kind": "transformer", "name": "mine", "weights_sha256": MINILM_SHA256}
    with pytest.raises(VersionError) as error:
        encoder_from_state(stored, Settings(name=str(other_weights)))
    assert MINILM_SHA256[:16] in error.value.do


@pytest.mark.encoder
def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no weights"):
        load_encoder(Settings(name=str(tmp_path)))


@pytest.mark.encoder
def test_a_name_that_points_nowhere_is_refused() -> None:
    with pytest.raises(EncoderError, match="neither a folder nor a model") as error:
        load_encoder(Settings(name="no/such-model"))
    assert error.value.got == "no/such-model"


@pytest.mark.parametrize(
    "change", [{"max_tokens": 128}, {"precision": "bfloat16"}, {"name": "other"}, {"layers": (1,)}]
)
def test_an_identity_holds_all_that_changes_a_vector(other_weights: Path, change: dict[str, object]) -> None:
    options: dict[str, object] = {
        "name": "mine", "precision": "float32", "max_tokens": 256, "batch_size": 8, "layers": (1, 3)
    }  # fmt: skip
    one = TransformerEncoder(other_weights, **options)  # type: ignore[arg-type]
    two = TransformerEncoder(other_weights, **(options | change))  # type: ignore[arg-type]
    assert one.identity != two.identity
    (other_weights / "tokenizer.json").write_text("{}")
    three = TransformerEncoder(other_weights, **options)  # type: ignore[arg-type]
    (other_weights / "model.safetensors").write_bytes(b"trained a little longer")
    four = TransformerEncoder(other_weights, **options)  # type: ignore[arg-type]
    assert len({e.identity for e in (one, two, three, four)}) == 4


@pytest.mark.encoder
def test_the_packaged_weights_are_the_published_ones_and_encode() -> None:
    encoder = load_encoder(Settings(precision="float32", max_tokens=32))
    assert encoder is not None and encoder.weights_sha256 == MINILM_SHA256
    vectors = encoder.encode([PRINTING[0], SIGNING_IN[0], PRINTING[1], " ", PRINTING[0]])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 1], atol=1e-5)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1] + 0.2
    np.testing.assert_array_equal(vectors[0], vectors[4])
    assert encoder.encode([]).shape == (0, 384)


@pytest.mark.encoder
def test_layers_stand_side_by_side_and_the_first_is_the_models_own_vector() -> None:
    texts = [PRINTING[0], SIGNING_IN[0]]
    wide = load_encoder(Settings(precision="float32", layers=(1, 3)))
    own = load_encoder(Settings(precision="float32", layers=(1,)))
    deep = load_encoder(Settings(precision="float32", layers=(1, 99)))
    assert wide is not None and own is not None and deep is not None
    np.testing.assert_allclose(wide.encode(texts)[:, :384] * np.sqrt(2), own.encode(texts), atol=1e-5)
    assert not np.allclose(wide.encode(texts)[:, 384:], wide.encode(texts)[:, :384], atol=0.01)
    np.testing.assert_allclose(deep.encode(texts), own.encode(texts), atol=1e-5)


WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ask", "printer", "eats", "paper", "password", "refused")


def made_model(folder: Path, **options: Any) -> TransformerEncoder:
    """An encoder of one's own, of two small layers that learned nothing."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    part = folder / "part"
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(WORDS), initializer_range=1.0, **sizes)).save_pretrained(part)
    BertTokenizerFast(vocab={word: at for at, word in enumerate(WORDS)}).save_pretrained(part)
    SentenceTransformer(modules=[Transformer(str(part)), Pooling(8)], device="cpu", **options).save(str(folder / "own"))
    return TransformerEncoder(folder / "own", name="own", precision="float32", max_tokens=32, batch_size=8, layers=(1,))


@pytest.mark.encoder
@pytest.mark.parametrize("prompted", [False, True])
@pytest.mark.parametrize("dimensions", [None, 3])
def test_a_text_alone_has_the_vector_that_it_has_among_others(
    tmp_path: Path, prompted: bool, dimensions: int | None
) -> None:
    prompt = {"prompts": {"first": "ask "}, "default_prompt_name": "first"} if prompted else {}
    encoder, texts = made_model(tmp_path, **prompt), ["printer eats paper", "password refused"]
    encoder.model.truncate_dim = dimensions
    together = encoder.encode(texts)
    assert together.shape == (2, dimensions or 8)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text]), [vector], atol=1e-6)
