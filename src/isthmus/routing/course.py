"""The tries of one request along its route, until an offer answers.

One after the other; beside each other where a workload hedges; and on from what was said where an answer broke off.
Every try takes a place at its offer, is put on record beforehand where a label asks for that, and is told to the
answer, whatever becomes of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from isthmus.dialects.dialect import Dialect
from isthmus.domain.crossing import Crossing
from isthmus.domain.decision import Candidate, Decision
from isthmus.domain.entry import CrossingNote, Fate
from isthmus.domain.errors import (
    ConfigError,
    IsthmusError,
    LedgerError,
    PolicyError,
    ProviderError,
    Unsupported,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.ports import Recorder, Sender, WireResponse
from isthmus.perimeter.gate import Gate
from isthmus.routing.answer import Answer
from isthmus.routing.concurrency import Lane
from isthmus.routing.departure import Departure
from isthmus.routing.first_token import FirstToken
from isthmus.routing.health import HealthBoard
from isthmus.routing.retry import judge, wait_before
from isthmus.routing.translation import Translation

TIMER_SLACK = 0.002
"""Seconds added to a pause: event loops round timers to a millisecond, and an offer asked too early still rests."""

ERROR_BODY_BYTES = 256 * 1024
"""How much of an upstream's error answer is read."""

_OVERLOAD = frozenset({429, 503, 529})
"""Statuses that say that a request was one too many."""

log = logging.getLogger("isthmus.routing")


@dataclass(frozen=True, slots=True)
class Means:
    """What tries need, the same for all requests of a road."""

    sender: Sender
    recorder: Recorder
    gate: Gate
    draw: Callable[[], float]
    answer_bytes: int


class _Try:
    """One try: what is sent to whom, the place it has there, and what came of it."""

    # Defaults of the class cost nothing per request, unlike slots that are filled.
    began = ended = 0.0
    status: int | None = None
    response: WireResponse | None = None
    first = b""
    """The whole answer, or the first piece of a stream."""
    is_all = False
    """`first` is all of the stream."""
    fate: Fate | None = None

    def __init__(self, candidate: Candidate, translation: Translation, crossing: Crossing, lane: Lane) -> None:
        self.candidate = candidate
        self.translation = translation
        self.crossing = crossing
        self.lane = lane


