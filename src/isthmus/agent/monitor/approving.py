"""A person's answer to a question, made into a grant or endorsements. An answer is for exactly what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from isthmus.agent.approval import Answered, Approval, Why
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.calls import ProposedCall
from isthmus.agent.monitor.intents import Endorsement
from isthmus.agent.monitor.judging import endorsable, grant_of
from isthmus.agent.monitor.normal import normal
from isthmus.agent.tool import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What follows from what a person said."""

    grant: Grant | None = None
    """None: the call is not made."""
    endorsements: tuple[Endorsement, ...] = ()
    """To be kept for later judgements."""
    why: Why | None = None
    """Why it is not made."""


def answer(approval: Approval, answered: Answered, call: ProposedCall, branch: Branch, now: datetime) -> Answer:
    """What a person's answer allows.

    Args:
        approval: the question.
        answered: the answer.
        call: the call as it would be made now. Where any argument differs from what was shown, the answer is void.
        branch: what was granted in it counts: nothing is granted twice.
        now: an answer counts until the question expires.
    """
    if (void := _void(approval, answered, call, branch, now)) is not None:
        return Answer(why=void)
    match answered.verdict:
        case "approve_once":
            return Answer(grant=grant_of(call))
        case "endorse_value" if any(remedy.code == "endorse_value" for remedy in approval.remedies):
            return Answer(grant=grant_of(call), endorsements=tuple(_endorsed(call, answered)))
        case "endorse_value":
            return Answer(why=Why("not_offered", "That was not among the answers to this question."))
        case "redact":
            return Answer(
                why=Why("redact", "The person wants it written again without what those readers may not see.")
            )
        case "draft_instead":
            return Answer(why=Why("draft_instead", "The person wants it as a draft."))
        case "refuse":
            return Answer(why=Why("refused", "The person said no."))


def _void(approval: Approval, answered: Answered, call: ProposedCall, branch: Branch, now: datetime) -> Why | None:
    if answered.approval != approval.id:
        return Why("other_question", "The answer is to another question.")
    if (approval.call, approval.tool, approval.conversation) != (call.id, call.spec.name, call.conversation):
        return Why("other_call", "The answer is about another call.")
    if approval.digest != call.digest:
        return Why("arguments_changed", "The arguments are not those that were shown.")
    if now >= approval.expires_at or answered.at >= approval.expires_at:
        return Why("expired", "The answer came too late; ask again.")
    if any(granted.call == call.id for granted in branch.granted):
        return Why("already_made", "A call is made once; this one was granted before.")
    return None


def _endorsed(call: ProposedCall, answered: Answered) -> list[Endorsement]:
    return [
        Endorsement(
            kind=parameter.kind,
            value=normal(parameter.kind, worth.value),
            parties=frozenset(worth.parties),
            by=answered.by,
            at=answered.at,
        )
        for parameter, worth in endorsable(call)
    ]
