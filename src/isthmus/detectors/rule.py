"""What a rule is: expressions that say where to look, a pattern that says what is there, a test that it is so.

Looking is cheap and finds too much; the pattern is run only around a place that an expression pointed at, and the test
only on what the pattern matched. Both see the text in its normal form (`normal.py`): Latin letters have lost their
accents there, so expressions, patterns and words are brought into the same form when a rule is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from isthmus.detectors.normal import fold_letters

Span = tuple[int, int]
Accept = Callable[[re.Match[str]], Span | None]
"""Where in the match the thing lies, or None: it is none."""


def whole(match: re.Match[str]) -> Span:
    """The group `it` where the pattern has one, else all of the match."""
    return match.span("it") if "it" in match.re.groupindex else match.span()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One form of one kind."""

    kind: str
    triggers: tuple[str, ...]
    """Hyperscan expressions. What the pattern matches is found where one of them ends inside of it or at its border."""
    pattern: re.Pattern[str]
    accept: Accept = whole
    reach: int = 120
    """Longest match in characters. More is not matched, so that a text is looked at in time linear in its length."""
    anchored: bool = False
    """Whether the match begins where a trigger ends: the trigger is a word that announces the thing."""
    exact: bool = True
    cased: bool = False
    """Whether the triggers heed upper and lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Words and phrases that are the thing themselves."""

    kind: str
    words: tuple[str, ...]
    """Blanks stand for any white space or hyphen; a trailing `*` for more letters."""
    accept: Callable[[str, int, int], bool] | None = None
    """Text, start, end: whether it is the thing here. None: always."""
    exact: bool = False


def pattern(expression: str, *, cased: bool = False) -> re.Pattern[str]:
    r"""A pattern for text in normal form. It heeds case only where told.

    Where it asks that no letter stand before or after (`(?<!\w)`, `(?!\w)`, `[\w` with more), no ASCII letter may:
    in scripts without blanks between words there is always a letter.
    """
    for look in ("(?<!", "(?!"):
        expression = expression.replace(rf"{look}\w)", f"{look}[{_ASCII}])").replace(rf"{look}[\w", f"{look}[{_ASCII}")
    return re.compile(fold_letters(expression), 0 if cased else re.IGNORECASE)


_ASCII = "A-Za-z0-9_"


def cued(
    kind: str,
    words: Iterable[str],
    value: str,
    *,
    between: str = r"[\s:#=.,'\"(-]{0,6}",
    accept: Accept = whole,
    reach: int = 120,
    exact: bool = True,
    cased: bool = False,
) -> Rule:
    """A value that is known by a word before it.

    Args:
        kind: of the value.
        words: expressions for the words that announce it, as Hyperscan reads them; in any case.
        value: expression for the value.
        between: expression for what stands between the two.
        accept: whether a match is one.
        reach: longest stretch from the end of the word to the end of the value, in characters.
        exact: as in `Finding`.
        cased: whether the value heeds upper and lower case.
    """
    return Rule(
        kind=kind,
        triggers=tuple(_bounded(fold_letters(word)) for word in words),
        pattern=pattern(f"{between}(?P<it>{value})", cased=cased),
        accept=accept,
        reach=reach,
        anchored=True,
        exact=exact,
    )


_APART = "\u0370-\u058f"
"""Greek, Cyrillic, Armenian: they set words apart, which Hyperscan does not know. In scripts that do not, a word is
taken wherever it stands."""


def _bounded(word: str) -> str:
    """A word that is no part of another, as Hyperscan reads it."""
    if word.isascii():
        return rf"\b(?:{word})" if word.endswith((r"\.", "#)", "#))?")) else rf"\b(?:{word})\b"
    word = word.replace(r"\w", f"[a-z0-9_{_APART}]")
    return rf"(?:^|[^a-z0-9_{_APART}])(?:{word})" if re.match(f"[^a-z]*[{_APART}]", word) else f"(?:{word})"


def near(cues: re.Pattern[str], text: str, start: int, end: int, *, before: int = 80, after: int = 40) -> bool:
    """Whether a cue stands close before or after a stretch."""
    return (
        cues.search(text, max(0, start - before), start) is not None
        or cues.search(text, end, min(len(text), end + after)) is not None
    )
