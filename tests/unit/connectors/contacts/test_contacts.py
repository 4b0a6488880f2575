"""People looked up and added, at a real server."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import pytest
from tests.servers.radicale import Radicale, make_collection, send
from tests.unit.connectors.contacts.conftest import PASSWORD

from isthmus.agent.marks import ONLY_THE_USER, UNKNOWN, USER, USERS_WORDS, Mark, Origin, Party
from isthmus.agent.monitor.digests import digest
from isthmus.agent.tool import Argument, Grant, Item, ToolResult, Toolset
from isthmus.connectors.contacts.account import KIND, Account, connect
from isthmus.connectors.kinds import kinds
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio

LABELS = frozenset({Label("private")})

ANNA = """BEGIN:VCARD
VERSION:3.0
UID:anna
FN:Anna Müller
N:Müller;Anna;;;
EMAIL;TYPE=work:Anna@Example.ORG
item1.EMAIL;TYPE=home:anna@home.example
TEL:+49 30 123
ORG:Example Ltd;Sales
IMPP:xmpp:anna@chat.example
IMPP;X-SERVICE-TYPE=Matrix:matrix:u/anna:matrix.example
BDAY:1980-02-29
NOTE:likes tea\\, no sugar
END:VCARD
"""


@dataclass
class Desk:
    server: Radicale
    user: str
    tools: Toolset

    def grant(self, tool: str, **given: Any) -> Grant:
        arguments = {name: Argument(value=value, mark=USERS_WORDS) for name, value in given.items()}
        return Grant(call="call-1", tool=tool, digest=digest(tool, given), mark=USERS_WORDS, arguments=arguments)

    async def run(self, tool: str, **given: Any) -> ToolResult:
        return await self.tools.run(self.grant(tool, **given))

    async def find(self, name: str) -> list[Item]:
        return list((await self.run("contact_find", name=name)).items)

    def put(self, name: str, card: str, *, book: str = "mine") -> None:
        text = card.replace("\n", "\r\n")
        status, said = send(self.server, self.user, PASSWORD, "PUT", f"/{self.user}/{book}/{name}.vcf", text)
        assert status == 201, said


async def secret(_: SecretRef) -> str:
    return PASSWORD


@pytest.fixture
async def desk(server: Radicale, users: Iterator[str]) -> Desk:
    user = next(users)
    for book in ("mine", "company"):
        make_collection(server, user, PASSWORD, book, name=book.title(), book=True)
    told = {"url": server.url, "user": user, "password": SecretRef("env", "P"), "own": ("mine",)}
    return Desk(server, user, await connect("people", msgspec.convert(told, Account), labels=LABELS, secret=secret))


def value(item: Item, name: str) -> Any:
    return item.fields[name].value


async def test_a_person_is_found_by_any_part_of_the_name_with_typed_addresses(desk: Desk) -> None:
    desk.put("anna", ANNA)
    for name in ("Anna", "müller", "mül ann", "anna@example", "Example Ltd"):
        (found,) = await desk.find(name)
        assert value(found, "name") == "Anna Müller"
    assert value(found, "email") == "anna@example.org"
    assert found.fields["email"].party == Party("mailto:anna@example.org")
    assert value(found, "email_2") == "anna@home.example"
    assert value(found, "phone") == "+49 30 123"
    assert found.fields["xmpp"].party == Party("xmpp:anna@chat.example")
    assert found.fields["matrix"].party == Party("matrix:@anna:matrix.example")
    assert value(found, "organisation") == "Example Ltd, Sales"
    assert value(found, "birthday") == date(1980, 2, 29)
    assert value(found, "notes") == "likes tea, no sugar"
    assert await desk.find("Bob") == []


async def test_only_a_book_that_is_declared_the_users_own_speaks_with_the_users_word(desk: Desk) -> None:
    desk.put("a", ANNA)
    desk.put(
        "b", ANNA.replace("UID:anna", "UID:other").replace("Anna@Example.ORG", "anna@evil.example"), book="company"
    )
    own, foreign = await desk.find("Anna")
    assert {one.mark for name, one in own.fields.items() if name != "book"} == {
        Mark(labels=LABELS, readers=ONLY_THE_USER, origins=frozenset({USER}))
    }
    assert {one.mark.origins for name, one in foreign.fields.items() if name != "book"} == {
        frozenset({Origin("contacts:company")})
    }


async def test_who_was_added_is_found_and_is_nobodys_word_by_itself(desk: Desk) -> None:
    made = await desk.run("contact_add", name="Bob van Dyk", email="BOB@example.org", phone="+31 20", notes="a\nb; c")
    (found,) = await desk.find("bob van")
    assert (found,) == made.items
    assert (made.made[0].id, made.made[0].content_sha256) == (found.id, found.content_sha256)
    assert value(found, "email") == "bob@example.org"
    assert value(found, "notes") == "a\nb; c"
    assert found.fields["email"].mark.origins == {UNKNOWN}


async def test_somebody_is_added_once_and_what_was_done_is_found_after_a_crash(desk: Desk) -> None:
    grant = desk.grant("contact_add", name="Bob")
    assert await desk.tools.find_done(grant) is None
    made = await desk.tools.run(grant)
    assert await desk.tools.find_done(grant) == made
    with pytest.raises(ToolError):
        await desk.tools.run(grant)
    assert len(await desk.find("Bob")) == 1


@pytest.mark.parametrize(
    "given",
    [{"name": " "}, {"name": "x\nEMAIL:evil@example.org"}, {"name": "x", "email": "nobody"}, {"name": "x" * 201}],
)
async def test_what_is_no_person_is_not_added(desk: Desk, given: dict[str, str]) -> None:
    with pytest.raises(ToolError):
        await desk.run("contact_add", **given)


async def test_without_an_own_book_nobody_can_be_added(server: Radicale, users: Iterator[str]) -> None:
    told = {"url": server.url, "user": next(users), "password": SecretRef("env", "P")}
    tools = await connect("people", msgspec.convert(told, Account), labels=LABELS, secret=secret)
    assert [spec.name for spec in tools.specs] == ["contact_find"]
    desk = Desk(server, "x", tools)
    with pytest.raises(ToolError, match="no tool"):
        await desk.run("contact_add", name="x")


async def test_words_of_a_search_stay_words(desk: Desk) -> None:
    desk.put("anna", ANNA)
    assert await desk.find("<x>&\"'\x00]]>") == []
    with pytest.raises(ToolError, match="Say a name"):
        await desk.find(" \x00 ")


async def test_the_account_is_checked(desk: Desk, server: Radicale) -> None:
    await desk.tools.check()  # type: ignore[attr-defined]  # beyond the contract of tools
    told = {"url": server.url, "user": desk.user, "password": SecretRef("env", "P"), "own": ("none",)}
    tools = await connect("people", msgspec.convert(told, Account), labels=LABELS, secret=secret)
    with pytest.raises(ToolError, match="no address book 'none'"):
        await tools.check()  # type: ignore[attr-defined]  # as above


def test_it_is_found_among_the_kinds_of_accounts() -> None:
    assert kinds()[KIND].account is Account
