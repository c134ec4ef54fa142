"""The lines of a mail that its writer wrote: without quoted replies, signatures, disclaimers and machine banners."""

from __future__ import annotations

import re

_STARTS = re.compile(
    r"\n[^\w\n]{0,10}(?:>|--|__|\*\*|==|\[\s?ext|\[EMAIL\]|##|caution|warning|notice|external|attention|achtung"
    r"|vorsicht|attenzione|atención"
    r"|let op|this|the|do not|don't|please|sent|written|get |von |gesendet|diese|envoyé|enviado|inviato|verzonden"
    r"|wysłane|odeslan|odoslan"
    r"|lähetetty|skickat|sendt|iphone|legal|e-?mail|disclaimer|confidential|if you|ce |este|questo|il presente"
    r"|le informazioni|dit|deze|from|von"
    r"|de|da|van|od|feladó|kimden|lähettäjä|från|fra|desde|on|am|le|el|em|il|op|w dniu|dne|dnia|den|dana|at|mr"
    r"|with|best|kind|warm|regards|yours|sincerely|cheers|many|thank|all the|mit |freundlich|liebe|viele|herzlich"
    r"|schöne|mfg|lg|vg|gru"
    r"|bien|cordial|sincères|meilleures|salut|merci|un |saludo|atentamente|muchas|gracias|com os|cumprimentos"
    r"|atenciosamente|att|obrigad"
    r"|distinti|grazie|met |vriendelijk|groet|mvg|alvast|z pozdr|pozdr|s pozdr|děkuji|üdvöz|tisztel|köszön|saygı"
    r"|teşekkür|ystäv|terveis|kiitos"
    r"|lep |lp|hvala|med |vänlig|mvh|venlig|hilsen)",
    re.IGNORECASE,
)
"""How a line may start that isn't the writer's own; a text without such a line has nothing to take out."""

