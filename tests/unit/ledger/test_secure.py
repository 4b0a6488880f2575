"""Strict mode: a crossing is on record, through to the disk, before it happens."""

import asyncio
import sqlite3
import time
from contextlib import closing, suppress

import pytest
from sqlalchemy import event
from tests.unit.ledger.conftest import Query
from tests.unit.ledger.samples import crossing, entry, opened

from isthmus.domain.errors import LedgerError
from isthmus.ledger.reader import LedgerReader
from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter

pytestmark = pytest.mark.anyio


async def test_a_secured_crossing_is_on_record_when_the_call_returns(store: Store) -> None:
    with LedgerWriter(store, group_ms=60_000) as writer:
        writer.opened(opened("a"))
        note = crossing("a")
        await writer.secure(note)
        assert LedgerReader(store).crossings("a") == [note]
        writer.settled(entry("a"))


async def test_securing_does_not_wait_for_company(store: Store) -> None:
    with LedgerWriter(store, group_ms=60_000) as writer:
        writer.opened(opened("a"))
        began = time.monotonic()
        await writer.secure(crossing("a"))
        assert time.monotonic() - began < 5
        writer.settled(entry("a"))


async def test_crossings_that_come_together_share_one_write_through_to_the_disk(store: Store, query: Query) -> None:
    statements: list[str] = []

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(statements.append)

    store.prepare()
    event.listen(store.engine(writing=True), "connect", connected)
    with LedgerWriter(store) as writer:
        for number in range(50):
            writer.opened(opened(f"r-{number}"))
        assert writer.flush(5)
        statements.clear()
        await asyncio.gather(*(writer.secure(crossing(f"r-{number}")) for number in range(50)))
        secured = list(statements)
        for number in range(50):
            writer.settled(entry(f"r-{number}"))
    # One commit for all, or two where the thread was awake already when the first came.
    assert 1 <= secured.count("COMMIT") <= 2
    full = secured.index("PRAGMA synchronous = 2")
    assert full < secured.index("BEGIN IMMEDIATE")
    assert query("SELECT count(*) FROM crossings") == [(50,)]


async def test_only_groups_with_crossings_wait_for_the_disk(store: Store) -> None:
    statements: list[str] = []

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(statements.append)

    store.prepare()
    event.listen(store.engine(writing=True), "connect", connected)
    with LedgerWriter(store) as writer:
        writer.opened(opened("a"))
        await writer.secure(crossing("a"))
        writer.settled(entry("a"))
        assert await asyncio.to_thread(writer.flush, 5)
        changes = [statement for statement in statements if statement.startswith("PRAGMA synchronous = ")]
    assert changes == ["PRAGMA synchronous = 2", "PRAGMA synchronous = 1"]


async def test_a_request_that_was_never_opened_cannot_be_secured(store: Store) -> None:
    with LedgerWriter(store) as writer, pytest.raises(LedgerError, match="no place"):
        await writer.secure(crossing("a"))


async def test_a_store_that_fails_secures_nothing_and_says_so_at_once(store: Store, query: Query) -> None:
    with LedgerWriter(store) as writer:
        writer.opened(opened("a"))
        writer.opened(opened("b"))
        await asyncio.to_thread(writer.flush, 5)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(LedgerError, match="locked"):
                await writer.secure(crossing("a"))
            with pytest.raises(LedgerError, match="locked"):
                await writer.secure(crossing("b"))
            other.execute("ROLLBACK")
        for request in ("a", "b"):
            writer.settled(entry(request))
    assert query("SELECT count(*) FROM crossings") == [(0,)]
    assert query("SELECT count(*) FROM entries") == [(2,)]


async def test_a_store_that_hangs_is_given_up_in_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Store(f"sqlite:///{store.path}", busy_timeout=2.0)
    with LedgerWriter(slow, secure_seconds=0.1) as writer:
        writer.opened(opened("a"))
        await asyncio.to_thread(writer.flush, 5)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(LedgerError, match=r"within 0\.1 s"):
                await writer.secure(crossing("a"))
            other.execute("ROLLBACK")
        writer.settled(entry("a"))


async def test_one_who_stops_waiting_disturbs_nobody(store: Store, query: Query) -> None:
    with LedgerWriter(store) as writer:
        for request in ("a", "b"):
            writer.opened(opened(request))
        leaving = asyncio.ensure_future(writer.secure(crossing("a")))
        staying = asyncio.ensure_future(writer.secure(crossing("b")))
        await asyncio.sleep(0)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
        await staying
        for request in ("a", "b"):
            writer.settled(entry(request))
    assert query("SELECT request FROM crossings WHERE request = 'b'") == [("b",)]


async def test_nothing_is_secured_once_the_writer_is_closed(store: Store) -> None:
    writer = LedgerWriter(store)
    writer.start()
    writer.opened(opened("a"))
    writer.close()
    with pytest.raises(LedgerError, match="isthmus stops"):
        await writer.secure(crossing("a"))


async def test_after_a_crash_the_request_is_there_with_its_crossings(store: Store) -> None:
    with LedgerWriter(store) as writer:  # never settled: as if cut off, though the process ends well
        writer.opened(opened("cut"))
        await writer.secure(crossing("cut"))
    with LedgerWriter(store):
        pass
    reader = LedgerReader(store)
    found = reader.get("cut")
    assert found is not None
    assert found.entry.outcome == "crashed"
    assert [note.offer for note in reader.crossings("cut")] == ["gpt"]
