"""Which language a text is in: ISO 639-1, `und` when it is short or the guess is unsure."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.tickets.schema import UNDETERMINED

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_FEWEST_LETTERS = 12
_SURE = 0.80
_READ = 200
"""Characters that are read: more changes the guess for hardly any text."""

_NOISE = re.compile(r"https?://\S{1,500}|\[[A-Z]{2,5}\]|\S{0,64}\.\w{2,5}(?=\s|$)|[\d_]{1,100}")
_CODE = re.compile(r"^([a-z]{2,3})(?:[-_][A-Za-z0-9]{1,8}){0,3}$", re.IGNORECASE)
_THREE = {
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "por": "pt", "ita": "it",
    "nld": "nl", "dut": "nl",
    "pol": "pl", "ces": "cs", "cze": "cs", "hun": "hu", "tur": "tr", "fin": "fi", "slv": "sl", "swe": "sv",
    "dan": "da", "nor": "no",
    "nob": "no", "jpn": "ja", "zho": "zh", "chi": "zh", "rus": "ru", "ukr": "uk", "kor": "ko", "ara": "ar",
    "ell": "el", "gre": "el",
}  # fmt: skip


def identify(texts: Sequence[str], languages: tuple[str, ...]) -> list[str]:
    """The language of each text, among `languages`.

    Parameters
    ----------
    texts : sequence of str
        Clean texts.
    languages : tuple of str
        ISO 639-1 codes to choose among.

    Returns
    -------
    list of str
        One code each; `und` for fewer than twelve letters or a probability below 0.80.
    """
    identifier = _identifier(languages)
    return [UNDETERMINED if identifier is None else _identify(text, identifier) for text in texts]


def normalise(code: object) -> str:
    """A language code as ISO 639-1: `en-US`, `en_us` and `ENG` are `en`; what isn't known is `und`.

    Examples
    --------
    >>> normalise("pt-BR"), normalise("eng"), normalise("English")
    ('pt', 'en', 'und')
    """
    match = _CODE.match(code.strip()) if isinstance(code, str) else None
    if match is None:
        return UNDETERMINED
    short = match[1].lower()
    return short if len(short) == 2 else _THREE.get(short, UNDETERMINED)


def _identify(text: str, identifier: LanguageIdentifier) -> str:
    words = _NOISE.sub(" ", text[:_READ])
    if sum(map(str.isalpha, words)) < _FEWEST_LETTERS:
        return UNDETERMINED
    code, probability = identifier.classify(words)
    return str(code) if probability >= _SURE else UNDETERMINED


@functools.lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]) -> LanguageIdentifier | None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    known = [code for code in languages if code in set(identifier.nb_classes)]
    if not known:
        return None
    identifier.set_languages(known)
    return identifier
