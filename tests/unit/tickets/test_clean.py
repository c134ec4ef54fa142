"""Cleaning keeps the customer's own words, in every language, in time linear in the text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tickets.clean import clean, enough_letters, fold
from pipeline.tickets.mail import own_words

OWN = "The app crashes when I open it."

ATTRIBUTIONS = [
    "On Mon, Jan 5, 2026 at 10:00 AM Ada <ada@example.org> wrote:",
    "On Mon, Jan 5, 2026 at 10:00 AM\nAda Lovelace <ada@example.org>\nwrote:",
    "Am 05.01.2026 um 10:00 schrieb Support <a@example.org>:",
    "Am Mo., 5. Jan. 2026 um 10:00 Uhr schrieb Support:",
    "Le lun. 5 janv. 2026 à 10:00, Support <a@example.org> a écrit :",
    "El lun, 5 ene 2026 a las 10:00, Soporte (<a@example.org>) escribió:",
    "Em seg., 5 de jan. de 2026 às 10:00, Suporte <a@example.org> escreveu:",
    "Il giorno lun 5 gen 2026 alle ore 10:00 Supporto <a@example.org> ha scritto:",
    "Op ma 5 jan 2026 om 10:00 schreef Support <a@example.org>:",
    "pon., 5 sty 2026 o 10:00 Support <a@example.org> napisał(a):",
    "W dniu 5.01.2026 o 10:00, Support <a@example.org> pisze:",
    "po 5. 1. 2026 v 10:00 odesílatel Podpora <a@example.org> napsal:",
    "Support <a@example.org> ezt írta (időpont: 2026. jan. 5., H, 10:00):",
    "Destek <a@example.org>, 5 Oca 2026 Pzt, 10:00 tarihinde şunu yazdı:",
    "ma 5. tammik. 2026 klo 10.00 Tuki (a@example.org) kirjoitti:",
    "V V pon., 5. jan. 2026 ob 10:00 je oseba Podpora <a@example.org> napisala:",
    "Den mån 5 jan. 2026 kl 10:00 skrev Support <a@example.org>:",
    "Den man. 5. jan. 2026 kl. 10.00 skrev Support <a@example.org>:",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
@pytest.mark.parametrize("quote", ["> the older words\n> and more", "the older words"])
def test_what_stands_below_an_attribution_goes(attribution: str, quote: str) -> None:
    assert clean(f"{OWN}\n\n{attribution}\n{quote}") == OWN


HEADERS = [
    "From: Support <a@example.org>\nSent: Monday\nTo: Ada\nSubject: RE: it",
    "*From:* Support\n*Date:* Monday\n*To:* Ada",
    "Von: Support\nGesendet: Montag\nAn: Ada\nBetreff: AW: es",
    "De : Support\nEnvoyé : lundi\nÀ : Ada\nObjet : RE",
    "De: Soporte\nEnviado: lunes\nPara: Ada\nAsunto: RE",
    "Da: Supporto\nInviato: lunedì\nA: Ada\nOggetto: R",
    "Van: Support\nVerzonden: maandag\nAan: Ada\nOnderwerp: RE",
    "Od: Support\nWysłano: poniedziałek\nDo: Ada\nTemat: RE",
    "Od: Podpora\nOdesláno: pondělí\nKomu: Ada\nPředmět: RE",
    "Feladó: Support\nElküldve: hétfő\nCímzett: Ada\nTárgy: RE",
    "Från: Support\nSkickat: måndag\nTill: Ada\nÄmne: SV",
    "Fra: Support\nSendt: mandag\nTil: Ada\nEmne: SV",
    "-----Original Message-----\nanything",
    "----- Ursprüngliche Nachricht -----\nanything",
    "-------- Messaggio originale --------\nanything",
]


@pytest.mark.parametrize("header", HEADERS)
def test_what_stands_below_the_header_of_an_older_mail_goes(header: str) -> None:
    assert clean(f"{OWN}\n\n{header}\n\nthe older words") == OWN


@pytest.mark.parametrize(
    "text",
    [
        "---------- Forwarded message ---------\nFrom: Bob\nDate: Mon\nSubject: x\nTo: Ada\n\nThe printer is on fire.",
        "FYI\n\nFrom: Bob\nSent: Monday\nTo: Ada\nSubject: x\n\nThe printer is on fire.",
    ],
)
def test_a_forwarded_mail_is_what_the_ticket_is_about(text: str) -> None:
    assert "The printer is on fire." in clean(text)


def test_answers_between_quoted_lines_stay() -> None:
    text = "On Mon, Jan 5, 2026 Ada <a@example.org> wrote:\n> Which version?\nVersion 115.\n> Which system?\nWindows."
    assert clean(text) == "Version 115.\nWindows."


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAda Lovelace\nhttps://example.org",
        "Best regards,\nAda Lovelace\nAnalytical Engines Ltd",
        "Thanks!\nAda",
        "Mit freundlichen Grüßen\nAda Lovelace",
        "Cordialement,\nAda",
        "Un saludo\nAda",
        "Atenciosamente,\nAda",
        "Cordiali saluti\nAda",
        "Met vriendelijke groet,\nAda",
        "Pozdrawiam\nAda",
        "S pozdravem\nAda",
        "Üdvözlettel:\nAda",
        "Saygılarımla\nAda",
        "Ystävällisin terveisin\nAda",
        "Lep pozdrav, \nAda",
        "Med vänliga hälsningar\nAda",
        "Med venlig hilsen\nAda",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Get Outlook for Android",
        "This email and any attachments are confidential and intended solely for the addressee.\nDelete it otherwise.",
        "Diese E-Mail enthält vertrauliche Informationen.",
    ],
)
def test_signatures_and_disclaimers_go(signature: str) -> None:
    assert clean(f"{OWN}\n\n{signature}") == OWN


@pytest.mark.parametrize(
    "banner",
    [
        "[EXTERNAL]",
        "[EXT] ",
        "CAUTION: This email originated from outside of the organization. Do not click links.",
        "***WARNING: This message came from an external sender***",
        "ACHTUNG: Diese E-Mail kommt von außerhalb.",
        "##- Please type your reply above this line -##",
        "--- Please write your reply above this line ---",
    ],
)
def test_machine_banners_go(banner: str) -> None:
    assert clean(f"{banner}\n{OWN}") == OWN


@pytest.mark.parametrize(
    "text",
    [
        "Steps:\n- open it\n- click send\n- nothing happens",
        "-----\na line of a log\n-----\nmore",
        "From: is empty in the message list\nWhy?",
        "In 2023 my friend wrote:\nuse another server. It failed.",
        "I want bold text in my mail",
        "thanks for the hint\nExample: 5 accounts A, B, C\nAccount A is checked and it works as it always did before",
        "if a < b and c > d then <ada@example.org> or <https://example.org>",
        "Warning: mailbox full\nwhat shall I do?",
        "Attention please: it prints no more\nwhat shall I do?",
    ],
)
def test_what_only_looks_like_a_mail_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>Hello &amp; hi&nbsp;there</p>", "Hello & hi there"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<p>one\ntwo</p>", "one two"),
        ("<pre>one\ntwo</pre>", "one\ntwo"),
        ("<style>p{}</style><p>x y z</p><script>alert(1)</script>", "x y z"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\n\nc"),
        ("<ul><li>a</li><li>b</li></ul> see", "a\n\nb\n\nsee"),
        ("1 &lt; 2 &amp;&amp; x&#39;s", "1 < 2 && x's"),
        ("<p>open <b>tag<p>never closed <i", "open tag\nnever closed"),
        (f'<div>{OWN}</div><div class="gmail_quote">On Mon Ada wrote:<blockquote>old</blockquote></div>', OWN),
        (f'<p>{OWN}</p><blockquote type="cite">old</blockquote>', OWN),
        ("<p>x<strong>bold text</strong>can't print</p>", "x can't print"),
        ("a\u0301\u00a0b\u200b\x00\x07\r\nc\x85d\ud800", "á b\nc\nd"),
    ],
)
def test_markup_becomes_text(page: str, text: str) -> None:
    assert clean(page) == text


@pytest.mark.parametrize("text", ["> all of it is quoted", "--\nAda", "Sent from my iPhone", "Thanks\nAda"])
def test_the_original_stays_where_nothing_sensible_is_left(text: str) -> None:
    assert enough_letters(clean(text))


def test_a_page_that_is_all_quote_stays_without_its_tags() -> None:
    assert clean('<blockquote type="cite"><p>quoted words</p></blockquote>') == "quoted words"


HOSTILE = [
    "a", "<", "<a ", '<a "', "<p>", "<b><i>", "<table>", "<tr><td>", "<!--", "<script>", "<pre>", "&", "&#", "&amp",
    "\n",
    "\n\n", "> ", "\n>", "--\n", "-- \n", "_____\n", "wrote:\n", "On 1 a\n", "From: a\n", "From: a\nTo: b\n",
    "Thanks\n",
    "[EXTERNAL] ", "\nThis email ", "\nSent from my ", "\n##-", "\n***", "\u0300\u0316\u0327", "\r", " ", "'", "日本",
    "<blockquote type=cite>", "<svg>", "<select><option>", "\nif you are not ", "bold text",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_time_linear_in_its_length(unit: str) -> None:
    text = (unit * (200_000 // len(unit) + 1))[:200_000]
    started = time.process_time()
    clean(text)
    assert time.process_time() - started < 3.0


def test_markup_whose_repair_is_quadratic_is_bounded() -> None:
    page = "".join(f"<font a={i}>" for i in range(20_000)) + "<p>word " * 20_000
    started = time.process_time()
    assert clean(page).startswith("word")
    assert time.process_time() - started < 3.0


WORDS = st.lists(
    st.sampled_from(
        [
            "Hello",
            "<p>",
            "</p>",
            "<br>",
            "&amp;",
            "&lt;p&gt;",
            "> x",
            "\n",
            "\n-- \n",
            "On Mon 5, 2026 a@b.org wrote:\n",
            "\ud800",
        ]
    )
    | st.text(max_size=8),
    max_size=20,
).map(" ".join)


@given(WORDS)
def test_any_text_is_cleaned_to_folded_text_without_controls(text: str) -> None:
    cleaned = clean(text)
    assert fold(cleaned) == cleaned
    assert cleaned == clean(text)
    assert cleaned.encode().decode() == cleaned
    assert "\0" not in cleaned


@given(WORDS)
def test_own_words_are_lines_of_the_text(text: str) -> None:
    text = fold(text)
    assert all(line in text for line in own_words(text).split("\n"))
