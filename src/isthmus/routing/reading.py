"""What a call asks for: its facts, the workload it belongs to, and every label known of it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from isthmus.domain.errors import TooLarge, WorkloadDenied
from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Workload
from isthmus.domain.request import RequestFacts
from isthmus.routing.answer import Call
from isthmus.routing.roster import Roster

MOST_MESSAGES = 2000


class Reading(NamedTuple):
    """A call, understood as far as choosing needs it."""

    facts: RequestFacts
    workload: Workload
    labels: tuple[Labelled, ...]


def facts_of(call: Call) -> RequestFacts:
    """The facts of a call: of its body, and of its path where that says more.

    Raises:
        InvalidRequest: not a request of the client's form.
    """
    facts = call.form.read_facts(call.body)
    if call.model is not None or call.stream is not None:
        model = facts.model if call.model is None else call.model
        stream = facts.stream if call.stream is None else call.stream
        return replace(facts, model=model, stream=stream)
    return facts


def read(call: Call, facts: RequestFacts, roster: Roster, *, most_messages: int = MOST_MESSAGES) -> Reading:
    """Understand a call whose body has been read.

    Raises:
        RequestError: it has more messages than allowed, or names nothing known.
        WorkloadDenied: the key may not use the workload.
    """
    if facts.messages > most_messages:
        raise TooLarge(f"{facts.messages} messages are more than the {most_messages} allowed.", param="messages")
    workload = roster.workload_of(
        model=facts.model, declared=call.workload or facts.workload, fallback=call.key_workload
    )
    if call.workloads is not None and workload.name not in call.workloads:
        raise WorkloadDenied(
            f"This key may not use {workload.name!r}.",
            hint=f"It may use {', '.join(sorted(call.workloads)) or 'no workload'}.",
        )
    labels = call.labels
    if workload.labels or facts.labels:
        labels = _joined(labels, workload.labels, facts.labels)
    return Reading(facts, workload, labels)


def _joined(
    known: tuple[Labelled, ...], workload: frozenset[Label], metadata: frozenset[Label]
) -> tuple[Labelled, ...]:
    """Labels only ever add up; each label keeps the first source that named it."""
    seen = {labelled.label: labelled for labelled in known}
    for name in sorted(workload):
        seen.setdefault(name, Labelled(name, "workload"))
    for name in sorted(metadata):
        seen.setdefault(name, Labelled(name, "metadata"))
    return tuple(seen.values())
