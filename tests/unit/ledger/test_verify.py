"""Whatever is done to the store behind the ledger's back is found and named."""

import asyncio
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.ledger.samples import crossing, entry, opened
from tests.unit.ledger.test_crash import load_and_kill
from tests.unit.ledger.test_failures import until

from isthmus.domain.errors import InvalidRequest
from isthmus.ledger import journal
from isthmus.ledger.chain import place
from isthmus.ledger.signing import PublicKey, ensure_signing_key, key_file
from isthmus.ledger.store import Store
from isthmus.ledger.verify import ExportedCheckpoint, Report, latest_checkpoint, verify
from isthmus.ledger.writer import LedgerWriter

COUNT = 40
"""Entries of each of the two writers."""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_RECORDS", 10)


def fill(store: Store, name: str, count: int = COUNT) -> None:
    with LedgerWriter(store, group_ms=0) as writer:
        for number in range(count):
            writer.settled(entry(f"{name}-{number}"))
            if number % 5 == 4:
                assert writer.flush(5)


@pytest.fixture
def whole(store: Store) -> Store:
    fill(store, "one")
    fill(store, "two")
    return store


def keys_of(store: Store) -> list[PublicKey]:
    return [ensure_signing_key(key_file(store.path)).public]


def checked(store: Store, kept: ExportedCheckpoint | None = None) -> Report:
    return verify(store, keys_of(store), kept=kept)


def tamper(store: Store, *statements: str) -> None:
    """Change the file as one can who holds it."""
    with closing(sqlite3.connect(store.path)) as connection, connection:
        for table in ("records", "checkpoints"):
            for change in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_refuse_{change}")
        for statement in statements:
            connection.execute(statement)


def named(report: Report) -> list[tuple[str, int | None, int | None, int | None]]:
    return [(fault.kind, fault.writer, fault.first, fault.last) for fault in report.faults]


def test_what_was_written_is_intact(whole: Store) -> None:
    report = checked(whole)
    assert report.intact, report.faults
    assert (report.records, report.writers, report.unsigned) == (2 * (COUNT + 1), 2, 0)
    assert report.checkpoints > 8
    assert report.last_checkpoint == report.checkpoints


def test_a_store_in_use_is_intact_and_says_how_much_is_not_signed_yet(store: Store) -> None:
    with LedgerWriter(store) as writer:
        for number in range(3):
            writer.settled(entry(f"r-{number}"))
        assert writer.flush(5)
        report = checked(store)
    assert report.intact
    assert report.unsigned == 3


def test_what_is_not_signed_for_long_is_signed_without_waiting_for_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_SECONDS", 0.2)
    with LedgerWriter(store, group_ms=0) as writer:
        writer.settled(entry("a"))
        assert writer.flush(5)
        until(lambda: checked(store).unsigned == 0)
        before = checked(store).checkpoints
        time.sleep(0.5)
        assert checked(store).checkpoints == before, "nothing new, nothing to sign"


def test_the_next_writer_signs_what_a_dead_one_left_unsigned(store: Store, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    load_and_kill(store, notes, seconds=0.3)
    with LedgerWriter(store):
        report = checked(store)
        assert report.intact
        assert (report.writers, report.unsigned) == (2, 0)
    tamper(store, f"DELETE FROM records WHERE place < {place(2, 0)}")
    assert [fault.kind for fault in checked(store).faults] == ["writer_missing"]


def test_two_that_write_at_once_sign_for_each_other(store: Store) -> None:
    with LedgerWriter(store, group_ms=0) as one, LedgerWriter(store, group_ms=0) as other:
        for number in range(60):
            one.settled(entry(f"one-{number}"))
            other.settled(entry(f"other-{number}"))
            if number % 10 == 0:
                assert one.flush(5)
                assert other.flush(5)
    assert checked(store).intact
    tamper(store, f"DELETE FROM records WHERE place >= {place(2, 0)}")
    assert [fault.kind for fault in checked(store).faults] == ["writer_missing"]


def test_crossings_and_gaps_are_part_of_the_chain(store: Store) -> None:
    async def cross(writer: LedgerWriter) -> None:
        writer.opened(opened("a"))
        await writer.secure(crossing("a"))

    with LedgerWriter(store) as writer:
        asyncio.run(cross(writer))
        writer.settled(entry("a"))
        writer.settled(entry("a"))
    assert checked(store).intact
    tamper(store, "UPDATE records SET document = replace(document, 'gpt', 'gqt') WHERE kind = 'crossing'")
    (fault,) = checked(store).faults
    assert (fault.kind, fault.field, fault.request) == ("altered", "offer", "a")


@pytest.mark.parametrize("key", ["cost", "outcome", "offer_model", "labels", "id", "rejected", "seq", "writer"])
def test_a_flipped_bit_is_found_and_the_field_is_named(whole: Store, key: str) -> None:
    at = place(2, 17)
    with closing(sqlite3.connect(whole.path)) as connection:
        (document,) = connection.execute("SELECT document FROM records WHERE place = ?", (at,)).fetchone()
    where = document.rindex(f'"{key}":') + len(key) + 4 - (key in {"seq", "writer"})
    flipped = document[:where] + chr(ord(document[where]) ^ 1) + document[where + 1 :]
    tamper(whole, f"UPDATE records SET document = '{flipped}' WHERE place = {at}")
    (fault,) = checked(whole).faults
    assert (fault.kind, fault.writer, fault.first, fault.field) == ("altered", 2, 17, key)
    assert fault.request == "two-16"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("hash = x'00' || substr(hash, 2)", "hash"),
        ("request = 'x'", "request"),
        ("at = at + 1", "at"),
        ("kind = 'gap'", "kind"),
    ],
)
def test_a_changed_column_beside_the_document_is_named(whole: Store, change: str, field: str) -> None:
    tamper(whole, f"UPDATE records SET {change} WHERE place = {place(1, 20)}")
    (fault,) = checked(whole).faults
    assert (fault.kind, fault.writer, fault.first, fault.field) == ("altered", 1, 20, field)


