"""Moods and signals of messages, against sentences whose answer a reader sees at once."""

from __future__ import annotations

import time
from importlib.resources import files

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.history.mood import MOOD_LANGUAGES, MOST, SIGNAL_LANGUAGES, SIGNALS, moods, signals

GOOD = {
    "en": [
        "Thanks a lot, it works great now!",
        "Your colleague was very friendly and helpful.",
        "I am really happy with the new version.",
        "Excellent service, I love it.",
        "Not a problem, no trouble at all.",
        "Perfect :-)",
    ],
    "de": [
        "Vielen Dank, jetzt klappt es wunderbar!",
        "Ihre Kollegin war sehr nett und kompetent.",
        "Ich bin mit der neuen Version wirklich zufrieden.",
        "Hervorragender Service, einfach toll.",
        "Kein Problem, alles bestens.",
        "Perfekt :-)",
    ],
    "fr": ["Merci beaucoup, c’est parfait !", "Je suis très content, un service excellent."],
}
BAD = {
    "en": [
        "This is unacceptable and a disgrace.",
        "I am very disappointed and angry.",
        "The worst service ever, totally useless.",
        "It crashed and I lost everything, terrible.",
        "That is not good.",
        "I am not happy with this answer at all.",
        "The new page isn't helpful.",
        "It never worked well, I hate it :(",
    ],
    "de": [
        "Das ist unverschämt, eine Frechheit.",
        "Ich bin sehr enttäuscht und verärgert.",
        "Der schlechteste Service, völlig nutzlos.",
        "Ein furchtbarer Fehler, das Gerät ist kaputt.",
        "Das ist gar nicht gut.",
        "Ich bin mit der Antwort nicht zufrieden.",
        "Die neue Seite gefällt mir nicht.",
        "Das hilft nicht, ich ärgere mich nur noch :(",
    ],
    "fr": ["C'est inadmissible, je suis vraiment déçue.", "Je ne suis pas satisfait du tout.", "Un accueil horrible."],
}
FLAT = {
    "en": [
        "Dear Sir or Madam, please send me the number of my order. Kind regards",
        "Where do I change my address?",
        "The label says 4711.",
        "I hope you can help me with this matter.",
    ],
    "de": [
        "Sehr geehrte Damen und Herren, bitte senden Sie mir die Nummer. Mit freundlichen Grüßen",
        "Wo ändere ich meine Adresse?",
        "Auf dem Etikett steht 4711.",
        "Ich hoffe, Sie können mir helfen.",
    ],
}

SAID = {
    "en": {
        "again": [
            "It broke AGAIN.",
            "This is still not fixed",
            "for the third\ntime",
            "I write for the 5th time.",
            "once more",
            "the same problem as in May",
            "please re-open the ticket",
        ],
        "legal": [
            "My lawyer will write to you.",
            "We consider legal action",
            "I’ll sue you",
            "see you in court",
            "a GDPR request",
            "the data protection authority",
        ],
        "cancel": [
            "Please cancel my subscription",
            "cancel our yearly plan",
            "my cancellation",
            "terminate the contract",
            "I want a refund!",
            "we switch to another provider",
            "your competitor",
        ],
    },
    "de": {
        "again": [
            "Schon wieder kaputt",
            "geht immer noch nicht",
            "zum dritten Mal",
            "zum 3. Mal",
            "erneut abgestürzt",
            "noch einmal",
            "nochmal",
            "bitte wiedereröffnen",
            "Gleiches Problem wie letztes Mal",
        ],
        "legal": [
            "Mein Anwalt meldet sich",
            "rechtliche Schritte",
            "Auskunft nach DSGVO",
            "Ich reiche Klage ein",
            "zur Verbraucherzentrale",
            "wir sehen uns vor Gericht",
        ],
        "cancel": [
            "Ich möchte kündigen",
            "hiermit kuendige ich",
            "meine Kündigung",
            "den Vertrag beenden",
            "die Erstattung",
            "Ich will mein Geld zurück",
            "dann gehe ich zur Konkurrenz",
        ],
    },
    "fr": {
        "again": ["Encore une fois en panne", "ça ne marche toujours pas", "pour la troisième fois"],
        "legal": ["Mon avocat vous écrira", "une action en justice", "le RGPD"],
        "cancel": ["résilier mon contrat", "demande de remboursement", "annuler mon abonnement"],
    },
    "es": {
        "again": ["otra vez lo mismo", "todavía no funciona", "por tercera vez"],
        "legal": ["mi abogado", "acciones legales", "el RGPD"],
        "cancel": ["cancelar mi suscripción", "quiero un reembolso", "darme de baja"],
    },
    "it": {
        "again": ["di nuovo rotto", "ancora non funziona", "per la terza volta"],
        "legal": ["il mio avvocato", "azioni legali", "il garante della privacy"],
        "cancel": ["la disdetta", "voglio un rimborso", "annullare l'abbonamento"],
    },
    "pt": {
        "again": ["outra vez avariado", "ainda não funciona", "pela terceira vez"],
        "legal": ["o meu advogado", "ação judicial", "a LGPD"],
        "cancel": ["cancelar a minha assinatura", "quero o reembolso", "rescindir"],
    },
    "nl": {
        "again": ["opnieuw kapot", "het werkt nog steeds niet", "voor de derde keer"],
        "legal": ["mijn advocaat", "een rechtszaak", "juridische stappen"],
        "cancel": ["ik wil opzeggen", "mijn geld terug", "ik zeg mijn abonnement op"],
    },
}
NOT_SAID = {
    "en": [
        "It leans against the wall",
        "a gainful day",
        "the first time I write",
        "it still works",
        "the courtyard",
        "a tennis court",
        "an issue to pursue",
        "Hi Sue, thanks",
        "a suede lawn",
        "the noise cancellation of my headset",
        "press the cancel button",
        "a refundable ticket",
        "the terminal",
    ],
    "de": [
        "Auf Wiedersehen",
        "zum ersten Mal",
        "Verwalter und Anwaltschaften",
        "ein leckeres Gericht",
        "Ich beklage nichts",
        "Sie haben es angekündigt",
        "Ich wollte mich erkundigen",
        "die Ankündigung",
    ],
    "fr": ["encore un café", "la première fois", "un plat juridiquement", "le concours"],
    "es": ["los nuevos modelos", "por primera vez", "la demanda de café es alta", "cancelar el diálogo"],
}

