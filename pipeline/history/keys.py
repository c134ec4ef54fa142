"""Keys of a customer: ids, addresses and numbers in one exact form, hashed where they would give a person away.

A key is `KIND:VALUE`. Two values give the same key only if they are equal after normalisation: nothing is guessed, and
a name is never a key. What many people share (role mailboxes, placeholders) gives none.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np
import pandas as pd

from pipeline.config import History
from pipeline.tickets.redact import redact

Kind = Literal["id", "account", "email", "phone", "handle"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of keys, the strongest first."""

SHARED_ID = "shared:id"
"""Stands among a ticket's `customer_keys` where its customer id is a role mailbox: the pseudonym doesn't show that."""

_PLACES: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}
_HEX = 16
_FEWEST_DIGITS, _MOST_DIGITS = 7, 20  # of a phone number; at most 15 (E.164) and an extension
_LONGEST = 200  # longer ids are hashed

_WELL_FORMED = re.compile(rf"(?:id|account):\S{{1,{_LONGEST}}}|(?:email|phone|handle):[0-9a-f]{{{_HEX}}}|{SHARED_ID}")
_PSEUDONYM = re.compile(rf"person-([0-9a-f]{{{_HEX}}})")
_ONE_WORD = re.compile(rf"[^\s\x00-\x1f\x7f-\x9f]{{1,{_LONGEST}}}")
_IN_BRACKETS = re.compile(r"<([^<>]*)>$")
_ADDRESS = re.compile(r"([^\s@<>()\[\],:;\"\\]{1,64})@((?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62})\.?")
_PHONE_START = re.compile(r"[+＋]|\d")
_BEFORE_HANDLE = re.compile(r"^[@\s]+")

_MACHINES = (
    "noreply", "noreplies", "donotreply", "dontreply", "mailerdaemon", "postmaster", "bounce", "notification",
    "nichtantworten", "antwortnicht", "bittenichtantworten", "keineantwort", "nepasrepondre", "noresponder",
    "noresponda",
)  # fmt: skip
_ROLES = frozenset({
    # English
    "info", "information", "support", "supportteam", "help", "helpdesk", "servicedesk", "service", "services",
    "customerservice", "customercare", "customersupport", "care", "sales", "office", "contact", "contactus",
    "admin", "administrator", "administration", "root", "webmaster", "hostmaster", "abuse", "security", "privacy",
    "legal", "hr", "jobs", "careers", "team", "staff", "billing", "invoice", "invoices", "accounting",
    "accountspayable", "payments", "order", "orders", "shop", "store", "hello", "hi", "feedback", "enquiry",
    "enquiries", "inquiries", "reception", "frontdesk", "marketing", "press", "news", "newsletter", "alert",
    "alerts", "monitoring", "daemon", "mailbox", "mail", "email", "everyone", "it", "itsupport", "operations",
    # German
    "kontakt", "kundenservice", "kundendienst", "kundenbetreuung", "hilfe", "vertrieb", "verkauf", "buero", "buro",
    "buchhaltung", "rechnung", "rechnungen", "verwaltung", "sekretariat", "empfang", "zentrale", "bestellung",
    "bestellungen", "anfrage", "anfragen", "post", "poststelle", "einkauf", "versand", "personal", "bewerbung",
    "datenschutz", "hallo",
    # French
    "accueil", "aide", "assistance", "vente", "ventes", "commercial", "comptabilite", "facturation", "secretariat",
    "direction", "serviceclient", "serviceclients", "bureau", "bonjour", "commande", "commandes", "equipe",
    # Spanish
    "contacto", "ayuda", "soporte", "ventas", "facturacion", "administracion", "atencionalcliente",
    "atencioncliente", "clientes", "oficina", "pedidos", "hola", "equipo", "recepcion", "compras", "servicio",
    "informacion",
})  # fmt: skip
_NOBODY = frozenset({"unknown", "anonymous", "guest", "visitor", "nobody", "none", "null", "n/a"})


def normalise(kind: Kind, value: object) -> str | None:
    """The one form of a value, by which it is compared; None for what is empty or not of its kind.

    Parameters
    ----------
    kind : {'id', 'account', 'email', 'phone', 'handle'}
    value : object
        As the source wrote it; anything but text gives None.

    Notes
    -----
    Upper and lower case are alike. Of an address the name before it and a `+tag` are dropped; Gmail has two domains and
    ignores dots. Of a phone number the digits are kept, with a + if it names its country (`+`, `00`); the `(0)` of
    `+49 (0)30` isn't dialled then. One that doesn't name it stays another key: its country isn't guessed.

    Examples
    --------
    >>> normalise("email", "Ann <A.nn+shop@googlemail.com>"), normalise("phone", "0049 (0)30 123-4567")
    ('ann@gmail.com', '+49301234567')
    """
    if not isinstance(value, str):
        return None
    text = value.strip().casefold()
    if kind == "email":
        return _email(text)
    if kind == "phone":
        return _phone(text)
    return (_BEFORE_HANDLE.sub("", text) if kind == "handle" else text) or None


