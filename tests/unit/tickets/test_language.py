"""Languages of short texts, `und` where nothing can be said, codes in one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Tickets
from pipeline.tickets.language import identify, normalise

LANGUAGES = Tickets().languages

SENTENCES = {
    "en": ["My printer does not print anymore since this morning.", "How do I add a second mailbox?"],
    "de": ["Mein Drucker druckt seit heute Morgen nicht mehr.", "Nach dem Update geht nichts mehr"],
    "fr": ["Mon imprimante n'imprime plus depuis ce matin.", "Rien ne marche après la mise à jour"],
    "es": ["Mi impresora no imprime desde esta mañana.", "Nada funciona después de la actualización"],
    "pt": ["Minha impressora não imprime desde hoje de manhã.", "Não consigo entrar na conta"],
    "it": ["La mia stampante non stampa più da stamattina.", "Non riesco ad accedere al mio account"],
    "nl": ["Mijn printer drukt sinds vanochtend niet meer af.", "Berichten verdwijnen uit het postvak"],
    "pl": ["Moja drukarka nie drukuje od rana.", "Nie mogę zalogować się na konto"],
    "cs": ["Moje tiskárna od rána netiskne.", "Nemohu se přihlásit k účtu"],
    "hu": ["A nyomtatóm reggel óta nem nyomtat.", "Nem tudok bejelentkezni a fiókomba"],
    "tr": ["Yazıcım bu sabahtan beri yazdırmıyor.", "Hesabıma giriş yapamıyorum"],
    "fi": ["Tulostimeni ei ole tulostanut aamusta lähtien.", "En pysty kirjautumaan tililleni"],
    "sl": ["Moj tiskalnik od jutra ne tiska več.", "Po posodobitvi nič ne deluje"],
    "sv": ["Min skrivare skriver inte ut sedan i morse.", "Jag kan inte logga in på mitt konto"],
    "da": ["Beskeder forsvinder fra indbakken hver eneste dag.", "Jeg er blevet opkrævet to gange for samme faktura."],
}


@pytest.mark.parametrize("code", LANGUAGES)
def test_short_sentences_are_identified(code: str) -> None:
    assert identify(SENTENCES[code], LANGUAGES) == [code] * 2


@pytest.mark.parametrize(
    "text", ["", "ok", "115.10.2", "https://example.org/a/b", "[EMAIL] [PHONE]", "12345 67890 !!!!", "日本"]
)
def test_what_is_too_short_is_undetermined(text: str) -> None:
    assert identify([text], LANGUAGES) == ["und"]


def test_only_the_languages_asked_for_are_answered() -> None:
    assert set(identify([s for pair in SENTENCES.values() for s in pair], ("en", "de"))) <= {"en", "de", "und"}
    assert identify(SENTENCES["de"], ("xx",)) == ["und", "und"]
    assert identify(SENTENCES["de"], ()) == ["und", "und"]


@given(st.lists(st.text(max_size=60), max_size=5))
def test_each_text_is_identified_by_itself(texts: list[str]) -> None:
    together = identify(texts, LANGUAGES)
    assert together == [identify([text], LANGUAGES)[0] for text in texts]
    assert set(together) <= {*LANGUAGES, "und"}


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("en", "en"), ("en-US", "en"), ("pt_BR", "pt"), ("zh-Hant-TW", "zh"), ("DE", "de"), (" fr ", "fr"), ("eng",
        "en"),
        ("ger", "de"), ("xyz", "und"), ("English", "und"), ("", "und"), ("und", "und"), (None, "und"), (3, "und"),
        ("e", "und"),
    ],
)  # fmt: skip
def test_codes_are_brought_into_one_form(code: object, form: str) -> None:
    assert normalise(code) == form
