"""A conversation as its events tell it: what was said, what lies on the shelf, what was granted, and how far it is.

Nothing is known of a conversation beside its events. The loop (`running`) looks at this value, takes the next step,
appends what happened, and looks again; after a crash it does the same. So there is no moment in which a killed process
leaves a conversation that cannot go on.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from isthmus.agent.approval import Answered, Approval
from isthmus.agent.happenings import Trigger
from isthmus.agent.inert import inert
from isthmus.agent.marks import USERS_WORDS, Mark, join
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.calls import ProposedCall
from isthmus.agent.monitor.intents import Endorsement, Intent
from isthmus.agent.monitor.meaning import unasked
from isthmus.agent.monitor.shelf import flat
from isthmus.agent.monitor.sides import Blank, returned
from isthmus.agent.ports import EventKind, LoggedEvent
from isthmus.agent.prompt import Line
from isthmus.agent.recorded import read, read_all, written
from isthmus.agent.rendering import rendered, spelled
from isthmus.agent.tasks import Task
from isthmus.agent.tool import Grant, Image, Item, ToolResult
from isthmus.dialects.openai_chat.conversation import SEE_BELOW
from isthmus.domain import message as said
from isthmus.domain.offer import Side

MAIN = "main"
"""Id of the branch that talks with the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that a model wants, and how far it is."""

    id: str
    """Unique among all conversations: what is sent under it is sent once."""
    wire: str
    """The model's own id for it."""
    tool: str
    arguments: str
    """JSON text, as the model wrote it."""
    proposed: ProposedCall | None = None
    """None: not resolved yet."""
    grant: Grant | None = None
    by_person: bool = False
    approval: Approval | None = None
    """The question about it. None: none was asked."""
    answered: Answered | None = None
    begun: bool = False
    """It may have happened."""
    due: datetime | None = None
    """When it is done, where it is held until then."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Of things that were read apart for it: by handle, the line that the model is told."""
    notes: tuple[str, ...] = ()
    """Handles under which those answers lie."""
    settled: bool = False
    """Its result stands in the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn, from the user's words to the final answer."""

    id: str
    text: str
    trigger: Trigger
    user: str
    begun_at: datetime
    intents: tuple[Intent, ...] | None = None
    """None: not read yet."""
    task: Task | None = None
    steps: int = 0
    """How often a model was asked."""
    tokens: int = 0
    """Of all answers; of one that never came, what was estimated."""
    cost: Decimal | None = Decimal(0)
    """Dollars. None: not known of some answer."""
    sides: frozenset[Side] = frozenset()
    wanted: tuple[Wanted, ...] = ()
    """Calls of the last answer."""
    said: str = ""
    final: bool = False
    """The last answer calls nothing."""
    empty: int = 0
    """Answers in a row that said and called nothing."""
    number: int = 0
    """Calls so far."""
    planned: bool = False
    """Whether its calls are laid down by code: then no model is asked what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A send that waits, so that it can be called back."""

    conversation: str
    turn: str
    call: ProposedCall
    grant: Grant
    due: datetime
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What its events tell."""

    id: str
    branch: Branch
    lines: tuple[Line, ...] = ()
    earlier: tuple[Intent, ...] = ()
    """Of the turn before, where nothing came of them yet: 'Tuesday' answers a question about them."""
    endorsements: tuple[Endorsement, ...] = ()
    turn: Turn | None = None
    """The one that goes on. None: the last one has ended."""
    held: Mapping[str, Held] = field(default_factory=dict)
    """By id of the call."""
    news: tuple[str, ...] = ()
    """What came of held sends since the last turn, to be told with the next."""
    seq: int = 0
    """Of the last event."""

    @classmethod
    def new(cls, name: str) -> Conversation:
        return cls(id=name, branch=Branch(id=MAIN, conversation=name))

    @classmethod
    def told(cls, name: str, events: Iterable[LoggedEvent]) -> Conversation:
        """What the events tell."""
        conversation = cls.new(name)
        for event in events:
            conversation = conversation.after(event)
        return conversation

    def after(self, event: LoggedEvent) -> Conversation:
        """After one more event."""
        step = _STEPS.get(event.kind)
        known = self if step is None else step(self, event, event.content)
        return replace(known, seq=event.seq)

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What the turn serves, the newest last."""
        return self.earlier if self.turn is None else (*self.earlier, *(self.turn.intents or ()))

    @property
    def current(self) -> Turn:
        """The turn that goes on.

        Raises:
            ValueError: none does.
        """
        if self.turn is None:
            raise ValueError("no turn goes on")
        return self.turn

    def _with(self, call: str, **changes: Any) -> Conversation:
        """With changes to a call that is wanted."""
        turn = self.current
        wanted = tuple(replace(one, **changes) if one.id == call else one for one in turn.wanted)
        return replace(self, turn=replace(turn, wanted=wanted))

    def _of(self, call: str) -> Wanted | None:
        return None if self.turn is None else next((one for one in self.turn.wanted if one.id == call), None)

    def _released(self, call: str, what: str) -> Conversation:
        """With a held send that is held no more."""
        tool = self.held[call].call.spec.name
        held = {other: one for other, one in self.held.items() if other != call}
        return replace(self, held=held, news=(*self.news, f"(News of the {tool} that was held: {what})"))

    def _answered(self, call: str, text: str, mark: Mark, handles: tuple[str, ...] = ()) -> Conversation:
        """With the result of a call in the conversation."""
        wanted = self._of(call)
        if wanted is None or wanted.settled:
            return self
        result = said.ToolResult(call_id=wanted.wire, name=wanted.tool, parts=(said.Text(text=text),))
        line = Line(
            message=said.Message(role="tool", parts=(result,)),
            labels=mark.labels,
            turn=self.current.id,
            call=call,
            handles=handles,
        )
        known = self._with(call, settled=True)
        return replace(known, lines=_placed(known.lines, line))


