"""All rules at once: one pass over the text for every expression of every rule, then patterns where it pointed.

A text on which nothing points at anything, which is nearly every text, costs that one pass.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import hyperscan
from typing_extensions import override

from isthmus.detectors.normal import SPELLINGS, fold, fold_letters, undisguised
from isthmus.detectors.rule import Rule, Words
from isthmus.domain.errors import Overloaded
from isthmus.domain.finding import Finding, Tier
from isthmus.domain.ports import Detector

NAME = "rules"
TIER: Tier = "rules"

DEPTH = 4
"""How many spellings may lie over one another. What is wrapped more often is not seen."""
_GROWTH = 8
_ROOM = 65_536
"""Characters that the views of a text may come to: so many for each of its own, and so many besides."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a vocabulary. Its start is told from its end: having Hyperscan keep track of starts is dear."""

    of: Words
    length: int
    """Characters."""
    more: bool
    """Whether letters may follow."""


_Target = Rule | _Word | str
"""What an expression points at: a rule to be tried, a word, or a spelling that may begin there."""


class Rules(Detector):
    """Every rule of the kinds that were asked for."""

    def __init__(self, rules: Iterable[Rule | Words]) -> None:
        expressions: list[tuple[str, int, int]] = []
        targets: list[_Target] = []
        kinds: set[str] = set()
        for rule in rules:
            kinds.add(rule.kind)
            if isinstance(rule, Rule):
                flags = 0 if rule.cased else hyperscan.HS_FLAG_CASELESS
                expressions += [(trigger, len(targets), flags) for trigger in rule.triggers]
                targets.append(rule)
            else:
                for word in rule.words:
                    expressions.append((_expression(word), len(targets), hyperscan.HS_FLAG_CASELESS))
                    targets.append(_Word(rule, len(word.removesuffix("*")), word.endswith("*")))
        for name, expression in SPELLINGS.items():
            expressions.append((expression, len(targets), hyperscan.HS_FLAG_SINGLEMATCH))
            targets.append(name)
        self._kinds = frozenset(kinds)
        self._targets = tuple(targets)
        self._database = _compiled(expressions)
        self._local = threading.local()

    @property
    @override
    def name(self) -> str:
        return NAME

    @property
    @override
    def tier(self) -> Tier:
        return TIER

    @property
    @override
    def kinds(self) -> frozenset[str]:
        return self._kinds

    @override
    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        """What the rules find in each text, in the order of the text.

        Raises:
            Overloaded: a text is so much encoded in itself that it cannot be looked through in bounded time.
        """
        return [self._find(text) for text in texts]

    def _find(self, text: str) -> Sequence[Finding]:
        if not text:
            return ()
        found: set[tuple[int, int, str, bool]] = set()
        room = _GROWTH * len(text) + _ROOM
        waiting = [(fold(text), 0)]
        while waiting:
            view, depth = waiting.pop()
            room -= len(view.text)
            if room < 0:
                raise Overloaded("A text is encoded in itself so much that it cannot be looked through.")
            ends: dict[int, list[int]] = {}
            for number, end in self._scan(view.text):
                ends.setdefault(number, []).append(end)
            for number, places in ends.items():
                target = self._targets[number]
                if isinstance(target, Rule):
                    for start, end in _matches(target, view.text, places):
                        found.add((*view.span(start, end), target.kind, target.exact))
                elif isinstance(target, _Word):
                    for start, end in _occurrences(target, view.text, places):
                        found.add((*view.span(start, end), target.of.kind, target.of.exact))
                elif depth < DEPTH:
                    waiting.extend((plain, depth + 1) for plain in undisguised(view, target, places[0]))
        return [Finding(kind, start, end, exact) for start, end, kind, exact in sorted(found)]

    def _scan(self, text: str) -> Sequence[tuple[int, int]]:
        """Where expressions matched: the number of the target, and the end in characters."""
        hits: list[tuple[int, int]] = []

        def note(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.append((number, end))

        # A lone surrogate becomes one question mark, so that characters still count alike.
        data = text.encode("utf-8", "replace")
        try:
            scratch = self._local.scratch
        except AttributeError:
            scratch = self._local.scratch = self._database.scratch.clone()
        self._database.scan(data, match_event_handler=note, scratch=scratch)
        return hits if len(data) == len(text) else _in_characters(hits, data)


def _matches(rule: Rule, text: str, ends: list[int]) -> Iterator[tuple[int, int]]:
    """What the pattern of a rule matches around the places its triggers pointed at."""
    reach = rule.reach
    ends.sort()
    if rule.anchored:
        for place in ends:
            match = rule.pattern.match(text, place, place + reach + 1)
            if match is not None and (span := rule.accept(match)) is not None:
                yield span
        return
    at = 0
    index = 0
    while index < len(ends):
        first = last = ends[index]
        while index < len(ends) and ends[index] <= last + reach:  # windows that touch are one
            last = ends[index]
            index += 1
        at = max(at, first - reach)
        border = last + reach + 1
        while at <= last and (match := rule.pattern.search(text, at, border)) is not None and match.start() <= last:
            span = rule.accept(match)
            if span is None:
                at = match.start() + 1
            else:
                yield span
                at = max(span[1], match.start() + 1)


def _occurrences(word: _Word, text: str, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where a word stands by itself and is what it is taken for."""
    accept = word.of.accept
    for place in ends:
        start, end = place - word.length, place
        while word.more and end < len(text) and text[end].isalpha():
            end += 1
        if _alone(text, start, end) and (accept is None or accept(text, start, end)):
            yield start, end


def _alone(text: str, start: int, end: int) -> bool:
    """Whether a word is no part of a longer one, in scripts that set words apart."""
    return not (
        (start > 0 and text[start - 1].isalnum() and _apart(text[start]))
        or (end < len(text) and text[end].isalnum() and _apart(text[end - 1]))
    )


def _apart(char: str) -> bool:
    """Whether words are set apart in the script of a letter: Latin, Greek, Cyrillic and their like."""
    return char < "\u0590" and char.isalnum()


def _in_characters(hits: Sequence[tuple[int, int]], data: bytes) -> Sequence[tuple[int, int]]:
    """The same hits with their places, bytes so far, counted in characters."""
    at: dict[int, int] = {}
    byte = char = 0
    for place in sorted({end for _, end in hits}):
        char += len(data[byte:place].decode("utf-8", "ignore"))
        byte = place
        at[place] = char
    return [(number, at[end]) for number, end in hits]


def _expression(word: str) -> str:
    """The Hyperscan expression of a word or phrase. A long word is a bare literal: those compile four times as fast."""
    stem = word.removesuffix("*")
    phrase = stem.replace(" ", r"[\s-]")
    return rf"\b{phrase}" if fold_letters(stem).isascii() and len(stem) < _SHORT else phrase


_SHORT = 6
"""Letters below which a word is so often part of another that Hyperscan should look at what stands before it."""


def _compiled(expressions: Sequence[tuple[str, int, int]]) -> hyperscan.Database:
    """One database of all expressions, each with the number it reports and its flags."""
    folded = [fold_letters(expression) for expression, _, _ in expressions]
    database = hyperscan.Database()
    database.compile(
        expressions=[expression.encode() for expression in folded],
        ids=[number for _, number, _ in expressions],
        elements=len(expressions),
        flags=[
            flags if expression.isascii() else flags | hyperscan.HS_FLAG_UTF8
            for expression, (_, _, flags) in zip(folded, expressions, strict=True)
        ],
    )
    return database
