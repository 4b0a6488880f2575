"""The contract between the agent and what it acts by: typed tools whose results bear marks field by field.

A tool says of each parameter which part it plays, because that is what the monitor judges by: a destination has to be
endorsed, content has to be readable at the destination, an object has to be the one that was meant. It says of itself
what it does to the world. It is run only with a grant, which the monitor makes for the exact arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from isthmus.agent.marks import Mark, Party

Effect = Literal["read", "fetch", "keep", "send", "change", "destroy"]
"""What a call does to the world.

read      nothing changes, and nobody outside learns what was asked
fetch     nothing changes, but somebody outside learns what was asked for: a page's address, the words of a search
keep      something is made or changed that only the user sees and can undo: a draft, a note, a tentative event, trash
send      somebody else comes to see something
change    something others rely on changes, or an account's settings do; it can be undone by hand
destroy   it cannot be undone
"""

Role = Literal["destination", "content", "object", "query", "option"]
"""The part a parameter plays.

destination   who or what place comes to see something
content       what they come to see, or what is kept
object        which thing is acted on
query         what is asked; where the tool fetches, it is seen outside
option        a choice out of few, a count, a date: too little to carry anything
"""

Kind = Literal[
    "text", "email", "person", "url", "host", "channel", "mail", "event", "calendar", "file", "note", "job", "contact",
    "attachment", "element", "time", "duration", "number", "amount", "flag", "choice", "account", "mailbox",
]  # fmt: skip
"""What a value is. Values of different kinds never stand for each other, whatever they spell."""

Value: TypeAlias = str | int | float | bool | Decimal | date | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a tool."""

    name: str
    summary: str
    kind: Kind
    role: Role
    schema: Mapping[str, Any]
    """JSON Schema of the value, without a description."""
    required: bool = True
    many: bool = False
    """Whether it is a list of such values; `schema` is then that of one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One tool, as a model and the monitor know it."""

    name: str
    """`mail_search`: the tool set, then what it does."""
    summary: str
    """A sentence, for the model. Short: it is part of every request."""
    parameters: tuple[Parameter, ...]
    effect: Effect
    undone_by: str | None = None
    """Name of the tool that undoes it."""
    makes: Kind | None = None
    """The kind of thing it makes, which must bear the mark of what it was made of. None: it makes nothing."""

    def parameter(self, name: str) -> Parameter | None:
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value that a tool found, with its mark."""

    value: Value
    kind: Kind
    mark: Mark
    party: Party | None = None
    """Where the value is an address: of whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a tool found: a mail, an event, a page. Its fields bear marks of their own."""

    kind: Kind
    id: str
    """By which the tool set finds it again."""
    fields: Mapping[str, Field]
    items: tuple[Item, ...] = ()
    """Things within it, such as attachments."""
    content_sha256: str | None = None
    """Of its content, by which it is known wherever it lies now: as in `Made.content_sha256`. None: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that the tool made, such as a screenshot."""

    data: bytes
    media_type: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Made:
    """A thing that a tool made or changed, as it is known again later."""

    kind: Kind
    id: str
    """The id that an `Item` of it will have."""
    content_sha256: str | None = None
    """Of its content, where it can be moved or copied past the tool, as files can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool found or did."""

    items: tuple[Item, ...] = ()
    note: str = ""
    """What isthmus says of it, in its own words: how many there are more, what was made. Never content."""
    image: Image | None = None
    made: tuple[Made, ...] = ()
    """What came into being or was changed by it."""
    failed: bool = False
    """Whether it could not be done; `note` then says why and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a call, resolved, with its mark."""

    value: Any
    """JSON value, or a list of such."""
    mark: Mark
    parties: tuple[Party, ...] = ()
    """Of a destination: who comes to see something."""
    endorsed: bool = False
    """Whether the user said exactly this as what the call is for: then it may be taken as an order of the user's later
    on. A mark does not tell: what a model makes up that has seen the user's words alone bears the user's mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """That a call may be made, for exactly these arguments, once. Only the monitor makes one."""

    call: str
    """Id of the call; also what makes sending it twice sending it once."""
    tool: str
    digest: str
    """SHA-256 over tool and resolved arguments as canonical JSON (RFC 8785)."""
    mark: Mark
    """Of all that went into it: what the call makes bears at least this."""
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The arguments as plain values."""
        return {name: argument.value for name, argument in self.arguments.items()}


@runtime_checkable
class Foretelling(Protocol):
    """A tool set that knows, before it acts, by what the things it makes will be known."""

    def will_make(self, grant: Grant) -> tuple[Made, ...]:
        """What a call will make."""
        ...


class Toolset(Protocol):
    """The tools of one service."""

    @property
    def name(self) -> str:
        """As in `mail` or `calendar`."""
        ...

    @property
    def specs(self) -> Sequence[ToolSpec]: ...

    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        """Who comes to see something if this value is the destination.

        Raises:
            ToolError: it is no address of this service.
        """
        ...

    async def run(self, grant: Grant) -> ToolResult:
        """Do what was granted.

        Raises:
            ToolError: it cannot be done; told to the model. Nothing has happened then.
        """
        ...

    async def find_done(self, grant: Grant) -> ToolResult | None:
        """What was done under a grant, after a crash in the midst of it. None: it was not done, and may be done now.

        Raises:
            ToolError: it cannot be told; then it is not done again, and a person is asked.
        """
        ...

    async def aclose(self) -> None: ...