class Course:
    """The tries of one request."""

    _again: tuple[Candidate, ...] = ()
    """Failed, and may do better later."""
    _busy: tuple[Candidate, ...] = ()
    """Have no place free."""
    _later: tuple[Candidate, ...] = ()
    """Behind a busy one that is waited for first."""
    _placed: Candidate | None = None
    """Whose place was waited for, and is there."""
    _broken: frozenset[str] = frozenset()
    """Offers that broke off in the middle of this answer."""
    _retry_after: float | None = None
    _rounds = 0
    _error: IsthmusError | None = None

    def __init__(
        self,
        means: Means,
        health: HealthBoard,
        answer: Answer,
        workload: Workload,
        decision: Decision,
        departure: Departure,
    ) -> None:
        self._means = means
        self._health = health
        self._answer = answer
        self._workload = workload
        self._decision = decision
        self._departure = departure
        self._streams = answer.streamed
        self._batch = answer.call.priority == "batch"
        self._tries_left = workload.attempts

    async def run(self) -> bool:
        """Try until an offer answers; the answer has it then.

        Returns:
            Whether one did. False: nobody could even be asked.

        Raises:
            ProviderError: the last failure, or one that says that the request is to blame.
            Unsupported: no offer's dialect can say what the request says.
            Overloaded: all places are taken, and to wait is of no use.
            PerimeterDenied, LedgerError: it may not cross after all.
        """
        hedges = self._workload.hedge_after is not None and not self._batch and len(self._decision.route) > 1
        pending: deque[Candidate] | None = deque(self._decision.route)
        while pending is not None:
            while (one := self._next(pending)) is not None:
                if hedges:
                    if await self._hedged(one, pending):
                        return True
                elif (error := await self._ask(one)) is None:
                    self._won(one)
                    return True
                else:
                    self._failed(one, error)
            pending = await self._once_more()
        if self._error is not None:
            raise self._error
        return False

    async def go_on(self, cause: ProviderError) -> bytes | None:
        """An offer broke off after its first token: have another go on from what it said.

        Only offers that see the request just as the first did are asked: stand-ins in what was said are theirs, too.

        Returns:
            What the client is to be sent next; None: nobody can go on.
        """
        if self._workload.mid_stream != "continue" or not judge(cause).ails:
            return None
        before = self._answer.serving
        for candidate in self._successors():
            if self._tries_left <= 0:
                return None
            try:
                prepared = self._departure.go_on(candidate, before)
            except (Unsupported, PolicyError) as exc:
                self._answer.reject(candidate.offer, "not_capable", f"{candidate.offer.name}: {exc.message}")
                continue
            if prepared is None:
                return None
            lane = self._health.lane(candidate.offer)
            if not lane.enter(batch=self._batch):
                continue
            if not self._health.enter(candidate.offer.name, time.monotonic()):
                lane.leave(batch=self._batch)
                continue
            self._tries_left -= 1
            one = _Try(candidate, *prepared, lane)
            one.fate = "continued"
            try:
                if await self._ask(one) is not None:
                    continue
            except (PolicyError, LedgerError) as exc:  # what was said so far may not go there, after all
                self._answer.reject(candidate.offer, "not_cleared", exc.message)
                continue
            self._told(one, None)
            self._answer.continued(candidate.offer, one.translation, _response(one), lane, ended=one.is_all)
            return one.first
        return None

    # ------------------------------------------------------------------------------------------------------ the route

    def _next(self, pending: deque[Candidate]) -> _Try | None:
        """The next of the candidates that can be asked now, with a place at its offer; None: there is none."""
        health, batch = self._health, self._batch
        while pending:
            candidate = pending.popleft()
            offer = candidate.offer
            if self._tries_left <= 0:
                self._answer.reject(offer, "attempts_spent", f"The tries ended before the turn of {offer.name}.")
                continue
            lane = health.lane(offer)
            if self._placed is candidate:
                self._placed = None
            elif not lane.enter(batch=batch):
                self._busy = (*self._busy, candidate)
                if batch:  # it has time: the offers behind are for those who have none
                    self._later = tuple(pending)
                    pending.clear()
                continue
            try:
                translation, crossing = self._departure.to(candidate)
            except BaseException as exc:
                lane.leave(batch=batch)
                if not isinstance(exc, Unsupported):
                    raise
                self._answer.reject(offer, "not_capable", f"{offer.name}: {exc.message}")
                self._error = self._error or exc
                continue
            if not health.enter(offer.name, time.monotonic()):
                lane.leave(batch=batch)
                self._again = (*self._again, candidate)
                continue
            self._tries_left -= 1
            return _Try(candidate, translation, crossing, lane)
        return None

    async def _once_more(self) -> deque[Candidate] | None:
        """What is left to try when the candidates have been gone through, once that may be tried; None: nothing."""
        if self._tries_left <= 0:
            return None
        health = self._health
        if self._busy:
            soonest = min(self._busy, key=lambda candidate: health.lane(candidate.offer).expected_wait())
            self._busy = tuple(candidate for candidate in self._busy if candidate is not soonest)
            await health.lane(soonest.offer).wait(batch=self._batch)
            self._placed = soonest
            later, self._later = self._later, ()
            return deque((soonest, *later))
        if not self._again:
            return None
        self._rounds += 1
        wait = wait_before(self._rounds, self._means.draw(), self._retry_after)
        if wait is None:
            return None
        await asyncio.sleep(wait + TIMER_SLACK)
        now = time.monotonic()
        again, self._again, self._retry_after = self._again, (), None
        return deque(c for c in again if health.resting(c.offer.name, now) is None) or None

    def _failed(self, one: _Try, error: ProviderError) -> None:
        """Draw the consequences of a failure.

        Raises:
            ProviderError: the request is to blame, and no other offer is to be bothered.
        """
        self._error = error
        failure = judge(error)
        if failure.verdict == "caller":
            raise error
        if failure.verdict == "again":
            self._again = (*self._again, one.candidate)
            if error.retry_after is not None:
                self._retry_after = min(self._retry_after or error.retry_after, error.retry_after)
        if failure.ails:
            self._health.compare(one.candidate.offer.name, self._workload.offers, time.monotonic())

    def _successors(self) -> Iterable[Candidate]:
        """Who may go on from what the serving offer said: first those that have not broken off themselves."""
        serving = self._answer.offer
        if serving is not None:
            self._broken |= {serving.name}
        lowered = next((c.lowered for c in self._decision.route if c.offer is serving), None)
        able = [c for c in self._decision.route if c.lowered == lowered and c.offer.capabilities.prefill == "yes"]
        return sorted(able, key=lambda candidate: candidate.offer.name in self._broken)

    # ----------------------------------------------------------------------------------------------------- the tries

    async def _hedged(self, one: _Try, pending: deque[Candidate]) -> bool:
        """Try an offer, and a second beside it where the first shows nothing in time. Whether one of them answered."""
        racing = {asyncio.create_task(self._ask(one)): one}
        patience = self._workload.hedge_after
        try:
            while racing:
                done, _ = await asyncio.wait(racing, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    patience = None
                    second = self._next(pending) if self._tries_left > 0 else None
                    if second is not None:
                        racing[asyncio.create_task(self._ask(second))] = second
                for task in [task for task in racing if task in done]:  # in the order in which they were asked
                    tried = racing.pop(task)
                    if not self._is_out(task, tried, is_last=not racing):
                        self._won(tried)
                        return True
            return False
        finally:
            if racing:
                await self._give_up(racing)

    def _is_out(self, task: asyncio.Task[ProviderError | None], one: _Try, *, is_last: bool) -> bool:
        """Whether a try of a race came to nothing.

        Raises:
            IsthmusError: it is of no use to go on: the request is to blame, or this was the last one to be heard of.
        """
        try:
            error = task.result()
        except IsthmusError as exc:  # the perimeter or the ledger said no to this one; the other may be through already
            if is_last:
                raise
            self._error = exc
            return True
        if error is not None:
            self._failed(one, error)
        return error is not None

    async def _give_up(self, racing: dict[asyncio.Task[ProviderError | None], _Try]) -> None:
        """Stop tries that were outrun."""
        for task, one in racing.items():
            one.fate = "outrun"
            if task.done() and not task.cancelled() and task.exception() is None and task.result() is None:
                _response(one).abort()
                one.lane.leave(batch=self._batch)
                self._told(one, None)
            else:
                task.cancel()
        await asyncio.wait(racing)
        for task, one in racing.items():
            if not one.began:  # it had not even begun
                self._end(one)
                self._health.leave(one.candidate.offer.name)
            if not task.cancelled():
                task.exception()  # heard: it is on the entry

    def _won(self, one: _Try) -> None:
        """The answer of a try is the one for the client."""
        answer = self._answer
        answer.tried(one.crossing, one.began, one.ended, one.status, None)
        answer.answered(one.candidate.offer, one.translation, _response(one), one.first, one.ended, ended=one.is_all)
        if self._streams:
            answer.holds(one.lane, one.began)
        else:
            one.lane.leave(one.ended - one.began, batch=self._batch)

    async def _ask(self, one: _Try) -> ProviderError | None:
        """Ask one offer. Returns the failure; None: it answered, and the try has its answer.

        The place is given back where it fails; else it is the caller's to give back.
        """
        offer, translation, health = one.candidate.offer, one.translation, self._health
        one.began = time.perf_counter()
        try:
            try:
                if one.crossing.labels or one.crossing.lowered:
                    await self._secure(one.crossing)
                one.response = response = await self._means.sender.send(one.crossing)
            except ConfigError as exc:  # the operator's business, told to the log; another offer may serve
                log.error("%s cannot be asked: %s", offer.name, exc.sentence)
                raise UpstreamUnreachable(f"{offer.name} cannot be asked: it is not set up rightly here.") from exc
            one.status = response.status
            if not 200 <= response.status < 300:
                raise await _refused(offer, translation, response)
            if self._streams:
                await self._first(one, response)
            else:
                one.first = translation.whole(await response.read(self._means.answer_bytes))
        except ProviderError as exc:
            exc.offer = offer.name
            now = time.monotonic()
            if _tells_overload(exc):
                one.lane.overloaded(now - (time.perf_counter() - one.began), now)
            self._end(one)
            if judge(exc).ails:
                health.failed(offer.name, exc.code, now, exc.retry_after)
            else:
                health.leave(offer.name)
            self._told(one, exc)
            return exc
        except BaseException:
            self._end(one)
            health.leave(offer.name)
            self._told(one, None)
            raise
        one.ended = time.perf_counter()
        seconds = one.ended - one.began
        health.succeeded(offer.name, seconds)
        if self._streams:
            one.lane.served(time.monotonic(), seconds)
        elif one.lane.limit < one.lane.ceiling:
            one.lane.served(time.monotonic())
        return None

    async def _first(self, one: _Try, response: WireResponse) -> None:
        """Wait for the first piece of a stream that is worth sending: until then another offer may still take over.

        Raises:
            ProviderError: the stream ends or fails before.
        """
        translation = one.translation
        # Beginnings that say nothing yet are held back, unless the workload wants each event as soon as it comes.
        at_once = self._workload.mid_stream == "fail" and self._workload.hedge_after is None
        token = None if at_once else FirstToken(cast("Dialect", self._answer.call.form))
        while data := await response.chunk():
            if piece := translation.piece(data):
                one.first = one.first + piece if one.first else piece
                if token is None or token.is_in(piece):
                    return
        if not one.first:
            raise UpstreamMalformed("The answer ended before its first event.")
        one.first += translation.end()
        one.is_all = True

    def _end(self, one: _Try) -> None:
        """A try has come to nothing: close what it opened."""
        one.ended = time.perf_counter()
        if one.response is not None:
            one.response.abort()
        one.lane.leave(batch=self._batch)

    def _told(self, one: _Try, error: ProviderError | None) -> None:
        """Have the answer note a try."""
        usage = one.translation.usage if one.fate == "outrun" else None
        self._answer.tried(one.crossing, one.began, one.ended, one.status, error, fate=one.fate, usage=usage)

    async def _secure(self, crossing: Crossing) -> None:
        """Put the crossing on disk before it happens, where a label asks for it."""
        policy = self._means.gate.perimeter.policy
        if any(policy.rule(name).strict for name in crossing.labels | crossing.lowered):
            await self._means.recorder.secure(
                CrossingNote(
                    request=self._answer.id,
                    offer=crossing.offer.name,
                    labels=tuple(sorted(crossing.labels)),
                    lowered=tuple(sorted(crossing.lowered)),
                    digest=hashlib.sha256(crossing.request.body).hexdigest(),
                    at=datetime.now(UTC),
                )
            )


def _response(one: _Try) -> WireResponse:
    assert one.response is not None
    return one.response


def _tells_overload(error: ProviderError) -> bool:
    """Whether a failure says that the offer had more than it can take."""
    if isinstance(error, UpstreamRefused):
        return error.upstream_status in _OVERLOAD
    return isinstance(error, UpstreamTimeout) and error.phase != "connect"


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
