"""Records as documents, and back. Pure.

A document is canonical JSON (RFC 8785): keys sorted, no white space, of numbers only integers below 2⁵³, which every
reader of JSON keeps exact. Durations and instants are whole microseconds, money is decimal text. Nothing is written
where nothing is known, or where a count or a list is empty.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Literal

import msgspec

from isthmus.domain.decision import Rejection
from isthmus.domain.entry import Attempt, CrossingNote, Entry, Fate, Opened, Outcome
from isthmus.domain.label import Label, Labelled, LabelSource
from isthmus.domain.offer import Goal, Side
from isthmus.domain.principal import DEFAULT_TENANT, Principal
from isthmus.domain.request import RequestId
from isthmus.domain.usage import Usage
from isthmus.ledger.schema import decimal_text, to_instant, to_microseconds

FORMAT = 1
"""Version of the documents, told in the start of each chain."""

LONGEST_NAME = 256
"""Characters kept of a name the client made up (model, conversation): a ledger is not a place to store text."""

MOST = 2**53 - 1
"""The largest integer that is the same number to every reader of JSON (RFC 8785, section 3.2.2.3)."""


class AttemptDocument(msgspec.Struct, gc=False, omit_defaults=True):
    offer: str
    started_us: int
    took_us: int
    error: str | None = None
    labels: tuple[Label, ...] = ()
    lowered: tuple[Label, ...] = ()
    status: int | None = None
    fate: Fate | None = None
    input: int | None = None
    """Tokens, as those that follow. None: not told, or the entry has them alone."""
    cached: int = 0
    cache_written: int = 0
    output: int = 0
    reasoning: int = 0
    cost: str | None = None


class LabelDocument(msgspec.Struct, gc=False, omit_defaults=True):
    label: Label
    source: LabelSource
    where: str | None = None
    finder: str | None = None


class EntryDocument(msgspec.Struct, gc=False, omit_defaults=True):
    """An entry. Made by position: by name, its many fields cost 2 µs more."""

    writer: int
    seq: int
    kind: Literal["entry"]
    id: str
    began: int
    outcome: Outcome
    dialect: str
    model: str
    tenant: str = DEFAULT_TENANT
    team: str | None = None
    user: str | None = None
    key: str | None = None
    workload: str | None = None
    conversation: str | None = None
    labels: tuple[LabelDocument, ...] = ()
    error: str | None = None
    total_us: int | None = None
    """None: a crash cut it off."""
    first_token_us: int | None = None
    offer: str | None = None
    offer_model: str | None = None
    side: Side | None = None
    streamed: bool = False
    input: int | None = None
    """Tokens, as those that follow. None: the usage is not known."""
    cached: int = 0
    cache_written: int = 0
    output: int = 0
    reasoning: int = 0
    cost: str | None = None
    price_source: str | None = None
    goal: Goal | None = None
    catalog: str | None = None
    policy: str | None = None
    attempts: tuple[AttemptDocument, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    crashed_writer: int | None = None
    found: int | None = None
    """When the crash was found; None: there was none."""
    repeated: bool = False
    """The answer came from the cache."""

    @property
    def settled(self) -> int:
        """When it ended, as far as is known."""
        return self.began + (self.total_us or 0) if self.found is None else self.found


class OpenedDocument(msgspec.Struct, gc=False, omit_defaults=True):
    """What `in_flight` keeps of a request, so that it can be settled as crashed. Not part of the chain."""

    id: str
    began: int
    dialect: str
    model: str
    tenant: str = DEFAULT_TENANT
    team: str | None = None
    user: str | None = None
    key: str | None = None
    workload: str | None = None
    conversation: str | None = None
    labels: tuple[LabelDocument, ...] = ()


class CrossingDocument(msgspec.Struct, gc=False, kw_only=True):
    at: int
    digest: str
    kind: Literal["crossing"] = "crossing"
    labels: tuple[Label, ...]
    lowered: tuple[Label, ...]
    offer: str
    request: str
    seq: int
    writer: int


class ContentDocument(msgspec.Struct, gc=False, kw_only=True):
    """Content was kept beside the chain."""

    at: int
    digest: str
    """SHA-256 of the sealed content, in hex."""
    expires: int
    kind: Literal["content"] = "content"
    request: str
    seq: int
    writer: int


class GapDocument(msgspec.Struct, gc=False, kw_only=True):
    at: int
    first: int
    kind: Literal["gap"] = "gap"
    last: int
    lost: int
    reason: str
    seq: int
    writer: int


class StartDocument(msgspec.Struct, gc=False, omit_defaults=True, kw_only=True):
    """A writer begins its chain."""

    at: int
    carried: bool = False
    """Its records were written by a version without chains, and chained when the store was brought up to date."""
    format: int
    host: str
    kind: Literal["start"]
    pid: int
    process: str | None = None
    seq: int
    writer: int


_encode = msgspec.json.Encoder(order="sorted").encode
_entry = msgspec.json.Decoder(EntryDocument)
_opened = msgspec.json.Decoder(OpenedDocument)
_crossing = msgspec.json.Decoder(CrossingDocument)
_gap = msgspec.json.Decoder(GapDocument)


def canonical(document: object) -> bytes:
    """A document as canonical JSON. What Unicode cannot say (half a surrogate pair) becomes a question mark.

    Raises:
        OverflowError: an integer beyond 64 bits.
    """
    try:
        return _encode(document)
    except UnicodeEncodeError:  # a client's or an upstream's nonsense must not keep a request out of the ledger
        return _encode(_mended(msgspec.to_builtins(document)))


def storable(text: str) -> str:
    """A text as it stands in a document."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _mended(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {key: _mended(part) for key, part in value.items()}
        case list() | tuple():
            return [_mended(part) for part in value]
        case _:
            return value


