"""Personal data and secrets in text become typed placeholders: [EMAIL], [PHONE], [CARD], [IBAN], [IP], [TOKEN].

Every pattern is linear in the length of the text (bounded repeats, no nested ones), and each kind has a cheap check
that skips it. What stays on purpose: bug numbers, versions, dates, order numbers, addresses of help pages.
"""

from __future__ import annotations

import ipaddress
import re

PLACEHOLDERS = ("[EMAIL]", "[PHONE]", "[CARD]", "[IBAN]", "[IP]", "[TOKEN]")
"""What redacted values become; each names its kind."""

_MAX_PASSES = 10

_AT_DOMAIN = re.compile(r"(?:@|&#0{0,5}64;|&#[xX]0{0,5}40;|&commat;|%40)(?:\w[\w-]{0,62}\.){1,8}[^\W\d_][\w-]{1,24}")
_HAS_AT = re.compile(r"[@&%](?:commat|40|#0{0,5}64|#[xX]0{0,5}40|(?<=@)\w)")
_LONGEST_LOCAL = 64  # characters before the @ (RFC 5321)

_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,4096}+\.[\w-]{4,8192}+(?:\.[\w-]{0,4096})?")
_USERINFO = re.compile(r"^://[^\s/?#\"'<>@\[\]]{1,200}@")
_SECRET_NAMES = (
    "token|access_?token|refresh_?token|id_?token|key|api_?key|sig|signature|pass|passwd|password|pwd|pw|secret|client_?secret"
    "|session|session_?id|sess|sid|phpsessid|jsessionid|code|auth|authorization|auth_?key|jwt|otp|pin|nonce|hash|hmac|credentials?"
    "|ticket|invite|confirm|confirmation|verify|verification|reset"
)
_PARAMETER = re.compile(
    rf"((?:[?&;#]|%3[FfBb]|%26)(?:[A-Za-z0-9]{{1,20}}[_.\-]){{0,3}}(?:{_SECRET_NAMES})(?:[_.\-][A-Za-z0-9]{{1,20}}){{0,2}}(?:=|%3[Dd]))"
    r"(?!\[TOKEN\])[^\s&;#\"'<>\[\]]{2,4096}",
    re.IGNORECASE,
)
_URL = re.compile(r"://[^\s\"'<>]{4,8192}")
_WWW = re.compile(r"www\.[^\s\"'<>]{4,8192}")
_SHORTEST_PART = 24
_URL_PART = re.compile(r"(?<=[/=])[A-Za-z0-9_\-~.%+]{24,4096}=*")
_HEX_PART = re.compile(r"[0-9a-fA-F\-]{32,}")

_HAS_DIGITS = re.compile(r"\d(?:[ ./()\-\u00a0]{0,3}\d){6}")
_CARD = re.compile(r"(?<![\w.+#-])(?!20\d{2}[01]\d[0-3]\d)[2-9](?:[ \-\u00a0]?\d){12,18}(?![\w-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})\d{2}(?:[ \-\u00a0]?[A-Za-z0-9]){11,30}")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18,
    "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23,
    "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25,
    "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28,
    "TL": 23,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip

