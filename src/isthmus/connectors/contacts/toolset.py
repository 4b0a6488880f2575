"""Runs the tools for contacts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from typing_extensions import override

from isthmus.agent.marks import Party
from isthmus.agent.tool import Grant, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.contacts import server
from isthmus.connectors.contacts.account import Account
from isthmus.connectors.contacts.card import Card, card, written
from isthmus.connectors.contacts.items import contact_item, uid
from isthmus.connectors.contacts.server import Book, Stored
from isthmus.connectors.contacts.specs import specs
from isthmus.connectors.mail.addresses import normal
from isthmus.connectors.webdav.client import Dav, Server
from isthmus.connectors.webdav.service import Service
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

_LISTED = 10
_MOST_LISTED = 50
_LONGEST = {"name": 200, "email": 320, "phone": 50, "organisation": 200, "notes": 5_000}
_PROPERTIES = {"name": "FN", "email": "EMAIL", "phone": "TEL", "organisation": "ORG", "notes": "NOTE"}


class ContactsToolset(Toolset):
    """The tools of one contacts account."""

    def __init__(
        self,
        account_name: str,
        account: Account,
        at: Server,
        *,
        labels: frozenset[Label],
        secret: Callable[[SecretRef], Awaitable[str]],
    ) -> None:
        self._account_name = account_name
        self._own = account.own
        self._labels = labels
        self._service = Service(account_name, at, account.user, lambda: secret(account.password))
        self._specs = specs(can_add=bool(account.own))

    @property
    @override
    def name(self) -> str:
        return "contacts"

    @property
    def account(self) -> str:
        """Name of the account in the settings."""
        return self._account_name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self._specs

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        raise ToolError("Contacts send nothing to anybody.")

    @override
    async def run(self, grant: Grant) -> ToolResult:
        match grant.tool:
            case "contact_find":
                return await self._find(grant)
            case "contact_add" if self._own:
                return await self._add(grant)
            case _:
                raise ToolError(f"There is no tool {grant.tool} for this account.")

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        if grant.tool != "contact_add":
            return None

        def look(dav: Dav) -> ToolResult | None:
            for book in self._books(dav):
                found = server.card_named(dav, book, f"{uid(grant)}.vcf") if book.own else None
                if found is not None:
                    return self._made(book, found)
            return None

        return await self._service.ask(look)

    @override
    async def aclose(self) -> None:
        """Nothing is held between calls."""

    async def check(self) -> None:
        """Make sure that the account can be read, and has the address books it names.

        Raises:
            ToolError: not so.
        """
        found = await self._service.ask(self._books)
        for named in self._own:
            if all(book.id != named for book in found):
                raise ToolError(
                    f"There is no address book {named!r}.",
                    hint=f"There is {', '.join(book.id for book in found) or 'none'}.",
                )

    async def _find(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        said = "".join(one if one.isprintable() else " " for one in str(given.get("name") or "")[:200])
        words = said.casefold().split()[:10]
        if not words:
            raise ToolError("Say a name, or part of an address.")
        limit = max(1, min(_MOST_LISTED, given.get("limit") or _LISTED))

        def look(dav: Dav) -> list[tuple[Book, Stored, Card]]:
            return [
                (book, stored, read)
                for book in self._books(dav)
                for stored in server.cards_with(dav, book, max(words, key=len))
                if (read := card(stored.text)) is not None and all(word in read.searched for word in words)
            ]

        found = await self._service.ask(look)
        # Whoever bears the whole name first; a book of the user's own before others, as the books are.
        found.sort(key=lambda one: (one[2].name.casefold() != " ".join(words), not one[0].own, one[2].name.casefold()))
        note = f"{len(found)} found." if len(found) <= limit else f"{len(found)} found; these are the first {limit}."
        return ToolResult(items=tuple(self._item(*one) for one in found[:limit]), note=note)

    async def _add(self, grant: Grant) -> ToolResult:
        given = {name: str(value).strip() for name, value in grant.plain().items() if name in _PROPERTIES and value}
        for name, value in given.items():
            if len(value) > _LONGEST[name] or (name != "notes" and not value.isprintable()):
                raise ToolError(f"That {name} is too long, or no line of text.")
        if not given.get("name"):
            raise ToolError("A person needs a name.")
        if "email" in given:
            try:
                given["email"] = normal(given["email"])
            except ValueError as error:
                raise ToolError("That is no mail address.") from error
        text = written(uid(grant), {_PROPERTIES[name]: value for name, value in given.items()})

        def add(dav: Dav) -> ToolResult:
            book = next((one for one in self._books(dav) if one.own), None)
            if book is None:
                raise ToolError("There is no address book of the user's own.", hint="The account names one in `own`.")
            return self._made(book, server.create(dav, book, f"{uid(grant)}.vcf", text))

        return await self._service.ask(add)

    def _books(self, dav: Dav) -> list[Book]:
        return server.books(dav, self._own)

    def _item(self, book: Book, stored: Stored, read: Card) -> Item:
        return contact_item(read, book, stored.resource, self._labels)

    def _made(self, book: Book, stored: Stored) -> ToolResult:
        read = card(stored.text)
        if read is None:
            raise ToolError("It was stored, but cannot be read.")
        item = self._item(book, stored, read)
        made = Made("contact", item.id, item.content_sha256)
        return ToolResult(items=(item,), note="It is in the address book.", made=(made,))
