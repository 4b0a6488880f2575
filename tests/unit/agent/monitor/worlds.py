"""A small world to judge calls in: tools of every effect, things with marks, and a user who says something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from isthmus.agent.marks import ISTHMUS, THE_USER, UNKNOWN, USER, USERS_WORDS, Mark, Origin, Party, Readers
from isthmus.agent.monitor import rules
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.calls import ProposedCall
from isthmus.agent.monitor.intents import Endorsement, Intent
from isthmus.agent.monitor.judging import Allowed, Ask, Judgement, Refused, judge
from isthmus.agent.monitor.policy import Policy, shipped
from isthmus.agent.monitor.references import propose
from isthmus.agent.tool import Effect, Field, Grant, Item, Kind, Parameter, Role, ToolResult, ToolSpec, Value
from isthmus.domain.errors import ToolError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = shipped()
TEXT = {"type": "string"}


def parameter(name: str, kind: Kind, role: Role, *, many: bool = False, required: bool = False) -> Parameter:
    schema = {"type": "number"} if kind in {"amount", "number"} else TEXT
    return Parameter(name=name, summary=name, kind=kind, role=role, schema=schema, many=many, required=required)


def tool(name: str, effect: Effect, *parameters: Parameter, makes: Kind | None = None) -> ToolSpec:
    return ToolSpec(name=name, summary=name, parameters=parameters, effect=effect, makes=makes)


TOOLS: Mapping[str, ToolSpec] = {
    spec.name: spec
    for spec in (
        tool("look", "read", parameter("query", "text", "query")),
        tool("list", "read"),
        tool("channel_read", "read", parameter("channel", "channel", "query")),
        tool(
            "mail_send",
            "send",
            parameter("to", "email", "destination", many=True, required=True),
            parameter("subject", "text", "content"),
            parameter("body", "text", "content"),
            parameter("files", "file", "content", many=True),
            parameter("when", "time", "option"),
            makes="mail",
        ),
        tool("file_share", "send", parameter("file", "file", "object"), parameter("with", "email", "destination")),
        tool("post", "send", parameter("channel", "channel", "destination"), parameter("body", "text", "content")),
        tool("message", "send", parameter("person", "person", "destination"), parameter("body", "text", "content")),
        tool("pay", "send", parameter("account", "account", "destination"), parameter("amount", "amount", "option")),
        tool("page", "fetch", parameter("url", "url", "destination")),
        tool("search", "fetch", parameter("query", "text", "query")),
        tool("file_append", "change", parameter("file", "file", "object"), parameter("body", "text", "content")),
        tool("password", "change", parameter("password", "text", "content")),
        tool("click", "send", parameter("element", "element", "destination"), parameter("text", "text", "content")),
        tool("mail_trash", "keep", parameter("mail", "mail", "object")),
        tool("event_cancel", "send", parameter("event", "event", "object"), parameter("comment", "text", "content")),
        tool("event_move", "change", parameter("event", "event", "object"), parameter("start", "time", "option")),
        tool("file_delete", "destroy", parameter("file", "file", "object")),
        tool("mail_delete", "destroy", parameter("mail", "mail", "object")),
        tool(
            "event_create",
            "keep",
            parameter("title", "text", "content"),
            parameter("start", "time", "option"),
            makes="event",
        ),
        tool("note_write", "keep", parameter("body", "text", "content"), makes="note"),
        tool(
            "file_create",
            "keep",
            parameter("name", "text", "content"),
            parameter("body", "text", "content"),
            makes="file",
        ),
    )
}


def parties(tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
    text = str(value)
    match tool, parameter:
        case ("mail_send", _) | ("file_share", "with"):
            if "@" not in text:
                raise ToolError(f"{text!r} is no address.")
            return (THE_USER if text == "me@home.example" else mailto(text),)
        case ("page", _):
            return (Party(f"https://{text.removeprefix('https://').partition('/')[0]}"),)
        case ("click", _):
            return (Party("https://www.form.example"),)
        case ("post", _):
            return (Party(f"chat:#{text}"),)
        case ("pay", _):
            return (Party(f"iban:{text}"),)
        case ("search", _):
            raise ToolError("the service does not tell")
        case _:
            return (Party(f"chat:{text}"),)


def mailto(address: str) -> Party:
    return Party(f"mailto:{address}")


def mark(*readers: str, by: str | None = None, everyone: bool = False, labels: Iterable[Any] = ()) -> Mark:
    seen = Readers(everyone=True) if everyone else Readers(frozenset(Party(one) for one in readers))
    return Mark(readers=seen, origins=frozenset({Origin(by) if by else UNKNOWN}), labels=frozenset(labels))


OURS = Mark(origins=frozenset({USER}))
STATED = Mark(origins=frozenset({ISTHMUS}))


def one(value: Value, kind: Kind, bears: Mark) -> Field:
    return Field(value=value, kind=kind, mark=bears)


def file(key: str, name: str, text: str, bears: Mark, *, size: int = 1) -> Item:
    stated = Mark(readers=bears.readers, origins=frozenset({ISTHMUS}))
    return Item(
        kind="file",
        id=key,
        fields={
            "name": one(name, "text", bears),
            "content": one(text, "text", bears),
            "size": one(size, "number", stated),
        },
    )


def mail(key: str, sender: str, subject: str, body: str, *readers: str) -> Item:
    bears = mark(f"mailto:{sender}", *readers, by=f"mail:{sender}")
    return Item(
        kind="mail",
        id=key,
        fields={
            "from": one(sender, "email", bears),
            "subject": one(subject, "text", bears),
            "body": one(body, "text", bears),
        },
    )


def event(key: str, title: str, start: datetime, people: Iterable[str] = (), description: str = "") -> Item:
    bears = mark(*(f"mailto:{person}" for person in people))
    fields = {
        "title": one(title, "text", bears),
        "start": one(start, "time", bears),
        "description": one(description, "text", bears),
    }
    fields |= {f"participants_{number}": one(person, "email", bears) for number, person in enumerate(people, 1)}
    return Item(kind="event", id=key, fields=fields)


def page(address: str, text: str) -> Item:
    host = address.partition("/")[0]
    bears = mark(everyone=True, by=f"web:{host}")
    return Item(kind="note", id=address, fields={"text": one(text, "text", bears)})


def contact(name: str, address: str, bears: Mark = OURS) -> Item:
    return Item(
        kind="contact",
        id=f"card of {name} {address}",
        fields={"name": one(name, "person", bears), "email": one(address, "email", bears)},
    )


@dataclass(slots=True)
class World:
    """A turn: what the user said, what the model has seen, and what it may do."""

    words: str
    policy: Policy = POLICY
    endorsements: list[Endorsement] = field(default_factory=list)
    intents: tuple[Intent, ...] = ()
    branch: Branch = field(default_factory=lambda: Branch(id="main", conversation="talk"))
    calls: int = 0

    def __post_init__(self) -> None:
        self.intents = rules.read(self.words, NOW)

    def propose(self, tool: str, **arguments: Any) -> ProposedCall:
        self.calls += 1
        given = {name.rstrip("_"): value for name, value in arguments.items()}
        return propose(f"call-{self.calls}", "world", TOOLS[tool], given, self.branch, self.intents, parties=parties)

    def judge(self, tool: str, **arguments: Any) -> Judgement:
        return self.decide(self.propose(tool, **arguments))

    def decide(self, call: ProposedCall) -> Judgement:
        return judge(call, self.branch, self.intents, self.endorsements, self.policy, NOW)

    def sees(self, *items: Item, tool: str = "look", **arguments: Any) -> World:
        """The model is shown things, as a read finds them."""
        arguments = arguments or ({"query": "anything"} if tool == "look" else {})
        call = self.propose(tool, **arguments)
        self.branch = self.branch.acted(call, plain_grant(call), ToolResult(items=items), NOW)
        return self

    def does(self, tool: str, *items: Item, **arguments: Any) -> Judgement:
        """Make a call if it is allowed."""
        call = self.propose(tool, **arguments)
        judgement = self.decide(call)
        if isinstance(judgement, Allowed):
            self.branch = self.branch.acted(call, judgement.grant, ToolResult(items=items), NOW)
        return judgement


def plain_grant(call: ProposedCall) -> Grant:
    return Grant(call=call.id, tool=call.spec.name, digest=call.digest, mark=USERS_WORDS, arguments=call.arguments)


def codes(judgement: Judgement) -> set[str]:
    match judgement:
        case Ask(approval):
            return {why.code for why in approval.why}
        case Refused(why):
            return {one.code for one in why}
        case _:
            return set()


def allowed(judgement: Judgement) -> bool:
    return isinstance(judgement, Allowed)