def entry_document(entry: Entry, writer: int, seq: int) -> EntryDocument:
    """The document of an entry.

    Raises:
        OverflowError, ValueError: a duration is not a finite number.
    """
    who, usage = entry.principal, entry.usage
    if usage is not None and (usage.input > MOST or usage.output > MOST):
        usage = _bounded(usage)
    tokens, cached, cache_written, output, reasoning = (
        _NO_USAGE if usage is None else (usage.input, usage.cached, usage.cache_written, usage.output, usage.reasoning)
    )
    conversation, first_token = entry.conversation, entry.first_token
    return EntryDocument(
        writer,
        seq,
        "entry",
        entry.id,
        to_microseconds(entry.began),
        entry.outcome,
        entry.dialect,
        entry.model[:LONGEST_NAME],
        who.tenant,
        who.team,
        who.user,
        who.key,
        entry.workload,
        conversation and conversation[:LONGEST_NAME],
        _labels(entry.labels),
        entry.error,
        int(entry.total * 1e6 + 0.5),
        None if first_token is None else int(first_token * 1e6 + 0.5),
        entry.offer,
        entry.offer_model,
        entry.side,
        entry.streamed,
        tokens,
        cached,
        cache_written,
        output,
        reasoning,
        None if entry.cost is None else decimal_text(entry.cost),
        entry.price_source,
        entry.goal,
        entry.catalog_version,
        entry.policy_version,
        tuple(
            [  # made from a list, which costs less than from a generator
                AttemptDocument(
                    attempt.offer,
                    int(attempt.started * 1e6 + 0.5),
                    int(attempt.seconds * 1e6 + 0.5),
                    attempt.error,
                    attempt.labels,
                    attempt.lowered,
                    attempt.status,
                )
                if attempt.fate is None and attempt.usage is None
                else _paid_attempt(attempt)
                for attempt in entry.attempts
            ]
        ),
        entry.rejected,
        repeated=entry.cached,
    )


def _paid_attempt(attempt: Attempt) -> AttemptDocument:
    """An attempt of several that were answered: what became of it, and what it cost."""
    usage = attempt.usage
    if usage is not None and (usage.input > MOST or usage.output > MOST):
        usage = _bounded(usage)
    return AttemptDocument(
        offer=attempt.offer,
        started_us=int(attempt.started * 1e6 + 0.5),
        took_us=int(attempt.seconds * 1e6 + 0.5),
        error=attempt.error,
        labels=attempt.labels,
        lowered=attempt.lowered,
        status=attempt.status,
        fate=attempt.fate,
        input=None if usage is None else usage.input,
        cached=0 if usage is None else usage.cached,
        cache_written=0 if usage is None else usage.cache_written,
        output=0 if usage is None else usage.output,
        reasoning=0 if usage is None else usage.reasoning,
        cost=None if attempt.cost is None else decimal_text(attempt.cost),
    )


_NO_USAGE: tuple[int | None, int, int, int, int] = (None, 0, 0, 0, 0)


