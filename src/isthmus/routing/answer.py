"""The answer to one request, and the one entry it leaves in the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import getrandbits
from typing import TypeAlias

from isthmus.dialects.dialect import Dialect
from isthmus.domain.crossing import Crossing
from isthmus.domain.decision import Decision, ReasonCode, Rejection
from isthmus.domain.entry import Attempt, Entry, Opened, Outcome
from isthmus.domain.errors import (
    IsthmusError,
    LedgerError,
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
from isthmus.domain.usage import Usage, cost
from isthmus.routing.health import HealthBoard
from isthmus.routing.translation import Translation


def new_request_id() -> RequestId:
    """`req_`, the time in milliseconds, 64 random bits: ids sort by time, which keeps the ledger's index local."""
    return RequestId(f"req_{time.time_ns() // 1_000_000:011x}{getrandbits(64):016x}")


@dataclass(slots=True, kw_only=True)
class Call:
    """A request as an edge hands it over."""

    dialect: Dialect
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


Write: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Sends a piece to the client; what it returns is to be waited for before the next."""
Remember: TypeAlias = Callable[[Sequence[str]], Awaitable[None]]
"""Gives what an answer says to lineage."""


class Answer:
    """What the client is to be sent, and the one entry of the request.

    Enter it, send `body` (not streamed), or `body` and then what `piece()` gives until it gives nothing (streamed), and
    leave it. Leaving it settles the entry: completed when the end was reached, client_gone when it is left earlier.
    """

    __slots__ = (
        "_attempts",
        "_began",
        "_conversation",
        "_cost",
        "_end",
        "_error",
        "_facts",
        "_first_token",
        "_health",
        "_held",
        "_is_stopping",
        "_labels",
        "_opened",
        "_outcome",
        "_recorder",
        "_rejected",
        "_remember",
        "_response",
        "_settled",
        "_stream_seconds",
        "_translation",
        "_workload",
        "body",
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
        self.warning: str | None = None
        """Why the ledger cannot keep this request, where the settings chose to serve nevertheless."""
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
        self._held = b""
        """The piece that is to be sent when the next one is there."""
        self._translation: Translation | None = None
        self._response: WireResponse | None = None
        self._first_token: float | None = None
        self._end = 0.0
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
        return None if self._translation is None else self._translation.usage

    @property
    def cost(self) -> Decimal | None:
        """Dollars; None while usage is not known, or where no price is."""
        if self._cost is None and self.offer is not None and self.offer.price is not None:
            usage = self.usage
            if usage is not None:
                self._cost = cost(usage, self.offer.price)
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
        response, translation = self._response, self._translation
        assert response is not None
        assert translation is not None
        while self._outcome is None:
            try:
                data = await response.chunk()
                if data:
                    piece = self._translated(data)
                else:
                    piece = translation.end()
                    await self._keep()
                    self._outcome = "completed"
            except ProviderError as exc:
                return self._interrupted(exc)
            if piece:
                return piece
        return b""

    async def pass_on(self, write: Write) -> None:
        """Give to `write` what `piece` would give, each piece in the moment it arrives: no task is woken for it."""
        if self._remember is not None:
            while piece := await self.piece():
                if (unread := write(piece)) is not None:
                    await unread
            return
        response, translation = self._response, self._translation
        assert response is not None
        assert translation is not None

        def take(data: bytes) -> Awaitable[None] | None:
            piece = self._translated(data)
            return write(piece) if piece else None

        try:
            await response.forward(take)
            last = translation.end()
            self._outcome = "completed"
        except ProviderError as exc:
            last = self._interrupted(exc)
        if last and (unread := write(last)) is not None:
            await unread

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._response is not None:
            self._response.abort()
        outcome = self._outcome
        if outcome is None:
            outcome = "completed" if kind is None and not self.streamed else self._cut_off()
        self._settle(outcome, self._error)
        if self._remember is not None:
            await asyncio.shield(self._keep())

    # ------------------------------------------------------------------------------------------------- for the road

    def remember(self, remember: Remember) -> None:
        """What the answer says is to be remembered before its end is told.

        A stream then runs a piece behind: what the client repeats, once it has seen the end, is recognised.
        """
        self._remember = remember
        if self.streamed:
            self._held, self.body = self.body, b""

    async def keep_whole(self) -> None:
        """Remember an answer that is not streamed."""
        if not self.streamed:
            await self._keep()

    def read(self, facts: RequestFacts) -> None:
        """The body is a request."""
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
        self, crossing: Crossing, began: float, ended: float, status: int | None, error: ProviderError | None
    ) -> None:
        """A try has ended."""
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
            )
        )
        if error is not None:
            self.offer = offer
            self._rejected.append(Rejection(offer.name, "failed", error.message))

    def answered(
        self, offer: Offer, translation: Translation, response: WireResponse, first: bytes, now: float
    ) -> None:
        """An offer has answered."""
        self.offer = offer
        self._translation = translation
        self._response = response
        self.body = first
        self._first_token = now - self.call.arrived
        self._end = now + self._stream_seconds

    def settle_failed(self, error: BaseException) -> None:
        """There is no answer."""
        if isinstance(error, IsthmusError):
            error.request_id = self.id
        if not isinstance(error, Exception):
            self._settle(self._cut_off(), None)
            return
        outcome: Outcome = "refused" if isinstance(error, RequestError | PolicyError | LedgerError) else "failed"
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
        return self._translation.piece(data)

    def _interrupted(self, cause: ProviderError) -> bytes:
        """The offer failed after the first piece: say so, end the stream, and remember."""
        assert self._response is not None
        assert self._translation is not None
        assert self.offer is not None
        self._response.abort()
        self._outcome = "interrupted"
        self._error = StreamInterrupted.code
        self._rejected.append(Rejection(self.offer.name, "failed", cause.message))
        self._health.failed(self.offer.name, cause.code, time.monotonic(), cause.retry_after)
        error = StreamInterrupted(
            f"{self.offer.name} broke off in the middle of its answer.",
            hint="What was sent stands; ask again for a whole answer.",
            offer=self.offer.name,
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
        self._recorder.settled(
            Entry(
                id=self.id,
                began=self._began,
                principal=self.call.principal,
                dialect=self.call.dialect.name,
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
                usage=self.usage,
                cost=self.cost,
                price_source=None if offer is None or offer.price is None else offer.price.source,
                first_token=self._first_token,
                total=now - self.call.arrived,
                goal=None if decision is None else decision.goal,
                attempts=tuple(self._attempts),
                rejected=self._reasons(),
                catalog_version=None if decision is None else decision.catalog_version,
                policy_version=None if decision is None else decision.policy_version,
            )
        )

    def _reasons(self) -> tuple[Rejection, ...]:
        """Why each offer that did not serve did not: what befell it later goes before what was decided at first."""
        decided = () if self.decision is None else self.decision.rejected
        if not self._rejected:
            return decided
        later = {rejection.offer: rejection for rejection in self._rejected}  # of several failures, the last
        if self._translation is not None and self.offer is not None and self._outcome != "interrupted":
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
                dialect=self.call.dialect.name,
                model="" if self._facts is None else self._facts.model,
                workload=self._workload,
                conversation=self._conversation,
                labels=self._labels,
            )
        )
