"""The typed tokens of a sentence: what stands in a text as an address, an amount, a date, quoted text or a name.

Nothing here interprets. A token is found by its form alone, and stands in the text exactly as said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from isthmus.agent.monitor.normal import normal
from isthmus.agent.tool import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of a text that has a form of its own."""

    kind: Kind
    value: str
    """In the normal form of its kind. Of a date without a year: `--05-26`."""
    said: str
    start: int
    end: int
    quoted: bool = False


MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH = "|".join(f"{month}|{month[:3]}" for month in MONTHS)

FILE_ENDINGS = (
    "csv|docx?|epub|gif|html?|ics|jpe?g|json|md|mp[34]|odt|pdf|png|pptx?|py|rtf|tsv|txt|vcf|wav|xlsx?|xml|zip"
)
"""Endings that make a word with a dot a file and no host."""
_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|name|app|dev|page|site|online|shop|store|blog|cloud|tech|xyz|top|club|live|news|"
    "test|example|invalid|local|[a-z]{2}"
)

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
URL = re.compile(
    r"(?:https?://[^\s<>\"'“”\u2018\u2019)\]]+"
    rf"|(?<![\w@.-])(?:[a-z0-9-]+\.)+(?:{_TOP})(?![\w.-]*@)\b(?!(?-i:\.[a-z0-9]))(?:[:/][^\s<>\"'“”\u2018\u2019)\]]*)?)",
    re.IGNORECASE,
)
_ENDS = ".,;:!?"
_FILE = re.compile(rf"(?<![\w/])[\w-]+(?:\.[\w-]+)*\.(?:{FILE_ENDINGS})\b", re.IGNORECASE)
_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{10,30}\b")
_ADDRESS_FORMS: tuple[tuple[Kind | None, re.Pattern[str]], ...] = (
    ("email", EMAIL),
    (None, _FILE),
    ("url", URL),
    ("account", _ACCOUNT),
)
"""In this order: what one takes is no other's. A file's name looks like a host."""
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?", re.IGNORECASE)
_DAY_FIRST = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})\b\.?(?:,?\s+(\d{{4}})\b)?", re.IGNORECASE
)
_RELATIVE = re.compile(rf"\b(today|tonight|tomorrow|(?:next\s+|this\s+|on\s+)({'|'.join(WEEKDAYS)}))\b", re.IGNORECASE)
_TIME = re.compile(r"\b\d{1,2}:\d{2}\b")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.,-])\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(
    r"(?:(?<=^)|(?<=[\s(\[:,=]))'((?:[^'\n]|(?<=\w)'(?=\w))+)'(?!\w)|\"([^\"\n]+)\"|“([^”\n]+)”|\u2018([^\u2019\n]+)\u2019",
    re.MULTILINE,
)
_HANDLE = re.compile(r"(?<![\w.])[@#][A-Za-z][\w.-]*(?::[\w.-]+)?")
_ROOM = re.compile(
    r"(?<![\w'\u2019-])(?!(?:a|an|the|that|this|each|every|any|which|what|what|some|same|new|direct|one|my|our|of)\b)"
    r"([a-z][\w-]*)(?=\s+(?:channel|room)\b(?!\s+message))"
)
_NAME = re.compile(
    r"(?<![\w@/.'\u2019-])[A-Z][\w\u2019-]*(?:['\u2019][A-Z]\w+)?(?:\s+(?:[A-Z][\w\u2019-]*|de|van|von|der|da|di)(?=\W|$))*"
)

_COMMON = """
a about add after all also am an and any are aren as ask at be before book both buy by call can cancel check could
create delete did didn do does doesn don don't draft each email every fetch find follow for forward from get give go
has have he hello her here hey hi his how i i'd i'll i'm i've if in invite is isn it its just last let let's list look
mail make many may me message move my need new next no not of on once or order our pay perform please post put read
refund remind remove rename reply reschedule return say schedule search security send set share she should show so
some sort summarise summarize task tasks tell thank thanks that the their them then there these they this those time
to today tomorrow update upload us visit want was we what when where which while who whose why will with within won
would write yes you your
"""
"""Words that begin sentences and are nobody's name."""

_NO_NAMES = frozenset(_COMMON.split()) | set(MONTHS) | {month[:3] for month in MONTHS} | set(WEEKDAYS)


