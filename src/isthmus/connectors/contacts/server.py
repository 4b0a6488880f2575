"""A CardDAV server (RFC 6352): the user's address books, and who is in them. Blocking; for a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from isthmus.connectors.webdav.client import ELSEWHERE, Dav
from isthmus.connectors.webdav.multistatus import CARDDAV, DAV
from isthmus.domain.errors import ToolError

MAX_CARDS = 2_000
"""Read from one address book at once."""

_NS = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
_SEARCHED = ("FN", "N", "NICKNAME", "EMAIL", "ORG", "TEL", "IMPP")
_WANTED = (*_SEARCHED, "UID", "VERSION", "BDAY", "NOTE", "KIND", "URL", "X-JABBER", "X-ADDRESSBOOKSERVER-KIND")


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An address book."""

    id: str
    """The last part of its address, as it stands there."""
    url: str
    """Ends with a slash."""
    name: str
    own: bool
    """Whether the account declares it as the user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A card as it is stored."""

    url: str
    text: str

    @property
    def resource(self) -> str:
        """The last part of its address."""
        return urlsplit(self.url).path.rpartition("/")[2]


def books(dav: Dav, own: Sequence[str]) -> list[Book]:
    """The user's address books, those of the user's own first, in the order the account names them.

    Args:
        dav: asks.
        own: ids that the account declares so.

    Raises:
        ToolError: the server does not say where they are.
    """
    wanted = f"<propfind {_NS}><prop><resourcetype/><displayname/></prop></propfind>"
    found: dict[str, Book] = {}
    for home in _homes(dav):
        for one in dav.find("PROPFIND", home, wanted, depth=1):
            if not one.has(f"{DAV}resourcetype", f"{CARDDAV}addressbook"):
                continue
            address = one.href if one.href.endswith("/") else f"{one.href}/"
            last = urlsplit(address).path.rstrip("/").rpartition("/")[2]
            name = one.text(f"{DAV}displayname") or unquote(last)
            found.setdefault(last, Book(id=last, url=address, name=name[:100], own=last in own))
    return sorted(found.values(), key=lambda one: own.index(one.id) if one.own else len(own))


def _homes(dav: Dav) -> list[str]:
    wanted = f"<propfind {_NS}><prop><current-user-principal/><C:addressbook-home-set/></prop></propfind>"
    for begin in (dav.server.url, "/.well-known/carddav", "/"):
        for found in dav.find("PROPFIND", begin, wanted, depth=0, missing=ELSEWHERE):
            if principal := found.hrefs(f"{DAV}current-user-principal"):
                resources = dav.find("PROPFIND", dav.resolved(principal[0]), wanted, depth=0)
                homes = [href for one in resources for href in one.hrefs(f"{CARDDAV}addressbook-home-set")]
                if homes:
                    return [dav.resolved(href) for href in homes]
    raise ToolError(
        f"The server {dav.server.where} does not say where the user's address books are.",
        hint="The user has to check the account's url.",
    )


def cards_with(dav: Dav, book: Book, word: str) -> list[Stored]:
    """The cards of a book that have a word in a name, an address or a number.

    Raises:
        ToolError: they cannot be had.
    """
    match = f'<C:text-match collation="i;unicode-casemap" match-type="contains">{escape(word)}</C:text-match>'
    filters = "".join(f'<C:prop-filter name="{name}">{match}</C:prop-filter>' for name in _SEARCHED)
    wanted = "".join(f'<C:prop name="{name}"/>' for name in _WANTED)
    found = dav.find(
        "REPORT",
        book.url,
        f"<C:addressbook-query {_NS}><prop><getetag/><C:address-data>{wanted}</C:address-data></prop>"
        f'<C:filter test="anyof">{filters}</C:filter><C:limit><C:nresults>{MAX_CARDS}</C:nresults></C:limit>'
        "</C:addressbook-query>",
        depth=1,
    )
    return [
        Stored(url=one.href, text=text) for one in found[:MAX_CARDS] if (text := one.text(f"{CARDDAV}address-data"))
    ]


def card_named(dav: Dav, book: Book, resource: str) -> Stored | None:
    """A card by its name in a book. None: it is not there."""
    answer = dav.ask("GET", f"{book.url}{resource}", expect={404, 410})
    if answer.status != 200:
        return None
    return Stored(url=answer.url, text=answer.body.decode("utf-8", "replace"))


def create(dav: Dav, book: Book, resource: str, text: str) -> Stored:
    """Store a new card.

    Raises:
        ToolError: it is not stored.
        ToolUncertain: the connection was lost.
    """
    headers = {"content-type": "text/vcard; charset=utf-8", "if-none-match": "*"}
    dav.ask("PUT", f"{book.url}{resource}", text, headers=headers)
    found = card_named(dav, book, resource)
    if found is None:
        raise ToolError("It was stored, and is not there any more.", hint="Look for it with contact_find.")
    return found