def never_glue(kind: Kind, normal: str) -> bool:
    """Whether a normalised value stands for many people or nobody.

    These are role mailboxes and senders that nobody reads (in English, German, French, Spanish), also as an id; words
    such as `unknown`; and a phone number of one digit over and over.
    """
    if kind == "phone":
        return len(set(normal.removeprefix("+"))) == 1
    address = normal if kind == "email" else _email(normal) if kind == "id" else None
    local = address.rpartition("@")[0] if address else normal
    if local in _NOBODY:
        return True
    if not address:
        return False
    plain = "".join(c for c in unicodedata.normalize("NFKD", local) if not unicodedata.combining(c))
    words = [w for w in re.split(r"[._\-\d]+", plain) if w]
    squashed = "".join(words)
    role = squashed in _ROLES or (words[:1] and words[0] in _ROLES and all(len(w) == 2 for w in words[1:]))
    return bool(role) or squashed.startswith(_MACHINES)


def key(kind: Kind, value: object) -> str | None:
    """The key of a value; None where there is none, and for what `never_glue` names.

    Addresses, phone numbers and handles are hashed (16 hexadecimal digits of SHA-256), ids and accounts only if they
    would give a person away. An id that is a pseudonym already gives the key of what it stands for.
    """
    normal = normalise(kind, value)
    return None if normal is None or never_glue(kind, normal) else _stored(kind, str(value), normal)


def strength(key: str) -> tuple[int, str]:
    """What keys are sorted by: the strongest kind first, then the value."""
    return _PLACES.get(key.partition(":")[0], len(KINDS)), key


def is_account(key: str) -> bool:
    """Whether a helpdesk or a company gave the key to one customer (id, account); people may share the others."""
    return key.startswith(("id:", "account:"))


def split_keys(text: object) -> tuple[str, ...]:
    """The keys of a ticket's `customer_keys`; what isn't a key is left out, so that no bare address passes as one."""
    return tuple(k for k in text.split(" ") if _WELL_FORMED.fullmatch(k)) if isinstance(text, str) else ()


def shared_keys(values: Iterable[str]) -> frozenset[str]:
    """Every key that one of the values (ids, addresses, or keys as they are shown) may have."""
    found: set[str] = set()
    for value in values:
        found.update(split_keys(value.strip()))
        for kind in KINDS:
            normal = normalise(kind, value)
            found.update([] if normal is None else [_stored(kind, value, normal)])
    return frozenset(found)


def keys_of(tickets: pd.DataFrame, settings: History) -> pd.DataFrame:
    """The keys that each ticket's customer is known by.

    Parameters
    ----------
    tickets : DataFrame
        `customer_id` and `customer_keys`; either may be absent.
    settings : History
        Keys that `shared` names are left out: they stand for many people.

    Returns
    -------
    DataFrame
        `row` (position in `tickets`) and `key`; one row per ticket and key, a ticket's strongest first. A ticket
        without a row has an unknown customer.
    """
    each = keys_each(_cells(tickets, "customer_id"), _cells(tickets, "customer_keys"), settings)
    rows = [row for row, own in enumerate(each) for _ in own]
    return keys_frame(rows, [one for own in each for one in own])


def keys_each(ids: Sequence[str | None], others: Sequence[str | None], settings: History) -> list[list[str]]:
    """`keys_of` of plain lists: each ticket's keys, the strongest first."""
    shared = shared_keys(settings.shared)
    of_id = {value: key("id", value) for value in set(ids)}
    of_others = {text: split_keys(text) for text in set(others)}
    known: dict[tuple[str | None, str | None], list[str]] = {}
    for value, text in dict.fromkeys(zip(ids, others, strict=True)):  # most customers write more than once
        own, more = of_id[value], of_others[text]
        made = {*more, own} if own is not None and SHARED_ID not in more else set(more)
        known[value, text] = sorted((k for k in made - shared if k != SHARED_ID), key=strength)
    return [known[told] for told in zip(ids, others, strict=True)]