def test_a_record_rewritten_in_many_places_is_named_without_its_field(whole: Store) -> None:
    tamper(
        whole,
        f"UPDATE records SET document = replace(document, '0.00123456', '0.99999999') WHERE place = {place(1, 20)}",
    )
    (fault,) = checked(whole).faults
    assert (fault.kind, fault.writer, fault.first, fault.field) == ("altered", 1, 20, None)


@pytest.mark.parametrize(("first", "last"), [(7, 7), (12, 30), (0, 0)])
def test_dropped_records_are_named(whole: Store, first: int, last: int) -> None:
    tamper(whole, f"DELETE FROM records WHERE place BETWEEN {place(1, first)} AND {place(1, last)}")
    assert named(checked(whole)) == [("missing", 1, first, last)]


def test_records_exchanged_are_named(whole: Store) -> None:
    a, b = place(1, 5), place(1, 9)
    tamper(
        whole,
        f"UPDATE records SET place = -1 WHERE place = {a}",
        f"UPDATE records SET place = {a} WHERE place = {b}",
        f"UPDATE records SET place = {b} WHERE place = -1",
    )
    report = checked(whole)
    assert named(report) == [("moved", 1, 5, 5), ("moved", 1, 9, 9)]
    assert "stands number 9 of writer 1" in report.faults[0].sentence


def test_a_truncated_chain_is_named(whole: Store) -> None:
    tamper(whole, f"DELETE FROM records WHERE place BETWEEN {place(2, 30)} AND {place(3, 0)}")
    assert named(checked(whole)) == [("truncated", 2, 30, COUNT)]


def test_a_writer_taken_away_as_a_whole_is_named(whole: Store) -> None:
    tamper(
        whole,
        f"DELETE FROM records WHERE place < {place(2, 0)}",
        "DELETE FROM writers WHERE id = 1",
    )
    assert named(checked(whole)) == [("writer_missing", 1, 0, COUNT)]


@pytest.fixture
def forked(whole: Store, tmp_path: Path) -> Store:
    """A copy of the store from before its second writer, with another second writer."""
    other = Store(f"sqlite:///{tmp_path}/other/isthmus.db")
    other.path.parent.mkdir()
    shutil.copy(key_file(whole.path), key_file(other.path))
    fill(other, "one")
    fill(other, "else")
    return other


def _attach(forked: Store) -> str:
    return f"ATTACH '{forked.path}' AS other"


