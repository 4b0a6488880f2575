"""Requests that were in flight when the process serving them died.

Found at the next start on the same host, and settled once, whichever process comes first: the reading and the
settling are one transaction that holds the write lock from its beginning.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from isthmus.domain.entry import Outcome
from isthmus.ledger.process import Process, is_gone
from isthmus.ledger.schema import entries, in_flight, writers

_CRASHED: Outcome = "crashed"


def settle_crashed(connection: Connection, *, writer: int, now: datetime) -> int:
    """Turn what dead writers left in flight into entries with the outcome `crashed`.

    How long such a request lasted, what it used and cost is not known: these columns stay NULL. `settled` is the time
    at which the crash was found, `crashed_writer` the process that had the request in hand. Writers of other hosts
    cannot be seen from here and are left alone.

    Args:
        connection: in a transaction that holds the write lock.
        writer: under whose number the entries are written, from sequence number 1 on.
        now: time of the finding.

    Returns:
        Entries written.
    """
    dead = [
        row.id
        for row in connection.execute(select(writers).where(writers.c.ended.is_(None), writers.c.id != writer))
        if is_gone(Process(row.host, row.pid, row.process_started))
    ]
    if dead:
        connection.execute(update(writers).where(writers.c.id.in_(dead)).values(ended=now, crashed=True))
    left = connection.execute(
        select(in_flight)
        .join(writers, writers.c.id == in_flight.c.writer)
        .where(writers.c.ended.is_not(None))
        .order_by(in_flight.c.began, in_flight.c.id)
    ).all()
    if not left:
        return 0
    connection.execute(
        insert(entries),
        [
            {
                "writer": writer,
                "seq": seq,
                "id": row.id,
                "began": row.began,
                "settled": now,
                "outcome": _CRASHED,
                "tenant": row.tenant,
                "team": row.team,
                "user_name": row.user_name,
                "key_name": row.key_name,
                "workload": row.workload,
                "conversation": row.conversation,
                "dialect": row.dialect,
                "model": row.model,
                "labels": row.labels,
                "streamed": False,
                "crashed_writer": row.writer,
            }
            for seq, row in enumerate(left, start=1)
        ],
    )
    for row in left:
        connection.execute(delete(in_flight).where(in_flight.c.id == row.id))
    return len(left)
