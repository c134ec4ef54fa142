"""The words of a ticket: the matter put into sentences, in a mood, with greetings, rambling, slips, HTML and quotes."""

from __future__ import annotations

import html
from datetime import timedelta

from pipeline.sources.sample.grammar import Phrase, Random, phrases, pick, read, speak
from pipeline.sources.sample.matter import Matter
from pipeline.sources.sample.subjects import topics

_MOODS = ("mood_good", "mood_flat", "mood_bad", "mood_awful")
_MOOD_SAID = (0.6, 0.4, 0.95, 1.0)
_VAGUE = 0.08
_NO_FIRM_SUBJECT = 0.58


class Slots(dict[str, str]):
    """The words of one ticket, made when first asked for and then kept: a letter names one order, one city, one day."""

    def __init__(self, matter: Matter, random: Random) -> None:
        super().__init__()
        self._matter, self._random = matter, random

    def __missing__(self, name: str) -> str:
        value = self._make(name)
        self[name] = value
        return value

    def _make(self, name: str) -> str:
        matter, random, words = self._matter, self._random, read("words")
        if name in ("product", "a_product", "der", "den", "dem"):
            self._name_product()
            return self[name]
        if name in ("nth", "count_word"):
            self.count_up(matter.contact)
            return self[name]
        if name in words[matter.language]:
            return str(pick(words[matter.language][name], random))
        if name in words:
            return str(pick(words[name], random))
        if name == "name":
            return f"{matter.customer.first} {matter.customer.surname}"
        if name == "date":
            return _day(matter, 2 + int(random() * 19))
        if name == "bought":
            return self._bought()
        if name == "version":
            return matter.version
        if name == "amount":
            return _money(9 + int(random() * 480), matter.language, random)
        first, width = {
            "days": (3, 17),
            "months": (3, 26),
            "year": (2021, 5),
            "unit": (100, 900),
            "count": (1, 40),
            "order": (10_000, 90_000),
        }[name]
        number = first + int(random() * width)
        return f"QF-{number}" if name == "order" else str(number)

    def count_up(self, messages: int) -> None:
        """Say so many messages: the third, three times."""
        words = read("words")[self._matter.language]
        self["nth"], self["count_word"] = (words[n][min(messages, 5) - 2] for n in ("nth", "times"))

    def wait(self, hours: float) -> None:
        """Say so many hours of waiting."""
        one, many = ("a day", "{} days") if self._matter.language == "en" else ("einem Tag", "{} Tagen")
        self["waited"] = one if hours < 36 else many.format(round(hours / 24))

    def _bought(self) -> str:
        """Month and year that go with the age in months."""
        at = self._matter.at
        month = at.year * 12 + at.month - 1 - int(self["months"])
        return f"{read('words')[self._matter.language]['month'][month % 12]} {month // 12}"

    def _name_product(self) -> None:
        known = read("words")["products"][self._matter.product]
        self["der"], self["den"], self["dem"] = pick(known["de"], self._random)
        self["product"] = pick(known["en"], self._random) if self._matter.language == "en" else self._matter.product
        self["a_product"] = f"{'an' if self['product'][0] in 'aeiou' else 'a'} {self['product']}"


def compose(matter: Matter, random: Random) -> tuple[str, str]:
    """Subject and body of a ticket."""
    slots = Slots(matter, random)
    if matter.topic.machine:
        return _machine(matter, slots, random)
    sentences = _sentences(matter, slots, random)
    chatty = matter.channel == "chat"
    if chatty:
        sentences = sentences[:4]
    greeting = _say("greeting", matter, slots, random) if random() < (0.35 if chatty else 0.8) else ""
    closing = _farewell(matter, slots, random) if not chatty and random() < 0.75 else ""
    subject = _slip(_subject(matter, slots, random), matter, random)
    paragraphs = [_slip(p, matter, random) for p in _paragraphs(sentences, random)]
    if chatty and random() < 0.5:
        paragraphs = [p.lower().rstrip(".") for p in paragraphs]
    parts = [p for p in (greeting, *paragraphs, closing) if p]
    return subject, _dress(parts, matter, slots, random)


def chase(subject: str, body: str, matter: Matter, random: Random) -> tuple[str, str]:
    """The same letter again, with a line or two before it, in the mood of now."""
    slots = Slots(matter, random)
    line = _say("chaser_more" if matter.contact > 2 and random() < 0.8 else "chaser", matter, slots, random)
    if matter.mood >= 2 and random() < 0.6:
        line = f"{_say(_MOODS[matter.mood], matter, slots, random)} {line}"
    if body.startswith("<"):
        return subject, f"<p>{_escaped(line)}</p>{body}"
    return f"Re: {subject}" if subject and random() < 0.4 else subject, f"{line}\n\n{body}"


def _sentences(matter: Matter, slots: Slots, random: Random) -> list[str]:
    language = matter.language
    out = [_say("opener", matter, slots, random)] if random() < 0.22 else []
    remark = random()
    if matter.other and remark < 0.35:
        out.append(_aside("before", matter, slots, random))
    background = _background(matter, slots, random)
    if random() < 0.5:
        out += background
        background = []
    if random() < matter.intent.symptoms:
        out += _symptom(matter, slots, random)
    if random() < _VAGUE:
        out += [_say("vague", matter, slots, random) for _ in range(1 + (random() < 0.4))]
    else:
        out += _several(matter.intent.said[language], 1 + int(random() * 2.3), slots, random)
    out += background
    if matter.hurry and random() < 0.85:
        hurry = "hurry_business" if matter.customer.tier == "business" else "hurry"
        out.append(_say(hurry if matter.hurry > 0 else "calm", matter, slots, random))
    if random() < _MOOD_SAID[matter.mood]:
        out.append(_say(_MOODS[matter.mood], matter, slots, random))
        if matter.mood == 3:
            out.append(_say("mood_awful" if random() < 0.6 else "mood_bad", matter, slots, random))
    if matter.other and remark >= 0.35:
        out.append(_aside("side", matter, slots, random))
    return list(dict.fromkeys(out))