_BANNER = re.compile(
    r"^\W{0,10}(?:\[\s?(?:EXT|EXTERN|EXTERNAL)(?:[ :\-]{0,3}(?:E-?MAIL|SENDER|MAIL|MESSAGE))?\s?\]"
    r"|(?:CAUTION|WARNING|ATTENTION|NOTICE|EXTERNAL|ACHTUNG|VORSICHT|ATTENZIONE|ATTENTION|ATENCIÓN"
    r"|LET OP)\b[ :!\-*]{0,5}"
    r"(?:EXTERNAL|EXTERNE|EXTERNO|This (?:e-?mail|message)|The sender|Diese E-?Mail|Ce (?:message|courriel)"
    r"|Este (?:correo|e-?mail)"
    r"|Questa|Deze e-?mail).{0,400}"
    r"|(?:This|The) (?:e-?mail|message) (?:has )?(?:originated|came|was sent|is) (?:from )?(?:an )?(?:outside"
    r"|external).{0,400}"
    r"|(?:Do not|Don't|Please do not) click (?:on )?(?:any )?links? .{0,300}"
    r"|##-.{0,200}|.{0,20}(?:type|write|reply|add) .{0,30}above this line.{0,60}"
    r"|(?:Sent|Written) (?:from|with|via|using) (?:my |the )?(?:[\w.&\- ]{0,12})?(?:iPhone|iPad|Android|mobile"
    r"|phone|Samsung|Galaxy|Outlook|Mail"
    r"|Yahoo|BlackBerry|Huawei|Xiaomi|Pixel|Proton|Thunderbird|Windows)\b.{0,60}"
    r"|Get Outlook for .{0,80}|Get BlueMail for .{0,40}"
    r"|(?:Von meinem|Gesendet (?:von|mit|über)|Diese Nachricht wurde von mein) .{0,80}|Envoyé (?:de|depuis"
    r"|à partir de) (?:mon|ma) .{0,60}"
    r"|Envoyé d'.{0,60}|Enviado (?:desde|do|a partir do|de) (?:mi|meu) .{0,60}|Inviato da(?:l mio)? .{0,60}"
    r"|Verzonden (?:vanaf|vanuit|met) .{0,60}"
    r"|Wysłane z .{0,60}|Odesláno z .{0,60}|Lähetetty .{0,20}(?:puhelimesta|iPhonesta|laitteesta).{0,30}"
    r"|Skickat från (?:min|en) .{0,60}"
    r"|Sendt fra min .{0,60}|iPhone(?:'u|')?mdan gönderildi.{0,20}|Odoslané z .{0,60})\W{0,10}$",
    re.IGNORECASE,
)
_LEADING_TAG = re.compile(
    r"^\W{0,3}\[\s?(?:EXT|EXTERN|EXTERNAL)(?:[ :\-]{0,3}(?:E-?MAIL|SENDER|MAIL|MESSAGE))?\s?\]\W{0,3}", re.IGNORECASE
)
_DISCLAIMER = re.compile(
    r"^\W{0,10}(?:(?:legal |e-?mail )?disclaimer\b|confidentiality (?:notice|note|statement)\b|confidential(?:ity)?:"
    r"|th(?:is|e information (?:contained )?in this|e contents? of this) (?:e-?mail|message|communication"
    r"|transmission)\b.{0,200}"
    r"(?:confidential|privileged|intended (?:only|solely)|sole use)"
    r"|this communication is intended|if you (?:are not|have received).{0,60}(?:intended|in error|by mistake)"
    r"|diese (?:e-?mail|nachricht) .{0,120}vertraulich|ce (?:message|courriel|mail).{0,160}confidentiel"
    r"|este (?:mensaje|correo|mensagem|e-?mail).{0,160}confidencia|(?:questo|il presente"
    r"|le informazioni).{0,160}riservat"
    r"|d(?:it|eze) (?:e-?mail|bericht).{0,160}vertrouwelijk"
    r"|please consider the environment before printing)",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"(?:\bwrote|\bwrites|\bschrieb(?:\s.{0,120})?|\ba écrit|\bescribió|\bescreveu|\bha scritto"
    r"|\bschreef(?:\s.{0,120})?|\bnapisał(?:\(a\)|a)?|\bpisze"
    r"|\bnapsala?|\bírta(?:\s\(.{0,80}\))?|\byazdı|\bkirjoitti|\bnapisala?|\bskrev(?:\s.{0,120})?)\s?:\s{0,3}$",
    re.IGNORECASE,
)
_WROTE_OPENS = re.compile(
    r"^\W{0,4}(?:On|Am|Le|El|Em|Il|Op|W dniu|Dne|Dnia|Den|Dana|At)\s.{0,200}\d",
    re.I,
)
_HAS_DATE_OR_ADDRESS = re.compile(r"\d|@|\[EMAIL\]|<")
_ADDRESS = re.compile(r"\w@\w|\[EMAIL\]")
_CLOCK = re.compile(r"\d{1,2}[:.h]\d{2}\b|\b\d{4}\b|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_SEPARATOR = re.compile(
    r"^\W{0,3}[-_=*]{3,}\s?(?:Original (?:Message|Appointment)|Ursprüngliche Nachricht|Originalnachricht"
    r"|Message d'origine|Message original"
    r"|Mensaje original|Mensagem original|Messaggio originale|Oorspronkelijk bericht|Wiadomość oryginalna"
    r"|Původní zpráva|Původní e-mail"
    r"|Eredeti üzenet|Orijinal Mesaj|Alkuperäinen viesti|Izvirno sporočilo|Ursprungligt meddelande"
    r"|Oprindelig meddelelse"
    r"|Opprinnelig melding|Reply message)\s?[-_=*]{0,40}\W{0,3}$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"^\W{0,3}[-_=*]{2,}.{0,10}(?:Forwarded|Weitergeleitete|transféré|reenviado|encaminhada|inoltrato"
    r"|Doorgestuurd|przekazana|přeposlaná"
    r"|Továbbított|Yönlendirilen|Välitetty|Posredovano|Vidarebefordrat|Videresendt)"
    r"|^\W{0,3}(?:Begin forwarded message|Anfang der weitergeleiteten)",
    re.IGNORECASE,
)
_HEAD_FROM = re.compile(
    r"^[*_ ]{0,3}(?:From|Von|De|Da|Van|Od|Feladó|Kimden|Lähettäjä|Från|Fra|Desde)[*_ ]{0,3}:[*_ ]{0,3}\S", re.IGNORECASE
)
_HEAD_OTHER = re.compile(
    r"^[*_ ]{0,3}(?:Sent|Date|To|Cc|Subject|Gesendet|Datum|An|Betreff|Envoyé|À|Objet|Enviado|Para|Asunto|Fecha"
    r"|Assunto|Data|Inviato|A"
    r"|Oggetto|Verzonden|Aan|Onderwerp|Wysłano|Do|Temat|Odesláno|Komu|Předmět|Elküldve|Címzett|Tárgy|Gönderildi"
    r"|Kime|Konu|Lähetetty"
    r"|Vastaanottaja|Aihe|Poslano|Za|Zadeva|Skickat|Till|Ämne|Sendt|Til|Emne|Reply-To|Organization)[*_ ]{0,3}:",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"^\W{0,3}(?:(?:with )?(?:(?:my |very |most )?(?:best|kind|kindest|warm|warmest) (?:regards|wishes)|regards"
    r"|yours (?:sincerely|faithfully|truly)"
    r"|sincerely(?: yours)?|cheers|many thanks|thanks(?: (?:a lot|again|in advance|so much))?"
    r"|thank you(?: (?:so much|very much|in advance))?|best"
    r"|thanks (?:and|&) (?:best |kind )?regards|all the best)"
    r"|(?:mit )?(?:freundliche[nm]?|besten?|beste|liebe[nm]?|viele[nm]?|herzliche[nm]?|schöne[nm]?) gr(?:ü"
    r"|ue)(?:ß|ss)e?n?|mfg|lg|vg|gru(?:ß|ss)"
    r"|vielen dank(?: (?:im voraus|und (?:viele|beste|liebe) gr(?:ü|ue)(?:ß|ss)e))?"
    r"|(?:bien )?cordialement|(?:sincères |meilleures )?salutations(?: distinguées)?|bien à (?:vous|toi)"
    r"|merci (?:d'avance|beaucoup)"
    r"|(?:un )?(?:cordiale?s? )?saludos?(?: cordiale?s?)?|atentamente|muchas gracias|gracias"
    r"|(?:com os melhores )?cumprimentos|atenciosamente|att|obrigad[oa]"
    r"|(?:cordiali|distinti) saluti|saluti|grazie(?: (?:mille|in anticipo))?|(?:met )?vriendelijke groet(?:en)?"
    r"|groet(?:en|jes)?|mvg|alvast bedankt"
    r"|(?:z )?pozdrowieniami|pozdrawiam|(?:s )?pozdrav(?:em|y)?|děkuji|üdvözlettel|tisztelettel|köszönöm"
    r"|saygılarımla|teşekkürler"
    r"|(?:ystävällisin )?terveisin|kiitos|lep pozdrav|lp|hvala|(?:med )?vänlig(?:a)? hälsning(?:ar)?|mvh"
    r"|(?:med )?venlig(?:e)? hilsen(?:er)?|hilsen)"
    r"\W{0,4}$",
    re.IGNORECASE,
)
_SIGNATURE_LINES = 6
_SIGNATURE_WIDTH = 70
_SIGNATURE_WORDS = 8
_HEAD_REACH = 5
_FEWEST_OWN_WORDS = 4


def own_words(text: str) -> str:
    """The lines that the writer of a mail wrote; a text that doesn't look like a mail comes back as it is.

    Quoted lines (`>`), everything below an attribution ("On ... wrote:") or a reply's header block, signatures
    (`-- `, or a sign-off followed by short lines to the end), disclaimers and machine banners go, in the languages of
    `Tickets.languages`. What was forwarded stays: it is what the ticket is about.

    Parameters
    ----------
    text : str
        Plain text with lines.

    Returns
    -------
    str
        May be empty: the caller decides what to do then.
    """
    if "\n" not in text:
        return _LEADING_TAG.sub("", text) if text.startswith("[") else text
    if not (_STARTS.search("\n" + text) or ":\n" in text or text.endswith(":") or "above this line" in text):
        return text
    lines = _unquoted(text.split("\n"))
    return "\n".join(_unsigned(_without_banners(lines)))


def _without_banners(lines: list[str]) -> list[str]:
    kept: list[str] = []
    in_disclaimer = False
    for line in lines:
        if not line.strip():
            in_disclaimer = False
        elif in_disclaimer or _DISCLAIMER.match(line):
            in_disclaimer = True
            continue
        elif _BANNER.match(line):
            continue
        kept.append(_LEADING_TAG.sub("", line))
    return kept


def _unquoted(lines: list[str]) -> list[str]:
    kept: list[str] = []
    forwarded = False
    skip = 0
    for position, line in enumerate(lines):
        if skip:
            skip -= 1
            continue
        if line.lstrip().startswith(">"):
            continue
        forwarded = forwarded or bool(_FORWARDED.match(line))
        if not forwarded and _SEPARATOR.match(line):
            return kept
        if not forwarded and _opens_headers(lines, position):
            if sum(len(own.split()) for own in kept) >= _FEWEST_OWN_WORDS:
                return kept
            forwarded = True  # "FYI" above a mail: the mail is what it is about
        length = _attribution(lines, position)
        if length and any(later.lstrip().startswith(">") for later in lines[position + length : position + length + 3]):
            skip = length - 1
            continue
        if length and _is_certain("\n".join(lines[position : position + length])):
            return kept
        kept.append(line)
    return kept


def _opens_headers(lines: list[str], position: int) -> bool:
    if not _HEAD_FROM.match(lines[position]):
        return False
    following = lines[position + 1 : position + 1 + _HEAD_REACH]
    return sum(bool(_HEAD_OTHER.match(line)) for line in following) >= 2


def _attribution(lines: list[str], position: int) -> int:
    """How many lines (up to three) make an "On ... wrote:" that starts here; 0 if none does."""
    if len(lines[position]) > 300:
        return 0
    if _WROTE.search(lines[position]) and _HAS_DATE_OR_ADDRESS.search(lines[position]):
        return 1
    if not _WROTE_OPENS.match(lines[position]):
        return 0
    for length in (2, 3):
        end = position + length
        if end <= len(lines) and len(lines[end - 1]) <= 300 and _WROTE.search(lines[end - 1]):
            return length
    return 0


def _is_certain(attribution: str) -> bool:
    """Whether all that follows may go though none of it is marked by `>`: somebody's address, or a date and a clock."""
    return bool(_ADDRESS.search(attribution) or (_WROTE_OPENS.match(attribution) and _CLOCK.search(attribution)))


def _unsigned(lines: list[str]) -> list[str]:
    for position, line in enumerate(lines):
        if line.rstrip() == "--" and _is_tail(lines, position + 1, at_most=15):
            lines = lines[:position]
            break
    for position in range(len(lines) - 1, max(0, len(lines) - 2 * _SIGNATURE_LINES - 1), -1):
        line = lines[position]
        if len(line) < 80 and _SIGN_OFF.match(line) and _is_tail(lines, position + 1, at_most=_SIGNATURE_LINES):
            return lines[:position]
    return lines


def _is_tail(lines: list[str], start: int, *, at_most: int) -> bool:
    """Whether only a few short lines follow."""
    if len(lines) - start > 2 * at_most:
        return False
    written = [line for line in lines[start:] if line.strip()]
    return len(written) <= at_most and all(map(_is_short, written))


def _is_short(line: str) -> bool:
    return len(line) <= _SIGNATURE_WIDTH and line.count(" ") < _SIGNATURE_WORDS and not line.rstrip().endswith("?")
