"""What was said is kept where that is asked for: sealed, and not for ever."""

import sqlite3
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.ledger.samples import entry

from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.domain.kept import Kept
from isthmus.domain.label import label
from isthmus.domain.request import RequestId
from isthmus.ledger.capture import Capture, read_content, read_key, sweep
from isthmus.ledger.signing import ensure_signing_key, key_file
from isthmus.ledger.store import Store
from isthmus.ledger.verify import verify
from isthmus.ledger.writer import LedgerWriter

KEY = bytes(range(32))
CANARY = "Frau Kowalczyk hat morgen einen Termin"
DAY = timedelta(days=1)


def kept(request: str, *, said: str = CANARY, answer: str = "", expires: datetime | None = None) -> Kept:
    return Kept(
        request=RequestId(request),
        tenant="default",
        workload="triage",
        labels=(label("phi"),),
        request_text=said,
        answer_text=answer,
        expires=expires or datetime.now(UTC) + DAY,
    )


def keep(store: Store, expires: datetime, *requests: str, text: str = CANARY) -> None:
    with LedgerWriter(store) as writer, Capture(store, KEY, writer) as capture:
        for request in requests:
            writer.settled(entry(request))
            assert capture.keep(kept(request, said=text, answer="Ja.", expires=expires))


def files_of(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(store.path.parent).iterdir()))


def test_what_was_kept_is_read_with_its_labels(store: Store) -> None:
    expires = datetime.now(UTC) + DAY
    keep(store, expires, "a")
    found = read_content(store, KEY, "a", now=datetime.now(UTC))
    assert found is not None
    assert (found.request_text, found.answer_text, found.labels) == (CANARY, "Ja.", (label("phi"),))
    assert (found.tenant, found.workload, found.expires) == ("default", "triage", expires)
    assert read_content(store, KEY, "b", now=datetime.now(UTC)) is None


def test_no_file_holds_a_word_of_it_in_the_clear(store: Store) -> None:
    keep(store, datetime.now(UTC) + DAY, "a")
    assert b"Kowalczyk" not in files_of(store)


def test_another_key_and_an_exchanged_seal_open_nothing(store: Store) -> None:
    keep(store, datetime.now(UTC) + DAY, "a", "b")
    with pytest.raises(LedgerError, match="cannot be opened"):
        read_content(store, bytes(32), "a", now=datetime.now(UTC))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE contents SET sealed = (SELECT sealed FROM contents WHERE request = 'b')")
    with pytest.raises(LedgerError, match="cannot be opened"):
        read_content(store, KEY, "a", now=datetime.now(UTC))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE contents SET expires = expires + 1")
    with pytest.raises(LedgerError, match="cannot be opened"):
        read_content(store, KEY, "b", now=datetime.now(UTC))


def test_what_has_expired_is_not_shown_and_is_deleted_from_the_file(store: Store) -> None:
    expires = datetime.now(UTC) + DAY
    keep(store, expires, "a", text=CANARY * 500)
    with closing(sqlite3.connect(store.path)) as connection:
        ((sealed,),) = connection.execute("SELECT sealed FROM contents").fetchall()
    assert sealed[100:160] in files_of(store)
    assert read_content(store, KEY, "a", now=expires) is None
    assert sweep(store, expires - timedelta(seconds=1)) == 0
    assert sweep(store, expires) == 1
    assert sweep(store, expires) == 0
    for start in range(0, len(sealed) - 60, 60):
        assert sealed[start : start + 60] not in files_of(store)


def test_a_capture_deletes_by_itself_what_has_expired(store: Store) -> None:
    keep(store, datetime.now(UTC) + timedelta(milliseconds=200), "a")
    with LedgerWriter(store) as writer, Capture(store, KEY, writer):
        pass  # it sweeps when it starts and when it ends
    with closing(sqlite3.connect(store.path)) as connection:
        left = connection.execute("SELECT expires FROM contents").fetchall()
    assert all(expires > datetime.now(UTC).timestamp() * 1e6 for (expires,) in left)


def test_the_chain_has_its_digest_and_stays_intact_when_it_is_deleted(store: Store) -> None:
    expires = datetime.now(UTC) + DAY
    keep(store, expires, "a")
    with closing(sqlite3.connect(store.path)) as connection:
        found = connection.execute("SELECT request FROM records WHERE kind = 'content'").fetchall()
    assert found == [("a",)]
    sweep(store, expires)
    assert verify(store, [ensure_signing_key(key_file(store.path)).public]).intact


def test_more_than_may_wait_is_not_kept_and_counted(store: Store) -> None:
    with LedgerWriter(store) as writer:
        capture = Capture(store, KEY, writer, max_bytes=10_000)
        taken = [capture.keep(kept(f"r-{n}", said="x" * 3000)) for n in range(5)]
        capture.start()
        capture.close()
    assert taken == [True, True, False, False, False]
    assert capture.dropped == 3


def test_a_store_that_fails_costs_the_content_and_nothing_else(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with LedgerWriter(store) as writer:
        capture = Capture(store, KEY, writer)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            capture.keep(kept("a"))
            capture.start()
            capture.close()
            other.execute("ROLLBACK")
    assert capture.dropped == 1
    assert CANARY not in caplog.text


def test_a_key_is_32_bytes_in_hex_or_base64() -> None:
    assert read_key(KEY.hex()) == KEY
    assert read_key(b64encode(KEY) + b"\n") == KEY
    for bad in ("", "secret", KEY.hex()[:-2], b64encode(KEY[:-1]), "ä" * 32):
        with pytest.raises(InvalidRequest, match="32 bytes") as caught:
            read_key(bad)
        assert str(bad or "-") not in caught.value.sentence or not bad


@pytest.mark.anyio
async def test_what_was_kept_is_recalled_at_once_by_its_tenant_alone(store: Store) -> None:
    with LedgerWriter(store) as writer:
        capture = Capture(store, KEY, writer)
        capture.keep(kept("a"))
        early = await capture.recall(RequestId("a"), "default")
        assert early is not None
        assert early.request_text == CANARY
        assert await capture.recall(RequestId("a"), "other") is None
        capture.start()
        capture.close()
        found = await capture.recall(RequestId("a"), "default")
        assert found is not None
        assert found.request_text == CANARY
        assert await capture.recall(RequestId("a"), "other") is None


@pytest.mark.anyio
@pytest.mark.parametrize("stored", [False, True])
async def test_what_is_forgotten_is_gone_whether_or_not_it_was_stored_already(store: Store, *, stored: bool) -> None:
    with LedgerWriter(store) as writer:
        capture = Capture(store, KEY, writer)
        if stored:
            capture.start()
        capture.keep(kept("a"))
        assert not await capture.forget(RequestId("a"), "other")
        assert await capture.forget(RequestId("a"), "default")
        assert await capture.recall(RequestId("a"), "default") is None
        assert not await capture.forget(RequestId("a"), "default")
        if not stored:
            capture.start()
        capture.close()
    assert read_content(store, KEY, "a", now=datetime.now(UTC)) is None
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM contents").fetchone() == (0,)
