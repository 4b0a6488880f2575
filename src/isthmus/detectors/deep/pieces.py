"""Cutting long texts for detectors whose time and memory grow with what they are given at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_BREAKS = ("\n\n", "\n", ". ", " ")
"""Where a text is best cut, best first: what is sensitive seldom goes over an end of a paragraph."""


class Piece(NamedTuple):
    offset: int
    """Of the piece in its text, in characters."""
    text: str


def pieces(text: str, most: int) -> Iterator[Piece]:
    """The text in pieces that joined are the text again, none longer than `most` characters.

    Cut where a paragraph, a line, a sentence or a word ends, in the second half of a piece; where none does, anywhere.
    """
    at = 0
    while len(text) - at > most:
        end = _end(text, at + most // 2, at + most)
        yield Piece(at, text[at:end])
        at = end
    if at < len(text):
        yield Piece(at, text[at:])


def _end(text: str, least: int, most: int) -> int:
    for mark in _BREAKS:
        found = text.rfind(mark, least, most)
        if found >= 0:
            return found + len(mark)
    return most
