"""What happened in a turn and why, read from the log: lines for people, and the same as values for programmes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from isthmus.agent.inert import one_line
from isthmus.agent.ports import EventKind, EventLog, LoggedEvent
from isthmus.domain.errors import InvalidRequest

EVERYTHING = datetime(1970, 1, 1, tzinfo=UTC)
_LONG = 300

_TOLD: tuple[EventKind, ...] = (
    "turn_begun",
    "intent",
    "model_said",
    "proposed",
    "judged",
    "approval_asked",
    "approval_answered",
    "endorsed",
    "effect_held",
    "effect_recalled",
    "effect_begun",
    "effect_done",
    "effect_failed",
    "effect_uncertain",
    "branch_begun",
    "branch_ended",
    "turn_ended",
)


def found(log: EventLog, name: str) -> Sequence[LoggedEvent]:
    """The events of a turn, of a call, or of what was asked about one.

    Args:
        log: of the agent.
        name: id of a turn, a call or an approval; the beginning of one is enough where it is the only one.

    Raises:
        InvalidRequest: there is none of that name, or more than one.
    """
    events = log.across(_TOLD, since=EVERYTHING)
    names = {one for event in events for one in (event.turn, _call(event), _approval(event)) if one}
    exact = names & {name} or {one for one in names if one.startswith(name)}
    turns = {event.turn for event in events if {event.turn, _call(event), _approval(event)} & exact}
    if not turns:
        raise InvalidRequest(f"There is no turn or call {name[:40]!r}.", hint="`isthmus agent log` names them.")
    if len(turns) > 1:
        raise InvalidRequest(f"{name[:40]!r} begins more than one name.", hint="Give more of it.")
    (turn,) = turns
    of_turn = [event for event in events if event.turn == turn]
    if turn in exact:
        return of_turn
    asked = {_approval(event): _call(event) for event in of_turn if event.kind == "approval_asked"}
    calls = {
        _call(event) or asked.get(_approval(event)) for event in of_turn if {_call(event), _approval(event)} & exact
    }
    return [
        event
        for event in of_turn
        if event.kind in {"turn_begun", "intent"} or (_call(event) or asked.get(_approval(event))) in calls
    ]


def conversation_lines(events: Iterable[LoggedEvent]) -> Iterator[str]:
    """A conversation or a part of one, a line or more for each event."""
    for event in events:
        for at, line in enumerate(_lines(event)):
            yield f"{event.at.astimezone():%H:%M:%S}  {line}" if not at else f"          {line}"


def as_json(events: Iterable[LoggedEvent]) -> list[dict[str, Any]]:
    """The same for programmes: events as they are kept."""
    return [
        {
            "seq": event.seq,
            "at": event.at.isoformat(),
            "conversation": event.conversation,
            "turn": event.turn,
            "kind": event.kind,
            "content": event.content,
        }
        for event in events
    ]


def _lines(event: LoggedEvent) -> Iterator[str]:
    content = event.content
    match event.kind:
        case "turn_begun":
            yield f"turn {event.turn}, by {_short(content['user'])} ({content['trigger']}): {_short(content['text'])}"
        case "intent":
            yield from _intent(content)
        case "model_said" if content.get("offer"):
            yield f"{content['offer']} ({content['side']}) answered, request {content['request']}"
        case "proposed":
            arguments = _plain(content.get("proposed"))
            told = content.get("problem") or ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
            yield f"call {content['call']}: {_short(content['tool'])}({told})"
        case "judged":
            who = "by you" if content.get("by_person") else "by the monitor"
            yield f"{content['verdict']} {who}: {content['tool']}"
            yield from _reasons(content.get("why", ()))
        case "approval_asked":
            approval = content["approval"]
            yield f"you were asked, approval {approval['id']}: {_short(approval['says'])}"
        case "approval_answered":
            answered = content["answered"]
            yield f"answered: {answered['verdict']}, by {_short(answered['by'])}"
        case "endorsed":
            yield f"from now on endorsed: {_short(content['endorsement']['value'])}"
        case "effect_held":
            yield f"held: {_short(content['told'])}"
        case "effect_begun":
            yield f"begun: {content['grant']['tool']}, digest {content['grant']['digest'][:16]}"
        case "effect_done":
            yield f"done: {content['tool']}. {_short(content['result'].get('note', ''))}".rstrip()
        case "effect_failed" | "effect_uncertain" | "effect_recalled":
            yield _short(content["told"])
        case "branch_ended":
            yield f"read apart: {content['thing']}{_problem(content)}"
        case "turn_ended":
            yield f"ended: {content['outcome']}. {_short(content['note'])}".rstrip()
        case _:
            pass


def _intent(content: Mapping[str, Any]) -> Iterator[str]:
    for intent in content["intents"]:
        wants = ", ".join(f"{want['effect']} {want['kind'] or 'anything'}" for want in intent["wants"]) or "to be told"
        yield f"you want: {wants}"
        for slot in intent["slots"]:
            yield f"  {slot['part']}: {_short(slot['said'])} ({slot['kind']})"
    yield f"{content['task']['work']} work, with {', '.join(content['task']['tools']) or 'no tools'}"


def _reasons(why: Iterable[Mapping[str, str]]) -> Iterator[str]:
    for one in why:
        yield f"  {one['code']}: {one_line(one['sentence'], _LONG)}"


def _plain(proposed: Mapping[str, Any] | None) -> dict[str, str]:
    """Arguments by name, as text: of each value the references it stands for, if it stands for any."""
    result = {}
    for name, worths in ({} if proposed is None else proposed["values"]).items():
        told = []
        for worth in worths:
            whence = f" @{', '.join(worth['references'])}" if worth["references"] else ""
            told.append(f"{worth['value']!r}{whence}")
        result[name] = ", ".join(told)
    return result


def _problem(content: Mapping[str, Any]) -> str:
    return f", {_short(content['problem'])}" if content.get("problem") else ""


def _short(value: object) -> str:
    return one_line(str(value), _LONG)


def _call(event: LoggedEvent) -> str | None:
    content = event.content
    match event.kind:
        case "approval_asked":
            return str(content["approval"]["call"])
        case "effect_begun" | "effect_held":
            return str(content["grant"]["call"])
        case _:
            named = content.get("call")
            return None if named is None else str(named)


def _approval(event: LoggedEvent) -> str | None:
    match event.kind:
        case "approval_asked":
            return str(event.content["approval"]["id"])
        case "approval_answered":
            return str(event.content["answered"]["approval"])
        case _:
            return None
