"""Counting a target's own records after its run: a benchmark whose record-keeping was off is void."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bench.results import LedgerCount

COUNT = """
    select count(*),
           count(case when outcome = 'completed' and cost is not null and output_tokens is not null then 1 end)
    from entries
"""


def count_entries(folder: Path, name: str, *, number: int, sent: int, answered: int) -> LedgerCount:
    """Count the entries of the SQLite file `name` below `folder`, whose writer has ended.

    Args:
        number: of the round.
        sent: requests the clients sent since the target's first start in this folder.
        answered: those that got a complete answer with status 200.

    Returns:
        No entries where there is no file or no table.
    """
    entries, priced = 0, 0
    for path in folder.rglob(name):
        with closing(sqlite3.connect(path)) as store:
            try:
                entries, priced = store.execute(COUNT).fetchone()
            except sqlite3.OperationalError as error:
                print(f"      {path}: {error}", flush=True)
    return LedgerCount(round=number, sent=sent, answered=answered, entries=entries, priced=priced)
