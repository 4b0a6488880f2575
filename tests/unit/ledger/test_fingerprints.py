import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isthmus.domain.errors import LedgerError
from isthmus.domain.label import Label
from isthmus.ledger.fingerprints import (
    FingerprintFile,
    derive,
    installation_key,
    key_file,
    lineage_file,
    lineage_key,
)
from isthmus.perimeter.winnow import fingerprints

PHI = Label("phi")
NOW = 1.8e9
HASHES = [(number * 0x9E3779B97F4A7C15 + 1) % (1 << 64) - (1 << 63) for number in range(3_000)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FingerprintFile]:
    file = FingerprintFile(tmp_path / "lineage.db")
    yield file
    file.close()


# ------------------------------------------------------------------------------------------------------- the key


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "installation.key"
    key = installation_key(path)
    assert len(key) == 32
    assert installation_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_threads_that_make_the_key_at_once_have_the_same_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(installation_key, [tmp_path / "installation.key"] * 8))
    assert len(keys) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "installation.key"
    installation_key(path)
    path.chmod(mode)
    with pytest.raises(LedgerError, match="other users") as told:
        installation_key(path)
    assert f"chmod 600 {path}" in told.value.sentence


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_file_that_holds_no_key_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "installation.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="does not hold the 32 bytes"):
        installation_key(path)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be read or made"):
        installation_key(tmp_path / "file" / "installation.key")


def test_keys_of_purposes_differ_and_stay_the_same() -> None:
    key = bytes(32)
    assert derive(key, "one") == derive(key, "one")
    assert len({key, derive(key, "one"), derive(key, "two"), derive(b"\1" * 32, "one"), lineage_key(key)}) == 5
    assert len(derive(key, "one")) == 32


def test_the_files_lie_beside_the_store() -> None:
    assert lineage_file(Path("/state/isthmus.db")) == Path("/state/lineage.db")
    assert key_file(Path("/state/isthmus.db")) == Path("/state/installation.key")


# ----------------------------------------------------------------------------------------------------- the store


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 511, 512, 513, 2_999])
def test_lookups_of_every_size_find_all_and_nothing_else(store: FingerprintFile, count: int) -> None:
    store.remember("default", "request req_1", {PHI: None}, HASHES[:count], now=NOW)
    assert store.find("default", HASHES, now=NOW).keys() == set(HASHES[:count])
    assert store.find("default", [], now=NOW) == {}
    assert store.find("other", HASHES, now=NOW) == {}


def test_the_file_is_its_owners_alone_and_holds_no_text(tmp_path: Path) -> None:
    text = "Maria Gonzalez-Ruiz was admitted on Tuesday night with chest pain and shortness of breath."
    store = FingerprintFile(tmp_path / "lineage.db")
    hashes = {mark.hash for mark in fingerprints(text, bytes(32))}
    store.register("default", "record", PHI, hashes, now=NOW)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not any(word.encode() in path.read_bytes() for word in text.split() if len(word) > 4)
    store.close()


def test_what_is_forgotten_is_in_no_file_any_more(tmp_path: Path) -> None:
    store = FingerprintFile(tmp_path / "lineage.db")
    kept, gone = HASHES[:1_000], HASHES[1_000:2_000]
    store.register("default", "kept", PHI, kept, now=NOW)
    store.register("default", "gone", PHI, gone, now=NOW)

    def on_disk(hashes: list[int]) -> int:
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        return sum(number.to_bytes(8, "big", signed=True) in content for number in hashes)

    assert on_disk(gone) == 1_000
    assert store.forget("default", ["gone", "unknown"]) == {"gone": 1_000}
    assert (on_disk(kept), on_disk(gone)) == (1_000, 0)
    assert store.forget("default", ["gone"]) == {}
    store.close()


def test_a_removal_that_was_interrupted_is_recognised_no_more_and_ended_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FingerprintFile(tmp_path / "lineage.db")
    store.register("default", "gone", PHI, HASHES, now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(FingerprintFile, "_sweep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.forget("default", ["gone"])
    assert store.find("default", HASHES, now=NOW) == {}
    store.tidy(now=NOW, common_since=0)
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM prints").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM origins").fetchone() == (0,)
    store.close()


def test_tidying_removes_what_has_expired_and_nothing_else(store: FingerprintFile) -> None:
    legal = Label("legal")
    store.remember("default", "request req_1", {PHI: NOW + 10}, HASHES[:10], now=NOW)
    store.remember("default", "request req_2", {PHI: NOW + 10, legal: NOW + 99}, HASHES[10:20], now=NOW)
    store.remember("default", "request req_3", {PHI: None}, HASHES[20:30], now=NOW)
    store.register("default", "document", PHI, HASHES[30:40], now=NOW)
    store.register("default", "template", None, HASHES[40:50], now=NOW)
    store.note_common(HASHES[50:60], now=NOW - 30 * 86_400)
    store.note_common(HASHES[60:70], now=NOW)
    store.tidy(now=NOW + 20, common_since=NOW - 86_400)
    assert store.find("default", HASHES, now=NOW).keys() == set(HASHES[10:40])
    assert {trace.label for trace in store.find("default", HASHES[10:11], now=NOW)[HASHES[10]]} == {legal}
    assert store.common("default", HASHES, since=0) == set(HASHES[40:50] + HASHES[60:70])
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM prints").fetchone() == (40,)


def test_threads_and_processes_share_the_file(tmp_path: Path) -> None:
    store = FingerprintFile(tmp_path / "lineage.db")
    code = (
        "import sys; from pathlib import Path; from isthmus.ledger.fingerprints import FingerprintFile as F\n"
        f"F(Path(sys.argv[1])).register('default', 'theirs', 'phi', range(1, 2000), now={NOW})"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(store.path)])

    def remember(number: int) -> int:
        store.remember("default", f"request req_{number}", {PHI: None}, HASHES[number * 100 :][:100], now=NOW)
        return len(store.find("default", HASHES[number * 100 :][:100], now=NOW))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(remember, range(30))) == [100] * 30
    assert other.wait(30) == 0
    assert len(store.find("default", range(1, 2000), now=NOW)) == 1999
    store.close()


def test_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(6)

    def make(_: int) -> None:
        barrier.wait()
        FingerprintFile(tmp_path / "lineage.db").close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, range(6)))


def test_a_file_that_vanishes_is_told_and_not_replaced_by_an_empty_one(store: FingerprintFile) -> None:
    store.remember("default", "request req_1", {PHI: None}, HASHES[:10], now=NOW)
    store.path.rename(store.path.with_name("elsewhere"))
    for call in (
        lambda: store.find("default", HASHES, now=NOW),
        lambda: store.remember("default", "request req_2", {PHI: None}, HASHES[:10], now=NOW),
        lambda: store.note_common(HASHES[:10], now=NOW),
    ):
        with pytest.raises(LedgerError, match="removed or replaced"):
            call()
    assert not store.path.exists()


def test_a_file_that_is_something_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lineage.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 20)
    with pytest.raises(LedgerError, match="not a SQLite file"):
        FingerprintFile(path)
    with contextlib.closing(sqlite3.connect(tmp_path / "newer.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="newer version"):
        FingerprintFile(tmp_path / "newer.db")


def test_a_write_that_fails_leaves_nothing_half_done(store: FingerprintFile) -> None:
    with pytest.raises(LedgerError):
        store.remember("default", "request req_1", {PHI: None}, [1, 1], now=NOW)
    assert store.find("default", [1], now=NOW) == {}
    store.remember("default", "request req_1", {PHI: None}, [1], now=NOW)
    assert len(store.find("default", [1], now=NOW)) == 1
