"""Persons as the agent sees them, and who could have written what is said of them.

What an address book says counts as the user's own word only where the account declares the book so: a name found there
then endorses the address beside it. A card that isthmus made is nobody's word by itself; the mark that was kept of it
says who wrote it.
"""

from __future__ import annotations

import hashlib
import re

from isthmus.agent.marks import ISTHMUS, ONLY_THE_USER, UNKNOWN, USER, Mark, Origin, Party
from isthmus.agent.tool import Field, Grant, Item, Kind, Value
from isthmus.connectors.contacts.card import Card
from isthmus.connectors.contacts.server import Book
from isthmus.connectors.mail.addresses import party
from isthmus.domain.label import Label

_MADE = re.compile(r"isthmus-[0-9a-f]{32}\Z")
_SHOWN = 5
"""Addresses of a sort."""


def uid(grant: Grant) -> str:
    """The UID of the card that a call makes, the same whenever it is asked for."""
    unique = hashlib.sha256(f"{grant.call}\n{grant.tool}\n{grant.digest}".encode()).hexdigest()[:32]
    return f"isthmus-{unique}"


def fingerprint(identity: str) -> str:
    """What a card is known by wherever it lies: `Made.content_sha256`."""
    return hashlib.sha256(f"card:{identity}".encode()).hexdigest()


def origin(card: Card, book: Book, resource: str) -> Origin:
    """Who could have written a card."""
    if not book.own:
        return Origin(f"contacts:{book.id}")
    made_here = _MADE.match(card.uid) or _MADE.match(resource.removesuffix(".vcf"))
    return UNKNOWN if made_here else USER


def contact_item(card: Card, book: Book, resource: str, labels: frozenset[Label]) -> Item:
    """A person."""
    mark = Mark(labels=labels, readers=ONLY_THE_USER, origins=frozenset({origin(card, book, resource)}))
    asserted = Mark(labels=labels, readers=ONLY_THE_USER, origins=frozenset({ISTHMUS}))
    fields: dict[str, Field] = {}

    def put(name: str, value: Value, kind: Kind, party: Party | None = None) -> None:
        if value not in (None, ""):
            fields[name] = Field(value=value, kind=kind, mark=mark, party=party)

    def several(name: str, values: tuple[str, ...], kind: Kind, scheme: str | None = None) -> None:
        for number, one in enumerate(values[:_SHOWN], start=1):
            whose = None if scheme is None else party(one) if scheme == "mailto" else Party(f"{scheme}:{one}")
            put(name if number == 1 else f"{name}_{number}", one, kind, whose)

    put("name", card.name, "person")
    several("also", card.also, "person")
    several("email", card.emails, "email", "mailto")
    several("phone", card.phones, "text")
    several("xmpp", card.xmpp, "channel", "xmpp")
    several("matrix", card.matrix, "channel", "matrix")
    put("organisation", card.organisation, "text")
    put("birthday", card.birthday, "time")
    put("notes", card.notes, "text")
    if card.group:
        put("group", True, "flag")
    fields["book"] = Field(value=book.id, kind="text", mark=asserted)
    return Item(
        kind="contact",
        id=f"{book.id}/{resource}",
        fields=fields,
        content_sha256=fingerprint(card.uid) if card.uid else None,
    )
