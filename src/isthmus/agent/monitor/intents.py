"""What the user wants, from the user's own words and nothing else.

An intent is made of tokens of the user's text (`words`) with the part that each plays. Who reads them is either rules
(`rules`) or a model that has seen nothing but this text (`reading`); in both cases every slot is a token that code
found in the text, so that whoever reads can leave out or mix up, and cannot make up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from isthmus.agent.marks import Party
from isthmus.agent.tool import Effect, Kind

Part = Literal["destination", "content", "object", "source", "mention"]
"""The part that something the user named plays.

destination   is to see something, or to be paid
content       is to be said or set, word for word
object        is to be acted on
source        is where something is to be taken from
mention       was named; which part it plays is not clear
"""

Selector = Literal["largest", "smallest", "newest", "oldest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Something that the user named."""

    part: Part
    kind: Kind
    """Of a person's name `person`, of quoted text `text`. Where a destination is a thing (`event`, `mail`), its people
    are meant: the participants of an event, the sender of a mail."""
    value: str
    """In the normal form of its kind. Empty: any (`each`) or the one the selector picks."""
    said: str
    """As it stands in the text."""
    start: int
    """Where in the text it stands."""
    pattern: tuple[str, ...] = ()
    """Of content with holes in it, as in 'Dinner at {restaurant}': the pieces around the holes. Empty: no holes."""
    selector: Selector | None = None
    prefix: bool = False
    """Whether it is how a name begins: 'the channel starting with …'."""
    inside: str = ""
    """Of a destination that the user said where to find, 'her address is on her page …': the place, in normal form."""
    each: bool = False
    """Whether all of the kind are meant: 'to each user', 'all websites'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A thing that is to be done."""

    effect: Effect
    kind: Kind | None = None
    """Of what is made or acted on. None: not said."""
    times: int | None = 1
    """How often at most. None: as often as there are things for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What one message of the user's wants."""

    words: str
    wants: tuple[Want, ...] = ()
    slots: tuple[Slot, ...] = ()
    at: datetime
    by: str = "user"
    """Who said it, and by which way. Intents are made of the words of trusted users alone."""

    def of(self, *parts: Part) -> Iterable[Slot]:
        return (slot for slot in self.slots if slot.part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endorsement:
    """A value that a person said may be used, beyond one call."""

    kind: Kind
    value: str
    """In normal form."""
    parties: frozenset[Party] = frozenset()
    by: str
    at: datetime
    until: datetime | None = None
    """None: for as long as the conversation lasts."""

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until
