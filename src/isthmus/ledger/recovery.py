"""Requests that were in flight when the process serving them died.

Found at the next start on the same host, and settled once, whichever process comes first: the reading and the
settling are one transaction that holds the write lock from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from isthmus.ledger.documents import EntryDocument, crashed_document
from isthmus.ledger.process import Process, is_gone
from isthmus.ledger.schema import in_flight, to_microseconds, writers


def bury_dead_writers(connection: Connection, *, writer: int, now: datetime) -> None:
    """Note which writers have died. Those of other hosts cannot be seen from here and are left alone."""
    dead = [
        row.id
        for row in connection.execute(select(writers).where(writers.c.ended.is_(None), writers.c.id != writer))
        if is_gone(Process(row.host, row.pid, row.process_started))
    ]
    if dead:
        connection.execute(update(writers).where(writers.c.id.in_(dead)).values(ended=now, crashed=True))


def crashed_requests(connection: Connection, *, writer: int, seq: int, now: datetime) -> Iterator[EntryDocument]:
    """What ended writers left in flight, as entries with the outcome `crashed`; their notes are taken away.

    How long such a request lasted, what it used and cost is not known. `settled` is the time at which the crash was
    found, `crashed_writer` the process that had the request in hand.

    Args:
        connection: in a transaction that holds the write lock.
        writer: under whose number the entries are written.
        seq: number of the first.
        now: time of the finding.
    """
    left = connection.execute(
        select(in_flight)
        .join(writers, writers.c.id == in_flight.c.writer)
        .where(writers.c.ended.is_not(None))
        .order_by(in_flight.c.id)
    ).all()
    found = to_microseconds(now)
    for number, row in enumerate(left, start=seq):
        yield crashed_document(row.document, writer=writer, seq=number, found=found, crashed_writer=row.writer)
        connection.execute(delete(in_flight).where(in_flight.c.id == row.id))
