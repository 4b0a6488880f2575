"""The loop: the next step of a turn, taken, put down, and looked at again.

    read the intent → ask a model → for each call it wants: resolve, judge, (ask a person,) act → ask again → answer

Every step ends with an event in the log, and which step is next is told by the log alone (`conversation`). So going on
after a crash is no case of its own: the loop begins where the log ends. Only one place needs care, between the moment
an effect may have begun and the moment its result is on record: what is found there is looked for, never repeated.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

import anyio
from anyio.to_thread import run_sync

from isthmus.agent.approval import Answered, Why
from isthmus.agent.asking import Asking, OverBudget
from isthmus.agent.branching import branch_id, order_of, read_apart
from isthmus.agent.budgets import Bounds
from isthmus.agent.conversation import MAIN, Conversation, Turn, Wanted
from isthmus.agent.effects import carry_out, stepped
from isthmus.agent.happenings import Asked, Ended, Happening, Said, Stepped
from isthmus.agent.inert import InertStream, one_line
from isthmus.agent.intending import read_intents
from isthmus.agent.means import Means
from isthmus.agent.monitor import explain
from isthmus.agent.monitor.approving import answer
from isthmus.agent.monitor.calls import ProposedCall
from isthmus.agent.monitor.judging import Allowed, Ask, Refused, judge
from isthmus.agent.monitor.references import propose
from isthmus.agent.monitor.replay import outcome
from isthmus.agent.ports import EventKind, LoggedEvent
from isthmus.agent.prompt import MORE_TOOLS, OPEN, READ_EACH, Line, fitted, instructions, tool_of
from isthmus.agent.recorded import written
from isthmus.agent.tasks import task_of
from isthmus.agent.tool import Grant, Toolset, ToolSpec
from isthmus.domain.errors import IsthmusError, PolicyError, ProviderError, ToolError
from isthmus.domain.message import CompletionRequest, Message, Text, ToolChoice

_LOOK_SECONDS = 1.0
_MOST_EMPTY = 2
"""Answers in a row that say nothing, after which the turn ends."""

_ONLY_CLEARED = "Nobody may answer instead who is not cleared for the labels of this conversation."
"""Which offers that left out the road alone knows, and it does not say so where one was asked and failed."""

_NAME, _NOTE = 40, 200
"""Characters of a tool's name as a model wrote it, and of what is said of a call, for people."""


# ------------------------------------------------------------------------------------------------------ what is next


class Begin(NamedTuple):
    """Read what the user wants, and choose the tools."""


class Think(NamedTuple):
    """Ask a model."""


class Resolve(NamedTuple):
    """Make values with marks of what a model wrote."""

    wanted: Wanted


class Judge(NamedTuple):
    wanted: Wanted


class AskPerson(NamedTuple):
    wanted: Wanted


class Heed(NamedTuple):
    """Do what a person said."""

    wanted: Wanted


class Act(NamedTuple):
    wanted: Wanted


class Recover(NamedTuple):
    """Find out what became of a call that had begun."""

    wanted: Wanted


class ReadApart(NamedTuple):
    """Have things read in side branches."""

    wanted: Wanted


class Open(NamedTuple):
    """Show what was shown by its handle alone."""

    wanted: Wanted


class GetTools(NamedTuple):
    """Give the task more tools."""

    wanted: Wanted


class Finish(NamedTuple):
    outcome: Literal["done", "failed", "over_budget"]
    note: str = ""


Step: TypeAlias = (
    Begin | Think | Resolve | Judge | AskPerson | Heed | Act | Recover | ReadApart | Open | GetTools | Finish
)


def next_step(turn: Turn) -> Step:
    """What is to be done next in a turn."""
    if turn.intents is None or turn.task is None:
        return Begin()
    for wanted in turn.wanted:
        if wanted.settled:
            continue
        if wanted.tool == READ_EACH.name and READ_EACH.name in turn.task.tools:
            return ReadApart(wanted)
        if wanted.tool == OPEN.name:
            return Open(wanted)
        if wanted.tool == MORE_TOOLS.name and turn.task.work == "complex":
            return GetTools(wanted)
        if wanted.begun:
            return Recover(wanted)
        if wanted.grant is not None:
            return Act(wanted)
        if wanted.proposed is None:
            return Resolve(wanted)
        if wanted.answered is not None:
            return Heed(wanted)
        return Judge(wanted) if wanted.approval is None else AskPerson(wanted)
    if turn.final or turn.planned:
        return Finish("done")
    if turn.empty >= _MOST_EMPTY:
        return Finish("failed", "The model said nothing.")
    return Think()


