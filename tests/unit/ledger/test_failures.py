"""What happens to requests and entries while the store cannot be written, with stores that really cannot."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import event
from tests.unit.ledger.conftest import Query
from tests.unit.ledger.samples import entry, opened

from isthmus.domain.errors import LedgerError
from isthmus.ledger.reader import LedgerReader
from isthmus.ledger.store import Store, open_store
from isthmus.ledger.writer import LedgerWriter, OnFailure


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for the writer's thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.005)


def refuses(writer: LedgerWriter) -> bool:
    try:
        writer.admit()
    except LedgerError:
        return True
    return False


def can_record(writer: LedgerWriter) -> bool:
    return not refuses(writer) and writer.admit() is None


class Limit:
    """A bound on the pages of a store, as a disk has one."""

    def __init__(self, store: Store) -> None:
        self.pages = 60
        event.listen(store.engine(writing=True), "connect", self._connected)

    def _connected(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}").close()


@pytest.fixture
def limit(store: Store) -> Limit:
    store.prepare()
    return Limit(store)


def fill(writer: LedgerWriter, failing: Callable[[], bool]) -> int:
    """Record until the store is full; the number of entries handed over, r-0 and on."""
    for number in range(10_000):
        writer.settled(entry(f"r-{number}"))
        if number % 50 == 0:
            writer.flush(0.3)
            if failing():
                return number + 1
    raise AssertionError("the store did not fill")


def test_a_full_store_refuses_requests_and_loses_none_of_those_under_way(
    store: Store, query: Query, limit: Limit
) -> None:
    with LedgerWriter(store, on_failure="refuse") as writer:
        count = fill(writer, lambda: refuses(writer))
        with pytest.raises(LedgerError, match="is full") as caught:
            writer.admit()
        assert caught.value.code == "ledger_unavailable"
        assert "Free some space" in caught.value.sentence
        for number in range(count, count + 100):  # under way when the store filled up
            writer.settled(entry(f"r-{number}"))
        limit.pages = 10_000
        until(lambda: not refuses(writer))
        assert writer.flush(5)
    assert query("SELECT count(*), max(seq) FROM entries") == [(count + 100, count + 100)]
    assert query("SELECT * FROM gaps") == []


def test_a_full_store_that_shall_serve_says_so_and_records_what_it_lost(
    store: Store, query: Query, limit: Limit
) -> None:
    with LedgerWriter(store, on_failure="serve", max_pending=300) as writer:
        count = fill(writer, lambda: writer.admit() is not None)
        assert "is full" in (writer.admit() or "")
        for number in range(count, count + 1000):
            writer.settled(entry(f"r-{number}"))
        assert writer.pending == 300
        limit.pages = 10_000
        until(lambda: writer.admit() is None)
        assert writer.flush(5)
    (gap,) = LedgerReader(store).gaps()
    ((kept, last),) = query("SELECT count(*), max(seq) FROM entries")
    assert kept + gap.lost == count + 1000
    assert max(last, gap.seq) == kept + 1, "the gap has a number of its own, and no number is left out"
    assert "is full" in gap.reason


@pytest.mark.parametrize("on_failure", ["refuse", "serve"])
def test_refusals_cannot_push_out_the_entries_of_requests_under_way(
    store: Store, query: Query, limit: Limit, on_failure: OnFailure
) -> None:
    with LedgerWriter(store, on_failure=on_failure, max_pending=150) as writer:
        writer.opened(opened("noted"))
        assert writer.flush(5)
        count = fill(writer, lambda: writer.pending > 0 and not can_record(writer))
        under_way = [f"way-{number}" for number in range(20)]
        for request in under_way:
            writer.opened(opened(request))
        for number in range(500):
            writer.opened(opened(f"refused-{number}"))
            writer.settled(entry(f"refused-{number}", outcome="refused"))
        for request in (*under_way, "noted"):
            writer.settled(entry(request))
        limit.pages = 10_000
        until(lambda: can_record(writer))
        assert writer.flush(5)
        assert query("SELECT * FROM in_flight") == []
    assert query("SELECT count(*) FROM entries WHERE id LIKE 'way-%' OR id = 'noted'") == [(21,)]
    ((kept,),) = query("SELECT count(*) FROM entries")
    (gap,) = LedgerReader(store).gaps()
    assert kept + gap.lost == count + 500 + 21


def test_closing_while_the_store_fails_tells_how_many_entries_are_lost(
    store: Store, query: Query, limit: Limit
) -> None:
    writer = LedgerWriter(store)
    writer.start()
    count = fill(writer, lambda: refuses(writer))
    with pytest.raises(LedgerError, match=r"could not be written .* are lost") as caught:
        writer.close()
    assert "is full" in caught.value.sentence
    ((kept,),) = query("SELECT count(*) FROM entries")
    assert caught.value.message.startswith(f"{count - kept} entries")


@pytest.mark.parametrize("take_away", ["file", "folder"])
def test_a_store_that_vanishes_is_noticed_and_not_made_anew(
    store: Store, query: Query, tmp_path: Path, take_away: str
) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("before"))
        assert writer.flush(5)
        away = tmp_path / "away"
        if take_away == "folder":
            store.path.parent.rename(away)
        else:
            away.mkdir()
            for file in store.path.parent.iterdir():
                file.rename(away / file.name)
        writer.settled(entry("meanwhile"))
        until(lambda: refuses(writer))
        with pytest.raises(LedgerError, match="removed or replaced") as caught:
            writer.admit()
        assert "Put it back" in caught.value.sentence
        writer.settled(entry("later"))
        time.sleep(0.3)
        assert not store.path.exists()

        if take_away == "folder":
            away.rename(store.path.parent)
        else:
            for file in away.iterdir():
                file.rename(store.path.parent / file.name)
        until(lambda: not refuses(writer))
        assert writer.flush(5)
    assert query("SELECT id, seq FROM entries ORDER BY seq") == [("before", 1), ("meanwhile", 2), ("later", 3)]


def test_another_store_put_in_its_place_is_not_written_to(store: Store, tmp_path: Path) -> None:
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    writer = LedgerWriter(store)
    writer.start()
    shutil.rmtree(store.path.parent)
    store.path.parent.mkdir()
    os.rename(other.path, store.path)
    writer.settled(entry("a"))
    until(lambda: refuses(writer))
    time.sleep(0.3)
    assert refuses(writer)
    with pytest.raises(LedgerError) as caught:
        writer.close()
    assert "removed or replaced" in caught.value.sentence
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (0,)


def test_a_store_put_back_as_a_copy_goes_on_and_a_missing_number_shows(
    store: Store, query: Query, tmp_path: Path
) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("a"))
        assert writer.flush(5)
        with closing(sqlite3.connect(store.path)) as source, closing(sqlite3.connect(tmp_path / "copy.db")) as target:
            source.backup(target)
        writer.settled(entry("b"))
        assert writer.flush(5)
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{store.path}{suffix}")
        writer.settled(entry("c"))
        until(lambda: refuses(writer))
        os.rename(tmp_path / "copy.db", store.path)
        until(lambda: not refuses(writer))
        writer.settled(entry("d"))
    # The copy lacks b, number 2, and c was committed to the lost file as number 3, then again to the copy.
    assert query("SELECT id, seq FROM entries ORDER BY seq") == [("a", 1), ("c", 3), ("d", 4)]


def test_a_store_kept_locked_is_waited_for(store: Store, query: Query) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("a"))
        assert writer.flush(5)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            writer.settled(entry("b"))
            until(lambda: refuses(writer))
            with pytest.raises(LedgerError, match="locked"):
                writer.admit()
            other.execute("ROLLBACK")
        until(lambda: not refuses(writer))
    assert query("SELECT id, seq FROM entries ORDER BY seq") == [("a", 1), ("b", 2)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_is_survived(small_disk: Path) -> None:
    store = open_store(f"sqlite:///{small_disk}/isthmus.db")
    ballast = small_disk / "ballast"
    with LedgerWriter(store) as writer:
        ballast.write_bytes(bytes(500_000))
        count = fill(writer, lambda: refuses(writer))
        with pytest.raises(LedgerError, match="is full"):
            writer.admit()
        ballast.unlink()
        until(lambda: not refuses(writer))
        assert writer.flush(5)
        with store.transaction(writing=False) as connection:
            found = connection.exec_driver_sql("SELECT count(*), max(seq) FROM entries").one()
            sound = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
    assert tuple(found) == (count, count)
    assert sound == "ok"


def test_a_reader_is_told_that_the_store_was_removed(store: Store) -> None:
    store.prepare()
    reader = LedgerReader(store)
    store.path.unlink()
    with pytest.raises(LedgerError, match="cannot be opened"):
        reader.tail(1)


def test_a_fault_of_our_own_does_not_look_like_a_ledger_that_works(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(store)
    writer.start()

    def broken() -> None:
        raise RuntimeError("a mistake in the code")

    monkeypatch.setattr(writer, "_gather", broken)
    writer.settled(entry("a"))
    until(lambda: refuses(writer))
    with pytest.raises(LedgerError, match="has a fault"):
        writer.admit()
    with pytest.raises(LedgerError, match="1 entries could not be written"):
        writer.close()
