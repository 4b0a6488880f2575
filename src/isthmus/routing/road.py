"""The one road: every request for a completion, whoever makes it, goes this way.

    read facts → workload → labels → choose → cross (try, retry, fail over) → answer → ledger

The road knows no HTTP towards the client and opens no connection: it is handed a `Sender` and a `Recorder`. Its answer
is a context manager; leaving it settles the one entry of the request, whatever happened inside.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from isthmus.domain.decision import Candidate, Decision
from isthmus.domain.errors import (
    ConfigError,
    IsthmusError,
    NoHealthyOffer,
    NotCapable,
    PerimeterDenied,
    ProviderError,
    Unsupported,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamUnreachable,
)
from isthmus.domain.offer import Offer
from isthmus.domain.ports import Recorder, Sender, WireResponse
from isthmus.routing.answer import Answer, Call
from isthmus.routing.choose import choose
from isthmus.routing.health import HealthBoard
from isthmus.routing.reading import MOST_MESSAGES, Reading, read
from isthmus.routing.retry import judge, wait_before
from isthmus.routing.roster import Roster
from isthmus.routing.translation import Translation, TranslationPlan


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

ERROR_BODY_BYTES = 256 * 1024
"""How much of an upstream's error answer is read."""


class Road:
    """The road. One instance serves all requests of a process."""

    def __init__(
        self,
        roster: Roster,
        sender: Sender,
        recorder: Recorder,
        *,
        limits: RoadLimits | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.roster = roster
        """Replaced whole by a reload; requests under way keep the one they began with."""
        self.limits = limits or RoadLimits()
        self.health = HealthBoard()
        self._sender = sender
        self._recorder = recorder
        self._draw = draw

    def decide(self, call: Call) -> Decision:
        """What would be decided for a request, without sending it or recording anything.

        Raises:
            RequestError: the body is not a request, or names nothing known.
        """
        return self._choose(read(call, self.roster, most_messages=self.limits.messages))

    async def serve(self, call: Call) -> Answer:
        """Serve a request: returns when the answer, or the first piece of a stream, is there.

        Returns:
            The answer, to be entered as a context manager exactly once.

        Raises:
            IsthmusError: no answer; the entry is settled already. The request id is in `request_id` of the error.
        """
        answer = Answer(call, self._recorder, self.health, stream_seconds=self.limits.stream_seconds)
        try:
            answer.warning = self._recorder.admit()
            reading = read(call, self.roster, most_messages=self.limits.messages)
            answer.begin(reading.facts, reading.workload.name, reading.labels)
            await self._cross(answer, reading, self._choose(reading))
        except BaseException as exc:
            answer.settle_failed(exc)
            raise
        return answer

    def _choose(self, reading: Reading) -> Decision:
        return choose(
            reading.workload,
            reading.facts,
            reading.labels,
            self.roster,
            self.health,
            now=time.monotonic(),
            today=datetime.now(UTC).date(),
        )

    # --------------------------------------------------------------------------------------------------- the crossing

    async def _cross(self, answer: Answer, reading: Reading, decision: Decision) -> None:
        """Try the route until an offer answers, or nothing is left to try."""
        answer.decision = decision
        if not decision.route:
            raise self._refusal(decision)
        plan = TranslationPlan(answer.call.dialect, answer.call.body, reading.facts)
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
                    translation = plan.to(offer)
                except Unsupported as exc:
                    answer.reject(offer, "not_capable", f"{offer.name}: {exc.message}")
                    error = error or exc
                    continue
                if not self.health.enter(offer.name, time.monotonic()):
                    again.append(candidate)
                    continue
                tries_left -= 1
                failed = await self._try(answer, candidate, translation)
                if failed is None:
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

    async def _try(self, answer: Answer, candidate: Candidate, translation: Translation) -> ProviderError | None:
        """One try at one offer. Returns the failure; None: it answered, and the answer has it."""
        offer = candidate.offer
        began = time.perf_counter()
        response: WireResponse | None = None
        status: int | None = None
        try:
            try:
                response = await self._sender.send(offer, translation.request)
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
            answer.tried(offer, began, now, status, exc)
            return exc
        except BaseException:
            if response is not None:
                response.abort()
            self.health.leave(offer.name)
            answer.tried(offer, began, time.perf_counter(), status, None)
            raise
        now = time.perf_counter()
        self.health.succeeded(offer.name, now - began)
        answer.tried(offer, began, now, status, None)
        answer.answered(candidate, translation, response, first, now)
        return None

    # ------------------------------------------------------------------------------------------------------ refusals

    def _refusal(self, decision: Decision) -> IsthmusError:
        """Why nothing is left, as the error the caller is told."""
        reasons = decision.rejected
        codes = {rejection.code for rejection in reasons}
        sentences = " ".join(rejection.sentence for rejection in reasons)
        if "resting" in codes:
            return self._unhealthy(decision)
        if "not_cleared" in codes:
            return PerimeterDenied(
                f"No offer of workload {decision.workload!r} is cleared for this request. {sentences}",
                hint="Add an offer that is cleared, or review the labels.",
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
