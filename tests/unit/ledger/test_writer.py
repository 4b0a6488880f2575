import sqlite3
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event
from tests.unit.ledger.conftest import Query
from tests.unit.ledger.samples import BEGAN, entry, opened

from isthmus.domain.entry import Entry
from isthmus.domain.usage import Usage
from isthmus.ledger.reader import LedgerReader
from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter


def test_an_entry_comes_back_as_it_was_recorded(store: Store) -> None:
    whole = entry("whole")
    bare = entry(
        "bare",
        outcome="refused",
        error="no_capable_offer",
        conversation=None,
        labels=(),
        offer=None,
        offer_model=None,
        side=None,
        usage=None,
        cost=None,
        price_source=None,
        first_token=None,
        goal=None,
        attempts=(),
        rejected=(),
        catalog_version=None,
    )
    with LedgerWriter(store) as writer:
        writer.settled(whole)
        writer.settled(bare)
    found = LedgerReader(store).tail(10)
    assert [record.entry for record in found] == [whole, bare]
    assert [record.seq for record in found] == [1, 2]


def test_a_request_begun_and_settled_within_a_group_leaves_no_note(store: Store) -> None:
    statements: list[str] = []

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(statements.append)

    store.prepare()
    event.listen(store.engine(writing=True), "connect", connected)
    with LedgerWriter(store) as writer:
        statements.clear()
        writer.opened(opened("a"))
        writer.settled(entry("a"))
        assert writer.flush(5)
        written = [statement for statement in statements if "INTO" in statement or "DELETE" in statement]
    assert len(written) == 1
    assert written[0].startswith("INSERT INTO records")


def test_a_request_still_open_is_noted_until_it_is_settled(store: Store, query: Query) -> None:
    with LedgerWriter(store) as writer:
        for request in ("a", "b"):
            writer.opened(opened(request))
        assert writer.flush(5)
        workload = "json_extract(document, '$.workload')"
        assert query(f"SELECT id, {workload} FROM in_flight ORDER BY id") == [("a", "triage"), ("b", "triage")]
        writer.settled(entry("a"))
        assert writer.flush(5)
        assert query("SELECT id FROM in_flight") == [("b",)]
        writer.settled(entry("b"))
    assert query("SELECT id FROM in_flight") == []
    assert query("SELECT id FROM entries ORDER BY seq") == [("a",), ("b",)]


@pytest.mark.parametrize("count", [1, 7, 8, 33, 75, 700])
def test_groups_of_any_size_are_numbered_without_a_gap(store: Store, query: Query, count: int) -> None:
    with LedgerWriter(store) as writer:
        for number in range(count):
            writer.opened(opened(f"open-{number}"))
        assert writer.flush(5)
        for number in range(count):
            writer.settled(entry(f"open-{number}"))
    assert query("SELECT seq FROM entries ORDER BY seq") == [(seq,) for seq in range(1, count + 1)]
    assert query("SELECT count(*) FROM in_flight") == [(0,)]


def test_each_writer_counts_for_itself(store: Store, query: Query) -> None:
    with LedgerWriter(store) as one, LedgerWriter(store) as other:
        for number in range(3):
            one.settled(entry(f"one-{number}"))
            other.settled(entry(f"other-{number}"))
    assert query("SELECT writer, seq FROM entries ORDER BY writer, seq") == [(w, s) for w in (1, 2) for s in (1, 2, 3)]


def test_close_writes_what_is_still_waiting(store: Store, query: Query) -> None:
    writer = LedgerWriter(store, group_ms=60_000)
    writer.start()
    for number in range(2000):
        writer.settled(entry(f"r-{number}"))
    writer.close()
    writer.close()
    assert query("SELECT count(*), max(seq) FROM entries") == [(2000, 2000)]
    assert query("SELECT crashed, ended IS NOT NULL FROM writers") == [(0, 1)]


def test_a_writer_that_never_started_closes(store: Store) -> None:
    LedgerWriter(store).close()
    assert not store.exists()


def test_a_full_group_is_written_without_waiting(store: Store) -> None:
    writer = LedgerWriter(store, group_ms=60_000, group_max=10)
    writer.start()
    for number in range(10):
        writer.settled(entry(f"r-{number}"))
    deadline = time.monotonic() + 5
    while writer.pending and time.monotonic() < deadline:
        time.sleep(0.005)
    assert writer.pending == 0
    writer.close()


def test_the_thread_does_not_wake_while_there_is_nothing_to_write(store: Store) -> None:
    with LedgerWriter(store, group_ms=5) as writer:
        writer.settled(entry("a"))
        assert writer.flush(5)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "isthmus-ledger"]
        time.sleep(0.05)
        before = _switches(thread)
        time.sleep(0.2)
        assert _switches(thread) == before


def _switches(thread: threading.Thread) -> int:
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])


@pytest.mark.parametrize(
    ("nonsense", "kept"),
    [
        (entry("odd", model="half a pair: \ud83d"), "half a pair: ?"),
        (entry("odd", usage=Usage(input=10**30)), "triage"),
        (entry("odd", model="x" * 10_000), "x" * 256),
    ],
)
def test_nonsense_from_outside_neither_blocks_the_ledger_nor_escapes_it(
    store: Store, query: Query, nonsense: Entry, kept: str
) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("before"))
        writer.settled(nonsense)
        writer.settled(entry("after"))
        assert writer.flush(5)
        assert writer.admit() is None
    assert query("SELECT id, seq FROM entries ORDER BY seq") == [("before", 1), ("odd", 2), ("after", 3)]
    assert query("SELECT model FROM entries WHERE id = 'odd'") == [(kept,)]
    assert query("SELECT * FROM gaps") == []


def test_an_entry_that_cannot_be_kept_leaves_a_gap_that_is_told(store: Store, query: Query) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("a"))
        writer.settled(entry("a", cost=Decimal(9)))
        writer.settled(entry("b"))
        writer.settled(entry("c", total=float("inf")))
        assert writer.flush(5)
        assert writer.admit() is None
    assert query("SELECT id, seq, cost FROM entries ORDER BY seq") == [("a", 1, "0.00123456"), ("b", 2, "0.00123456")]
    (gap,) = LedgerReader(store).gaps()
    assert (gap.seq, gap.lost, gap.first) == (3, 2, BEGAN)


def test_more_than_may_wait_is_refused_before_it_is_lost(store: Store) -> None:
    writer = LedgerWriter(store, on_failure="serve", max_pending=2)
    assert writer.admit() is None
    writer.settled(entry("a"))
    writer.settled(entry("b"))
    assert "as many as may" in (writer.admit() or "")


def test_readers_do_not_hold_the_writer_up(store: Store) -> None:
    with LedgerWriter(store) as writer, store.transaction(writing=False) as reading:
        reading.exec_driver_sql("SELECT count(*) FROM entries").all()
        writer.settled(entry("a"))
        assert writer.flush(5)
        assert writer.admit() is None