def _labels(labels: tuple[Labelled, ...]) -> tuple[LabelDocument, ...]:
    return tuple([LabelDocument(one.label, one.source, one.where, one.finder) for one in labels]) if labels else ()


def entry_of(document: EntryDocument) -> Entry:
    """The entry a document holds. The total of a crashed one is not known: NaN."""
    return Entry(
        id=RequestId(document.id),
        began=to_instant(document.began),
        principal=Principal(tenant=document.tenant, team=document.team, user=document.user, key=document.key),
        dialect=document.dialect,
        model=document.model,
        workload=document.workload,
        conversation=document.conversation,
        labels=tuple(Labelled(one.label, one.source, one.where, one.finder) for one in document.labels),
        outcome=document.outcome,
        error=document.error,
        offer=document.offer,
        offer_model=document.offer_model,
        side=document.side,
        streamed=document.streamed,
        usage=_usage(document),
        cost=None if document.cost is None else Decimal(document.cost),
        price_source=document.price_source,
        first_token=None if document.first_token_us is None else document.first_token_us / 1e6,
        total=math.nan if document.total_us is None else document.total_us / 1e6,
        goal=document.goal,
        attempts=tuple(
            Attempt(
                attempt.offer,
                attempt.started_us / 1e6,
                attempt.took_us / 1e6,
                attempt.status,
                attempt.error,
                attempt.labels,
                attempt.lowered,
                _usage(attempt),
                None if attempt.cost is None else Decimal(attempt.cost),
                attempt.fate,
            )
            for attempt in document.attempts
        ),
        rejected=document.rejected,
        catalog_version=document.catalog,
        policy_version=document.policy,
        cached=document.repeated,
    )


def _usage(document: EntryDocument | AttemptDocument) -> Usage | None:
    if document.input is None:
        return None
    return Usage(
        input=document.input,
        cached=document.cached,
        cache_written=document.cache_written,
        output=document.output,
        reasoning=document.reasoning,
    )


def opened_document(opened: Opened) -> OpenedDocument:
    """What is noted of a request that has begun."""
    who = opened.principal
    return OpenedDocument(
        opened.id,
        to_microseconds(opened.began),
        opened.dialect,
        opened.model[:LONGEST_NAME],
        who.tenant,
        who.team,
        who.user,
        who.key,
        opened.workload,
        opened.conversation and opened.conversation[:LONGEST_NAME],
        _labels(opened.labels),
    )


def crashed_document(note: str, *, writer: int, seq: int, found: int, crashed_writer: int) -> EntryDocument:
    """The entry of a request of which nothing but its beginning is known.

    Args:
        note: what `in_flight` has of it.
        writer: under whose number the entry is written.
        seq: its number there.
        found: microseconds; when the crash was found.
        crashed_writer: the process that had the request in hand.
    """
    opened = _opened.decode(note)
    return EntryDocument(
        began=opened.began,
        conversation=opened.conversation,
        crashed_writer=crashed_writer,
        dialect=opened.dialect,
        id=opened.id,
        key=opened.key,
        kind="entry",
        labels=opened.labels,
        model=opened.model,
        outcome="crashed",
        found=found,
        seq=seq,
        team=opened.team,
        tenant=opened.tenant,
        user=opened.user,
        workload=opened.workload,
        writer=writer,
    )


def crossing_document(crossing: CrossingNote, writer: int, seq: int) -> CrossingDocument:
    return CrossingDocument(
        at=to_microseconds(crossing.at),
        digest=crossing.digest,
        labels=crossing.labels,
        lowered=crossing.lowered,
        offer=crossing.offer,
        request=crossing.request,
        seq=seq,
        writer=writer,
    )


def crossing_of(document: CrossingDocument) -> CrossingNote:
    return CrossingNote(
        request=RequestId(document.request),
        offer=document.offer,
        labels=document.labels,
        lowered=document.lowered,
        digest=document.digest,
        at=to_instant(document.at),
    )


def parse_entry(text: str) -> EntryDocument:
    return _entry.decode(text)


def parse_crossing(text: str) -> CrossingDocument:
    return _crossing.decode(text)


def parse_gap(text: str) -> GapDocument:
    return _gap.decode(text)


def _bounded(usage: Usage) -> Usage:
    return Usage(
        input=min(usage.input, MOST),
        cached=0,
        cache_written=0,
        output=min(usage.output, MOST),
        reasoning=0,
    )
