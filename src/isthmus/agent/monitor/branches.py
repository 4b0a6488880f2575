"""A branch: one conversation of a model with the world, and what that model has seen in it.

The main branch talks with the user. A side branch reads what is untrusted or heavy and hands typed values back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from isthmus.agent.marks import USERS_WORDS, Mark, Party, join
from isthmus.agent.monitor.calls import ProposedCall
from isthmus.agent.monitor.shelf import Shelf, foreign_links
from isthmus.agent.monitor.words import links
from isthmus.agent.tool import Effect, Grant, Item, Kind, ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A call that was granted in this turn, as later judgements count it."""

    call: str
    tool: str
    digest: str
    effect: Effect
    kind: Kind | None = None
    """Of what it makes."""
    parties: frozenset[Party] = frozenset()
    by_person: bool = False
    """Whether a person approved it; then it was not silent, and counts to no limit on what is."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What one model has seen, and what it did. A value: every step makes a new one."""

    id: str
    conversation: str
    ground: Mark = USERS_WORDS
    """Of what was said in it besides what lies on the shelf: the user's words, what a parent handed down, a summary."""
    shelf: Shelf = field(default_factory=Shelf)
    granted: tuple[Granted, ...] = ()
    """In this turn, by this branch and those it came from."""
    bits: Mapping[str, float] = field(default_factory=dict)
    """How many bits each source has put into typed values that came back from side branches."""

    @property
    def context(self) -> Mark:
        """Of everything its model has seen: the mark of what that model writes."""
        return join([self.ground, *(shown.seen for shown in self.shelf.shown)])

    def heard(self, mark: Mark) -> Branch:
        """After its model was shown something that lies on no shelf."""
        return replace(self, ground=self.ground.joined(mark))

    def acted(
        self,
        call: ProposedCall,
        grant: Grant,
        result: ToolResult,
        now: datetime,
        *,
        recall: Callable[[Item], Mark | None] = lambda _: None,
        by_person: bool = False,
        closed: Callable[[Item], bool] = lambda _: False,
    ) -> Branch:
        """After a call was made: what came back lies on the shelf, and what was done is counted.

        Args:
            call: what was proposed.
            grant: by which it was made.
            result: what came back.
            now: when.
            recall: the mark that a thing bears because the agent made it once (`MarkStore.recall`).
            by_person: whether a person approved the call.
            closed: which of the things found are shown by their handles alone (`meaning.unasked`).
        """
        made = call.spec.effect not in {"read", "fetch"}
        sources = self.sources(call) if made else frozenset[str]()
        carried = frozenset(self.links_in(call)) if made else frozenset[str]()
        shelf = self.shelf
        for item in result.items:
            extra = recall(item)
            if made:
                extra = grant.mark if extra is None else extra.joined(grant.mark)
            shelf = shelf.put(
                [item],
                toolset=call.toolset,
                call=call.id,
                whole=not call.values,
                asked_for=tuple(
                    str(worth.value)
                    for parameter, worth in call.played("query", "object", "destination")
                    if parameter.kind != "text"
                ),
                made=made,
                sources=sources,
                extra=extra,
                links=carried,
                closed=closed,
            )
        branch = replace(self, shelf=shelf, granted=(*self.granted, granted(call, now, by_person=by_person)))
        return branch if result.image is None else branch.heard(result.image.mark)

    def links_in(self, call: ProposedCall) -> Iterator[str]:
        """Links in what a call carries, by reference as well, that somebody else could have written."""
        for _, worth in call.played("content", "query", "option"):
            if worth.said is not None:
                continue
            if isinstance(worth.value, str) and not worth.mark.trusted:
                yield from links(worth.value)
            for reference in worth.references:
                if (shown := self.shelf.at(reference.partition(".")[0])) is not None:
                    yield from foreign_links(shown)

    def sources(self, call: ProposedCall) -> frozenset[str]:
        """Handles of all that went into a call: what its references name, and everything where the model wrote."""
        handles: set[str] = set()
        for _, worth in call.played("content", "query", "object", "destination", "option"):
            if worth.references:
                handles |= {reference.partition(".")[0] for reference in worth.references}
            elif worth.said is None:
                handles |= {shown.handle for shown in self.shelf.shown if not shown.closed}
        return frozenset(handles)

    def next_turn(self) -> Branch:
        """When the user speaks again: what was done is counted anew; what was seen stays seen."""
        return replace(self, granted=())


def granted(call: ProposedCall, now: datetime, *, by_person: bool = False) -> Granted:
    """A call as later judgements count it."""
    return Granted(
        call=call.id,
        tool=call.spec.name,
        digest=call.digest,
        effect=call.spec.effect,
        kind=call.spec.makes,
        parties=frozenset(party for _, worth in call.played("destination") for party in worth.parties),
        by_person=by_person,
        at=now,
    )
