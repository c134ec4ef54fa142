"""Which lines of a mail its writer wrote: quoted replies, signatures, disclaimers and machine banners go, line by line."""

from __future__ import annotations

import re

_MARKERS = (
    "\n>", "\n >", "--", "__", "wrote", "writes", "schrieb", "écrit", "escribió", "escreveu", "scritto", "schreef", "napisał",
    "napsal", "írta", "yazdı", "kirjoitti", "napisal", "skrev", "from:", "von:", "\nde:", "da:", "van:", "od:", "feladó:", "kimden:",
    "lähettäjä:", "från:", "fra:", "desde:", "[ext", "caution", "warning", "achtung", "attention", "attenzione", "atención", "vorsicht",
    "let op", "external", "originated", "sent from", "sent with", "sent via", "sent using", "get outlook", "get bluemail", "gesendet", "envoyé",
    "enviado", "inviato", "verzonden", "wysłane", "odesláno", "odoslané", "lähetetty", "skickat", "sendt", "gönderildi", "##-", "above this line",
    "click", "confidential", "vertraulich", "confidentiel", "confidencia", "riservat", "vertrouwelijk", "privileged", "intended", "disclaimer",
    "environment before", "regards", "wishes", "sincerely", "yours", "cheers", "best", "thank", "grüße", "gruß", "grüsse", "gruesse", "gruss", "mfg",
    "\nlg", "\nvg", "dank", "cordial", "salutations", "bien à", "merci", "saludo", "atentamente", "gracias", "cumprimentos", "atenciosamente", "att",
    "obrigad", "saluti", "grazie", "groet", "mvg", "pozdr", "děkuji", "üdvöz", "tisztelettel", "köszönöm", "saygı", "teşekkür", "terveis", "kiitos",
    "\nlp", "hvala", "hälsning", "mvh", "hilsen",
)  # fmt: skip
"""Lower-case; a text that holds none of them has nothing to take out."""

