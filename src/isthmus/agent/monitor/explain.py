"""A judgement in words, for a person and for the model that wanted the call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isthmus.agent.approval import Remedy, Why
from isthmus.agent.monitor.judging import Allowed, Ask, Judgement, Refused


def explain(judgement: Judgement) -> str:
    """What was decided, why, and what else can be done: a line each."""
    return "\n".join(_lines(judgement))


def told(judgement: Ask | Refused) -> str:
    """What the model is told whose call was not made at once. It names what is wrong and no more of any content."""
    match judgement:
        case Ask(approval):
            return f"The user is asked first. {_sentences(approval.why)}"
        case Refused(why):
            return f"Not allowed. {_sentences(why)}"


def _lines(judgement: Judgement) -> Iterator[str]:
    match judgement:
        case Allowed(grant, why):
            yield f"allowed: {grant.tool}"
            yield from _reasons(why)
        case Ask(approval):
            yield f"asks: {approval.says}"
            yield from _reasons(approval.why)
            yield from _ways(approval.remedies)
        case Refused(why, remedies):
            yield "refused"
            yield from _reasons(why)
            yield from _ways(remedies)


def _reasons(why: Iterable[Why]) -> Iterator[str]:
    for one in why:
        yield f"  {one.code}: {one.sentence}"


def _ways(remedies: Iterable[Remedy]) -> Iterator[str]:
    for remedy in remedies:
        yield f"  → {remedy.code}: {remedy.sentence}"


def _sentences(why: Iterable[Why]) -> str:
    return " ".join(one.sentence for one in why)
