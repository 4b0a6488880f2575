"""Entries to rows and back. Pure.

Rows go to the driver as they are, past the column types: at some thousand entries a second the conversion layer
would cost more than the database. The order of the values is that of the columns in `schema`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Row

from isthmus.domain.decision import Rejection
from isthmus.domain.entry import Attempt, Entry, Opened
from isthmus.domain.label import Labelled
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestId
from isthmus.domain.usage import Usage
from isthmus.ledger.schema import decimal_text, to_microseconds

Value: TypeAlias = str | int | float | bool | None
T = TypeVar("T")

LONGEST_NAME = 256
"""Characters kept of a name the client made up (model, conversation): a ledger is not a place to store text."""

_encode = msgspec.json.Encoder().encode
_attempts = msgspec.json.Decoder(tuple[Attempt, ...])
_rejected = msgspec.json.Decoder(tuple[Rejection, ...])
_labels = msgspec.json.Decoder(tuple[Labelled, ...])


def entry_row(entry: Entry, writer: int, seq: int) -> tuple[Value, ...]:
    """The row of `entries` for an entry."""
    principal = entry.principal
    usage = entry.usage
    began = to_microseconds(entry.began)
    counts: tuple[int | None, ...] = (
        _NO_COUNTS if usage is None else (usage.input, usage.cached, usage.cache_written, usage.output, usage.reasoning)
    )
    return (
        writer,
        seq,
        entry.id,
        began,
        began + int(entry.total * 1_000_000),
        entry.outcome,
        entry.error,
        principal.tenant,
        principal.team,
        principal.user,
        principal.key,
        entry.workload,
        entry.conversation and entry.conversation[:LONGEST_NAME],
        entry.dialect,
        entry.model[:LONGEST_NAME],
        _json(entry.labels),
        entry.goal,
        entry.offer,
        entry.offer_model,
        entry.side,
        entry.streamed,
        *counts,
        None if entry.cost is None else decimal_text(entry.cost),
        entry.price_source,
        entry.first_token,
        entry.total,
        _json(entry.attempts),
        _json(entry.rejected),
        entry.catalog_version,
        None,
    )


_NO_COUNTS = (None, None, None, None, None)


def opened_row(opened: Opened, writer: int) -> tuple[Value, ...]:
    """The row of `in_flight` for a request that has begun."""
    principal = opened.principal
    return (
        opened.id,
        writer,
        to_microseconds(opened.began),
        principal.tenant,
        principal.team,
        principal.user,
        principal.key,
        opened.workload,
        opened.conversation and opened.conversation[:LONGEST_NAME],
        opened.dialect,
        opened.model[:LONGEST_NAME],
        _json(opened.labels),
    )


def mended(row: Iterable[Value]) -> tuple[Value, ...]:
    """A row the database refused, with what cannot be stored made storable.

    Half a surrogate pair becomes a question mark, a number beyond 64 bits the largest there is: a client's or an
    upstream's nonsense must neither block the ledger nor keep the request out of it.
    """
    return tuple(_mend(value) for value in row)


def _mend(value: Value) -> Value:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int) and not isinstance(value, bool):
        return min(value, 2**63 - 1)
    return value


def entry_of(row: Row[Any]) -> Entry:
    """The entry a row of `entries` holds. The total of a crashed one is not known: NaN."""
    usage = None
    if row.input_tokens is not None:
        usage = Usage(
            input=row.input_tokens,
            cached=row.cached_tokens,
            cache_written=row.cache_written_tokens,
            output=row.output_tokens,
            reasoning=row.reasoning_tokens,
        )
    return Entry(
        id=RequestId(row.id),
        began=row.began,
        principal=Principal(tenant=row.tenant, team=row.team, user=row.user_name, key=row.key_name),
        dialect=row.dialect,
        model=row.model,
        workload=row.workload,
        conversation=row.conversation,
        labels=_parsed(_labels, row.labels),
        outcome=row.outcome,
        error=row.error,
        offer=row.offer,
        offer_model=row.offer_model,
        side=row.side,
        streamed=bool(row.streamed),
        usage=usage,
        cost=row.cost,
        price_source=row.price_source,
        first_token=row.first_token,
        total=math.nan if row.total is None else row.total,
        goal=row.goal,
        attempts=_parsed(_attempts, row.attempts),
        rejected=_parsed(_rejected, row.rejected),
        catalog_version=row.catalog_version,
    )


def _json(values: tuple[Any, ...]) -> str | None:
    # Encoding a few small dataclasses afresh (0.3 µs) is cheaper than finding them in a cache (hashing them: 1 µs).
    return _encode(values).decode() if values else None


def _parsed(decoder: msgspec.json.Decoder[tuple[T, ...]], text: str | None) -> tuple[T, ...]:
    return () if text is None else decoder.decode(text)