def keys_frame(rows: list[int], keys: list[str]) -> pd.DataFrame:
    """A frame of `row` and `key`."""
    return pd.DataFrame({"row": np.array(rows, dtype=np.int64), "key": pd.Series(keys, dtype="str")})


def customer_keys(
    ids: pd.Series, addresses: Mapping[Kind, Sequence[pd.Series]], given: pd.Series
) -> tuple[pd.Series, dict[str, int]]:
    """The column `customer_keys`: what a ticket's customer is known by besides the id, the strongest first.

    Parameters
    ----------
    ids : Series of str
        Customer ids as the source wrote them. One that is itself an address or a phone number gives that key, too.
    addresses : mapping of kind to Series of str
        The source's columns of each kind.
    given : Series of str
        Keys that the table holds already.

    Returns
    -------
    Series of str
        Keys separated by one space; null where there are none.
    dict of str to int
        How many values gave no key: `shared_mailboxes`, and `odd_customer_addresses`, which can't be read.
    """
    columns = {kind: [column.tolist() for column in some] for kind, some in addresses.items()}
    texts, counts = keys_texts(ids.tolist(), columns, given.tolist())
    return pd.Series(texts, index=ids.index, dtype="str"), counts


def keys_texts(
    ids: Sequence[object], addresses: Mapping[Kind, Sequence[Sequence[object]]], given: Sequence[object]
) -> tuple[list[str | None], dict[str, int]]:
    """`customer_keys` of plain lists."""
    counts: Counter[str] = Counter()
    parts = [_each(given, split_keys), _each(ids, _keys_of_id)]
    counts["shared_mailboxes"] += sum(SHARED_ID in found for found in parts[1])
    for kind, columns in addresses.items():
        for column in columns:
            parts.append(_each(column, partial(_keys_of, kind)))
            for value, found in zip(column, parts[-1], strict=True):
                if isinstance(value, str) and not found:
                    odd = normalise(kind, value) is None
                    counts["odd_customer_addresses" if odd else "shared_mailboxes"] += 1
    rows = [{k for found in row for k in found} for row in zip(*parts, strict=True)]
    return [" ".join(sorted(row, key=strength)) or None for row in rows], dict(+counts)


def _cells(tickets: pd.DataFrame, name: str) -> list[str | None]:
    values = tickets[name].tolist() if name in tickets else [None] * len(tickets)
    return [v if isinstance(v, str) else None for v in values]


def _email(text: str) -> str | None:
    found = _IN_BRACKETS.search(text)
    address = _ADDRESS.fullmatch(found[1].strip() if found else text)
    if address is None:
        return None
    local, domain = address[1].partition("+")[0] or address[1], address[2]
    if domain in ("gmail.com", "googlemail.com"):
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if local else None


def _phone(text: str) -> str | None:
    start = _PHONE_START.search(text)
    if start is None or "@" in text:
        return None
    digits = _digits(text)
    abroad = start[0] in "+＋" or digits.startswith("00")
    if abroad:
        digits = _digits(text.replace("(0)", "")).lstrip("0")
    if not _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS:
        return None
    return f"+{digits}" if abroad else digits


def _digits(text: str) -> str:
    """Decimal digits of any script, as 0 to 9."""
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())


def _stored(kind: Kind, value: str, normal: str) -> str:
    pseudonym = _PSEUDONYM.fullmatch(normal) if kind == "id" else None
    if pseudonym:
        return f"{kind}:{pseudonym[1]}"
    open_ = kind in ("id", "account") and _ONE_WORD.fullmatch(normal) and not _gives_away(value, normal)
    hashed = hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX]
    return f"{kind}:{normal if open_ else hashed}"


def _gives_away(value: str, normal: str) -> bool:
    return redact(value) != value or redact(normal) != normal


def _keys_of(kind: Kind, value: str) -> tuple[str, ...]:
    made = key(kind, value)
    return () if made is None else (made,)


def _keys_of_id(value: str) -> tuple[str, ...]:
    if normalise("email", value) is not None:
        return _keys_of("email", value) or (SHARED_ID,)
    return _keys_of("phone", value) if redact(value.strip()) == "[PHONE]" else ()


def _each(values: Sequence[object], made: Callable[[str], tuple[str, ...]]) -> list[tuple[str, ...]]:
    """What is made of each value; equal ones are looked at once, and what is no text gives nothing."""
    found = {value: made(value) for value in dict.fromkeys(values) if isinstance(value, str)}
    return [found.get(value, ()) if isinstance(value, str) else () for value in values]
