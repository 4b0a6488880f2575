"""The agent's way to models in this process: the same road as everybody's, with the labels of every message.

What a model is asked goes the road as a client's request would: in one dialect, each message with the labels it bears.
The perimeter takes them out before anything is sent, and decides by them who may be asked at all.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

from typing_extensions import override

from isthmus.agent.ports import Question, Reasoner, Thought
from isthmus.agent.profiles import Profile, workloads_of
from isthmus.agent.prompt import declared
from isthmus.dialects.openai_chat.translator import OPENAI_CHAT
from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.label import Label
from isthmus.domain.message import CompletionRequest, Event
from isthmus.domain.offer import Side
from isthmus.domain.principal import Principal
from isthmus.domain.usage import Usage
from isthmus.routing.answer import Answer, Call
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster


def body_of(request: CompletionRequest, labels: Sequence[frozenset[Label]]) -> bytes:
    """A request on the wire, streamed, each message with its labels.

    Raises:
        ValueError: not every message has its labels told.
    """
    messages = tuple(declared(message, own) for message, own in zip(request.messages, labels, strict=True))
    streamed = replace(request, messages=messages, stream=True, stream_usage=True)
    return OPENAI_CHAT.encode_request(streamed, model=request.model)


@dataclass(slots=True)
class RoadThought(Thought):
    """An answer on the road."""

    answer: Answer
    offer: str
    side: Side
    request: str
    usage: Usage | None = None
    cost: Decimal | None = None

    @override
    async def events(self) -> AsyncIterator[Event]:
        decoder = OPENAI_CHAT.stream_decoder()
        for event in decoder.feed(self.answer.body):  # empty where what is said is remembered first
            yield event
        while piece := await self.answer.piece():
            for event in decoder.feed(piece):
                yield event
        for event in decoder.close():
            yield event
        self.usage, self.cost = self.answer.usage, self.answer.cost


class OnTheRoad(Reasoner):
    """Asks on the road of this process."""

    def __init__(self, road: Road) -> None:
        self._road = road

    @override
    async def estimate(self, question: Question) -> Decimal | None:
        decision = await self._road.decide(_call(question))
        return decision.route[0].expected_cost if decision.route else None

    @override
    @asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[RoadThought]:
        async with await self._road.serve(_call(question)) as answer:
            if answer.offer is None:
                raise UpstreamMalformed("The road gave an answer of nobody.")
            yield RoadThought(answer=answer, offer=answer.offer.name, side=answer.offer.side, request=answer.id)


def _call(question: Question) -> Call:
    return Call(
        form=OPENAI_CHAT,
        body=body_of(question.request, question.labels),
        principal=Principal(tenant=question.tenant, user=question.user),
        conversation=question.conversation,
        arrived=time.perf_counter(),
    )


def profiled(roster: Roster, profile: Profile) -> Roster:
    """A roster that has the workloads of a profile, too.

    Raises:
        ConfigError: the profile needs an own offer, and there is none.
    """
    own = workloads_of(profile, roster.offers.values())
    return replace(roster, workloads={**roster.workloads, own.routine.name: own.routine, own.complex.name: own.complex})