def tokens(text: str, at: datetime) -> tuple[Token, ...]:
    """The typed tokens of a text, by where they begin. Quoted text may hold others.

    Args:
        text: any text.
        at: when it was said, on the user's clock: what 'tomorrow' means.
    """
    found: list[Token] = []
    taken: list[tuple[int, int]] = []

    def free(start: int, end: int) -> bool:
        return all(end <= other_start or start >= other_end for other_start, other_end in taken)

    def take(kind: Kind, value: str, said: str, start: int) -> None:
        end = start + len(said)
        if said and free(start, end):
            found.append(Token(kind=kind, value=value, said=said, start=start, end=end))
            taken.append((start, end))

    for match in _HANDLE.finditer(text):
        kind: Kind = "channel" if match[0].startswith("#") else "person"
        take(kind, normal(kind, match[0]), match[0].rstrip(_ENDS), match.start())
    for token in addresses(text):
        take(token.kind, token.value, token.said, token.start)
    for match in _FILE.finditer(text):
        take("file", normal("text", match[0]), match[0], match.start())
    for start, said, value in _dates(text, at):
        take("time", value, said, start)
    taken.extend(match.span() for match in _TIME.finditer(text))
    for match in _ROOM.finditer(text):
        take("channel", normal("channel", match[1]), match[1], match.start(1))
    for match in _NUMBER.finditer(text):
        take("amount", normal("amount", match[0].replace(",", "")), match[0], match.start())
    quotes = list(_quotes(text))
    for start, said in quotes:
        found.append(
            Token(kind="text", value=normal("text", said), said=said, start=start, end=start + len(said), quoted=True)
        )
    for start, said in _names(text):
        if not any(begin <= start < begin + len(quote) for begin, quote in quotes):
            take("person", normal("person", said), said, start)
    return tuple(sorted(found, key=lambda token: (token.start, not token.quoted)))


def addresses(text: str) -> Iterator[Token]:
    """The addresses in a text, of mail, of pages and of accounts: what it names that is unmistakable by its form."""
    taken: list[tuple[int, int]] = []
    for kind, pattern in _ADDRESS_FORMS:
        for match in pattern.finditer(text):
            said = match[0].rstrip(_ENDS)
            start, end = match.start(), match.start() + len(said)
            if all(end <= other_start or start >= other_end for other_start, other_end in taken):
                taken.append((start, end))
                if kind is not None:
                    yield Token(kind=kind, value=normal(kind, said), said=said, start=start, end=end)


def links(text: str) -> Iterator[str]:
    """What a program that shows a text would make a link of, in normal form."""
    without_emails = EMAIL.sub(lambda match: " " * len(match[0]), text)
    files = [match.span() for match in _FILE.finditer(without_emails)]
    for match in URL.finditer(without_emails):
        if "//" in match[0] or (match.start(), match.end()) not in files:
            yield normal("url", match[0].rstrip(_ENDS))


def _quotes(text: str) -> Iterator[tuple[int, str]]:
    for match in _QUOTED.finditer(text):
        for group in (1, 2, 3, 4):
            if match[group] is not None:
                yield match.start(group), match[group]


def _names(text: str) -> Iterator[tuple[int, str]]:
    """Runs of capitalised words, without the words that begin sentences and are no names."""
    for match in _NAME.finditer(text):
        words, start = match[0].split(), match.start()
        position = start
        run: list[tuple[int, str]] = []
        for word in words:
            position = text.index(word, position)
            bare = re.sub(r"['\u2019]s\Z", "", word)
            if bare.casefold() in _NO_NAMES or (bare.isupper() and len(bare) > 1):
                if run:
                    yield _run(run)
                run = []
            else:
                run.append((position, bare))
            position += len(word)
        if run:
            yield _run(run)


def _run(run: list[tuple[int, str]]) -> tuple[int, str]:
    return run[0][0], " ".join(word for _, word in run)


def _dates(text: str, at: datetime) -> Iterator[tuple[int, str, str]]:
    for match in _ISO.finditer(text):
        yield match.start(), match[0], match[0]
    for pattern, month, day in ((_MONTH_FIRST, 1, 2), (_DAY_FIRST, 2, 1)):
        for match in pattern.finditer(text):
            if (value := _date(match[month], int(match[day]), match[3])) is not None:
                yield match.start(), match[0], value
    for match in _RELATIVE.finditer(text):
        yield match.start(), match[0], _relative(match[1].lower(), at.date()).isoformat()


def _date(month: str, day: int, year: str | None) -> str | None:
    number = next(index for index, name in enumerate(MONTHS, 1) if name.startswith(month.lower()[:3]))
    try:
        date(int(year or 2000), number, day)
    except ValueError:
        return None
    return f"{year or '-'}-{number:02}-{day:02}"


def _relative(word: str, today: date) -> date:
    if word in {"today", "tonight"}:
        return today
    if word == "tomorrow":
        return today + timedelta(days=1)
    wanted = WEEKDAYS.index(word.rsplit(maxsplit=1)[-1])
    return today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)