_BANNER = re.compile(
    r"^\W{0,10}(?:\[\s?(?:EXT|EXTERN|EXTERNAL)(?:[ :\-]{0,3}(?:E-?MAIL|SENDER|MAIL|MESSAGE))?\s?\]"
    r"|(?:CAUTION|WARNING|ATTENTION|NOTICE|EXTERNAL|ACHTUNG|VORSICHT|ATTENZIONE|ATTENTION|ATENCIÓN|LET OP)\b[ :!\-*]{0,5}"
    r"(?:EXTERNAL|EXTERNE|EXTERNO|This (?:e-?mail|message)|The sender|Diese E-?Mail|Ce (?:message|courriel)|Este (?:correo|e-?mail)"
    r"|Questa|Deze e-?mail).{0,400}"
    r"|(?:This|The) (?:e-?mail|message) (?:has )?(?:originated|came|was sent|is) (?:from )?(?:an )?(?:outside|external).{0,400}"
    r"|(?:Do not|Don't|Please do not) click (?:on )?(?:any )?links? .{0,300}"
    r"|##-.{0,200}|.{0,20}(?:type|write|reply|add) .{0,30}above this line.{0,60}"
    r"|(?:Sent|Written) (?:from|with|via|using) (?:my |the )?(?:[\w.&\- ]{0,12})?(?:iPhone|iPad|Android|mobile|phone|Samsung|Galaxy|Outlook|Mail"
    r"|Yahoo|BlackBerry|Huawei|Xiaomi|Pixel|Proton|Thunderbird|Windows)\b.{0,60}"
    r"|Get Outlook for .{0,80}|Get BlueMail for .{0,40}"
    r"|(?:Von meinem|Gesendet (?:von|mit|über)|Diese Nachricht wurde von mein) .{0,80}|Envoyé (?:de|depuis|à partir de) (?:mon|ma) .{0,60}"
    r"|Envoyé d'.{0,60}|Enviado (?:desde|do|a partir do|de) (?:mi|meu) .{0,60}|Inviato da(?:l mio)? .{0,60}|Verzonden (?:vanaf|vanuit|met) .{0,60}"
    r"|Wysłane z .{0,60}|Odesláno z .{0,60}|Lähetetty .{0,20}(?:puhelimesta|iPhonesta|laitteesta).{0,30}|Skickat från (?:min|en) .{0,60}"
    r"|Sendt fra min .{0,60}|iPhone(?:'u|')?mdan gönderildi.{0,20}|Odoslané z .{0,60})\W{0,10}$",
    re.IGNORECASE,
)
_LEADING_TAG = re.compile(r"^\W{0,3}\[\s?(?:EXT|EXTERN|EXTERNAL)(?:[ :\-]{0,3}(?:E-?MAIL|SENDER|MAIL|MESSAGE))?\s?\]\W{0,3}", re.IGNORECASE)
_DISCLAIMER = re.compile(
    r"^\W{0,10}(?:(?:legal |e-?mail )?disclaimer\b|confidentiality (?:notice|note|statement)\b|confidential(?:ity)?:"
    r"|th(?:is|e information (?:contained )?in this|e contents? of this) (?:e-?mail|message|communication|transmission)\b.{0,200}"
    r"(?:confidential|privileged|intended (?:only|solely)|sole use)"
    r"|this communication is intended|if you (?:are not|have received).{0,60}(?:intended|in error|by mistake)"
    r"|diese (?:e-?mail|nachricht) .{0,120}vertraulich|ce (?:message|courriel|mail).{0,160}confidentiel"
    r"|este (?:mensaje|correo|mensagem|e-?mail).{0,160}confidencia|(?:questo|il presente|le informazioni).{0,160}riservat"
    r"|d(?:it|eze) (?:e-?mail|bericht).{0,160}vertrouwelijk"
    r"|please consider the environment before printing)",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"(?:\bwrote|\bwrites|\bschrieb(?:\s.{0,120})?|\ba écrit|\bescribió|\bescreveu|\bha scritto|\bschreef(?:\s.{0,120})?|\bnapisał(?:\(a\)|a)?"
    r"|\bnapsala?|\bírta|\byazdı|\bkirjoitti|\bnapisala?|\bskrev(?:\s.{0,120})?)\s?:\s{0,3}$",
    re.IGNORECASE,
)
_WROTE_OPENS = re.compile(
    r"^\W{0,4}(?:On|Am|Le|El|Em|Il|Op|W dniu|Dne|Dnia|Den|Dana|Il giorno|Il dom|Il lun|Il mar|Il mer|Il gio|Il ven|Il sab|At|Mr\.?)\s.{0,200}\d", re.I
)
_HAS_DATE_OR_ADDRESS = re.compile(r"\d|@|\[EMAIL\]|<")
_SEPARATOR = re.compile(
    r"^\W{0,3}[-_=*]{3,}\s?(?:Original (?:Message|Appointment)|Ursprüngliche Nachricht|Originalnachricht|Message d'origine|Message original"
    r"|Mensaje original|Mensagem original|Messaggio originale|Oorspronkelijk bericht|Wiadomość oryginalna|Původní zpráva|Původní e-mail"
    r"|Eredeti üzenet|Orijinal Mesaj|Alkuperäinen viesti|Izvirno sporočilo|Ursprungligt meddelande|Oprindelig meddelelse"
    r"|Opprinnelig melding|Reply message)\s?[-_=*]{0,40}\W{0,3}$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"^\W{0,3}[-_=*]{2,}.{0,10}(?:Forwarded|Weitergeleitete|transféré|reenviado|encaminhada|inoltrato|Doorgestuurd|przekazana|přeposlaná"
    r"|Továbbított|Yönlendirilen|Välitetty|Posredovano|Vidarebefordrat|Videresendt)|^\W{0,3}(?:Begin forwarded message|Anfang der weitergeleiteten)",
    re.IGNORECASE,
)
_HEAD_FROM = re.compile(r"^[*_ ]{0,3}(?:From|Von|De|Da|Van|Od|Feladó|Kimden|Lähettäjä|Från|Fra|Desde)[*_ ]{0,3}:[*_ ]{0,3}\S", re.IGNORECASE)
_HEAD_OTHER = re.compile(
    r"^[*_ ]{0,3}(?:Sent|Date|To|Cc|Subject|Gesendet|Datum|An|Betreff|Envoyé|À|Objet|Enviado|Para|Asunto|Fecha|Assunto|Data|Inviato|A"
    r"|Oggetto|Verzonden|Aan|Onderwerp|Wysłano|Do|Temat|Odesláno|Komu|Předmět|Elküldve|Címzett|Tárgy|Gönderildi|Kime|Konu|Lähetetty"
    r"|Vastaanottaja|Aihe|Poslano|Za|Zadeva|Skickat|Till|Ämne|Sendt|Til|Emne|Reply-To|Organization)[*_ ]{0,3}:",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"^\W{0,3}(?:(?:with )?(?:(?:my |very |most )?(?:best|kind|kindest|warm|warmest) (?:regards|wishes)|regards|yours (?:sincerely|faithfully|truly)"
    r"|sincerely(?: yours)?|cheers|many thanks|thanks(?: (?:a lot|again|in advance|so much))?|thank you(?: (?:so much|very much|in advance))?|best"
    r"|thanks (?:and|&) (?:best |kind )?regards|all the best)"
    r"|(?:mit )?(?:freundliche[nm]?|besten?|beste|liebe[nm]?|viele[nm]?|herzliche[nm]?|schöne[nm]?) gr(?:ü|ue)(?:ß|ss)e?n?|mfg|lg|vg|gru(?:ß|ss)"
    r"|vielen dank(?: (?:im voraus|und (?:viele|beste|liebe) gr(?:ü|ue)(?:ß|ss)e))?"
    r"|(?:bien )?cordialement|(?:sincères |meilleures )?salutations(?: distinguées)?|bien à (?:vous|toi)|merci (?:d'avance|beaucoup)"
    r"|(?:un )?(?:cordiale?s? )?saludos?(?: cordiale?s?)?|atentamente|muchas gracias|gracias|(?:com os melhores )?cumprimentos|atenciosamente|att|obrigad[oa]"
    r"|(?:cordiali|distinti) saluti|saluti|grazie(?: (?:mille|in anticipo))?|(?:met )?vriendelijke groet(?:en)?|groet(?:en|jes)?|mvg|alvast bedankt"
    r"|(?:z )?pozdrowieniami|pozdrawiam|(?:s )?pozdrav(?:em|y)?|děkuji|üdvözlettel|tisztelettel|köszönöm|saygılarımla|teşekkürler"
    r"|(?:ystävällisin )?terveisin|kiitos|lep pozdrav|lp|hvala|(?:med )?vänlig(?:a)? hälsning(?:ar)?|mvh|(?:med )?venlig(?:e)? hilsen(?:er)?|hilsen)"
    r"\W{0,4}$",
    re.IGNORECASE,
)
_SIGNATURE_LINES = 6
_SIGNATURE_WIDTH = 70
_SIGNATURE_WORDS = 8
_HEAD_REACH = 5


def own_words(text: str) -> str:
    """The lines that the writer of a mail wrote; a text that doesn't look like a mail comes back as it is.

    Quoted lines (`>`), everything below an attribution ("On ... wrote:") or a reply's header block, signatures (`-- `, or
    a sign-off followed by short lines to the end), disclaimers and machine banners go, in the languages of
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
    lowered = "\n" + text.lower()
    if not any(marker in lowered for marker in _MARKERS):
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
        if not forwarded and (_SEPARATOR.match(line) or _opens_headers(lines, position)):
            return kept
        length = _attribution(lines, position)
        if length:
            if not any(later.lstrip().startswith(">") for later in lines[position + length : position + length + 3]):
                return kept
            skip = length - 1
            continue
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


def _unsigned(lines: list[str]) -> list[str]:
    for position, line in enumerate(lines):
        if line.rstrip() == "--" and _is_tail(lines[position + 1 :], lines_at_most=15):
            lines = lines[:position]
            break
    reach = max(0, len(lines) - 2 * _SIGNATURE_LINES)
    for position in range(len(lines) - 1, max(0, reach - 1), -1):
        if len(lines[position]) < 80 and _SIGN_OFF.match(lines[position]) and _is_tail(lines[position + 1 :], lines_at_most=_SIGNATURE_LINES):
            return lines[:position]
    return lines


def _is_tail(lines: list[str], *, lines_at_most: int) -> bool:
    written = [line for line in lines[: 4 * lines_at_most + 1] if line.strip()]
    return len(lines) <= 4 * lines_at_most and len(written) <= lines_at_most and all(map(_is_short, written))


def _is_short(line: str) -> bool:
    return len(line) <= _SIGNATURE_WIDTH and line.count(" ") < _SIGNATURE_WORDS and not line.rstrip().endswith("?")
