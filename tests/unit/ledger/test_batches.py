"""Files and batches in the store: sealed, each in its place, and gone when they are deleted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.batches.batch import Batch, BatchId, Line, Outcome, Result, new_batch_id
from isthmus.batches.file import FileId, StoredFile, new_file_id
from isthmus.domain.errors import LedgerError
from isthmus.domain.label import Label
from isthmus.domain.usage import Usage
from isthmus.ledger.batches import PIECE_BYTES, SqlBatchStore, _even
from isthmus.ledger.store import Store, open_store

KEY = bytes(range(32))
CANARY = b"Frau Kowalczyk hat morgen einen Termin"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def batches(store: Store) -> SqlBatchStore:
    store.prepare()
    return SqlBatchStore(store, KEY)


def files_of(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(store.path.parent).iterdir()))


def file(content: bytes, **changes: object) -> StoredFile:
    made = StoredFile(
        id=new_file_id(),
        tenant="default",
        name="Kowalczyk.jsonl",
        purpose="batch",
        size=len(content),
        labels=frozenset({Label("phi")}),
        created=NOW,
        expires=NOW + DAY,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the tests name fields of StoredFile


def batch(**changes: object) -> Batch:
    made = Batch(
        id=new_batch_id("openai"),
        tenant="default",
        kind="openai",
        endpoint="/v1/chat/completions",
        state="in_progress",
        created=NOW,
        expires=NOW + DAY,
        key=b"",
        metadata={"about": "Kowalczyk"},
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the tests name fields of Batch


def kept(batches: SqlBatchStore, content: bytes, **changes: object) -> StoredFile:
    made = file(content, **changes)
    batches.write(made, (content,))
    batches.show(made.id)
    return made


def line(of: Batch, number: int, text: bytes = CANARY) -> Line:
    return Line(batch=of.id, number=number, custom_id=f"Kowalczyk {number}", body=text)


def result(of: Batch, number: int, outcome: Outcome = "succeeded", text: bytes = CANARY) -> Result:
    return Result(
        batch=of.id,
        number=number,
        custom_id=f"Kowalczyk {number}",
        outcome=outcome,
        status=200,
        request="req_1",
        body=text,
        usage=Usage(input=7, cached=2, output=5, reasoning=1),
    )


def test_a_file_is_read_as_it_was_written(batches: SqlBatchStore) -> None:
    content = bytes(range(256)) * (PIECE_BYTES // 100)
    made = kept(batches, content)
    found = batches.file("default", made.id)
    assert found == made
    assert b"".join(batches.content(made)) == content


@given(st.lists(st.binary(max_size=40), max_size=9))
def test_pieces_are_even_and_hold_the_same_bytes(pieces: list[bytes]) -> None:
    size, content = 16, b"".join(pieces)

    def evened() -> Iterator[bytes]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("isthmus.ledger.batches.PIECE_BYTES", size)
            yield from _even(pieces)

    assert list(evened()) == [content[at : at + size] for at in range(0, len(content), size)]


def test_a_file_that_is_being_written_is_not_seen_and_is_written_anew_after_a_crash(batches: SqlBatchStore) -> None:
    made = file(b"whole")
    batches.write(made, (b"ha",))
    assert batches.file("default", made.id) is None
    assert batches.files("default", purpose=None, after=None, limit=9, order="desc") == []
    batches.write(made, (b"wh", b"ole"))
    batches.show(made.id)
    assert b"".join(batches.content(made)) == b"whole"


def test_nobody_sees_what_is_another_tenants(batches: SqlBatchStore) -> None:
    made, of = kept(batches, b"x"), batch()
    batches.add(of, [line(of, 1)])
    assert batches.file("blue", made.id) is None
    assert not batches.delete_file("blue", made.id)
    assert batches.batch("blue", of.id) is None
    assert batches.batches("blue", "openai", after=None, before=None, limit=9) == []
    assert not batches.delete_batch("blue", of.id)
    assert batches.kept("blue") == batches.open_batches("blue") == 0
    assert batches.kept("default") == batches.open_batches("default") == 1


def test_no_file_of_the_store_holds_a_word_in_the_clear(store: Store, batches: SqlBatchStore) -> None:
    kept(batches, CANARY)
    of = batch()
    batches.add(of, [line(of, 1), line(of, 2)])
    batches.settle([result(of, 1)])
    assert b"Kowalczyk" not in files_of(store)


def test_what_is_deleted_is_gone_from_the_disk(store: Store, batches: SqlBatchStore) -> None:
    made = kept(batches, CANARY * 3000)
    of = batch(kind="anthropic")
    batches.add(of, [line(of, 1, CANARY * 3000)])
    batches.settle([result(of, 1, text=CANARY * 3000)])
    batches.end(of.id, lambda kept: replace(kept, ended=NOW), NOW + DAY)
    with closing(sqlite3.connect(store.path)) as connection:
        sealed = [row[0] for row in connection.execute("SELECT sealed FROM file_pieces")]
        sealed += [row[0] for row in connection.execute("SELECT result FROM batch_lines")]
    assert all(one[100:160] in files_of(store) for one in sealed)
    assert batches.delete_file("default", made.id)
    assert batches.delete_batch("default", of.id)
    left = files_of(store)
    for one in sealed:
        assert not any(one[start : start + 60] in left for start in range(0, len(one) - 60, 60))


@pytest.mark.parametrize(
    "changes",
    [
        ["UPDATE file_pieces SET sealed = (SELECT sealed FROM file_pieces WHERE file = 'file-b' AND number = 0)"],
        ["UPDATE file_pieces SET number = 7 - number", "UPDATE file_pieces SET number = number - 6"],
        ["UPDATE files SET tenant = 'blue'"],
        ["UPDATE files SET size = size - 1"],
        ["DELETE FROM file_pieces WHERE number = 1"],
    ],
)
def test_what_is_exchanged_or_altered_opens_no_more(store: Store, batches: SqlBatchStore, changes: list[str]) -> None:
    for name in ("file-a", "file-b"):
        kept(batches, (name.encode() * PIECE_BYTES)[: PIECE_BYTES + 1], id=FileId(name))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        for change in changes:
            connection.execute(change)
    with pytest.raises(LedgerError, match=r"cannot be opened|is gone"):
        read(batches, "blue" if "blue" in changes[0] else "default", "file-a")


def read(batches: SqlBatchStore, tenant: str, file: str) -> bytes:
    found = batches.file(tenant, file)
    assert found is not None
    return b"".join(batches.content(found))


def test_another_key_opens_nothing(store: Store, batches: SqlBatchStore) -> None:
    of = batch()
    batches.add(of, [])
    with pytest.raises(LedgerError, match="cannot be opened"):
        SqlBatchStore(store, bytes(32)).batch("default", of.id)


def test_a_line_keeps_the_first_result_it_was_given(batches: SqlBatchStore) -> None:
    of = batch()
    batches.add(of, [line(of, number) for number in range(1, 4)])
    batches.settle([result(of, 2, text=b"first")])
    batches.settle([result(of, 2, "errored", text=b"second")])
    batches.settle_rest(of.id, "expired")
    found = batches.results(of.id, 0, 9)
    assert [(one.number, one.outcome, one.body) for one in found] == [
        (1, "expired", b""),
        (2, "succeeded", b"first"),
        (3, "expired", b""),
    ]
    assert {one.custom_id for one in found} == {f"Kowalczyk {number}" for number in range(1, 4)}


def test_a_request_is_forgotten_when_its_result_is_there(store: Store, batches: SqlBatchStore) -> None:
    of = batch()
    batches.add(of, [line(of, 1), line(of, 2)])
    batches.settle([result(of, 1)])
    with closing(sqlite3.connect(store.path)) as connection:
        rows = connection.execute("SELECT number, request IS NULL FROM batch_lines ORDER BY number").fetchall()
    assert rows == [(1, 1), (2, 0)]
    assert [waiting.number for waiting in batches.waiting(of.id, 0, 9)] == [2]


def test_counts_and_usage_are_those_of_the_lines(batches: SqlBatchStore) -> None:
    of = batch()
    batches.add(of, [line(of, number) for number in range(1, 6)])
    assert batches.tally(of.id)[1] is None
    batches.settle([result(of, 1), result(of, 2), replace(result(of, 3, "errored"), usage=None)])
    counts, usage = batches.tally(of.id)
    assert (counts.waiting, counts.succeeded, counts.errored, counts.total) == (2, 2, 1, 5)
    assert usage == Usage(input=14, cached=4, output=10, reasoning=2)
    found = batches.batch("default", of.id)
    assert found is not None
    assert found.counts == counts


def test_results_go_into_files_or_stay_as_the_kind_of_the_batch_wants_it(batches: SqlBatchStore) -> None:
    for of, left in ((batch(), 0), (batch(kind="anthropic"), 1)):
        batches.add(of, [line(of, 1)])
        batches.settle([result(of, 1)])
        output = file(b"x", purpose="batch_output")
        batches.write(output, (b"x",))
        assert batches.file("default", output.id) is None
        batches.end(of.id, partial(replace, ended=NOW, output_file=output.id), NOW + DAY)
        assert batches.file("default", output.id) is not None
        assert len(batches.results(of.id, 0, 9)) == left
        assert batches.claim() == []


def test_a_change_of_a_batch_that_is_gone_is_an_error(batches: SqlBatchStore) -> None:
    with pytest.raises(LedgerError, match="is gone"):
        batches.change(BatchId("batch_none"), lambda kept: kept)


def test_pages_of_files_begin_where_the_last_one_ended(batches: SqlBatchStore) -> None:
    made = [kept(batches, b"x", id=FileId(f"file-{number}")).id for number in range(5)]
    for order, wanted in (("asc", made), ("desc", made[::-1])):
        seen: list[FileId] = []
        while page := batches.files(
            "default",
            purpose="batch",
            after=seen[-1] if seen else None,
            limit=2,
            order=order,  # type: ignore[arg-type]
        ):
            seen += [one.id for one in page]
        assert seen == wanted


def test_two_stores_agree(tmp_path: Path) -> None:
    one, two = (SqlBatchStore(open_store(f"sqlite:///{tmp_path}/isthmus.db"), KEY) for _ in range(2))
    of = batch()
    one.add(of, [line(of, 1)])
    assert two.batch("default", of.id) == one.batch("default", of.id)