def _placed(lines: tuple[Line, ...], line: Line) -> tuple[Line, ...]:
    """Results stand together after the answer that called for them; pictures come after all of them."""
    at = len(lines)
    while at and lines[at - 1].has_picture and lines[at - 1].call is not None:
        at -= 1
    return (*lines[:at], line, *lines[at:])


Content: TypeAlias = Mapping[str, Any]


def _turn_begun(known: Conversation, event: LoggedEvent, content: Content) -> Conversation:
    text = content["text"]
    pictures = read_all(Image, content.get("pictures", ()))
    given = read_all(Item, content.get("given", ()))
    branch = known.branch.next_turn()
    # Words and what came with them: only pictures bear more than the user's own mark.
    for picture in pictures:
        branch = branch.heard(picture.mark)
    mark = join([USERS_WORDS, *(picture.mark for picture in pictures)])
    parts: tuple[said.Part, ...] = (said.Text(text=text), *map(_picture, pictures))
    lines = [Line(message=said.Message(role="user", parts=parts), labels=mark.labels, turn=event.turn)]
    if known.news:
        news = said.Text(text="\n".join(known.news))
        lines.insert(0, Line(message=said.Message(role="user", parts=(news,)), labels=frozenset(), turn=event.turn))
    if given:
        before = len(branch.shelf.shown)
        shelf = branch.shelf.put(given, toolset=content["given_by"], call=event.turn)
        branch = replace(branch, shelf=shelf)
        shown = shelf.shown[before:]
        told = rendered(ToolResult(items=given), shown, most=content["shown"])
        lines.append(
            Line(
                message=said.Message(role="user", parts=(said.Text(text=f"It is about this:\n{told}"),)),
                labels=join(one.mark for one in shown).labels,
                turn=event.turn,
                handles=tuple(one.handle for one in shown),
            )
        )
    turn = Turn(id=event.turn, text=text, trigger=content["trigger"], user=content["user"], begun_at=event.at)
    return replace(known, branch=branch, lines=(*known.lines, *lines), turn=turn, news=())


