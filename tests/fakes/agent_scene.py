"""An agent in memory: a log, marks, a model that says what a test wrote, and tools that remember what they did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from typing_extensions import override

from isthmus.agent import Agent
from isthmus.agent.happenings import Ended, Happening
from isthmus.agent.marks import ISTHMUS, THE_USER, UNKNOWN, Mark, Origin, Party, Readers
from isthmus.agent.ports import EventKind, EventLog, LoggedEvent, MarkStore, Question, Reasoner, Thought
from isthmus.agent.tool import (
    Effect,
    Field,
    Grant,
    Item,
    Made,
    Parameter,
    ToolResult,
    Toolset,
    ToolSpec,
    Value,
)
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label
from isthmus.domain.message import Event, Finished, Started, TextDelta, ToolCallDelta, ToolCallStarted, Used
from isthmus.domain.offer import Side
from isthmus.domain.usage import Usage

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class MemoryLog(EventLog):
    """Keeps events as JSON text, as a store does."""

    def __init__(self, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.rows: list[tuple[str, str, EventKind, datetime, bytes]] = []
        self._clock = clock
        self.taken: set[str] = set()
        """What another process works on."""

    @override
    def append(self, conversation: str, turn: str, kind: EventKind, content: Mapping[str, Any]) -> LoggedEvent:
        self.rows.append((conversation, turn, kind, self._clock(), msgspec.json.encode(content)))
        return self._event(len(self.rows))

    @override
    def read(self, conversation: str, *, after: int = 0) -> Iterable[LoggedEvent]:
        return [self._event(seq) for seq, row in enumerate(self.rows, 1) if row[0] == conversation and seq > after]

    @override
    def across(self, kinds: Collection[EventKind], *, since: datetime, after: int = 0) -> Iterable[LoggedEvent]:
        return [
            self._event(seq)
            for seq, row in enumerate(self.rows, 1)
            if row[2] in kinds and row[3] >= since and seq > after
        ]

    @override
    def unfinished(self) -> Sequence[str]:
        left: dict[str, set[str]] = {}
        for conversation, turn, kind, _, content in self.rows:
            waiting = left.setdefault(conversation, set())
            told = msgspec.json.decode(content)
            match kind:
                case "turn_begun":
                    waiting.add(turn)
                case "turn_ended":
                    waiting.discard(turn)
                case "effect_held":
                    waiting.add(told["grant"]["call"])
                case "effect_done" | "effect_failed" | "effect_uncertain" | "effect_recalled":
                    waiting.discard(told["call"])
                case _:
                    pass
        return [conversation for conversation, waiting in left.items() if waiting]

    @override
    def claim(self, subject: str) -> bool:
        return subject not in self.taken

    @override
    def release(self, subject: str) -> None:
        pass

    @property
    def kinds(self) -> list[EventKind]:
        return [row[2] for row in self.rows]

    def contents(self, kind: EventKind) -> list[dict[str, Any]]:
        return [msgspec.json.decode(row[4]) for row in self.rows if row[2] == kind]

    def cut(self, length: int) -> MemoryLog:
        """The log as a process left it that was killed after so many events."""
        shorter = MemoryLog(self._clock)
        shorter.rows = self.rows[:length]
        return shorter

    def _event(self, seq: int) -> LoggedEvent:
        conversation, turn, kind, at, content = self.rows[seq - 1]
        return LoggedEvent(
            seq=seq, conversation=conversation, turn=turn, kind=kind, at=at, content=msgspec.json.decode(content)
        )


class MemoryMarks(MarkStore):
    def __init__(self) -> None:
        self.known: dict[tuple[str, ...], Mark] = {}

    @override
    def keep(self, account: str, made: Made, mark: Mark) -> None:
        for name in self._names(account, made):
            before = self.known.get(name)
            self.known[name] = mark if before is None else before.joined(mark)

    @override
    def recall(self, account: str, made: Made) -> Mark | None:
        found = [self.known[name] for name in self._names(account, made) if name in self.known]
        if not found:
            return None
        mark, *others = found
        for other in others:
            mark = mark.joined(other)
        return mark

    @override
    def recall_all(self, account: str, made: Sequence[Made]) -> Sequence[Mark | None]:
        return [self.recall(account, one) for one in made]

    @staticmethod
    def _names(account: str, made: Made) -> list[tuple[str, ...]]:
        names: list[tuple[str, ...]] = [(account, made.kind, made.id)] if made.id else []
        return [*names, (made.content_sha256,)] if made.content_sha256 else names


Call: TypeAlias = tuple[str, Mapping[str, Any]]
Says: TypeAlias = str | Sequence[Call] | Exception


@dataclass
class FakeThought(Thought):
    says: str | Sequence[Call]
    number: int
    offer: str = "home"
    side: Side = "own"
    request: str = "req_1"
    usage: Usage | None = None
    cost: Decimal | None = None
    price: Decimal = Decimal("0.01")

    @override
    async def events(self) -> AsyncIterator[Event]:
        yield Started(id="x", model="m")
        if isinstance(self.says, str):
            middle = len(self.says) // 2
            for piece in (self.says[:middle], self.says[middle:]):
                yield TextDelta(text=piece)
        else:
            for at, (name, arguments) in enumerate(self.says):
                yield ToolCallStarted(call=at, id=f"call_{self.number}_{at}", name=name)
                yield ToolCallDelta(call=at, arguments=msgspec.json.encode(arguments).decode())
        yield Finished(reason="stop" if isinstance(self.says, str) else "tool_calls")
        yield Used(usage=Usage(input=100, output=20))
        self.usage, self.cost = Usage(input=100, output=20), self.price


class Scripted(Reasoner):
    """A model that says what it was told to: by the number of answers it has given in this conversation.

    So it says the same again when a process that was killed asks it again.
    """

    def __init__(self, *says: Says, price: Decimal = Decimal("0.01")) -> None:
        self.says = says
        self.asked: list[Question] = []
        self.price = price

    @override
    async def estimate(self, question: Question) -> Decimal | None:
        return self.price

    @override
    @asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[FakeThought]:
        self.asked.append(question)
        number = sum(message.role == "assistant" for message in question.request.messages)
        says = self.says[min(number, len(self.says) - 1)]
        if isinstance(says, Exception):
            raise says
        yield FakeThought(says, number, request=f"req_{len(self.asked)}", price=self.price)


OUTSIDE = Mark(labels=frozenset({Label("mail")}), origins=frozenset({Origin("mail:eve@evil.example")}))


def parameter(name: str, kind: Any, role: Any, *, required: bool = True, many: bool = False) -> Parameter:
    return Parameter(
        name=name, summary=f"The {name}.", kind=kind, role=role, schema={"type": "string"}, required=required, many=many
    )


def tool(name: str, effect: Effect, *parameters: Parameter, makes: Any = None) -> ToolSpec:
    return ToolSpec(name=name, summary=f"Does {name}.", parameters=parameters, effect=effect, makes=makes)


MAIL_TOOLS = (
    tool("mail_search", "read", parameter("words", "text", "query", required=False)),
    tool("mail_read", "read", parameter("mail", "mail", "object")),
    tool(
        "mail_draft",
        "keep",
        parameter("to", "email", "destination", many=True),
        parameter("text", "text", "content"),
        makes="mail",
    ),
    tool(
        "mail_send",
        "send",
        parameter("to", "email", "destination", many=True),
        parameter("subject", "text", "content", required=False),
        parameter("text", "text", "content"),
        makes="mail",
    ),
    tool("mail_delete", "destroy", parameter("mail", "mail", "object")),
)


@dataclass
class Mail(Toolset):
    """A mailbox in memory. What it did under each grant stays known, as at a real service."""

    mails: dict[str, Item] = field(default_factory=dict)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Call and arguments, one for every time that something was really sent."""
    fails: list[Exception] = field(default_factory=list)
    """Raised by the next runs, after the effect."""
    blind: bool = False
    """Whether it can tell what was done."""
    tools: tuple[ToolSpec, ...] = MAIL_TOOLS

    @property
    @override
    def name(self) -> str:
        return "mail"

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self.tools

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        if "@" not in str(value):
            raise ToolError("That is no address.")
        return (Party(f"mailto:{str(value).lower()}"),)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        plain = grant.plain()
        match grant.tool:
            case "mail_search":
                return ToolResult(items=tuple(self.mails.values()), note=f"{len(self.mails)} mails.")
            case "mail_read":
                return ToolResult(items=(self.mails[plain["mail"]],))
            case "mail_send" | "mail_draft":
                self.sent.append((grant.call, plain))
                self.mails[f"<{grant.call}>"] = mail(
                    f"<{grant.call}>", "me@x", plain["text"], mark=Mark(origins=frozenset({ISTHMUS}))
                )
            case "mail_delete":
                self.mails.pop(plain["mail"])
                self.sent.append((grant.call, plain))
            case _:
                raise ToolError("no such tool")
        if self.fails:
            raise self.fails.pop(0)
        return self._done(grant)

    def _done(self, grant: Grant) -> ToolResult:
        made = () if grant.tool == "mail_delete" else (Made("mail", f"<{grant.call}>"),)
        return ToolResult(note="Done.", made=made)

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        if self.blind:
            raise ToolError("The server cannot tell.")
        return self._done(grant) if any(call == grant.call for call, _ in self.sent) else None

    @override
    async def aclose(self) -> None:
        pass


