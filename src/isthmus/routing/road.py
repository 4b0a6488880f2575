"""The one road: every request for a completion, whoever makes it, goes this way.

    read facts → workload → labels → choose → cross (lower, try, retry, fail over) → restore → answer → ledger

The road knows no HTTP towards the client and opens no connection: it is handed a `Sender` and a `Recorder`. Its answer
is a context manager; leaving it settles the one entry of the request, whatever happened inside.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from isthmus.dialects.dialect import Dialect
from isthmus.domain.crossing import Crossing
from isthmus.domain.decision import Candidate, Decision
from isthmus.domain.entry import CrossingNote
from isthmus.domain.errors import (
    ConfigError,
    IsthmusError,
    NoHealthyOffer,
    NotCapable,
    ProviderError,
    Unsupported,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamUnreachable,
)
from isthmus.domain.label import Label
from isthmus.domain.offer import Offer
from isthmus.domain.ports import Keeper, Recorder, Sender, WireResponse
from isthmus.domain.principal import Principal
from isthmus.perimeter.denial import denial
from isthmus.perimeter.gate import Gate
from isthmus.routing.answer import Answer, Call
from isthmus.routing.choose import choose
from isthmus.routing.departure import Content, Departure
from isthmus.routing.health import HealthBoard
from isthmus.routing.reading import MOST_MESSAGES, Reading, read
from isthmus.routing.retry import judge, wait_before
from isthmus.routing.roster import Roster
from isthmus.routing.translation import Translation


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadLimits:
    """Bounds on one request."""

    messages: int = MOST_MESSAGES
    answer_bytes: int = 64 * 1024 * 1024
    """Of an answer that is not streamed."""
    stream_seconds: float = 3600.0


TIMER_SLACK = 0.002
"""Seconds added to a pause: event loops round timers to a millisecond, and an offer asked too early still rests."""

log = logging.getLogger("isthmus.routing")

_PART_LABELS = b"isthmus"
"""How the names of fields begin in which clients declare labels for parts."""
_NONE: frozenset[Label] = frozenset()

ERROR_BODY_BYTES = 256 * 1024
"""How much of an upstream's error answer is read."""


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
        self.stopping = False
        """Set when isthmus is being stopped: what is cut off from then on is not the clients' doing."""
        self.gate = gate
        self._sender = sender
        self._recorder = recorder
        self._keeper = keeper
        self._draw = draw

    async def decide(self, call: Call) -> Decision:
        """What would be decided for a request, without sending it or recording anything.

        Raises:
            RequestError: the body is not a request, or names nothing known.
            WorkloadDenied: the key may not use the workload.
        """
        facts = call.dialect.read_facts(call.body)
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
            facts = call.dialect.read_facts(call.body)
            answer.read(facts)
            reading = read(call, facts, self.roster, most_messages=self.limits.messages)
            answer.begin(reading.workload.name, reading.labels)
            content = await self._look(call, reading, origin=answer.id)
            if content is not None:
                answer.label(content.labels)
            await self._cross(answer, reading, content)
        except BaseException as exc:
            answer.settle_failed(exc)
            raise
        return answer

    def refused(self, dialect: Dialect, principal: Principal, arrived: float, error: IsthmusError) -> None:
        """Put a request on record that an edge refused before it was a whole call."""
        self._answer(Call(dialect=dialect, body=b"", principal=principal, arrived=arrived)).settle_failed(error)

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
        return choose(
            reading.workload,
            reading.facts,
            reading.labels if content is None else content.labels,
            self.roster,
            self.health,
            now=time.monotonic(),
            today=datetime.now(UTC).date(),
            policy=self.gate.perimeter.policy,
            direct=None if content is None else content.direct,
            lowerable=_NONE if content is None else content.lowerable,
        )

    # --------------------------------------------------------------------------------------------------- the crossing

    async def _cross(self, answer: Answer, reading: Reading, content: Content | None) -> None:
        """Try the route until an offer answers, or nothing is left to try."""
        answer.decision = decision = self._choose(reading, content)
        if not decision.route:
            raise self._refusal(decision)
        listen = (content is not None and content.sticks) or self._keeps(reading)
        departure = Departure(self.gate, answer.call, reading, content, listen=listen)
        tries_left = reading.workload.attempts
        route = list(decision.route)
        rounds = 0
        error: IsthmusError | None = None
        while route:
            again: list[Candidate] = []
            retry_after: float | None = None
            for candidate in route:
                offer = candidate.offer
                if tries_left <= 0:
                    answer.reject(offer, "attempts_spent", f"The tries ended before the turn of {offer.name}.")
                    continue
                try:
                    translation, crossing = departure.to(candidate)
                except Unsupported as exc:
                    answer.reject(offer, "not_capable", f"{offer.name}: {exc.message}")
                    error = error or exc
                    continue
                if not self.health.enter(offer.name, time.monotonic()):
                    again.append(candidate)
                    continue
                tries_left -= 1
                failed = await self._try(answer, crossing, translation)
                if failed is None:
                    if listen:
                        await self._listen(answer, reading, content)
                    return
                error = failed
                failure = judge(failed)
                if failure.verdict == "caller":
                    raise failed
                if failure.verdict == "again":
                    again.append(candidate)
                    if failed.retry_after is not None:
                        retry_after = min(retry_after or failed.retry_after, failed.retry_after)
            if not again or tries_left <= 0:
                break
            rounds += 1
            wait = wait_before(rounds, self._draw(), retry_after)
            if wait is None:
                break
            await asyncio.sleep(wait + TIMER_SLACK)
            now = time.monotonic()
            route = [c for c in again if self.health.resting(c.offer.name, now) is None]
        raise error or self._unhealthy(decision)

    async def _try(self, answer: Answer, crossing: Crossing, translation: Translation) -> ProviderError | None:
        """One try at one offer. Returns the failure; None: it answered, and the answer has it."""
        offer = crossing.offer
        began = time.perf_counter()
        response: WireResponse | None = None
        status: int | None = None
        try:
            try:
                if crossing.labels or crossing.lowered:
                    await self._secure(answer, crossing)
                response = await self._sender.send(crossing)
            except ConfigError as exc:  # the operator's business, told to the log; another offer may serve
                log.error("%s cannot be asked: %s", offer.name, exc.sentence)
                raise UpstreamUnreachable(f"{offer.name} cannot be asked: it is not set up rightly here.") from exc
            status = response.status
            if not 200 <= status < 300:
                raise await _refused(offer, translation, response)
            if answer.streamed:
                first = await _first_piece(translation, response)
            else:
                first = translation.whole(await response.read(self.limits.answer_bytes))
        except ProviderError as exc:
            if response is not None:
                response.abort()
            exc.offer = offer.name
            now = time.perf_counter()
            if judge(exc).ails:
                self.health.failed(offer.name, exc.code, time.monotonic(), exc.retry_after)
            else:
                self.health.leave(offer.name)
            answer.tried(crossing, began, now, status, exc)
            return exc
        except BaseException:
            if response is not None:
                response.abort()
            self.health.leave(offer.name)
            answer.tried(crossing, began, time.perf_counter(), status, None)
            raise
        now = time.perf_counter()
        self.health.succeeded(offer.name, now - began)
        answer.tried(crossing, began, now, status, None)
        answer.answered(offer, translation, response, first, now)
        return None

    async def _secure(self, answer: Answer, crossing: Crossing) -> None:
        """Put the crossing on disk before it happens, where a label asks for it."""
        policy = self.gate.perimeter.policy
        if any(policy.rule(name).strict for name in crossing.labels | crossing.lowered):
            await self._recorder.secure(
                CrossingNote(
                    request=answer.id,
                    offer=crossing.offer.name,
                    labels=tuple(sorted(crossing.labels)),
                    lowered=tuple(sorted(crossing.lowered)),
                    digest=hashlib.sha256(crossing.request.body).hexdigest(),
                    at=datetime.now(UTC),
                )
            )

    def _keeps(self, reading: Reading) -> bool:
        return self._keeper is not None and reading.workload.keep_days is not None

    async def _listen(self, answer: Answer, reading: Reading, content: Content | None) -> None:
        """See to it that lineage and keeper hear what the answer says: now, or when its stream has ended."""

        async def heard(said: Sequence[str]) -> None:
            days = reading.workload.keep_days
            if self._keeper is not None and days is not None:
                self._keeper.keep(
                    answer.id,
                    answer.call.principal.tenant,
                    reading.workload.name,
                    [labelled.label for labelled in answer.labels],
                    answer.call.body.decode("utf-8", "replace"),
                    "\n".join(said),
                    datetime.now(UTC) + timedelta(days=days),
                )
            if content is None or not content.sticks:
                return
            try:
                await content.perimeter.remember_answer(content.inspection, said, f"request {answer.id}")
            except Exception as exc:  # the answer has been made; what is left is to say that it will not be known again
                log.error("an answer could not be remembered, %s: %s", answer.id, type(exc).__name__)

        answer.remember(heard)
        await answer.keep_whole()

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


async def _first_piece(translation: Translation, response: WireResponse) -> bytes:
    """The first piece of a stream that is worth sending: until then another offer may still take over."""
    while data := await response.chunk():
        if piece := translation.piece(data):
            return piece
    raise UpstreamMalformed("The answer ended before its first event.")


async def _refused(offer: Offer, translation: Translation, response: WireResponse) -> UpstreamRefused:
    """An error answer, as an error."""
    body = await response.read(ERROR_BODY_BYTES)
    fault = translation.dialect.decode_fault(response.status, response.headers, body)
    return UpstreamRefused(
        f"{offer.name} answered {response.status}: {fault.message}",
        status=response.status,
        upstream_code=fault.code,
        offer=offer.name,
        retry_after=fault.retry_after,
    )