PIECES = [
    "again",
    "3rd time",
    "NEVER!",
    "not",
    "good",
    "Anwalt",
    "nicht",
    "hilft",
    ":(",
    ",",
    "\n",
    "İ",
    "’",
    "😡",
    "pas",
]
ANY_TEXT = st.one_of(st.none(), st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
ANY_LANGUAGE = st.sampled_from(["en", "de", "fr", "es", "nl", "xx", "und", "", None])
ROWS = st.lists(st.tuples(ANY_TEXT, ANY_LANGUAGE), max_size=8)


def pairs(cases: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(language, text) for language, texts in cases.items() for text in texts]


def mood(text: str | None, language: str | None = "en") -> float:
    return float(moods([text], [language])[0])


def said(text: str | None, language: str | None = "en") -> dict[str, int]:
    return dict(zip(SIGNALS, signals([text], [language])[0].tolist(), strict=True))


@pytest.mark.parametrize(("language", "text"), pairs(GOOD))
def test_a_content_customer_is_above_zero(language: str, text: str) -> None:
    assert mood(text, language) > 0.1


@pytest.mark.parametrize(("language", "text"), pairs(BAD))
def test_an_unhappy_customer_is_below_zero(language: str, text: str) -> None:
    assert mood(text, language) < -0.1


@pytest.mark.parametrize(("language", "text"), pairs(FLAT))
def test_courtesies_and_matters_have_no_mood(language: str, text: str) -> None:
    assert np.isnan(mood(text, language))


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("This is bad.", "This is very bad."),
        ("This is bad.", "This is bad!!"),
        ("This is bad.", "This is BAD."),
        ("This is bad.", "This is bad. A disgrace."),
        ("This is slightly bad.", "This is bad."),
    ],
)
def test_stress_makes_a_bad_mood_worse(less: str, more: str) -> None:
    assert mood(more) < mood(less) < 0


def test_a_text_all_in_capitals_stresses_nothing() -> None:
    assert mood("THIS IS BAD") == mood("this is bad")


def test_a_negation_ends_with_its_clause() -> None:
    assert mood("It is not there. Great service.") == mood("Great service.")
    assert mood("Nein, das ist gut.", "de") == mood("Das ist gut.", "de")


def test_a_german_noun_is_not_negated_by_what_follows_it() -> None:
    assert mood("Ich kann das Problem nicht lösen", "de") < 0


def test_german_words_are_known_in_their_inflected_forms() -> None:
    for form in (
        "eine ärgerliche Sache",
        "ein schlechterer Dienst",
        "miserable Qualität",
        "das nervte",
        "die Probleme",
    ):
        assert mood(form, "de") < 0


def test_the_language_decides_what_a_word_means() -> None:
    assert mood("mist", "de") < 0 and np.isnan(mood("mist", "en"))


@pytest.mark.parametrize(
    ("language", "signal", "text"),
    [(la, name, text) for la, lists in SAID.items() for name, texts in lists.items() for text in texts],
)
def test_a_phrase_counts_once_for_its_signal_and_for_no_other(language: str, signal: str, text: str) -> None:
    assert said(text, language) == {name: int(name == signal) for name in SIGNALS}