_GAP = r"[ .\-/\u00a0]"
_PHONE = re.compile(
    r"(?<![\w.,:/#=+\-])(?<!\d )(?:"
    rf"(?:\+|00)[1-9]\d{{0,3}}(?:{_GAP}?\(\d{{1,5}}\))?(?:{_GAP}{{0,2}}\d{{1,8}}){{1,7}}"  # international
    rf"|(?:1{_GAP})?\(\d{{2,5}}\){_GAP}{{0,2}}\d{{2,5}}(?:{_GAP}?\d{{2,5}}){{1,3}}"  # (555) 123-4567, (089) 12 34 56
    r"|(?:1[ .\-])?[2-9]\d{2}([ .\-])\d{3}\1\d{4}"  # 555-123-4567
    rf"|0\d{{1,5}}(?:{_GAP}\d{{2,9}}){{1,5}}"  # 030 1234567, 01 23 45 67 89
    r"|3\d{2}[ .\-/]\d{6,7}"  # 320 6040566, an Italian mobile
    r"|555-\d{4}"
    r")(?![\w]|[.,/\-]\w)"
)
_PHONE_WORDS = (
    "tel",
    "phon",
    "mob",
    "cell",
    "handy",
    "fax",
    "móvil",
    "celular",
    "gsm",
    "puhelin",
    "puh.",
    "whatsapp",
    "call",
    "ring",
    "ruf",
)
_PHONE_WORD = re.compile(
    r"(\b(?:tel|tele?phone|telefon[eo]?|telefonszám|téléphone|teléfono|phone|mobile?|mob|cell|cellulare|handy|fax"
    r"|móvil|celular"
    r"|gsm|telefoon|puhelin|puh|whatsapp|call me (?:on|at)|ring me on|rückruf)"
    r"(?:\.|-?nr\.?|nummer| no\.?| number| nummer| is| ist)?\s{0,3}[:=.]?\s{0,3})"
    rf"(\+?\(?\d(?:{_GAP}{{0,2}}[()]?{_GAP}?\d){{5,14}})(?![\w]|[.,]\d)",
    re.IGNORECASE,
)
_VERSION_LIKE = re.compile(r"\d{1,4}\.\d{1,3}(?:\.\d{1,3})?(?!\d|\.\d{4})")
_DATE_LIKE = re.compile(r"\d{1,2}([ .\-/])\d{1,2}\1(?:(?:19|20)\d{2}(?!\d)|\d{2}(?!\d|\1\d))|0\d{3}-\d{2}-\d{2}")

_HAS_V4 = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d")
_V4 = re.compile(r"(?<![\w.\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)")
_VERSION_BEFORE = re.compile(
    r"(?:\b(?:v|ver|vers|version[es]?|versi[oó]n|vers[aã]o|versione|verze|wersja|verzió|sürüm|build|release|rel"
    r"|update[d]?|upgraded?|"
    r"firmware|driver|sdk|thunderbird|firefox|chrome|edge|safari|windows|win|macos|android|ios|office|outlook|rv)"
    r"(?:\s+(?:to|from|is|nr|no|number|auf|von|ist))?[\s:.\-/(]{0,3}|[A-Za-z]/)$",
    re.IGNORECASE,
)
_HAS_V6 = re.compile(r":[0-9A-Fa-f]{0,4}:")
_V6 = re.compile(r"(?<![\w:.\-])[0-9A-Fa-f:]{3,39}(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")


def redact(text: str) -> str:
    """Replace e-mail addresses, phone and card numbers, IBANs, IP addresses and secrets in addresses by placeholders.

    Works on plain text and on HTML; an encoded @ (`&#64;`, `&commat;`, `%40`) counts. `redact(redact(x)) == redact(x)`.

    Parameters
    ----------
    text : str
        What somebody wrote.

    Returns
    -------
    str
        The same text with typed placeholders.

    Notes
    -----
    Four numbers joined by dots are an IP address unless a word for a version or a program's name stands before them, or
    the last one is 0 (a network or a version, not a host). A card number must pass Luhn's check and not start with 0
    or 1 (times in milliseconds do) or with a date (build numbers do); an IBAN has its country's length and passes
    mod 97 (ISO 13616).

    Examples
    --------
    >>> redact("write to ada@example.org or call +49 30 1234567, see bug 1234567 in 115.10.2")
    'write to [EMAIL] or call [PHONE], see bug 1234567 in 115.10.2'
    """
    for _ in range(_MAX_PASSES):
        once = _once(text)
        if once == text:
            break
        text = once
    return text


