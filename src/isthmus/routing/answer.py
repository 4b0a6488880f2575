"""The answer to one request, and the one entry it leaves in the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from random import getrandbits
from typing import Any, Literal, Protocol, TypeAlias, cast

from isthmus.dialects.dialect import Form, WholeForm
from isthmus.domain.crossing import Crossing
from isthmus.domain.decision import Decision, ReasonCode, Rejection
from isthmus.domain.entry import Attempt, Entry, Fate, Opened, Outcome
from isthmus.domain.errors import (
    IsthmusError,
    LedgerError,
    Overloaded,
    PolicyError,
    ProviderError,
    RequestError,
    StreamInterrupted,
    UpstreamTimeout,
)
from isthmus.domain.label import Labelled
from isthmus.domain.offer import Offer
from isthmus.domain.ports import Recorder, WireResponse
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestFacts, RequestId
from isthmus.domain.token_count import TokenCount
from isthmus.domain.usage import Usage, cost, total
from isthmus.routing.concurrency import Lane
from isthmus.routing.health import HealthBoard
from isthmus.routing.translation import Translation


def new_request_id() -> RequestId:
    """`req_`, the time in milliseconds, 64 random bits: ids sort by time, which keeps the ledger's index local."""
    return RequestId(f"req_{time.time_ns() // 1_000_000:011x}{getrandbits(64):016x}")


Priority = Literal["interactive", "batch"]
"""`batch`: nobody waits for it, so it gives way to what somebody waits for."""


@dataclass(slots=True, kw_only=True)
class Call:
    """A request as an edge hands it over."""

    form: Form
    """In which is asked."""
    body: bytes
    principal: Principal
    workload: str | None = None
    """Declared in a header."""
    key_workload: str | None = None
    labels: tuple[Labelled, ...] = ()
    """From the key and the headers."""
    conversation: str | None = None
    arrived: float
    """`time.perf_counter()` when the request arrived."""
    workloads: frozenset[str] | None = None
    """Workloads the key may use; None: all."""
    model: str | None = None
    """Where the path names it; None: the body does."""
    stream: bool | None = None
    """Whether the answer streams, where the path says it; None: the body does."""
    priority: Priority = "interactive"


_REFUSALS = (RequestError, PolicyError, LedgerError, Overloaded)
"""Errors by which isthmus itself says no."""

