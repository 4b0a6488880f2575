"""A mark: who may read a piece of data, which labels it bears, and who could have written it. It sticks to the piece.

Two questions are asked of every piece. Where may it go? Its labels answer that for models, as everywhere in isthmus,
and its readers answer it for people and places. May it decide something? Its origins answer that: what only the user or
isthmus itself can have written may; what anybody else could write into is evidence and never an order.

What is made of several pieces bears the join of their marks: all labels, all origins, and only the readers that all of
them have. So a join never loosens, whatever is joined to what.

Source: the product lattice of confidentiality and integrity, after Denning (1976) and, for agents, FIDES (arXiv
2505.23643).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NewType

from isthmus.domain.label import Label

Origin = NewType("Origin", str)
"""Who could have written the bytes: `user`, `isthmus`, or a kind and a name, as in `mail:alice@example.org`,
`web:example.org`, `message:matrix:@bob:example.org`, `file:/home/me/in`, `mcp:github`, `unknown`."""

USER = Origin("user")
ISTHMUS = Origin("isthmus")
UNKNOWN = Origin("unknown")

_TRUSTED = frozenset({USER, ISTHMUS})

Party = NewType("Party", str)
"""Somebody or some place that can come to see data, by kind and address in normal form: `mailto:alice@example.org`,
`https://example.org`, `matrix:@bob:example.org`, `xmpp:bob@example.org`, `telegram:12345`, `slack:T1/C2`, `user`."""

THE_USER = Party("user")


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read something, besides the user, who always may."""

    parties: frozenset[Party] = frozenset()
    everyone: bool = False
    """Then `parties` is empty."""

    def __post_init__(self) -> None:
        if self.everyone and self.parties:
            raise ValueError("where everyone may read, no party is named")

    def include(self, parties: Iterable[Party]) -> bool:
        """Whether all of them may read it."""
        return self.everyone or frozenset(parties) - {THE_USER} <= self.parties

    def both(self, other: Readers) -> Readers:
        """Those that may read two pieces."""
        if self.everyone:
            return other
        return self if other.everyone else Readers(self.parties & other.parties)


ONLY_THE_USER = Readers()
EVERYONE = Readers(everyone=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of one piece of data."""

    labels: frozenset[Label] = frozenset()
    readers: Readers = ONLY_THE_USER
    origins: frozenset[Origin] = field(default_factory=lambda: frozenset({UNKNOWN}))
    """Never empty: what has no origin would be trusted by nobody's word."""

    def __post_init__(self) -> None:
        if not self.origins:
            raise ValueError("a mark has an origin")

    @property
    def trusted(self) -> bool:
        """Whether nobody but the user and isthmus can have written any of it."""
        return self.origins <= _TRUSTED

    def joined(self, other: Mark) -> Mark:
        """The mark of what is made of both."""
        return Mark(
            labels=self.labels | other.labels,
            readers=self.readers.both(other.readers),
            origins=self.origins | other.origins,
        )


OWN_WORDS = Mark(readers=EVERYONE, origins=frozenset({ISTHMUS}))
"""Of what isthmus itself says: tool descriptions, its own instructions, the time of day."""

USERS_WORDS = Mark(readers=EVERYONE, origins=frozenset({USER}))
"""Of what the user says to the agent: to be told to whomever the user names."""


def join(marks: Iterable[Mark]) -> Mark:
    """The mark of what is made of all of them; of nothing: isthmus' own words."""
    result = OWN_WORDS
    for mark in marks:
        result = result.joined(mark)
    return result
