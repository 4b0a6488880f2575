"""Counting the entries of a finished run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bench.ledger_count import count_entries

ROWS = [("completed", "0.001", 60), ("completed", None, 60), ("completed", "0.001", None), ("client_gone", None, None)]


def test_only_completed_entries_with_usage_and_cost_count_as_priced(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "isthmus"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "bench.db")) as store, store:
        store.execute("create table entries (outcome text, cost text, output_tokens integer)")
        store.executemany("insert into entries values (?, ?, ?)", ROWS)
    found = count_entries(tmp_path, "bench.db", number=0, sent=5, answered=1)
    assert (found.entries, found.priced, found.complete) == (4, 1, True)


def test_a_target_that_kept_no_records_has_none(tmp_path: Path) -> None:
    found = count_entries(tmp_path, "bench.db", number=0, sent=5, answered=4)
    assert (found.entries, found.complete) == (0, False)
