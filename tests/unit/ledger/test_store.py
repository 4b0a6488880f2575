import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.unit.ledger.conftest import Query
from tests.unit.ledger.samples import entry

from isthmus.domain.errors import LedgerError
from isthmus.ledger import store as store_module
from isthmus.ledger.schema import REVISION, metadata
from isthmus.ledger.store import Store, open_store
from isthmus.ledger.writer import LedgerWriter


def test_the_migrations_lead_to_the_tables_that_queries_see(store: Store) -> None:
    store.prepare()
    with store.engine(writing=True).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_known_revision_is_the_newest_migration() -> None:
    migrations = Path(store_module.__file__).parent / "migrations"
    assert ScriptDirectory(str(migrations)).get_heads() == [REVISION]


def test_a_new_store_has_the_default_tenant_and_is_readable_by_its_owner_only(store: Store, query: Query) -> None:
    old = os.umask(0)
    try:
        store.prepare()
    finally:
        os.umask(old)
    assert query("SELECT name FROM tenants") == [("default",)]
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700


def test_starting_on_a_store_that_is_up_to_date_imports_no_migrations(store: Store) -> None:
    store.prepare()
    script = (
        "import sys; from isthmus.ledger.store import open_store; from isthmus.ledger.writer import LedgerWriter\n"
        f"writer = LedgerWriter(open_store('sqlite:///{store.path}')); writer.start(); writer.close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_two_that_make_the_store_at_once_make_one_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/isthmus.db"
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: open_store(url), range(4)))
    with stores[0].transaction(writing=False) as connection:
        assert connection.execute(text("SELECT count(*) FROM tenants")).scalar() == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET hash = x''",
        "DELETE FROM records",
        "UPDATE checkpoints SET signature = x''",
        "DELETE FROM checkpoints",
    ],
)
def test_what_was_recorded_can_be_neither_changed_nor_deleted(store: Store, query: Query, change: str) -> None:
    with LedgerWriter(store) as writer:
        writer.settled(entry("a"))
        writer.settled(entry("a"))  # refused as a double, and told as a gap
    before = query("SELECT * FROM records"), query("SELECT * FROM checkpoints")
    with pytest.raises(IntegrityError, match="append-only"), store.engine(writing=True).begin() as connection:
        connection.execute(text(change))
    assert (query("SELECT * FROM records"), query("SELECT * FROM checkpoints")) == before
    assert query("SELECT kind FROM records ORDER BY place") == [("start",), ("entry",), ("gap",)]


def test_a_reader_cannot_write(store: Store) -> None:
    store.prepare()
    with pytest.raises(LedgerError, match="may not be written"), store.transaction(writing=False) as connection:
        connection.execute(text("DELETE FROM tenants"))


def test_a_store_that_is_not_there_is_said_so_and_not_made(store: Store) -> None:
    with pytest.raises(LedgerError, match="no store at") as caught:
        store.require()
    assert "isthmus up" in caught.value.sentence
    assert not store.path.exists()


def test_an_empty_file_is_no_ledger_yet(store: Store) -> None:
    store.path.parent.mkdir()
    store.path.touch()
    with pytest.raises(LedgerError, match="no ledger yet"):
        store.require()


def test_a_file_of_another_programme_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(LedgerError, match="not a store of isthmus"):
        open_store(f"sqlite:///{path}")
    path.write_bytes(b"a letter to the editor, and long enough not to be taken for an empty file" * 100)
    with pytest.raises(LedgerError, match="not a SQLite file"):
        open_store(f"sqlite:///{path}")


def test_a_store_of_a_newer_version_is_neither_read_nor_written(store: Store) -> None:
    store.prepare()
    with store.transaction(writing=True) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (store.prepare, store.require):
        with pytest.raises(LedgerError, match="newer version"):
            use()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://db/isthmus", "isthmus.db"])
def test_an_address_that_is_no_file_is_refused_with_the_way_out(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Store(url)
    assert 'url = "sqlite:isthmus.db"' in caught.value.sentence


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(LedgerError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path}/state/isthmus.db")


def test_a_path_with_special_characters_is_a_path(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a b%20#c.db")
    assert store.path.exists()
    store.require()
