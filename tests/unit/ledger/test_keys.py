import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import anyio
import pytest
from sqlalchemy import text
from tests.unit.ledger.conftest import Query

from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.domain.principal import Key, Principal
from isthmus.ledger.keys import KeyStore, new_key
from isthmus.ledger.store import Store


@pytest.fixture
def keys(store: Store) -> KeyStore:
    return KeyStore(store)


def test_a_key_is_known_by_its_hash_with_all_that_was_said_of_it(keys: KeyStore) -> None:
    expires = datetime.now(UTC) + timedelta(days=90)
    key, plaintext = keys.add(
        "desk", team="support", user="anna@example.org", workload="triage", labels=["phi", "internal"], expires=expires
    )
    assert keys.load() == {sha256(plaintext.encode()).digest(): key}
    assert key.principal == Principal(tenant="default", team="support", user="anna@example.org", key="desk")
    assert (key.workload, sorted(key.labels), key.expires) == ("triage", ["internal", "phi"], expires)


def test_the_key_itself_is_nowhere_in_the_store(store: Store, keys: KeyStore) -> None:
    _, plaintext = keys.add("desk")
    kept = b"".join(file.read_bytes() for file in store.path.parent.iterdir())
    assert b"desk" in kept
    assert plaintext.encode() not in kept
    assert plaintext.removeprefix("ik-").encode() not in kept


def test_keys_are_long_random_and_fit_a_header() -> None:
    made = {new_key() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"ik-[A-Za-z0-9_-]{43}", key) for key in made)


def test_a_revoked_key_is_listed_but_no_longer_in_force(keys: KeyStore) -> None:
    keys.add("desk")
    keys.add("lab")
    assert keys.revoke("desk").name == "desk"
    assert [key.name for key in keys.load().values()] == ["lab"]
    assert [(kept.key.name, kept.revoked is not None) for kept in keys.list()] == [("desk", True), ("lab", False)]


def test_a_name_is_never_given_twice(keys: KeyStore) -> None:
    keys.add("desk")
    with pytest.raises(InvalidRequest, match="already") as caught:
        keys.add("desk")
    assert "Choose another name" in caught.value.sentence
    keys.revoke("desk")
    with pytest.raises(InvalidRequest, match="revoked on"):
        keys.add("desk")
    assert keys.load() == {}


@pytest.mark.parametrize("name", ["", "-x", "a b", "a\n", "ü", "x" * 64, "../etc", "[red]"])
def test_a_name_that_cannot_be_shown_anywhere_is_refused(keys: KeyStore, store: Store, name: str) -> None:
    with pytest.raises(InvalidRequest, match="is no name for a key"):
        keys.add(name)
    with pytest.raises(InvalidRequest, match="is no name for a team"):
        keys.add("desk", team=name)
    assert not store.exists()


def test_what_cannot_be_meant_is_refused(keys: KeyStore) -> None:
    with pytest.raises(InvalidRequest, match="is no label"):
        keys.add("desk", labels=["Not A Label"])
    with pytest.raises(InvalidRequest, match="expire before"):
        keys.add("desk", expires=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(InvalidRequest, match="no tenant called 'acme'") as caught:
        keys.add("desk", tenant="acme")
    assert "Known: default" in caught.value.sentence
    assert keys.list() == []


@pytest.mark.parametrize("workloads", [None, ["triage"], ["triage", "drafts", "org/gpt-5.4:free@eu"]])
def test_what_a_key_may_ask_for_is_read_back_as_it_was_said(keys: KeyStore, workloads: list[str] | None) -> None:
    key, _ = keys.add("desk", workload="triage", workloads=workloads)
    assert key.workloads == (None if workloads is None else frozenset(workloads))
    assert keys.load() == {key.hash: key}


def test_an_empty_list_in_the_store_allows_nothing_rather_than_everything(store: Store, keys: KeyStore) -> None:
    keys.add("desk", workloads=["triage"])
    with store.transaction(writing=True) as connection:
        connection.execute(text("UPDATE keys SET workloads = '[]'"))
    assert [key.workloads for key in keys.load().values()] == [frozenset()]


def test_a_key_that_could_not_do_what_it_is_for_is_refused(keys: KeyStore, store: Store) -> None:
    with pytest.raises(InvalidRequest, match="'triage' is not among those the key may ask for: drafts, notes"):
        keys.add("desk", workload="triage", workloads=["notes", "drafts"])
    with pytest.raises(InvalidRequest, match="of no use"):
        keys.add("desk", workloads=[])
    for name in ("", "a b", "a,b", "[red]", "a\n", "x" * 129):
        with pytest.raises(InvalidRequest, match="is no name for a workload") as caught:
            keys.add("desk", workloads=["triage", name])
        assert caught.value.param == "workloads"
        with pytest.raises(InvalidRequest, match="is no name for a workload") as caught:
            keys.add("desk", workload=name)
        assert caught.value.param == "workload"
    assert not store.exists()


def test_revoking_what_is_not_there_says_so(keys: KeyStore) -> None:
    with pytest.raises(LedgerError, match="no store"):
        keys.revoke("desk")
    keys.add("lab")
    with pytest.raises(InvalidRequest, match="no key called 'desk'"):
        keys.revoke("desk")
    keys.revoke("lab")
    with pytest.raises(InvalidRequest, match="revoked already"):
        keys.revoke("lab")


def test_teams_and_users_are_made_once(keys: KeyStore, query: Query) -> None:
    keys.add("one", team="support", user="anna")
    keys.add("two", team="support", user="anna")
    assert query("SELECT tenant, name FROM teams") == [("default", "support")]
    assert query("SELECT tenant, name FROM users") == [("default", "anna")]


def test_a_change_by_another_process_is_seen_and_entries_are_no_change(store: Store, keys: KeyStore) -> None:
    keys.add("one")
    keys.load()
    assert not keys.changed()
    with store.transaction(writing=True) as connection:
        connection.execute(text("INSERT INTO tenants VALUES ('acme', 0)"))
    assert not keys.changed()
    KeyStore(store).add("two")
    assert keys.changed()
    keys.load()
    assert not keys.changed()
    KeyStore(store).revoke("one")
    assert keys.changed()


@pytest.mark.anyio
async def test_a_running_server_follows_and_survives_a_store_that_fails(store: Store, keys: KeyStore) -> None:
    store.prepare()
    keys.load()
    seen: list[list[str]] = []

    def changed(table: Mapping[bytes, Key]) -> None:
        seen.append(sorted(key.name for key in table.values()))

    async def seen_by(count: int) -> None:
        with anyio.fail_after(5):
            while len(seen) < count:
                await anyio.sleep(0.01)

    elsewhere = KeyStore(store)
    away = store.path.with_name("away")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: keys.watch(changed, every=0.02))
        await anyio.to_thread.run_sync(elsewhere.add, "desk")
        await seen_by(1)
        await anyio.to_thread.run_sync(store.path.rename, away)
        await anyio.sleep(0.1)
        await anyio.to_thread.run_sync(away.rename, store.path)
        await anyio.to_thread.run_sync(elsewhere.revoke, "desk")
        await seen_by(2)
        tasks.cancel_scope.cancel()
    assert seen == [["desk"], []]
