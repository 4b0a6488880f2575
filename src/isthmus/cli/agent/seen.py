"""Who saw what: of every thing the agent handled, the models and the people that came to see something of it.

It is read from the log alone, which holds of every question to a model what was in it, and of every call what went into
it and whom it reached. Things are named by what they are and by their id; nothing of what they say is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from isthmus.agent.conversation import Conversation
from isthmus.agent.marks import THE_USER, Party
from isthmus.agent.monitor.calls import ProposedCall, Worth
from isthmus.agent.ports import LoggedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Somebody came to see something of a thing."""

    at: datetime
    conversation: str
    turn: str
    handle: str
    """`mail_3`: how the conversation calls it. Empty: the user's words alone."""
    kind: str
    item: str
    """The id by which its service knows it."""
    by: str
    """`model home (own)`, or the party that a call reached."""
    how: str
    """`asked`, or the tool and its parameter: `mail_send.body`."""
    request: str
    """Of a model: the entry of the ledger. Of a call: its id."""


def sightings(conversation: str, events: Iterable[LoggedEvent]) -> Iterator[Sighting]:
    """Who saw what in a conversation, in the order of its events."""
    known = Conversation.new(conversation)
    asked: dict[str, LoggedEvent] = {}
    for event in events:
        before, known = known, known.after(event)
        match event.kind:
            case "asked_model":
                asked[event.content["question"]] = event
            case "model_said" if event.content.get("offer"):
                question = asked.get(event.content["question"])
                if question is not None:
                    yield from _by_model(event, question, known)
            case "effect_done" if "reader" in event.content:
                yield from _by_reader(event)
            case "effect_done":
                yield from _by_call(event, before)
            case _:
                pass


def _by_model(event: LoggedEvent, question: LoggedEvent, known: Conversation) -> Iterator[Sighting]:
    content = event.content
    handles = dict.fromkeys(handle for message in question.content["messages"] for handle in message["handles"])
    by = f"model {content['offer']} ({content['side']})"
    for handle in handles or ("",):
        yield _sighting(event, known, handle, by=by, how="asked", request=str(content["request"]))


def _by_call(event: LoggedEvent, known: Conversation) -> Iterator[Sighting]:
    """What went into a call, and whom it reached.

    Where a value is a model's own words, all that the model had been shown may be in it.
    """
    call = _call(known, event.content["call"])
    if call is None or call.spec.effect not in _SEEN_OUTSIDE:
        return
    parties = {party for worths in call.values.values() for worth in worths for party in worth.parties}
    shown = [one.handle for one in known.branch.shelf.shown if not one.closed]
    for party in sorted(parties - {THE_USER}) or [Party(f"whoever {call.toolset} reaches")]:
        for name, worths in call.values.items():
            handles = dict.fromkeys(handle for worth in worths for handle in _handles(worth, shown))
            for handle in handles:
                yield _sighting(event, known, handle, by=party, how=f"{call.spec.name}.{name}", request=call.id)


def _by_reader(event: LoggedEvent) -> Iterator[Sighting]:
    """What a programme was given that has no conversation with the agent: a client of `isthmus mcp serve`."""
    content = event.content
    for item in content["result"]["items"]:
        yield Sighting(
            at=event.at,
            conversation=event.conversation,
            turn=event.turn,
            handle="",
            kind=item["kind"],
            item=item["id"],
            by=content["reader"],
            how=content["tool"],
            request=content["call"],
        )


_SEEN_OUTSIDE = frozenset({"send", "fetch", "change", "destroy"})


def _handles(worth: Worth, shown: Iterable[str]) -> Iterable[str]:
    if worth.references:
        return [reference.partition(".")[0] for reference in worth.references]
    return () if worth.said is not None or worth.mark.trusted else shown


def _call(known: Conversation, id: str) -> ProposedCall | None:  # noqa: A002 - the log's word
    if (held := known.held.get(id)) is not None:
        return held.call
    wanted = () if known.turn is None else known.turn.wanted
    return next((one.proposed for one in wanted if one.id == id), None)


def _sighting(event: LoggedEvent, known: Conversation, handle: str, *, by: str, how: str, request: str) -> Sighting:
    item = next((one.item for one in known.branch.shelf.shown if one.handle == handle), None)
    return Sighting(
        at=event.at,
        conversation=event.conversation,
        turn=event.turn,
        handle=handle,
        kind="" if item is None else item.kind,
        item="" if item is None else item.id,
        by=by,
        how=how,
        request=request,
    )