# ------------------------------------------------------------------------------------------------------------ the loop


@dataclass(slots=True)
class Loop:
    """Runs the turn of one conversation. Nobody else writes events of the conversation meanwhile, but answers."""

    means: Means
    known: Conversation
    patience: float = 0.0
    """Seconds that a person's answer is waited for before the turn is left waiting."""
    answered: anyio.Event = field(default_factory=anyio.Event)
    """Set when an answer to an approval was put into the log."""
    _began: float = field(default_factory=anyio.current_time)
    _told: set[str] = field(default_factory=set)
    """Approvals that were shown by this loop."""

    async def run(self) -> AsyncGenerator[Happening, None]:
        """Run the turn to its end, or until it has to wait for a person."""
        while self.known.turn is not None:
            match next_step(self.known.turn):
                case Begin():
                    async for happening in self._begin():
                        yield happening
                case Think():
                    async for happening in self._think():
                        yield happening
                case Resolve(wanted):
                    async for happening in self._resolve(wanted):
                        yield happening
                case Judge(wanted):
                    async for happening in self._judge(wanted):
                        yield happening
                case AskPerson(wanted):
                    approval = wanted.approval
                    assert approval is not None
                    if approval.id not in self._told:
                        self._told.add(approval.id)
                        yield Asked(approval)
                    if not await self._answer_to(wanted):
                        yield self._waiting()
                        return
                case Heed(wanted):
                    async for happening in self._heed(wanted):
                        yield happening
                case Act(wanted):
                    async for happening in self._act(wanted):
                        yield happening
                case Recover(wanted):
                    async for happening in self._recover(wanted):
                        yield happening
                case ReadApart(wanted):
                    async for happening in self._read_apart(wanted):
                        yield happening
                case Open(wanted):
                    async for happening in self._open(wanted):
                        yield happening
                case GetTools(wanted):
                    async for happening in self._get_tools(wanted):
                        yield happening
                case Finish(how, note):
                    yield await self._end(how, note)

    # ------------------------------------------------------------------------------------------------------- events

    async def put(self, kind: EventKind, content: Mapping[str, Any]) -> None:
        """Append an event, and know it and what others appended meanwhile."""
        await run_sync(self.means.log.append, self.known.id, self.known.current.id, kind, content)
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Know what others appended: answers of persons."""
        events = await run_sync(lambda: list(self.means.log.read(self.known.id, after=self.known.seq)))
        for event in events:
            self.known = self.known.after(event)

    async def _end(self, outcome: Literal["done", "refused", "failed", "over_budget"], note: str = "") -> Ended:
        turn = self.known.current
        ended = Ended(outcome=outcome, text=turn.said, cost=turn.cost, sides=turn.sides, note=note)
        content = {"outcome": outcome, "note": note, "cost": None if turn.cost is None else str(turn.cost)}
        await self.put("turn_ended", content)
        return ended

    def _waiting(self) -> Ended:
        turn = self.known.current
        return Ended(
            outcome="waiting", text=turn.said, cost=turn.cost, sides=turn.sides, note="A person has to decide first."
        )

    # ------------------------------------------------------------------------------------------------------ thinking

    async def _begin(self) -> AsyncIterator[Happening]:
        """Read the intent of the user's words, choose the tools."""
        turn = self.known.current
        try:
            intents = await read_intents(self.means, turn, self._asking("intent"))
        except OverBudget as over:
            yield await self._end("over_budget", over.sentence)
            return
        tools = {name: toolset.specs for name, toolset in self.means.toolsets.items()}
        task = task_of(turn.text, intents, tools)
        rules = written(self.means.policy)
        await self.put("intent", {"intents": written(intents), "task": written(task), "policy": rules})

    def _asking(self, branch: str = MAIN) -> Asking:
        return Asking(self.means, self.known.id, self.known.current, self.put, branch)

    async def _think(self) -> AsyncIterator[Happening]:
        turn = self.known.current
        assert turn.task is not None
        bounds = self.means.bounds[turn.task.work]
        if (note := self._spent(turn, bounds)) is not None:
            yield await self._end("failed", note)
            return
        request = self._request(turn, bounds)
        lines = fitted(self.known.lines, turn=turn.id, most=bounds.history)
        mark, stream = self.known.branch.context, InertStream()
        try:
            async for happening in self._asking().stream(request, lines):
                if not isinstance(happening, str):
                    yield happening
                elif piece := happening if mark.trusted else stream.feed(happening):
                    yield Said(piece, mark)
            if piece := stream.close():
                yield Said(piece, mark)
        except OverBudget as over:
            yield await self._end("over_budget", over.sentence)
        except PolicyError as error:
            yield await self._end("refused", f"{error.sentence}{_bearing(lines)}")
        except ProviderError as error:
            told = _bearing(lines)
            others = f" {_ONLY_CLEARED}{told}" if told else ""
            yield await self._end("failed", f"{error.sentence}{others}")
        except IsthmusError as error:
            yield await self._end("failed", error.sentence)

    def _spent(self, turn: Turn, bounds: Bounds) -> str | None:
        """Why the turn has to end, in a sentence; None: it may go on."""
        if turn.steps >= bounds.steps:
            return f"It took more than {bounds.steps} steps."
        if turn.tokens >= bounds.tokens:
            return f"It took more than {bounds.tokens} tokens."
        if anyio.current_time() - self._began >= bounds.seconds:
            return f"It took more than {bounds.seconds:.0f} seconds."
        return None

    def _request(self, turn: Turn, bounds: Bounds) -> CompletionRequest:
        """All but the conversation itself."""
        assert turn.task is not None
        names = set(turn.task.tools)
        known = [spec for toolset in self.means.toolsets.values() for spec in toolset.specs]
        specs = [spec for spec in known if spec.name in names]
        own = (
            (READ_EACH, READ_EACH.name in names),
            (OPEN, any(shown.closed for shown in self.known.branch.shelf.shown)),
            (MORE_TOOLS, turn.task.work == "complex" and len(specs) < len(known)),
        )
        tools = (*map(tool_of, specs), *(tool for tool, offered in own if offered))
        system = Message(role="system", parts=(Text(text=instructions(self.means.clock())),))
        last = turn.steps + 1 >= bounds.steps  # what was found is told, rather than nothing
        return CompletionRequest(
            model=self.means.workloads[turn.task.work],
            messages=(system,),
            tools=tools,
            tool_choice=ToolChoice(mode="none") if tools and last else None,
            max_output_tokens=bounds.output_tokens,
        )

    # --------------------------------------------------------------------------------------------------------- calls

    async def _resolve(self, wanted: Wanted) -> AsyncIterator[Happening]:
        found = self._tool(wanted.tool)
        try:
            if found is None:
                raise ToolError(f"There is no tool {one_line(wanted.tool, _NAME)}.", hint=self._names())
            toolset, spec = found
            proposed = propose(
                wanted.id,
                toolset.name,
                spec,
                _arguments(wanted.arguments),
                self.known.branch,
                self.known.intents,
                parties=toolset.parties,
            )
        except ToolError as error:
            yield await self._unresolved(wanted, error)
        else:
            await self.put("proposed", {"call": wanted.id, "tool": wanted.tool, "proposed": written(proposed)})

    async def _unresolved(self, wanted: Wanted, error: ToolError) -> Stepped:
        """Put down that a call cannot be made out, and say so to those who watch as well."""
        await self.put("proposed", {"call": wanted.id, "tool": wanted.tool, "problem": error.sentence})
        found = self.means.find(wanted.tool)
        return Stepped(
            call=wanted.id,
            tool=one_line(wanted.tool, _NAME),
            effect="read" if found is None else found[1].effect,
            says=one_line(wanted.tool, _NAME),
            state="failed",
            note=one_line(error.sentence, _NOTE),
        )

    def _tool(self, name: str) -> tuple[Toolset, ToolSpec] | None:
        """A tool of this task; another is not called, whatever its name."""
        task = self.known.current.task
        return self.means.find(name) if task is not None and name in task.tools else None

    def _names(self) -> str:
        task = self.known.current.task
        return f"There is {', '.join(task.tools)}." if task is not None and task.tools else "There are none."

    async def _judge(self, wanted: Wanted) -> AsyncIterator[Happening]:
        call = _resolved(wanted)
        now = self.means.clock()
        judgement = judge(call, self.known.branch, self.known.intents, self.known.endorsements, self.means.policy, now)
        base = {"call": call.id, "tool": call.spec.name, "now": written(now), "outcome": outcome(judgement)}
        match judgement:
            case Allowed(grant, why):
                await self.put("judged", {**base, "verdict": "allowed", "grant": written(grant), "why": written(why)})
            case Ask(approval):
                await self.put("judged", {**base, "verdict": "ask", "why": written(approval.why)})
                await self.put("approval_asked", {"approval": written(approval)})
            case Refused(why, remedies):
                told = explain.told(judgement)
                content = {**base, "verdict": "refused", "why": written(why), "remedies": written(remedies)}
                await self.put("judged", {**content, "told": told})
                yield stepped(call, "refused", told)

    async def _answer_to(self, wanted: Wanted) -> bool:
        """Wait for an answer, as long as patience lasts. Returns whether there is one, or none can come any more."""
        await self._catch_up()
        if self._is_answered(wanted.id):
            return True
        approval = wanted.approval
        assert approval is not None
        left = (approval.expires_at - self.means.clock()).total_seconds()
        if left > 0 and self.patience > 0:
            with anyio.move_on_after(min(self.patience, left)):
                while not self._is_answered(wanted.id):
                    with anyio.move_on_after(_LOOK_SECONDS):  # the answer may be given to another process
                        await self.answered.wait()
                    self.answered = anyio.Event()
                    await self._catch_up()
            if self._is_answered(wanted.id):
                return True
        now = self.means.clock()
        if now < approval.expires_at:
            return False
        expired = Answered(approval=approval.id, verdict="refuse", by="isthmus: nobody answered in time", at=now)
        await self.put("approval_answered", {"answered": written(expired)})
        return True

    def _is_answered(self, call: str) -> bool:
        return any(one.id == call and one.answered is not None for one in self.known.current.wanted)

    async def _heed(self, wanted: Wanted) -> AsyncIterator[Happening]:
        call, approval, answered = _resolved(wanted), wanted.approval, wanted.answered
        assert approval is not None
        assert answered is not None
        now = self.means.clock()
        # An answer that came in time still counts when the process that asked was not there to hear it.
        found = answer(approval, answered, call, self.known.branch, min(now, answered.at))
        kept = self.known.endorsements
        for endorsement in found.endorsements:
            if endorsement not in kept:
                await self.put("endorsed", {"endorsement": written(endorsement)})
        base = {"call": call.id, "tool": call.spec.name, "now": written(now), "by_person": True}
        if found.grant is not None:
            await self.put("judged", {**base, "verdict": "allowed", "grant": written(found.grant), "why": []})
            return
        why = found.why or Why("refused", "The person said no.")
        told = f"Not done. {why.sentence}"
        await self.put("judged", {**base, "verdict": "refused", "why": written((why,)), "remedies": [], "told": told})
        yield stepped(call, "refused", told)

    async def _read_apart(self, wanted: Wanted) -> AsyncIterator[Happening]:
        """Have one thing after the other read, each in a branch of its own."""
        try:
            order = order_of(_arguments(wanted.arguments), self.known.branch)
        except ToolError as error:
            yield await self._unresolved(wanted, error)
            return
        says = f"{READ_EACH.name}({len(order.things)} things)"
        step = Stepped(call=wanted.id, tool=READ_EACH.name, effect="read", says=says, state="begun")
        yield step
        most = self.means.bounds["routine"].result
        left = [thing for thing in order.things if thing.handle not in wanted.answers]
        for thing in left:
            apart = branch_id(wanted.id, thing.handle)
            await self.put("branch_begun", {"call": wanted.id, "branch": apart, "thing": thing.handle})
            ended: dict[str, Any] = {
                "call": wanted.id,
                "branch": apart,
                "thing": thing.handle,
                "last": thing is left[-1],
            }
            try:
                side, answers = await read_apart(
                    self.means, self._asking(apart), self.known.branch, thing, order.question, order.blanks, most=most
                )
                ended |= {
                    "side": written(side),
                    "blanks": written(order.blanks),
                    "answers": dict(answers),
                    "today": written(self.means.clock().date()),
                    "fold_bits": self.means.fold_bits,
                }
                self._try(ended)
            except OverBudget as over:
                yield await self._end("over_budget", over.sentence)
                return
            except IsthmusError as error:
                ended = {**ended, "problem": f"could not be told. {error.sentence}"}
            await self.put("branch_ended", ended)
        yield replace(step, state="done", note=f"{len(order.things)} read")

    async def _open(self, wanted: Wanted) -> AsyncIterator[Happening]:
        try:
            named = str(_arguments(wanted.arguments).get("thing")).removeprefix("@").partition(".")[0]
            if self.known.branch.shelf.at(named) is None:
                raise ToolError(f"There is no {one_line(named, _NAME)}.")
        except ToolError as error:
            yield await self._unresolved(wanted, error)
        else:
            content = {"call": wanted.id, "tool": OPEN.name, "opened": named, "shown": self._most()}
            await self.put("proposed", content)

    async def _get_tools(self, wanted: Wanted) -> AsyncIterator[Happening]:
        try:
            about = str(_arguments(wanted.arguments).get("about", ""))
        except ToolError as error:
            yield await self._unresolved(wanted, error)
            return
        task = self.known.current.task
        tools = {name: toolset.specs for name, toolset in self.means.toolsets.items()}
        found = task_of(about, (), tools)
        added = [name for name in found.tools if found.topics and task is not None and name not in task.tools]
        told = f"You can now call {', '.join(added)}." if added else f"There are tools for {', '.join(tools)}."
        await self.put("proposed", {"call": wanted.id, "tool": MORE_TOOLS.name, "added": added, "told": told})

    def _try(self, ended: Mapping[str, Any]) -> None:
        """Whether the answers of a branch fit their form, before they are put down.

        Raises:
            ToolError: they do not.
        """
        event = LoggedEvent(
            seq=0,
            conversation=self.known.id,
            turn=self.known.current.id,
            kind="branch_ended",
            at=self.means.clock(),
            content=ended,
        )
        self.known.after(event)

    # ------------------------------------------------------------------------------------------------------- effects

    async def _act(self, wanted: Wanted) -> AsyncIterator[Happening]:
        call, grant = _resolved(wanted), wanted.grant
        assert grant is not None
        if call.spec.effect == "send" and self.means.hold and not wanted.by_person:
            due = self.means.clock() + self.means.hold
            told = (
                f"It will be sent at {due:%H:%M:%S}; until then the user can call it back. Nothing more is to be done."
            )
            await self.put("effect_held", {"grant": written(grant), "due": written(due), "told": told})
            yield stepped(call, "begun", f"held until {due:%H:%M:%S}")
            return
        yield stepped(call, "begun")
        if call.spec.effect != "read":
            await self.put("effect_begun", {"grant": written(grant)})
        yield await self._carried_out(call, grant, begun=False)

    async def _recover(self, wanted: Wanted) -> AsyncIterator[Happening]:
        call, grant = _resolved(wanted), wanted.grant
        assert grant is not None
        yield stepped(call, "begun", "It had begun before; what became of it is looked for.")
        yield await self._carried_out(call, grant, begun=True)

    async def _carried_out(self, call: ProposedCall, grant: Grant, *, begun: bool) -> Stepped:
        done = await carry_out(self.means, call, grant, begun=begun, most=self._most())
        await self.put(done.kind, done.content)
        return done.stepped

    def _most(self) -> int:
        """Characters of a result that the model is shown."""
        task = self.known.current.task
        return self.means.bounds["complex" if task is None else task.work].result


def _bearing(lines: Sequence[Line]) -> str:
    """What in a question bears which labels, as a sentence to add; empty where nothing bears any."""
    bearing: dict[str, list[str]] = {}
    for line in lines:
        for label in line.labels:
            bearing.setdefault(label, []).extend(line.handles)
    parts = []
    for bears, handles in sorted(bearing.items()):
        named = ", ".join(dict.fromkeys(handles)) or "what was said"
        parts.append(f"{bears}: {one_line(named, _NOTE)}")
    return f" What the labels are on: {'; '.join(parts)}." if parts else ""


def _resolved(wanted: Wanted) -> ProposedCall:
    assert wanted.proposed is not None
    return wanted.proposed


def _arguments(text: str) -> Mapping[str, Any]:
    """The arguments of a call, parsed.

    Raises:
        ToolError: they are no JSON object.
    """
    try:
        found = json.loads(text or "{}")
    except (RecursionError, ValueError) as error:
        raise ToolError("The arguments are no JSON.", hint="Write one JSON object.") from error
    if not isinstance(found, dict):
        raise ToolError("The arguments are no JSON object.", hint="Write one JSON object.")
    return found
