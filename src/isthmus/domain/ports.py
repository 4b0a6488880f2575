"""What routing needs from outside, as protocols that the edges fulfil and `app.py` hands over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from isthmus.domain.crossing import Crossing
from isthmus.domain.entry import CrossingNote, Entry, Opened
from isthmus.domain.finding import Finding, Tier
from isthmus.domain.kept import Kept
from isthmus.domain.request import RequestId


class WireResponse(Protocol):
    """An answer of an offer, its head read and its body to come.

    Leave no response unread: either read to the end or `abort()`.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names in lower case, in the order of the wire."""
        ...

    async def chunk(self) -> bytes:
        """Whatever part of the body has arrived, at least one byte; empty at the end.

        A slow caller slows the upstream down: what is buffered is bounded.

        Raises:
            ProviderError: the connection broke or a deadline passed before the end.
        """
        ...

    async def forward(self, take: Callable[[bytes], Awaitable[None] | None]) -> None:
        """Give the rest of the body to `take`, each piece in the moment it arrives: no task is woken for it.

        What `take` returns is waited for before it is given more, and the upstream waits, too.

        Raises:
            ProviderError: as `chunk`. Whatever `take` raised is raised, too.
        """
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            ProviderError: as `chunk`; UpstreamMalformed when the body is larger than `limit` bytes.
        """
        ...

    def abort(self) -> None:
        """Give the answer up: closes the connection at once unless the body was read to its end. Never raises."""
        ...


class Sender(Protocol):
    """The one way out to a model."""

    async def send(self, crossing: Crossing) -> WireResponse:
        """Send what the perimeter has cleared, and return when the head of the answer is there.

        Cancelling closes the connection at once.

        Raises:
            PerimeterDenied: the perimeter's last look found that it may not leave after all.
            ProviderError: no connection, no answer in time, or no HTTP.
            ConfigError: the offer's secret cannot be read.
        """
        ...


class Guard(Protocol):
    """The perimeter's last look, which a sender takes before the first byte leaves."""

    async def check(self, crossing: Crossing) -> None:
        """Look once more at what is really about to be sent, by the policy in force now.

        Raises:
            PerimeterDenied: the offer is not cleared for it, or the crossing was not made by this guard.
        """
        ...


class Recorder(Protocol):
    """The ledger's writing side, as the road uses it. Calls return at once; writing happens elsewhere.

    Only `secure` waits: for what must be on record before it happens.
    """

    def admit(self) -> str | None:
        """Whether another request can be recorded.

        Returns:
            None: yes. Otherwise the reason why not; the settings chose to serve nevertheless.

        Raises:
            LedgerError: it cannot, and the settings chose to refuse.
        """
        ...

    def opened(self, opened: Opened) -> None:
        """Note that a request has begun."""
        ...

    def settled(self, entry: Entry) -> None:
        """Note how it ended. Exactly one for each `opened`."""
        ...

    async def secure(self, crossing: CrossingNote) -> None:
        """Put a crossing of an opened request on record, and return when it would survive a power cut.

        Calls that come together share one write. Cancelling leaves open whether it is on record.

        Raises:
            LedgerError: it is not on record, or not known to be. Nothing may be sent.
        """
        ...


class Keeper(Protocol):
    """Keeps what was said, encrypted, where a workload asks for it. Writing happens elsewhere."""

    def keep(self, kept: Kept) -> bool:
        """Keep what was said until a time. Returns at once, and whether there was room for it."""
        ...

    async def recall(self, request: RequestId, tenant: str) -> Kept | None:
        """What was said in a request of a tenant; None: it is not kept, or not for this tenant.

        Raises:
            LedgerError: it cannot be read.
        """
        ...

    async def forget(self, request: RequestId, tenant: str) -> bool:
        """Delete what was said in a request of a tenant. Returns whether it was there.

        Raises:
            LedgerError: it cannot be deleted.
        """
        ...


class Detector(Protocol):
    """Finds one sort of sensitive text. Safe to call from several threads; does no I/O after it is made."""

    @property
    def name(self) -> str: ...

    @property
    def tier(self) -> Tier: ...

    @property
    def kinds(self) -> frozenset[str]:
        """Every `Finding.kind` it may give."""
        ...

    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        """What is in each of the texts, in the order of the texts; overlaps between kinds are allowed.

        Whatever it raises means that nothing is known of the texts: they are not cleared.
        """
        ...
