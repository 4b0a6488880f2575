"""From the log alone: who saw what, why each call was made or not, and whether it would be decided so again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from isthmus.agent.approval import Why
from isthmus.agent.conversation import Conversation, Wanted
from isthmus.agent.marks import THE_USER, Origin, Party
from isthmus.agent.monitor.judging import judge
from isthmus.agent.monitor.policy import Policy
from isthmus.agent.monitor.replay import Difference, outcome
from isthmus.agent.monitor.shelf import Shown
from isthmus.agent.ports import LoggedEvent
from isthmus.agent.recorded import read, read_all
from isthmus.agent.tool import Kind
from isthmus.domain.label import Label
from isthmus.domain.offer import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class ByModel:
    """A model was shown a thing."""

    offer: str
    """That answered. Where others were tried before it, the ledger has them, under `request`."""
    side: Side
    request: str
    at: datetime
    apart: bool
    """Whether it was read apart, by a model that saw nothing else of the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByParty:
    """Somebody came to see a thing, or what was made of it."""

    party: Party
    tool: str
    call: str
    at: datetime
    how: Literal["itself", "what was written after it"]
    """Whether the thing or a field of it was sent, or a text whose writer had seen it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing that the agent found, and who saw it."""

    handle: str
    kind: Kind
    id: str
    toolset: str
    labels: frozenset[Label]
    origins: frozenset[Origin]
    found_at: datetime
    models: tuple[ByModel, ...] = ()
    parties: tuple[ByParty, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision about a call."""

    seq: int
    call: str
    tool: str
    at: datetime
    verdict: Literal["allowed", "ask", "refused"]
    by_person: bool
    why: tuple[Why, ...]
    parties: tuple[Party, ...]
    """Who would come to see something."""
    became: str = ""
    """What became of it: `done`, `failed`, `uncertain`, `held`, `recalled`; empty: nothing yet, or it was not made."""


_BECAME: Mapping[str, str] = {
    "effect_held": "held",
    "effect_done": "done",
    "effect_failed": "failed",
    "effect_uncertain": "uncertain",
    "effect_recalled": "recalled",
}


def who_saw(events: Iterable[LoggedEvent]) -> list[Seen]:
    """Of every thing that was found in a conversation, who saw it."""
    found: dict[str, Seen] = {}
    asked: dict[str, Mapping[str, Any]] = {}
    calls: dict[str, tuple[Wanted, Conversation]] = {}
    for known, event in _told(events):
        content = event.content
        match event.kind:
            case "asked_model":
                asked[content["question"]] = content
            case "model_said" if content["side"] is not None:
                by = _by_model(content, event)
                for handle in _handles(asked.get(content["question"], {})):
                    if handle in found:
                        found[handle] = replace(found[handle], models=(*found[handle].models, by))
            case "effect_begun":
                call = content["grant"]["call"]
                if (wanted := _wanted(known, call)) is not None:
                    calls.setdefault(call, (wanted, known))
            case "effect_held":
                call = content["grant"]["call"]
                if (wanted := _wanted(known, call)) is not None:
                    calls[call] = (wanted, known)
            case "effect_done" | "effect_uncertain" if content["call"] in calls:
                for handle, by_party in _by_parties(*calls[content["call"]], event):
                    found[handle] = replace(found[handle], parties=(*found[handle].parties, by_party))
            case _:
                pass
        for shown in known.after(event).branch.shelf.shown:
            if shown.handle not in found:
                found[shown.handle] = _seen(shown, event.at)
    return list(found.values())


def decisions(events: Iterable[LoggedEvent]) -> list[Decided]:
    """Every decision of a conversation, and what became of it."""
    found: list[Decided] = []
    for known, event in _told(events):
        content = event.content
        if event.kind == "judged":
            wanted = _wanted(known, content["call"])
            call = None if wanted is None else wanted.proposed
            parties = (
                ()
                if call is None
                else tuple(
                    dict.fromkeys(party for _, worth in call.played("destination", "query") for party in worth.parties)
                )
            )
            found.append(
                Decided(
                    seq=event.seq,
                    call=content["call"],
                    tool=content["tool"],
                    at=event.at,
                    verdict=content["verdict"],
                    by_person=content.get("by_person", False),
                    why=read_all(Why, content["why"]),
                    parties=parties,
                )
            )
        elif (became := _BECAME.get(event.kind)) is not None:
            call_id = content["grant"]["call"] if event.kind == "effect_held" else content["call"]
            for at in range(len(found) - 1, -1, -1):
                if found[at].call == call_id:
                    found[at] = replace(found[at], became=became)
                    break
    return found


def replay(events: Iterable[LoggedEvent], *, policy: Policy | None = None) -> list[Difference]:
    """Make all decisions of a conversation again.

    Args:
        events: of the conversation, all of them.
        policy: to decide by. None: that which was in force then.

    Returns:
        Those that come out otherwise. None do where the log tells the truth and the code decides as it did.
    """
    differences: list[Difference] = []
    in_force = policy
    for known, event in _told(events):
        if event.kind == "intent" and policy is None:
            in_force = read(Policy, event.content["policy"])
        if event.kind != "judged" or "outcome" not in event.content or in_force is None:
            continue  # what a person decided is not decided again
        wanted = _wanted(known, event.content["call"])
        if wanted is None or wanted.proposed is None:
            continue
        now = read(datetime, event.content["now"])
        again = outcome(judge(wanted.proposed, known.branch, known.intents, known.endorsements, in_force, now))
        was = str(event.content["outcome"])
        if again != was:
            differences.append(Difference(seq=event.seq, call=wanted.id, was=was, is_now=again))
    return differences


def explained(decided: Decided) -> str:
    """A decision in words: a line, and one for each reason."""
    who = " by a person" if decided.by_person else ""
    to = f" to {', '.join(decided.parties)}" if decided.parties else ""
    became = f" ({decided.became})" if decided.became else ""
    lines = [f"{decided.tool}{to}: {_SAID[decided.verdict]}{who}{became}"]
    return "\n".join([*lines, *(f"  {why.code}: {why.sentence}" for why in decided.why)])


_SAID: Mapping[str, str] = {"allowed": "allowed", "ask": "asked of a person", "refused": "refused"}


# ------------------------------------------------------------------------------------------------------------- inside


def _told(events: Iterable[LoggedEvent]) -> Iterator[tuple[Conversation, LoggedEvent]]:
    """Each event with the conversation as it was before it."""
    known: Conversation | None = None
    for event in events:
        known = known or Conversation.new(event.conversation)
        yield known, event
        known = known.after(event)


def _wanted(known: Conversation, call: str) -> Wanted | None:
    if known.turn is None:
        return None
    return next((wanted for wanted in known.turn.wanted if wanted.id == call), None)


def _seen(shown: Shown, at: datetime) -> Seen:
    return Seen(
        handle=shown.handle,
        kind=shown.item.kind,
        id=shown.item.id,
        toolset=shown.toolset,
        labels=shown.mark.labels,
        origins=shown.mark.origins,
        found_at=at,
    )


def _by_model(content: Mapping[str, Any], event: LoggedEvent) -> ByModel:
    return ByModel(
        offer=content["offer"],
        side=content["side"],
        request=content["request"],
        at=event.at,
        apart="/" in content["branch"],
    )


def _handles(asked: Mapping[str, Any]) -> Sequence[str]:
    """The things that a question showed."""
    return list(dict.fromkeys(handle for message in asked.get("messages", ()) for handle in message["handles"]))


def _by_parties(wanted: Wanted, known: Conversation, event: LoggedEvent) -> Iterator[tuple[str, ByParty]]:
    """The things that a call sent, to each of those who came to see it."""
    call = wanted.proposed
    assert call is not None
    parties = dict.fromkeys(
        party for _, worth in call.played("destination", "query") for party in worth.parties if party != THE_USER
    )
    carried = {
        reference.partition(".")[0]
        for _, worth in call.played("content", "query", "object")
        for reference in worth.references
    }
    for handle in sorted(known.branch.sources(call)):
        for party in parties:
            yield (
                handle,
                ByParty(
                    party=party,
                    tool=call.spec.name,
                    call=call.id,
                    at=event.at,
                    how="itself" if handle in carried else "what was written after it",
                ),
            )