def _several(pool: tuple[Phrase, ...], count: int, slots: Slots, random: Random) -> list[str]:
    """Some lines of a pool, in the pool's order: what stands first there is said first."""
    chosen: set[int] = set()
    while len(chosen) < min(count, len(pool)):
        chosen.add(int(random() * len(pool)))
    return [_capital(speak(pool[i], random, slots)) for i in sorted(chosen)]


def _background(matter: Matter, slots: Slots, random: Random) -> list[str]:
    """What people tell although nobody asked."""
    pool = phrases(matter.language)["background"]
    if matter.intent.products or matter.intent.symptoms:
        pool += phrases(matter.language)["background_machine"]
    return _several(pool, int(random() * 2.4), slots, random)


def _symptom(matter: Matter, slots: Slots, random: Random) -> list[str]:
    fitting = [
        intent
        for topic in topics().values()
        if topic.symptom
        for intent in topic.intents.values()
        if matter.product in intent.products and intent.urgency < 1.5
    ]
    return _several(pick(fitting, random).said[matter.language], 1 + (random() < 0.5), slots, random) if fitting else []


def _aside(kind: str, matter: Matter, slots: Slots, random: Random) -> str:
    assert matter.other is not None
    topic, intent = matter.other
    slots["other"] = _several(topics()[topic].intents[intent].said[matter.language], 1, slots, random)[0]
    return _say(kind, matter, slots, random)


def _subject(matter: Matter, slots: Slots, random: Random) -> str:
    if matter.channel == "chat" and random() < 0.7:
        return ""
    if random() < _NO_FIRM_SUBJECT:
        return _say("subject", matter, slots, random)
    return _capital(speak(pick(matter.topic.subjects[matter.language], random), random, slots))


def _say(kind: str, matter: Matter, slots: Slots, random: Random) -> str:
    return _capital(speak(pick(phrases(matter.language)[kind], random), random, slots))


def _machine(matter: Matter, slots: Slots, random: Random) -> tuple[str, str]:
    subject = speak(matter.topic.subjects["en"][0], random, slots)
    return subject, speak(matter.intent.said["en"][0], random, slots)


def _paragraphs(sentences: list[str], random: Random) -> list[str]:
    if len(sentences) < 4 or random() < 0.4:
        return [" ".join(sentences)]
    cut = 1 + int(random() * (len(sentences) - 1))
    return [" ".join(sentences[:cut]), " ".join(sentences[cut:])]


def _farewell(matter: Matter, slots: Slots, random: Random) -> str:
    closing = _say("closing", matter, slots, random)
    return f"{closing}\n{matter.customer.first if random() < 0.5 else slots['name']}"


def _dress(parts: list[str], matter: Matter, slots: Slots, random: Random) -> str:
    """The letter as the channel delivers it."""
    if matter.channel == "web" and random() < 0.15:
        return "\n\n".join([_say("banner", matter, slots, random), *parts])
    if matter.channel == "phone" and random() < 0.6:
        parts = [_say("call", matter, slots, random), *parts]
    if matter.channel != "email":
        return "\n\n".join(parts) if random() < 0.6 else " ".join(parts)
    if random() < 0.25:
        parts = [*parts, f"-- \n{_say('signature', matter, slots, random)}"]
    if random() < 0.12:
        parts = [_say("banner", matter, slots, random), *parts]
    quoted = _say("quoted", matter, slots, random) if random() < 0.2 else ""
    head = _say("quote", matter, slots, random) if quoted else ""
    if random() < 0.35:
        return _as_html(parts, head, quoted)
    return "\n\n".join([*parts, f"{head}\n> {quoted}"] if quoted else parts)


def _as_html(parts: list[str], head: str, quoted: str) -> str:
    """The letter as a mail program sends it."""
    paragraphs = "".join(f"<p>{_escaped(p)}</p>" for p in parts)
    if quoted:
        quoted = f'<div class="gmail_quote"><div>{head}</div><blockquote>{_escaped(quoted)}</blockquote></div>'
    return f'<div dir="ltr">{paragraphs}{quoted}</div>'


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


def _slip(text: str, matter: Matter, random: Random) -> str:
    """Typing slips: two letters swapped, one dropped or doubled."""
    slips = len(text) / (45 if matter.customer.sloppy else 420) * random()
    for _ in range(int(slips + random())):
        at = 1 + int(random() * max(1, len(text) - 3))
        if not text[at : at + 2].isalpha():
            continue
        kind = random()
        pair = text[at + 1] + text[at] if kind < 0.5 else text[at] if kind < 0.8 else text[at] + text[at : at + 2]
        text = text[:at] + pair + text[at + 2 :]
    return text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _day(matter: Matter, ago: int) -> str:
    day = matter.at - timedelta(days=ago)
    month = read("words")[matter.language]["month"][day.month - 1]
    return f"{day.day} {month}" if matter.language == "en" else f"{day.day}. {month}"


def _money(whole: int, language: str, random: Random) -> str:
    cents = ("00", "90", "50", "95")[int(random() * 4)]
    return f"{whole},{cents} Euro" if language == "de" else f"{whole}.{cents} euros"