Write: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Sends a piece to the client; what it returns is to be waited for before the next."""


class Naming(Protocol):
    """Gives an answer an id of ours."""

    def named(self, data: bytes) -> bytes:
        """A piece of the answer, of whole events, or all of it."""
        ...


Remember: TypeAlias = Callable[[Sequence[str]], Awaitable[None]]
"""Gives what an answer says to lineage."""
GoOn: TypeAlias = Callable[[ProviderError], Awaitable[bytes | None]]
"""Has another offer go on where one broke off: what is to be sent next; None: nobody can."""


class Copy:
    """What a client was sent, to be given again to others; nothing once it is larger than may be kept."""

    __slots__ = ("_most", "_pieces", "_size", "taken")

    def __init__(self, most: int, taken: Callable[[bytes | None], None]) -> None:
        """Begin a copy.

        Args:
            most: bytes.
            taken: called once, when the request has ended: with all that was sent, or None where there is no answer
                that could be given again.
        """
        self.taken = taken
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        if self._size <= self._most:
            self._size += len(piece)
            self._pieces.append(piece)

    def end(self, *, completed: bool) -> None:
        self.taken(b"".join(self._pieces) if completed and self._size <= self._most else None)


class Answer:
    """What the client is to be sent, and the one entry of the request.

    Enter it, send `body` (not streamed), or `body` and then what `piece()` gives until it gives nothing (streamed), and
    leave it. Leaving it settles the entry: completed when the end was reached, client_gone when it is left earlier.
    """

    __slots__ = (
        "_attempts",
        "_began",
        "_conversation",
        "_copy",
        "_cost",
        "_end",
        "_ended",
        "_error",
        "_facts",
        "_first_token",
        "_go_on",
        "_has_others",
        "_health",
        "_held",
        "_is_stopping",
        "_labels",
        "_lane",
        "_naming",
        "_opened",
        "_outcome",
        "_recorder",
        "_rejected",
        "_remember",
        "_response",
        "_serving",
        "_settled",
        "_since",
        "_stream_seconds",
        "_translation",
        "_workload",
        "adapted",
        "body",
        "cache",
        "call",
        "decision",
        "id",
        "offer",
        "warning",
    )

    def __init__(
        self,
        call: Call,
        recorder: Recorder,
        health: HealthBoard,
        *,
        stream_seconds: float,
        is_stopping: Callable[[], bool],
    ) -> None:
        self.call = call
        self.id = new_request_id()
        self.body = b""
        """The whole answer, or the first piece of a stream."""
        self.offer: Offer | None = None
        """The offer that served, or was the last to fail."""
        self.decision: Decision | None = None
        self.adapted: str | None = None
        """What was said to the offer otherwise than the client meant it; None: nothing."""
        self.warning: str | None = None
        """Why the ledger cannot keep this request, where the settings chose to serve nevertheless."""
        self.cache: Literal["hit", "miss"] | None = None
        """Whether the answer was given before; None: that was not asked for."""
        self._recorder = recorder
        self._health = health
        self._stream_seconds = stream_seconds
        self._is_stopping = is_stopping
        self._opened = False
        self._began = datetime.now(UTC)
        self._facts: RequestFacts | None = None
        self._workload = call.workload
        self._conversation = call.conversation
        self._labels = call.labels
        self._attempts: list[Attempt] = []
        self._rejected: list[Rejection] = []
        self._remember: Remember | None = None
        self._naming: Naming | None = None
        self._held = b""
        """The piece that is to be sent when the next one is there."""
        self._translation: Translation | None = None
        self._response: WireResponse | None = None
        self._first_token: float | None = None
        self._end = 0.0
        self._ended = False
        """The first piece is all of the stream."""
        self._has_others = False
        """Another try than the serving one was answered, too."""
        self._serving = -1
        """Which of the attempts serves."""
        self._lane: Lane | None = None
        """Where a streaming answer holds a place, since `_since`."""
        self._since = 0.0
        self._go_on: GoOn | None = None
        self._copy: Copy | None = None
        self._outcome: Outcome | None = None
        self._error: str | None = None
        self._cost: Decimal | None = None
        self._settled = False

    # ------------------------------------------------------------------------------------------------- for the edges

    @property
    def streamed(self) -> bool:
        return self._facts is not None and self._facts.stream

    @property
    def labels(self) -> tuple[Labelled, ...]:
        return self._labels

    @property
    def usage(self) -> Usage | None:
        """Of all tries, as far as it is known."""
        own = self._own_usage
        if self._has_others:
            for attempt in self._attempts:
                if attempt.usage is not None:
                    own = attempt.usage if own is None else total(own, attempt.usage)
        return own

    @property
    def _own_usage(self) -> Usage | None:
        """Of the try that serves."""
        return None if self._translation is None else self._translation.usage

    @property
    def cost(self) -> Decimal | None:
        """Dollars, of all tries; None while no usage is known, or where no price is."""
        if self._cost is None:
            usage = self._own_usage
            if usage is not None and self.offer is not None and self.offer.price is not None:
                self._cost = cost(usage, self.offer.price)
            if self._has_others:
                for attempt in self._attempts:
                    if attempt.cost is not None:
                        self._cost = attempt.cost + (self._cost or 0)
        return self._cost

    async def piece(self) -> bytes:
        """The next piece of a stream, after `body`; empty at the end.

        Never raises for a failure of the offer: the stream then ends with an error event in the client's dialect.
        """
        while piece := await self._next():
            if self._remember is None and not self._held:
                return piece
            held, self._held = self._held, piece
            if held:
                return held
        held, self._held = self._held, b""
        return held

    async def _next(self) -> bytes:
        if self._translation is None:  # given before
            self._outcome = "completed"
        while self._outcome is None:
            assert self._response is not None
            try:
                data = b"" if self._ended else await self._response.chunk()
                if data:
                    piece = self._named(self._translated(data))
                else:
                    piece = self._named(self._last())
                    await self._keep()
                    self._outcome = "completed"
            except ProviderError as exc:
                return self._named(await self._broken_off(exc))
            if piece:
                return piece
        return b""

    def _named(self, piece: bytes) -> bytes:
        return piece if self._naming is None else self._naming.named(piece)

    async def pass_on(self, write: Write) -> None:
        """Give to `write` what `piece` would give, each piece in the moment it arrives: no task is woken for it."""
        if self._remember is not None or self._response is None:
            while piece := await self.piece():
                if (unread := write(piece)) is not None:
                    await unread
            return

        def take(data: bytes) -> Awaitable[None] | None:
            piece = self._translated(data)
            return write(piece) if piece else None

        while self._outcome is None:
            try:
                if not self._ended:
                    await self._response.forward(take)
                last = self._last()
                self._outcome = "completed"
            except ProviderError as exc:
                last = await self._broken_off(exc)
            if last and (unread := write(last)) is not None:
                await unread

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._response is not None:
            self._response.abort()
        if self._lane is not None:
            self._release()
        outcome = self._outcome
        if outcome is None:
            outcome = "completed" if kind is None and not self.streamed else self._cut_off()
        self._settle(outcome, self._error)
        if self._remember is not None:
            await asyncio.shield(self._keep())

    # ------------------------------------------------------------------------------------------------- for the road

    def remember(self, remember: Remember, naming: Naming | None = None) -> None:
        """What the answer says is to be remembered before its end is told.

        A stream then runs a piece behind: what the client repeats, once it has seen the end, is recognised.

        Args:
            remember: is given what was said.
            naming: gives the answer an id by which it can be gone on from.
        """
        self._remember = remember
        self._naming = naming
        if naming is not None:
            self.body = naming.named(self.body)
        if self.streamed:
            self._held, self.body = self.body, b""

    async def keep_whole(self) -> None:
        """Remember an answer that is not streamed."""
        if not self.streamed:
            await self._keep()

    def read(self, call: Call, facts: RequestFacts) -> None:
        """The body is a request; `call` has all of it, also where it goes on from an earlier answer."""
        self.call = call
        self._facts = facts
        if self._conversation is None:
            self._conversation = facts.conversation

    def begin(self, workload: str, labels: tuple[Labelled, ...]) -> None:
        """The request is understood: the ledger hears of it."""
        self._workload = workload
        self._labels = labels
        self._open()

    def reject(self, offer: Offer, code: ReasonCode, sentence: str) -> None:
        """An offer of the route was not used after all."""
        self._rejected.append(Rejection(offer.name, code, sentence))

    def label(self, labels: tuple[Labelled, ...]) -> None:
        """The labels are known, now that the content was looked at."""
        self._labels = labels

    def tried(
        self,
        crossing: Crossing,
        began: float,
        ended: float,
        status: int | None,
        error: ProviderError | None,
        *,
        fate: Fate | None = None,
        usage: Usage | None = None,
    ) -> None:
        """A try has ended: it failed, or its answer began.

        Args:
            crossing: what was sent.
            began: when; seconds of `time.perf_counter()`, as the next.
            ended: when it failed, or its first token was there.
            status: of HTTP; None: there was none.
            error: why it failed; None: it did not.
            fate: what becomes of its answer.
            usage: where its answer is not the one that is sent: as far as it told.
        """
        code = None if error is None else error.code
        offer = crossing.offer
        self._attempts.append(
            Attempt(
                offer.name,
                began - self.call.arrived,
                ended - began,
                status,
                code,
                tuple(sorted(crossing.labels)) if crossing.labels else (),
                tuple(sorted(crossing.lowered)) if crossing.lowered else (),
                usage,
                None if usage is None or offer.price is None else cost(usage, offer.price),
                fate,
            )
        )
        if fate is not None:
            self._has_others = True
        if error is not None:
            self.offer = offer
            self._rejected.append(Rejection(offer.name, "failed", error.message))

    def answered(
        self,
        offer: Offer,
        translation: Translation,
        response: WireResponse,
        first: bytes,
        now: float,
        *,
        ended: bool = False,
    ) -> None:
        """An offer has answered; its attempt was told last. `ended`: the first piece is all of its stream."""
        self.offer = offer
        self._translation = translation
        self._response = response
        self._ended = ended
        self._serving = len(self._attempts) - 1
        self.body = first
        if self._copy is not None:
            self._copy.add(first)
        self.adapted = translation.adapted
        self._first_token = now - self.call.arrived
        self._end = now + self._stream_seconds

    def estimated(self) -> None:
        """Answer with the number of tokens that was estimated here."""
        assert self._facts is not None
        form = cast("WholeForm[Any, TokenCount]", self.call.form)
        self.body = form.encode_answer(TokenCount(tokens=self._facts.input_tokens), None)
        self.adapted = "input_tokens: estimated here"

    def holds(self, lane: Lane, since: float) -> None:
        """The stream has a place at its offer, to be given back when it ends."""
        self._lane = lane
        self._since = since

    def goes_on(self, go_on: GoOn) -> None:
        """Where its offer breaks off, another may go on."""
        self._go_on = go_on

    def copied(self, copy: Copy) -> None:
        """What the client is going to be sent is to be copied."""
        self._copy = copy

    def given(self, offer: Offer, body: bytes, adapted: str | None) -> None:
        """The answer is one that was given before. Nobody was asked, nothing is to be paid."""
        self.offer = offer
        self.body = body
        self.adapted = adapted
        self.cache = "hit"
        self._cost = Decimal(0)
        self._first_token = time.perf_counter() - self.call.arrived

    @property
    def serving(self) -> Translation:
        """The translation of the offer that serves."""
        assert self._translation is not None
        return self._translation

    @property
    def said(self) -> Sequence[str]:
        """What the answer has said so far, where that was to be kept."""
        return () if self._translation is None else self._translation.said

    def continued(
        self, offer: Offer, translation: Translation, response: WireResponse, lane: Lane, *, ended: bool
    ) -> None:
        """Another offer goes on with the answer; its attempt was told last."""
        self.offer = offer
        self._translation = translation
        self._response = response
        self._ended = ended
        self._serving = len(self._attempts) - 1
        self.holds(lane, time.perf_counter())

    def settle_failed(self, error: BaseException) -> None:
        """There is no answer."""
        if isinstance(error, IsthmusError):
            error.request_id = self.id
        if not isinstance(error, Exception):
            self._settle(self._cut_off(), None)
            return
        outcome: Outcome = "refused" if isinstance(error, _REFUSALS) else "failed"
        self._settle(outcome, error.code if isinstance(error, IsthmusError) else IsthmusError.code)

    # -------------------------------------------------------------------------------------------------------- inside

    async def _keep(self) -> None:
        """Give what was said to lineage, once."""
        remember, self._remember = self._remember, None
        if remember is not None and self._translation is not None:
            await remember(self._translation.said)

    def _cut_off(self) -> Outcome:
        """How a request ended that was left before its end."""
        return "stopped" if self._is_stopping() else "client_gone"

    def _translated(self, data: bytes) -> bytes:
        """What the client is sent for a piece of the offer's stream."""
        if time.perf_counter() > self._end:
            raise UpstreamTimeout("The stream took longer than is allowed.", phase="total")
        assert self._translation is not None
        piece = self._translation.piece(data)
        if self._copy is not None:
            self._copy.add(piece)
        return piece

    def _last(self) -> bytes:
        """What the client is sent when the offer's stream has ended."""
        assert self._translation is not None
        last = b"" if self._ended else self._translation.end()
        if self._copy is not None:
            self._copy.add(last)
        return last

    def _release(self) -> None:
        """Give the place at the offer back."""
        lane, self._lane = self._lane, None
        if lane is not None:
            lane.leave(time.perf_counter() - self._since, batch=self.call.priority == "batch")

    async def _broken_off(self, cause: ProviderError) -> bytes:
        """The offer failed after the first piece: have another go on, or say so and end the stream."""
        assert self._response is not None
        assert self._translation is not None
        assert self.offer is not None
        self._response.abort()
        self._release()
        self._rejected.append(Rejection(self.offer.name, "failed", cause.message))
        self._health.failed(self.offer.name, cause.code, time.monotonic(), cause.retry_after)
        self._has_others = True
        usage, price = self._translation.usage, self.offer.price
        broken, offer = self._serving, self.offer
        if self._go_on is not None and time.perf_counter() <= self._end:
            piece = await self._go_on(cause)
            if piece is not None:
                self._attempts[broken] = replace(
                    self._attempts[broken],
                    fate="broken_off",
                    usage=usage,
                    cost=None if usage is None or price is None else cost(usage, price),
                )
                if self._copy is not None:
                    self._copy.add(piece)
                return piece
        self.offer = offer
        self._attempts[broken] = replace(self._attempts[broken], fate="broken_off")
        self._outcome = "interrupted"
        self._error = StreamInterrupted.code
        error = StreamInterrupted(
            f"{offer.name} broke off in the middle of its answer.",
            hint="What was sent stands; ask again for a whole answer.",
            offer=offer.name,
        )
        return self._translation.failure(error, self.id)

    def _settle(self, outcome: Outcome, error: str | None) -> None:
        """Write the entry, once."""
        if self._settled:
            return
        self._settled = True
        if not self._opened:
            self._open()
        now = time.perf_counter()
        offer, decision = self.offer, self.decision
        if self._copy is not None:
            self._copy.end(completed=outcome == "completed")
        self._recorder.settled(
            Entry(
                id=self.id,
                began=self._began,
                principal=self.call.principal,
                dialect=self.call.form.name,
                model="" if self._facts is None else self._facts.model,
                workload=self._workload,
                conversation=self._conversation,
                labels=self._labels,
                outcome=outcome,
                error=error,
                offer=None if offer is None else offer.name,
                offer_model=None if offer is None else offer.model,
                side=None if offer is None else offer.side,
                streamed=self.streamed,
                usage=Usage() if self.cache == "hit" else self.usage,
                cost=self.cost,
                price_source=None if offer is None or offer.price is None else offer.price.source,
                first_token=self._first_token,
                total=now - self.call.arrived,
                goal=None if decision is None else decision.goal,
                attempts=self._tries() if len(self._attempts) > 1 or self._has_others else tuple(self._attempts),
                rejected=self._reasons(),
                catalog_version=None if decision is None else decision.catalog_version,
                policy_version=None if decision is None else decision.policy_version,
                cached=self.cache == "hit",
            )
        )

    def _tries(self) -> tuple[Attempt, ...]:
        """Every try, in their order. Where others were answered, too, the one that serves tells its own usage."""
        tries, offer, usage = self._attempts.copy(), self.offer, self._own_usage
        if self._has_others and usage is not None and offer is not None:
            paid = None if offer.price is None else cost(usage, offer.price)
            tries[self._serving] = replace(tries[self._serving], usage=usage, cost=paid)
        tries.sort(key=lambda attempt: attempt.started)  # of two beside each other the first may have ended last
        return tuple(tries)

    def _reasons(self) -> tuple[Rejection, ...]:
        """Why each offer that did not serve did not: what befell it later goes before what was decided at first."""
        decided = () if self.decision is None else self.decision.rejected
        if not self._rejected and self.cache != "hit":
            return decided
        later = {rejection.offer: rejection for rejection in self._rejected}  # of several failures, the last
        served = self._translation is not None or self.cache == "hit"
        if served and self.offer is not None and self._outcome != "interrupted":
            later.pop(self.offer.name, None)
            decided = tuple(rejection for rejection in decided if rejection.offer != self.offer.name)
        return (*(rejection for rejection in decided if rejection.offer not in later), *later.values())

    def _open(self) -> None:
        self._opened = True
        self._recorder.opened(
            Opened(
                id=self.id,
                began=self._began,
                principal=self.call.principal,
                dialect=self.call.form.name,
                model="" if self._facts is None else self._facts.model,
                workload=self._workload,
                conversation=self._conversation,
                labels=self._labels,
            )
        )