def mail(name: str, sender: str, text: str, *, subject: str = "hello", mark: Mark = OUTSIDE) -> Item:
    def one(value: Value, kind: Any) -> Field:
        return Field(value=value, kind=kind, mark=mark)

    return Item(
        kind="mail",
        id=name,
        fields={"from": one(sender, "email"), "subject": one(subject, "text"), "text": one(text, "text")},
    )


@dataclass
class Scene:
    """An agent with all that it needs."""

    reasoner: Scripted
    mail: Mail = field(default_factory=Mail)
    log: MemoryLog = field(default_factory=MemoryLog)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    hold_seconds: float = 0.0
    now: datetime = NOW
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log._clock = lambda: self.now
        self.agent = Agent(
            reasoner=self.reasoner,
            toolsets=[self.mail, *self.options.pop("more", ())],
            log=self.log,
            marks=self.marks,
            hold_seconds=self.hold_seconds,
            clock=lambda: self.now,
            **self.options,
        )

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def say(self, text: str, **options: Any) -> list[Happening]:
        options = {"conversation": "c", **options}
        async with aclosing(self.agent.turn(text, **options)) as happenings:
            return [happening async for happening in happenings]

    async def resume(self, conversation: str = "c") -> list[Happening]:
        async with aclosing(self.agent.resume(conversation)) as happenings:
            return [happening async for happening in happenings]


def ended(happenings: Sequence[Happening]) -> Ended:
    assert isinstance(happenings[-1], Ended), happenings
    return happenings[-1]


__all__ = [
    "MAIL_TOOLS",
    "NOW",
    "OUTSIDE",
    "THE_USER",
    "UNKNOWN",
    "Mail",
    "MemoryLog",
    "MemoryMarks",
    "Readers",
    "Scene",
    "Scripted",
    "ended",
    "mail",
    "parameter",
    "tool",
]
