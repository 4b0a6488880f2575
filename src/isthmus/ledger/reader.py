"""The ledger's reading side: the latest entries, one entry, and what was spent on what."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from sqlalchemy import BigInteger, ColumnElement, Row, Select, func, select, type_coerce

from isthmus.domain.entry import CrossingNote, Entry
from isthmus.domain.errors import InvalidRequest
from isthmus.ledger.chain import place, places, seq_at
from isthmus.ledger.documents import crossing_of, entry_of, parse_crossing, parse_entry
from isthmus.ledger.schema import DAY_US, entries, gaps, records, to_instant, writers
from isthmus.ledger.store import Store

Dimension = Literal["workload", "offer", "side", "key", "team", "user", "tenant", "day", "model", "outcome"]
"""What spending is grouped by. `model` is the offer's; `day` is that of the settling, in UTC, as 2026-01-31."""

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

_day: ColumnElement[int] = type_coerce(entries.c.settled, BigInteger) // DAY_US

_GROUPINGS: dict[Dimension, ColumnElement[Any]] = {
    "workload": entries.c.workload,
    "offer": entries.c.offer,
    "side": entries.c.side,
    "key": entries.c.key_name,
    "team": entries.c.team,
    "user": entries.c.user_name,
    "tenant": entries.c.tenant,
    "day": _day,
    "model": entries.c.offer_model,
    "outcome": entries.c.outcome,
}

_FREE_OUTCOMES = frozenset({"refused", "failed"})
"""No offer answered, so that no price is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An entry and its place in the ledger."""

    entry: Entry
    settled: datetime
    """When the request ended; for a crashed one, when that was found."""
    writer: int
    seq: int
    """Counts the writer's records from 0, its start, without a number left out."""
    crashed_writer: int | None
    """The writer that died with the request in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Entries that could not be kept."""

    writer: int
    seq: int
    lost: int
    first: datetime
    """When the earliest of the lost requests began."""
    last: datetime
    reason: str
    recorded: datetime


@dataclass(slots=True, kw_only=True)
class Spending:
    """Sums over the entries of one group."""

    group: tuple[str | None, ...]
    """One value per dimension asked for, in its order. None: the entries have none."""
    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal = field(default_factory=Decimal)
    """Dollars, exact, of the entries whose cost is known."""
    unknown_cost: int = 0
    """Entries that an offer answered and whose cost is not known: the true cost is higher."""