def _splice(whole: Store, forked: Store, *statements: str) -> None:
    with closing(sqlite3.connect(forked.path)) as checkpointing:
        checkpointing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with closing(sqlite3.connect(whole.path, isolation_level=None)) as connection:
        for name in ("records_refuse_update", "records_refuse_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        connection.execute(_attach(forked))
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(("first", "last"), [(12, 15), (8, 25), (33, COUNT)])
def test_records_spliced_in_from_a_backup_are_named(whole: Store, forked: Store, first: int, last: int) -> None:
    where = f"place BETWEEN {place(2, first)} AND {place(2, last)}"
    _splice(
        whole,
        forked,
        f"DELETE FROM records WHERE {where}",
        f"INSERT INTO records SELECT * FROM other.records WHERE {where}",
    )
    assert named(checked(whole)) == [("spliced", 2, first, last)]


def test_a_chain_replaced_by_that_of_a_backup_is_named(whole: Store, forked: Store) -> None:
    where = f"place >= {place(2, 0)}"
    _splice(
        whole,
        forked,
        f"DELETE FROM records WHERE {where}",
        f"INSERT INTO records SELECT * FROM other.records WHERE {where}",
    )
    report = checked(whole)
    assert [fault.kind for fault in report.faults] == ["rewritten"]
    assert report.faults[0].writer == 2


def test_dropped_altered_and_exchanged_checkpoints_are_named(whole: Store) -> None:
    tamper(whole, "DELETE FROM checkpoints WHERE number IN (3, 4)")
    assert named(checked(whole)) == [("checkpoint_missing", None, 3, 4)]
    tamper(
        whole, "UPDATE checkpoints SET document = replace(document, '\"number\":6', '\"number\":7') WHERE number = 6"
    )
    assert ("checkpoint_altered", None, 6, 6) in named(checked(whole))
    tamper(whole, "UPDATE checkpoints SET signature = zeroblob(64) WHERE number = 7")
    assert ("checkpoint_altered", None, 7, 7) in named(checked(whole))


def test_checkpoints_of_another_history_do_not_follow(whole: Store, forked: Store) -> None:
    with closing(sqlite3.connect(whole.path)) as connection:
        ((last,),) = connection.execute("SELECT max(number) FROM checkpoints").fetchall()
    _splice(
        whole,
        forked,
        "DROP TRIGGER checkpoints_refuse_delete",
        f"DELETE FROM checkpoints WHERE number = {last}",
        f"INSERT INTO checkpoints SELECT * FROM other.checkpoints WHERE number = {last}",
    )
    kinds = {fault.kind for fault in checked(whole).faults}
    assert "checkpoint_spliced" in kinds


def test_without_a_checkpoint_nothing_is_vouched_for(whole: Store) -> None:
    tamper(whole, "DELETE FROM checkpoints")
    assert [fault.kind for fault in checked(whole).faults] == ["unsigned"]


def test_another_key_is_not_trusted(whole: Store, tmp_path: Path) -> None:
    other = ensure_signing_key(tmp_path / "other-key").public
    kinds = {fault.kind for fault in verify(whole, [other]).faults}
    assert kinds == {"checkpoint_altered"}


def test_cutting_off_the_end_and_its_checkpoints_shows_beside_a_checkpoint_kept_elsewhere(whole: Store) -> None:
    kept = latest_checkpoint(whole)
    assert kept is not None
    assert checked(whole, kept).intact
    tamper(
        whole,
        f"DELETE FROM records WHERE place > {place(2, 10)}",
        "DELETE FROM checkpoints WHERE number > (SELECT min(number) FROM checkpoints"
        " WHERE json_extract(document, '$.writer') = 2)",
    )
    assert checked(whole).intact, "nothing in the file tells of it"
    kinds = [fault.kind for fault in checked(whole, kept).faults]
    assert kinds == ["rolled_back", "truncated"]


def test_a_kept_checkpoint_that_is_none_is_refused(whole: Store) -> None:
    kept = latest_checkpoint(whole)
    assert kept is not None
    for bad in (
        ExportedCheckpoint(document=kept.document.replace("1", "2"), signature=kept.signature),
        ExportedCheckpoint(document=kept.document, signature="zz"),
        ExportedCheckpoint(document="{}", signature=kept.signature),
    ):
        with pytest.raises(InvalidRequest, match="kept elsewhere"):
            checked(whole, bad)


def test_a_bit_flipped_anywhere_in_the_file_never_passes_for_what_was_written(whole: Store, tmp_path: Path) -> None:
    """The file as a whole: where the flip is not found, every record still reads as it was written."""
    with closing(sqlite3.connect(whole.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        before = connection.execute("SELECT * FROM records ORDER BY place").fetchall()
    original = whole.path.read_bytes()
    chance = random.Random(20)
    found = 0
    for number in range(30):
        folder = tmp_path / f"flip-{number}"
        folder.mkdir()
        copy = Store(f"sqlite:///{folder}/isthmus.db")
        damaged = bytearray(original)
        # The schema's first pages are SQLite's own affair; records begin behind them.
        damaged[chance.randrange(len(original) // 2, len(original))] ^= 1 << chance.randrange(8)
        copy.path.write_bytes(damaged)
        try:
            intact = verify(copy, keys_of(whole)).intact
        except Exception:
            intact = False
        found += not intact
        if intact:
            with closing(sqlite3.connect(copy.path)) as connection:
                assert connection.execute("SELECT * FROM records ORDER BY place").fetchall() == before
    assert found > 8
