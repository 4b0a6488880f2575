"""The one road: every request for a completion, whoever makes it, goes this way.

    read facts → workload → labels → choose → cross (lower, try, retry, fail over) → restore → answer → ledger

The road knows no HTTP towards the client and opens no connection: it is handed a `Sender` and a `Recorder`. Its answer
is a context manager; leaving it settles the one entry of the request, whatever happened inside.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from isthmus.dialects.dialect import Form
from isthmus.dialects.registry import offered, resumable
from isthmus.domain.decision import Decision
from isthmus.domain.errors import (
    IsthmusError,
    LicenceDenied,
    NoHealthyOffer,
    NotCapable,
    ProviderError,
)
from isthmus.domain.kept import Kept
from isthmus.domain.label import Label
from isthmus.domain.offer import Offer
from isthmus.domain.ports import Keeper, Recorder, Sender
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestFacts
from isthmus.perimeter.denial import denial
from isthmus.perimeter.gate import Gate
from isthmus.routing.answer import Answer, Call, Copy
from isthmus.routing.cache import CACHE_BYTES, Cache, CacheKey, Given
from isthmus.routing.choose import choose
from isthmus.routing.course import Course, Means
from isthmus.routing.departure import Content, Departure
from isthmus.routing.health import HealthBoard
from isthmus.routing.reading import MOST_MESSAGES, Reading, facts_of, read
from isthmus.routing.resume import Naming, kept_answer, kept_of, resumed
from isthmus.routing.roster import Roster


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadLimits:
    """Bounds on one request."""

    messages: int = MOST_MESSAGES
    answer_bytes: int = 64 * 1024 * 1024
    """Of an answer that is not streamed."""
    stream_seconds: float = 3600.0
    cache_bytes: int = CACHE_BYTES
    """Of all answers that are kept to be given again."""


log = logging.getLogger("isthmus.routing")

_PART_LABELS = b"isthmus"
"""How the names of fields begin in which clients declare labels for parts."""
_NONE: frozenset[Label] = frozenset()
_NOBODY: Mapping[str, str] = {}


class Road:
    """The road. One instance serves all requests of a process."""

    def __init__(
        self,
        roster: Roster,
        sender: Sender,
        recorder: Recorder,
        gate: Gate,
        *,
        keeper: Keeper | None = None,
        limits: RoadLimits | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.roster = roster
        """Replaced whole by a reload; requests under way keep the one they began with."""
        self.limits = limits or RoadLimits()
        self.health = HealthBoard()
        self.cache = Cache(self.limits.cache_bytes)
        self.stopping = False
        """Set when isthmus is being stopped: what is cut off from then on is not the clients' doing."""
        self.gate = gate
        self._recorder = recorder
        self._keeper = keeper
        self._means = Means(sender, recorder, gate, draw, self.limits.answer_bytes)

    async def decide(self, call: Call) -> Decision:
        """What would be decided for a request, without sending it or recording anything.

        Raises:
            RequestError: the body is not a request, or names nothing known.
            WorkloadDenied: the key may not use the workload.
        """
        call, facts = await self._understood(call)
        reading = read(call, facts, self.roster, most_messages=self.limits.messages)
        content = await self._look(call, reading, origin=None)
        return self._choose(reading, content)

    async def serve(self, call: Call) -> Answer:
        """Serve a request: returns when the answer, or the first piece of a stream, is there.

        Returns:
            The answer, to be entered as a context manager exactly once.

        Raises:
            IsthmusError: no answer; the entry is settled already. The request id is in `request_id` of the error.
        """
        answer = self._answer(call)
        try:
            answer.warning = self._recorder.admit()
            call, facts = await self._understood(call)
            answer.read(call, facts)
            reading = read(call, facts, self.roster, most_messages=self.limits.messages)
            answer.begin(reading.workload.name, reading.labels)
            content = await self._look(call, reading, origin=answer.id)
            if content is not None:
                answer.label(content.labels)
            if reading.workload.cache_seconds is None:
                await self._cross(answer, reading, content)
            else:
                await self._cross_or_repeat(answer, reading, content, reading.workload.cache_seconds)
        except BaseException as exc:
            answer.settle_failed(exc)
            raise
        return answer

    async def kept(self, call: Call, answer: str) -> Kept | None:
        """What was kept of an earlier answer, for whoever makes this call; None: nothing that they may see."""
        return await kept_answer(self._keeper, call, answer)

    async def forget(self, call: Call, answer: str) -> bool:
        """Delete what was kept of an earlier answer. Returns whether there was something that they may see."""
        kept = await kept_of(self._keeper, call, answer)
        if kept is None or self._keeper is None:
            return False
        return await self._keeper.forget(kept.request, kept.tenant)

    async def _understood(self, call: Call) -> tuple[Call, RequestFacts]:
        """A call and its facts; one that goes on from an earlier answer, with all that was said until then."""
        facts = facts_of(call)
        if facts.previous is not None:
            call = await resumed(self._keeper, call, resumable(call.form.name), facts.previous)
            facts = facts_of(call)
        return call, facts

    def refused(self, form: Form, principal: Principal, arrived: float, error: IsthmusError) -> None:
        """Put a request on record that an edge refused before it was a whole call."""
        self._answer(Call(form=form, body=b"", principal=principal, arrived=arrived)).settle_failed(error)

    def _answer(self, call: Call) -> Answer:
        return Answer(
            call,
            self._recorder,
            self.health,
            stream_seconds=self.limits.stream_seconds,
            is_stopping=self._is_stopping,
        )

    def _is_stopping(self) -> bool:
        return self.stopping

    async def _look(self, call: Call, reading: Reading, *, origin: str | None) -> Content | None:
        """What is in the request; None: nothing has to be known of it.

        Without rules only the labels that a client declared for single parts are looked for.
        """
        perimeter = self.gate.perimeter
        if not perimeter.armed and _PART_LABELS not in call.body:
            return None
        inspection = await perimeter.inspect(
            call.body,
            tenant=call.principal.tenant,
            conversation=call.conversation or reading.facts.conversation,
            workload=reading.workload,
            declared=reading.labels,
            offers=[self.roster.offers[name] for name in reading.workload.offers],
            origin=origin and f"request {origin}",
        )
        return Content.of(perimeter, inspection)

    def _choose(self, reading: Reading, content: Content | None) -> Decision:
        now = time.monotonic()
        return choose(
            reading.workload,
            reading.facts,
            reading.labels if content is None else content.labels,
            self.roster,
            self.health,
            now=now,
            today=datetime.now(UTC).date(),
            policy=self.gate.perimeter.policy,
            direct=None if content is None else content.direct,
            lowerable=_NONE if content is None else content.lowerable,
            held_back=self.health.held_back(reading.workload.offers, now) if self.health.ejects else _NOBODY,
        )

    # --------------------------------------------------------------------------------------------------- the crossing

    async def _cross(self, answer: Answer, reading: Reading, content: Content | None) -> None:
        """Try the route until an offer answers, or nothing is left to try."""
        answer.decision = decision = self._choose(reading, content)
        if not decision.route:
            raise self._refusal(decision)
        if reading.facts.operation == "count_tokens" and not _can_count(decision):
            answer.estimated()
            return
        listen = self._listens(reading, content)
        departure = Departure(self.gate, answer.call, reading, content, listen=listen)
        course = Course(self._means, self.health, answer, reading.workload, decision, departure)
        try:
            if not await course.run():
                raise self._unhealthy(decision)
        except ProviderError:
            if reading.facts.operation != "count_tokens":
                raise
            answer.estimated()  # not every server that speaks a dialect counts in it
            return
        if reading.workload.mid_stream == "continue" and answer.streamed:
            answer.goes_on(course.go_on)
        if listen:
            await self._listen(answer, reading, content)

    # ------------------------------------------------------------------------------------------- given once more

    async def _cross_or_repeat(
        self, answer: Answer, reading: Reading, content: Content | None, cache_seconds: float
    ) -> None:
        """Give the answer that the very same request got before; where there is none, cross, and keep the answer."""
        key = self._cache_key(answer.call, reading, content)
        if key is None:
            await self._cross(answer, reading, content)
            return
        if await self._repeat(answer, reading, content, key):
            return
        leads = self.cache.takes_off(key)
        if not leads:
            await self.cache.landed(key)
            # The rules may have changed meanwhile: the key is made anew.
            key = self._cache_key(answer.call, reading, content)
            if key is not None and await self._repeat(answer, reading, content, key):
                return
        answer.cache = "miss"

        def taken(body: bytes | None) -> None:
            if key is None:
                return
            if body is not None and answer.offer is not None and not self._is_lowered(answer):
                given = Given(
                    offer=answer.offer,
                    body=body,
                    said=tuple(answer.said),
                    adapted=answer.adapted,
                    expires=time.monotonic() + cache_seconds,
                )
                self.cache.put(key, given)
            if leads:
                self.cache.land(key)

        if key is not None:
            answer.copied(Copy(self.cache.largest, taken))
        await self._cross(answer, reading, content)

    def _cache_key(self, call: Call, reading: Reading, content: Content | None) -> CacheKey | None:
        """The key of a request; None: its answer is not to be given to anybody else."""
        if self._keeps(reading) and resumable(call.form.name) is not None:
            return None  # each answer has an id of its own, under which it is kept
        return self.cache.key(call, reading, self._choose(reading, content))

    async def _repeat(self, answer: Answer, reading: Reading, content: Content | None, key: CacheKey) -> bool:
        """Answer from the cache, if there is something, and if the offer that said it may see this request now."""
        given = self.cache.get(key, time.monotonic())
        if given is None:
            return False
        decision = self._choose(reading, content)
        if not self._may_still(given.offer, decision, reading, content):
            return False
        answer.decision = decision
        answer.given(given.offer, given.body, given.adapted)
        if self._listens(reading, content):
            await self._heard(answer, reading, content, given.said)
        return True

    def _may_still(self, offer: Offer, decision: Decision, reading: Reading, content: Content | None) -> bool:
        """Whether an offer would be allowed to see a request as it is, by the rules in force now.

        That it rests does not matter: nobody is going to ask it.
        """
        if offer.name not in reading.workload.offers or self.roster.offers.get(offer.name) != offer:
            return False
        codes = {rejection.offer: rejection.code for rejection in decision.rejected}
        if codes.get(offer.name, "preferred_other") not in {"preferred_other", "resting"}:
            return False
        if content is not None:
            direct, lowerable = content.direct, content.lowerable
        else:
            direct, lowerable = frozenset(labelled.label for labelled in reading.labels), _NONE
        return not direct or self.gate.perimeter.policy.lowered(offer, direct, lowerable) == _NONE

    @staticmethod
    def _is_lowered(answer: Answer) -> bool:
        """Whether the offer that served saw stand-ins, which are of this conversation alone."""
        decision, offer = answer.decision, answer.offer
        return decision is None or any(c.lowered for c in decision.route if c.offer is offer)

    def _keeps(self, reading: Reading) -> bool:
        return self._keeper is not None and reading.workload.keep_days is not None

    def _listens(self, reading: Reading, content: Content | None) -> bool:
        """Whether what the answer says is to be heard."""
        return (content is not None and content.sticks) or self._keeps(reading)

    async def _listen(self, answer: Answer, reading: Reading, content: Content | None) -> None:
        """See to it that lineage and keeper hear what the answer says: now, or when its stream has ended."""
        goes_on = resumable(answer.call.form.name) if self._keeps(reading) else None
        naming = None if goes_on is None else Naming(goes_on, answer.id)

        async def heard(said: Sequence[str]) -> None:
            await self._heard(answer, reading, content, said, naming)

        answer.remember(heard, naming)
        await answer.keep_whole()

    async def _heard(
        self,
        answer: Answer,
        reading: Reading,
        content: Content | None,
        said: Sequence[str],
        naming: Naming | None = None,
    ) -> None:
        """Tell keeper and lineage what an answer says."""
        days = reading.workload.keep_days
        if self._keeper is not None and days is not None:
            whole = None if naming is None else naming.answer(streamed=answer.streamed)
            labels = tuple(labelled.label for labelled in answer.labels)
            self._keeper.keep(
                Kept(
                    request=answer.id,
                    tenant=answer.call.principal.tenant,
                    workload=reading.workload.name,
                    labels=labels,
                    firm=tuple(name for name in labels if content is None or name not in content.lowerable),
                    request_text=answer.call.body.decode("utf-8", "replace"),
                    answer_text="\n".join(said) if whole is None else whole.decode("utf-8", "replace"),
                    expires=datetime.now(UTC) + timedelta(days=days),
                    goes_on_in=None if whole is None else answer.call.form.name,
                )
            )
        if content is None or not content.sticks:
            return
        try:
            await content.perimeter.remember_answer(content.inspection, said, f"request {answer.id}")
        except Exception as exc:  # the answer has been made; what is left is to say that it will not be known again
            log.error("an answer could not be remembered, %s: %s", answer.id, type(exc).__name__)

    # ------------------------------------------------------------------------------------------------------ refusals

    def _refusal(self, decision: Decision) -> IsthmusError:
        """Why nothing is left, as the error the caller is told."""
        reasons = decision.rejected
        codes = {rejection.code for rejection in reasons}
        sentences = " ".join(rejection.sentence for rejection in reasons)
        if "resting" in codes:
            return self._unhealthy(decision)
        if "not_cleared" in codes:
            return denial(decision, self.gate.perimeter.policy, self.roster.offers.values())
        if "not_licensed" in codes:
            return LicenceDenied(
                f"No offer of workload {decision.workload!r} may serve this request. {sentences}",
                hint="Add an offer that may, record the contract that allows it, or mend what is said in "
                "[organisation]; `isthmus catalog licence` shows the clauses.",
            )
        return NotCapable(
            f"No offer of workload {decision.workload!r} can serve this request. {sentences}",
            hint="Add an offer that can, or change what the request asks for.",
        )

    def _unhealthy(self, decision: Decision) -> NoHealthyOffer:
        names = tuple(c.offer.name for c in decision.route) + tuple(r.offer for r in decision.rejected)
        now = time.monotonic()
        sentences = " ".join(s for name in names if (s := self.health.resting(name, now)) is not None)
        return NoHealthyOffer(
            f"No offer of workload {decision.workload!r} can be asked now. {sentences}",
            hint="Try again later.",
            retry_after=self.health.soonest(names, now),
        )


def _can_count(decision: Decision) -> bool:
    """Whether the first choice counts tokens; where it cannot, an estimate is made here, and nothing crosses."""
    offer = decision.route[0].offer
    if offer.engine is not None or offer.path is not None:
        return False
    return any(offered("count_tokens", dialect) is not None for dialect in (offer.dialect, *offer.also))
