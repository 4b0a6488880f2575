"""A user with a mailbox on a real server, and grants as the monitor makes them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.smtp import Relay

from isthmus.agent.marks import OWN_WORDS, USERS_WORDS, Mark
from isthmus.agent.monitor.digests import digest
from isthmus.agent.tool import Argument, Grant, Item, ToolResult, Toolset
from isthmus.connectors.mail.account import Account, connect
from isthmus.domain.label import label
from isthmus.domain.offer import SecretRef

_calls = itertools.count(1)


@dataclass(kw_only=True)
class Post:
    """A user with a mailbox, and what can be asked of it."""

    user: str
    server: Dovecot
    relay: Relay
    account: Account
    tools: Toolset
    opened: list[Toolset] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.user}@example.org"

    def receive(self, *headers: str, body: str = "Hello.", sender: str = "alice@example.com") -> None:
        """A mail comes in."""
        given = {line.partition(":")[0].lower() for line in headers}
        lines = list(headers)
        if "from" not in given:
            lines.insert(0, f"From: Alice <{sender}>")
        if "to" not in given:
            lines.append(f"To: {self.address}")
        message = "\r\n".join(lines) + "\r\n\r\n" + body.replace("\n", "\r\n") + "\r\n"
        self.server.deliver(message, to=self.address, sender=sender)

    def append(self, folder: str, message: str, flags: str = r"(\Seen)") -> None:
        self.server.append(folder, message.replace("\n", "\r\n"), flags, user=self.user)

    def mails(self, folder: str) -> list[bytes]:
        return self.server.mails(folder, user=self.user)

    async def run(self, tool: str, **arguments: Any) -> ToolResult:
        return await self.tools.run(grant(tool, **arguments))

    async def found(self, **arguments: Any) -> tuple[Item, ...]:
        return (await self.run("mail_search", **arguments)).items

    async def one(self, **arguments: Any) -> Item:
        (item,) = await self.found(**arguments)
        return item

    async def again(self, **changed: Any) -> Toolset:
        """The tools of the same account in another process, as it were."""
        tools = await connected(_with(self.account, **changed))
        self.opened.append(tools)
        return tools


def grant(tool: str, mark: Mark = USERS_WORDS, **arguments: Any) -> Grant:
    """What the monitor hands over."""
    return Grant(
        call=f"call-{next(_calls)}",
        tool=tool,
        digest=digest(tool, arguments),
        mark=mark,
        arguments={name: Argument(value=value, mark=OWN_WORDS) for name, value in arguments.items()},
    )


async def secret(_: SecretRef) -> str:
    return PASSWORD


def _with(account: Account, **changed: Any) -> Account:
    fields = {name: getattr(account, name) for name in account.__struct_fields__}
    return Account(**(fields | changed))


async def connected(account: Account) -> Toolset:
    return await connect("work", account, labels=frozenset({label("private")}), secret=secret)


MakePost = Callable[..., Awaitable[Post]]