class LedgerReader:
    """Reads a store that other processes may be writing."""

    def __init__(self, store: Store) -> None:
        """Take a store to read.

        Raises:
            LedgerError: there is none, or it is of another version.
        """
        store.require()
        self._store = store

    def tail(self, count: int) -> list[Record]:
        """The latest `count` entries, oldest first."""
        statement = _ENTRIES.order_by(records.c.at.desc(), records.c.place.desc())
        return [_record(row) for row in reversed(self._rows(statement.limit(count)))]

    def follow(self, *, every: float = 0.5) -> Iterator[Record]:
        """Entries as they are written, from now on, without end.

        Each writer is followed by its own sequence, so none is missed whatever the clocks say.

        Args:
            every: seconds between looks.
        """
        return self._new_after(self._latest(), every)

    def _new_after(self, seen: dict[int, int], every: float) -> Iterator[Record]:
        while True:
            time.sleep(every)
            for writer, latest in sorted(self._latest().items()):
                if latest > seen.get(writer, 0):
                    for record in self._after(writer, seen.get(writer, 0)):
                        seen[writer] = record.seq
                        yield record
                    seen[writer] = max(latest, seen.get(writer, 0))

    def get(self, request: str) -> Record | None:
        """One entry, by the id of its request or the beginning of it. None: there is none.

        Raises:
            InvalidRequest: several ids begin so.
        """
        # By range and not by LIKE, which cannot use the index.
        found = self._rows(
            _ENTRIES.where(records.c.request >= request, records.c.request < request + chr(0x10FFFF))
            .order_by(records.c.request)
            .limit(2)
        )
        if not found:
            return None
        if len(found) > 1 and found[0].request != request:
            raise InvalidRequest(
                f"Several requests begin with {request!r}, among them {found[0].request} and {found[1].request}.",
                hint="Give more of the id.",
            )
        return _record(found[0])

    def crossings(self, request: str) -> list[CrossingNote]:
        """What was secured of a request before it was sent, in the order of its sending."""
        statement = (
            select(records.c.document)
            .where(records.c.kind == "crossing", records.c.request == request)
            .order_by(records.c.place)
        )
        return [crossing_of(parse_crossing(row.document)) for row in self._rows(statement)]

    def spending(
        self, by: Sequence[Dimension] = (), *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Spending]:
        """What was spent, the dearest group first.

        Args:
            by: dimensions to group by; none: one sum over all.
            since: only entries settled at this time or later.
            until: only entries settled before this time.
        """
        dimensions = [_GROUPINGS[dimension] for dimension in by]
        columns = entries.c
        statement = select(
            *dimensions,
            columns.cost,
            columns.outcome,
            func.count(),
            *(
                func.coalesce(func.sum(column), 0)
                for column in (
                    columns.input_tokens,
                    columns.cached_tokens,
                    columns.output_tokens,
                    columns.reasoning_tokens,
                )
            ),
        ).group_by(*dimensions, columns.cost, columns.outcome)
        if since is not None:
            statement = statement.where(columns.settled >= since)
        if until is not None:
            statement = statement.where(columns.settled < until)

        # Costs are summed here: grouped by cost, the database counts, and only exact decimals are added.
        groups: dict[tuple[str | None, ...], Spending] = {}
        for row in self._rows(statement):
            *values, cost, outcome, requests, plain, cached, output, reasoning = tuple(row)
            group = tuple(_shown(dimension, value) for dimension, value in zip(by, values, strict=True))
            spending = groups.setdefault(group, Spending(group=group))
            spending.requests += requests
            spending.input_tokens += int(plain)
            spending.cached_tokens += int(cached)
            spending.output_tokens += int(output)
            spending.reasoning_tokens += int(reasoning)
            if cost is not None:
                spending.cost += cost * requests
            elif outcome not in _FREE_OUTCOMES:
                spending.unknown_cost += requests
        return sorted(groups.values(), key=lambda s: (-s.cost, [value or "" for value in s.group]))

    def gaps(self, *, since: datetime | None = None) -> list[Gap]:
        """What is known to be missing, oldest first."""
        statement = select(gaps).order_by(gaps.c.recorded, gaps.c.writer, gaps.c.seq)
        if since is not None:
            statement = statement.where(gaps.c.recorded >= since)
        return [Gap(**row._mapping) for row in self._rows(statement)]

    def _latest(self) -> dict[int, int]:
        """Number of the last record of each writer."""
        latest: dict[int, int] = {}
        with self._store.transaction(writing=False) as connection:
            for writer in connection.execute(select(writers.c.id)).scalars():
                last = select(func.max(records.c.place)).where(records.c.place.between(*places(writer)))
                found = connection.execute(last).scalar()
                if found is not None:
                    latest[writer] = seq_at(found)
        return latest

    def _after(self, writer: int, seq: int) -> Iterator[Record]:
        _, last = places(writer)
        rows = self._rows(
            _ENTRIES.where(records.c.place.between(place(writer, seq + 1), last)).order_by(records.c.place)
        )
        return map(_record, rows)

    def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with self._store.transaction(writing=False) as connection:
            return connection.execute(statement).all()


_ENTRIES = select(records.c.place, records.c.request, records.c.document).where(records.c.kind == "entry")


def _record(row: Row[Any]) -> Record:
    document = parse_entry(row.document)
    return Record(
        entry=entry_of(document),
        settled=to_instant(document.settled),
        writer=document.writer,
        seq=document.seq,
        crashed_writer=document.crashed_writer,
    )


def _shown(dimension: Dimension, value: Any) -> str | None:
    if dimension == "day":
        return to_instant(value * DAY_US).date().isoformat()
    return None if value is None else str(value)