def _once(text: str) -> str:
    if "eyJ" in text:
        text = _JWT.sub("[TOKEN]", text)
    if "://" in text:
        text = _URL.sub(_url, text)
    if "www." in text:
        text = _WWW.sub(_url, text)
    if "?" in text and "=" in text:
        text = _PARAMETER.sub(r"\1[TOKEN]", text)
    if _HAS_AT.search(text):
        text = _without_addresses(text)
    if _HAS_DIGITS.search(text):
        text = _IBAN.sub(_iban, text)
        text = _CARD.sub(_card, text)
        lowered = text.lower()
        if any(word in lowered for word in _PHONE_WORDS):
            text = _PHONE_WORD.sub(_phone_after_word, text)
        text = _PHONE.sub(_phone, text)
    if _HAS_V4.search(text):
        text = _V4.sub(_v4, text)
    if _HAS_V6.search(text):
        text = _V6.sub(_v6, text)
    return text


def _without_addresses(text: str) -> str:
    """E-mail addresses are found at their @ and grown to the left: linear, however long the word before it is."""
    pieces: list[str] = []
    end = 0
    for match in _AT_DOMAIN.finditer(text):
        start, least = match.start(), max(end, match.start() - _LONGEST_LOCAL)
        while start > least and (text[start - 1].isalnum() or text[start - 1] in "._%+'-"):
            start -= 1
        if start < match.start():
            pieces += [text[end:start], "[EMAIL]"]
            end = match.end()
    return "".join([*pieces, text[end:]]) if pieces else text


def _url(match: re.Match[str]) -> str:
    address = match[0]
    if "@" in address:
        address = _USERINFO.sub("://[TOKEN]@", address)
    if "=" in address or "%3" in address:
        address = _PARAMETER.sub(r"\1[TOKEN]", address)
    return _URL_PART.sub(_url_part, address) if len(address) > _SHORTEST_PART else address


def _url_part(match: re.Match[str]) -> str:
    """A part of an address that nobody typed: long hexadecimal, or letters of both cases mixed with digits."""
    part = match[0]
    if _HEX_PART.fullmatch(part):
        return "[TOKEN]"
    longest = max(re.split(r"[.\-_~%+]", part), key=len)
    dense = len(longest) >= 20 and any(c.isdigit() for c in longest)
    mixed = any(c.islower() for c in longest) and any(c.isupper() for c in longest)
    return "[TOKEN]" if dense and mixed else part


def _iban(match: re.Match[str]) -> str:
    found = match[0]
    length = _IBAN_LENGTHS.get(match[1].upper())
    if length is None:
        return found
    end, kept = 0, []
    for end, character in enumerate(found, start=1):  # noqa: B007  (the end is what is wanted)
        if character.isalnum():
            kept.append(character.upper())
            if len(kept) == length:
                break
    if len(kept) < length or found[end : end + 1].isalnum():
        return found
    number = "".join(str(int(c, 36)) for c in kept[4:] + kept[:4])
    return "[IBAN]" + found[end:] if int(number) % 97 == 1 else found


def _card(match: re.Match[str]) -> str:
    digits = [int(c) for c in match[0] if c.isdigit()]
    if len(set(digits)) == 1:
        return match[0]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return "[CARD]" if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else match[0]


def _phone(match: re.Match[str]) -> str:
    found = match[0]
    count = sum(c.isdigit() for c in found)
    if found.startswith("555-") and count == 7:
        return "[PHONE]"
    if not 8 <= count <= 15 or (found[0] == "0" and count < 9) or _DATE_LIKE.match(found):
        return found
    return "[PHONE]"


def _phone_after_word(match: re.Match[str]) -> str:
    return match[0] if _VERSION_LIKE.match(match[2]) else match[1] + "[PHONE]"


def _v4(match: re.Match[str]) -> str:
    octets = match[0].split(".")
    if any(int(o) > 255 or (len(o) > 1 and o[0] == "0") for o in octets) or octets[-1] == "0" or octets[0] == "0":
        return match[0]
    before = match.string[max(0, match.start() - 24) : match.start()]
    return match[0] if _VERSION_BEFORE.search(before) and not before.endswith("//") else "[IP]"


def _v6(match: re.Match[str]) -> str:
    found = match[0]
    groups = [g for g in found.split(":") if g]
    if found.count(":") < 2 or len(groups) < 2 or not any(c.isdigit() for c in found):
        return found
    try:
        ipaddress.IPv6Address(found)
    except ValueError:
        return found
    return "[IP]"