@pytest.mark.parametrize(("language", "text"), pairs(NOT_SAID))
def test_a_near_miss_counts_for_nothing(language: str, text: str) -> None:
    assert set(said(text, language).values()) == {0}


def test_counts_end_at_five() -> None:
    assert said("again " * 4)["again"] == 4
    assert said("again " * 9)["again"] == MOST == 5


@pytest.mark.parametrize("language", ["xx", "und", "pl", "", None])
def test_an_unknown_language_is_held_against_english_and_the_words_that_mean_nothing_else(language: str | None) -> None:
    assert said("Broken again, I want a refund", language) == {"again": 1, "legal": 0, "cancel": 1}
    assert said("Mein Anwalt schreibt die Kündigung", language) == {"again": 0, "legal": 1, "cancel": 1}
    assert said("Klage und Widerruf", language) == {"again": 0, "legal": 0, "cancel": 0}
    assert np.isnan(mood("good gut bon", language))


def test_a_known_language_is_held_against_its_own_phrases_only() -> None:
    assert said("again, lawyer, refund", "de") == {"again": 0, "legal": 0, "cancel": 0}


@given(ROWS)
def test_moods_are_in_their_range_and_signals_counted(rows: list[tuple[str | None, str | None]]) -> None:
    texts, languages = [t for t, _ in rows], [la for _, la in rows]
    found, counts = moods(texts, languages), signals(texts, languages)
    assert found.shape == (len(rows),) and found.dtype == np.float32
    assert counts.shape == (len(rows), len(SIGNALS)) and counts.dtype == np.int64
    assert np.all(np.isnan(found) | (np.abs(found) <= 1)) and np.all((counts >= 0) & (counts <= MOST))


@given(ROWS)
def test_a_batch_gives_what_its_rows_give_alone(rows: list[tuple[str | None, str | None]]) -> None:
    texts, languages = [t for t, _ in rows], [la for _, la in rows]
    alone = [moods([t], [la])[0] for t, la in rows]
    assert np.array_equal(moods(texts, languages), np.array(alone, np.float32), equal_nan=True)
    assert signals(texts, languages).tolist() == [signals([t], [la])[0].tolist() for t, la in rows]


@given(st.text(max_size=40), st.sampled_from(SIGNAL_LANGUAGES))
def test_the_case_of_letters_changes_no_signal(text: str, language: str) -> None:
    shouted = text.upper()
    assert said(shouted.lower(), language) == said(shouted, language)


@pytest.mark.parametrize("nothing", [None, float("nan"), 3, "", " ", "4711", "\ud800"])
def test_what_is_no_text_has_no_mood_and_no_signal(nothing: object) -> None:
    assert np.isnan(moods([nothing], ["en"])[0])  # type: ignore[list-item]
    assert signals([nothing], ["en"]).tolist() == [[0, 0, 0]]  # type: ignore[list-item]


def test_no_rows_give_no_rows() -> None:
    assert moods([], []).shape == (0,) and signals([], []).shape == (0, 3)


def test_texts_and_languages_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        moods(["good"], [])
    with pytest.raises(ValueError, match="zip"):
        signals(["good", "bad"], ["en"])


@pytest.mark.parametrize(
    ("piece", "language"),
    [
        *((piece, "en") for piece in ("a", "\n", "'", "a'", "!", "again ", "cancel my ", "not good ")),
        ("same aaaaaaaaaaaaaaaaaaaa ", None),
        ("hilft ", "de"),
        ("zeg a ", "nl"),
    ],
)
def test_a_megabyte_takes_about_ten_times_what_a_tenth_takes(piece: str, language: str | None) -> None:
    def seconds(characters: int) -> float:
        text, start = piece * (characters // len(piece)), time.perf_counter()
        moods([text], [language])
        signals([text], [language])
        return time.perf_counter() - start

    seconds(100)
    assert seconds(1_000_000) < 2 + 40 * seconds(100_000)


def test_every_language_says_every_signal() -> None:
    written = yaml.safe_load(files("pipeline.history").joinpath("mood.yaml").read_text("utf-8"))
    assert set(written["moods"]) == set(MOOD_LANGUAGES)
    assert set(written["signals"]) == {*SIGNAL_LANGUAGES, "und"}
    assert all(set(lists) == set(SIGNALS) for lists in written["signals"].values())


@pytest.mark.parametrize("language", MOOD_LANGUAGES)
def test_every_lexicon_names_its_source_and_its_licence(language: str) -> None:
    text = files("pipeline.history").joinpath("lexicons", f"{language}.txt").read_text("utf-8")
    head = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert "MIT License" in head or "Apache License" in head
    assert len(text) - len(head) > 50_000