def _picture(image: Image) -> said.Image:
    return said.Image(data=base64.b64encode(image.data).decode(), media_type=image.media_type)


def _intent(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    turn = replace(known.current, intents=read_all(Intent, content["intents"]), task=read(Task, content["task"]))
    return replace(known, turn=turn)


def _asked_model(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    if known.turn is None:
        return known
    turn = replace(known.turn, tokens=known.turn.tokens + content["tokens"])
    if content["branch"] == MAIN:
        turn = replace(turn, steps=turn.steps + 1)
    return replace(known, turn=turn)


def _model_said(known: Conversation, event: LoggedEvent, content: Content) -> Conversation:
    if known.turn is None:
        return known
    cost = None if content["cost"] is None else Decimal(content["cost"])
    turn = known.turn
    turn = replace(
        turn,
        tokens=turn.tokens + content["tokens"] - content["estimated"],
        cost=None if cost is None or turn.cost is None else turn.cost + cost,
        sides=turn.sides | {content["side"]},
    )
    if content["branch"] != MAIN:
        return replace(known, turn=turn)
    parts = tuple(read_part(part) for part in content["parts"])
    calls = [part for part in parts if isinstance(part, said.ToolCall)]
    text = "".join(part.text for part in parts if isinstance(part, said.Text | said.Refusal))
    shown = text if known.branch.context.trusted else inert(text)
    wanted = tuple(
        Wanted(id=f"{turn.id}-{turn.number + at + 1}", wire=call.id, tool=call.name, arguments=call.arguments)
        for at, call in enumerate(calls)
    )
    says_nothing = not calls and not text.strip()
    turn = replace(
        turn,
        wanted=wanted,
        number=turn.number + len(wanted),
        said="\n\n".join(one for one in (turn.said, shown.strip()) if one),
        final=not calls and not says_nothing,
        empty=turn.empty + 1 if says_nothing else 0,
    )
    if says_nothing:
        return replace(known, turn=turn)
    line = Line(
        message=said.Message(role="assistant", parts=parts), labels=known.branch.context.labels, turn=event.turn
    )
    return replace(known, turn=turn, lines=(*known.lines, line))


def _planned(known: Conversation, event: LoggedEvent, content: Content) -> Conversation:
    """What code wants done stands in the conversation as an answer would."""
    turn = known.current
    call = said.ToolCall(id=f"{turn.id}-plan", name=content["tool"], arguments=content["arguments"])
    wanted = Wanted(id=f"{turn.id}-{turn.number + 1}", wire=call.id, tool=call.name, arguments=call.arguments)
    turn = replace(turn, wanted=(wanted,), number=turn.number + 1, planned=True)
    line = Line(message=said.Message(role="assistant", parts=(call,)), labels=frozenset(), turn=event.turn)
    return replace(known, turn=turn, lines=(*known.lines, line))


def _proposed(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    if (problem := content.get("problem")) is not None:
        return known._answered(content["call"], problem, known.branch.context)
    if (added := content.get("added")) is not None:
        known = known._answered(content["call"], content["told"], USERS_WORDS)
        task = known.current.task
        if task is not None:
            task = replace(task, tools=(*task.tools, *added))
        return replace(known, turn=replace(known.current, task=task))
    if (handle := content.get("opened")) is not None:
        return _opened(known, content["call"], handle, content["shown"])
    return known._with(content["call"], proposed=read(ProposedCall, content["proposed"]))


def _judged(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    match content["verdict"]:
        case "allowed":
            return known._with(
                content["call"], grant=read(Grant, content["grant"]), by_person=content.get("by_person", False)
            )
        case "refused":
            return known._answered(content["call"], content["told"], known.branch.context)
        case _:
            return known


def _approval_asked(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    approval = read(Approval, content["approval"])
    return known._with(approval.call, approval=approval)


def _approval_answered(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    answered = read(Answered, content["answered"])
    wanted = next(
        (one for one in known.current.wanted if one.approval is not None and one.approval.id == answered.approval), None
    )
    return known if wanted is None else known._with(wanted.id, answered=answered)


def _effect_begun(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    call = content["grant"]["call"]
    if call in known.held:
        return replace(known, held={**known.held, call: replace(known.held[call], begun=True)})
    return known._with(call, begun=True)


def _effect_held(known: Conversation, event: LoggedEvent, content: Content) -> Conversation:
    grant, due = read(Grant, content["grant"]), read(datetime, content["due"])
    wanted = known._of(grant.call)
    if wanted is None or wanted.proposed is None:
        return known
    held = Held(conversation=known.id, turn=event.turn, call=wanted.proposed, grant=grant, due=due)
    branch = known.branch.acted(wanted.proposed, grant, ToolResult(), event.at, by_person=wanted.by_person)
    known = known._answered(grant.call, content["told"], branch.context)
    return replace(known, branch=branch, held={**known.held, grant.call: held})


def _effect_done(known: Conversation, event: LoggedEvent, content: Content) -> Conversation:
    call = content["call"]
    if call in known.held:
        return known._released(call, "was sent")
    wanted = known._of(call)
    if wanted is None or wanted.proposed is None or wanted.grant is None:
        return known
    result = read(ToolResult, content["result"])
    before = len(known.branch.shelf.shown)
    hidden = _hidden(wanted.proposed, result, known.intents)
    branch = known.branch.acted(
        wanted.proposed,
        wanted.grant,
        result,
        event.at,
        by_person=wanted.by_person,
        closed=lambda item: item.id in hidden,
    )
    shown = branch.shelf.shown[before:]
    text = rendered(result, shown, most=content["shown"])
    # The note is in isthmus' words, but it was made by a call that the model wrote after all that it had seen.
    mark = join([known.branch.context if result.note else USERS_WORDS, *(one.seen for one in shown)])
    known = known._answered(call, text or SEE_BELOW, mark, tuple(one.handle for one in shown if not one.closed))
    known = replace(known, branch=branch)
    if result.image is None:
        return known
    whose = said.Text(text=f"The picture of {wanted.tool}:")
    line = Line(
        message=said.Message(role="user", parts=(whose, _picture(result.image))),
        labels=result.image.mark.labels,
        turn=event.turn,
        call=call,
    )
    return replace(known, lines=(*known.lines, line))


def _hidden(call: ProposedCall, result: ToolResult, intents: Sequence[Intent]) -> frozenset[str]:
    """Ids of what is shown by its handle alone: what a search found beside what the user named, and all within it."""
    if call.spec.effect not in {"read", "fetch"}:
        return frozenset()
    ids = unasked(result, intents)
    return frozenset(inner.id for item in result.items if item.id in ids for inner in flat([item]))


def _opened(known: Conversation, call: str, handle: str, most: int) -> Conversation:
    """After a model had a thing shown that was shown by its handle alone."""
    shelf = known.branch.shelf
    thing = shelf.at(handle)
    if thing is None:
        return known
    handles = {
        shown.handle for shown in shelf.shown if shown.call == thing.call and shown.item in [*flat([thing.item])]
    }
    for one in handles:
        shelf = shelf.opened(one)
    shown = [one for one in shelf.shown if one.handle in handles]
    known = replace(known, branch=replace(known.branch, shelf=shelf))
    text = rendered(ToolResult(), shown, most=most)
    return known._answered(call, text, join(one.mark for one in shown), tuple(one.handle for one in shown))


def _effect_failed(known: Conversation, event: LoggedEvent, content: Content) -> Conversation:
    call = content["call"]
    if call in known.held:
        return known._released(call, content["told"])
    if event.kind == "effect_uncertain":  # it counts as made: it is not made again
        wanted = known._of(call)
        if wanted is not None and wanted.proposed is not None and wanted.grant is not None:
            branch = known.branch.acted(
                wanted.proposed, wanted.grant, ToolResult(), event.at, by_person=wanted.by_person
            )
            known = replace(known, branch=branch)
    return known._answered(call, content["told"], known.branch.context)


def _branch_ended(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    call, thing = content["call"], content["thing"]
    wanted = known._of(call)
    if wanted is None:
        return known
    answer, notes = content.get("problem"), wanted.notes
    if answer is None:
        branch, item = returned(
            known.branch,
            read(Branch, content["side"]),
            read_all(Blank, content["blanks"]),
            content["answers"],
            today=read(date, content["today"]),
            fold_bits=content["fold_bits"],
        )
        note = branch.shelf.shown[-1].handle
        known, notes = replace(known, branch=branch), (*notes, note)
        answer = ", ".join(f"{spelled(one.value)} (@{note}.{name})" for name, one in item.fields.items())
    known = known._with(call, answers={**wanted.answers, thing: f"{thing}: {answer}"}, notes=notes)
    if not content["last"]:
        return known
    wanted = known._of(call)
    assert wanted is not None
    shown = [one for one in known.branch.shelf.shown if one.handle in notes]
    mark = join([known.branch.ground, *(one.seen for one in shown)])
    return known._answered(call, "\n".join(wanted.answers.values()), mark, notes)


def _endorsed(known: Conversation, _: LoggedEvent, content: Content) -> Conversation:
    return replace(known, endorsements=(*known.endorsements, read(Endorsement, content["endorsement"])))


def _turn_ended(known: Conversation, _: LoggedEvent, __: Content) -> Conversation:
    if known.turn is None:
        return known
    acted = any(one.effect not in {"read", "fetch"} for one in known.branch.granted)
    earlier = () if acted else known.turn.intents or ()
    for one in known.turn.wanted:  # no dialect allows a call without a result
        known = known._answered(one.id, "Not done: the turn ended before it.", known.branch.context)
    return replace(known, turn=None, earlier=earlier)


_STEPS: Mapping[EventKind, Callable[[Conversation, LoggedEvent, Content], Conversation]] = {
    "turn_begun": _turn_begun,
    "intent": _intent,
    "planned": _planned,
    "asked_model": _asked_model,
    "model_said": _model_said,
    "proposed": _proposed,
    "judged": _judged,
    "approval_asked": _approval_asked,
    "approval_answered": _approval_answered,
    "effect_begun": _effect_begun,
    "effect_held": _effect_held,
    "effect_done": _effect_done,
    "effect_failed": _effect_failed,
    "effect_uncertain": _effect_failed,
    "effect_recalled": _effect_failed,
    "branch_ended": _branch_ended,
    "endorsed": _endorsed,
    "turn_ended": _turn_ended,
}


# ------------------------------------------------------------------------------------------------- parts of an answer

_PARTS: Mapping[str, type[said.Text | said.Reasoning | said.Refusal | said.ToolCall]] = {
    "text": said.Text,
    "reasoning": said.Reasoning,
    "refusal": said.Refusal,
    "call": said.ToolCall,
}
_NAMES = {kind: name for name, kind in _PARTS.items()}


def written_part(part: said.Part) -> dict[str, Any] | None:
    """A part of a model's answer for the log. None: it is of a sort that is not gone on from."""
    name = _NAMES.get(type(part))  # type: ignore[arg-type]
    if name is None:
        return None
    fields = written(part)
    return {"type": name, **{key: value for key, value in fields.items() if value not in (None, [], "")}}


def read_part(content: Mapping[str, Any]) -> said.Part:
    """A part of a model's answer, out of the log."""
    kind = _PARTS[content["type"]]
    fields: dict[str, Any] = {key: value for key, value in content.items() if key != "type"}
    if kind is said.ToolCall:
        fields = {"arguments": "", **fields}
    elif kind is not said.Reasoning:
        fields = {"text": "", **fields}
    return read(kind, fields)
