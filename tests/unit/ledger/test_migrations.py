"""A store of an earlier version is carried over without loss."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from tests.unit.ledger.samples import entry, opened

from isthmus.domain.decision import Rejection
from isthmus.domain.entry import Attempt
from isthmus.domain.errors import LedgerError
from isthmus.domain.label import Labelled, label
from isthmus.domain.principal import Key, Principal
from isthmus.domain.usage import Usage
from isthmus.ledger import store as store_module
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.reader import LedgerReader, Record
from isthmus.ledger.schema import to_microseconds
from isthmus.ledger.signing import ensure_signing_key, key_file
from isthmus.ledger.store import Store
from isthmus.ledger.verify import verify
from isthmus.ledger.writer import LedgerWriter

BEGAN = to_microseconds(entry("x").began)

_ENTRY = (
    "INSERT INTO entries (writer, seq, id, began, settled, outcome, tenant, team, user_name, key_name, workload,"
    " conversation, dialect, model, labels, goal, offer, offer_model, side, streamed, input_tokens, cached_tokens,"
    " cache_written_tokens, output_tokens, reasoning_tokens, cost, price_source, first_token, total, attempts,"
    " rejected, catalog_version, crashed_writer) VALUES (?, ?, ?, ?, ?, ?, 'default', 'support', 'anna', 'desk',"
    " 'triage', 'c-1', 'openai-chat', 'triage', ?, 'cheapest', 'gpt', 'gpt-5.4-mini', 'closed', 1, 700, 200, 100, 120,"
    " 20, '0.00123456', 'settings', 0.25, ?, ?, ?, 'c0ffee', ?)"
)
_LABELS = '[{"label":"internal","source":"key"}]'
_ATTEMPTS = (
    '[{"offer":"home","started":0.0,"seconds":0.1,"status":503,"error":"upstream_error"},'
    '{"offer":"gpt","started":0.1,"seconds":1.4,"status":200,"error":null}]'
)
_REJECTED = '[{"offer":"claude","code":"not_cleared","sentence":"claude is not cleared for the label internal."}]'


def make_at(store: Store, revision: str) -> None:
    """Make the store as a version of isthmus did that knew no later revision."""
    store.path.parent.mkdir()
    store.path.touch(0o600)
    config = Config()
    config.set_main_option("script_location", str(Path(store_module.__file__).parent / "migrations"))
    with store.engine(writing=True).begin() as migrating:
        config.attributes["connection"] = migrating
        command.upgrade(config, revision)


@pytest.fixture
def first_revision(store: Store) -> Store:
    make_at(store, "0001")
    with closing(sqlite3.connect(store.path)) as connection, connection:
        for writer in (1, 2):
            connection.execute(
                "INSERT INTO writers VALUES (?, 'here', 1, 'boot/1', ?, ?, 0)",
                (writer, BEGAN, BEGAN if writer == 1 else None),
            )
        settled = BEGAN + 1_500_000
        for seq, name in ((1, "a"), (3, "b")):
            connection.execute(
                _ENTRY, (1, seq, name, BEGAN, settled, "completed", _LABELS, 1.5, _ATTEMPTS, _REJECTED, None)
            )
        connection.execute("INSERT INTO gaps VALUES (1, 2, 5, ?, ?, 'The disk is full.', ?)", (BEGAN, BEGAN, settled))
        connection.execute(_ENTRY, (2, 1, "cut", BEGAN, settled, "crashed", None, None, None, None, 1))
        connection.execute(
            "INSERT INTO in_flight (id, writer, began, tenant, team, user_name, key_name, workload, conversation,"
            " dialect, model, labels) VALUES ('open', 1, ?, 'default', 'support', 'anna', 'desk', 'triage', 'c-1',"
            " 'openai-chat', 'triage', ?)",
            (BEGAN, _LABELS),
        )
    return store


def test_every_entry_is_carried_over_as_it_was(first_revision: Store) -> None:
    with LedgerWriter(first_revision) as writer:
        writer.settled(entry("new"))
    reader = LedgerReader(first_revision)
    found: dict[str, Record] = {record.entry.id: record for record in reader.tail(10)}
    assert found.keys() == {"a", "b", "cut", "open", "new"}
    expected = entry(
        "a",
        labels=(Labelled(label("internal"), "key"),),
        attempts=(Attempt("home", 0.0, 0.1, 503, "upstream_error"), Attempt("gpt", 0.1, 1.4, 200)),
        rejected=(Rejection("claude", "not_cleared", "claude is not cleared for the label internal."),),
        policy_version=None,
    )
    for name in ("a", "b"):
        assert found[name].entry == entry(
            name, **{k: getattr(expected, k) for k in ("labels", "attempts", "policy_version")}
        )
    assert found["a"].entry.usage == Usage(input=700, cached=200, cache_written=100, output=120, reasoning=20)
    assert found["a"].entry.cost == Decimal("0.00123456")
    assert (found["cut"].entry.outcome, found["cut"].crashed_writer) == ("crashed", 1)
    assert found["cut"].entry.total != found["cut"].entry.total
    assert to_microseconds(found["cut"].settled) == BEGAN + 1_500_000
    assert found["open"].entry.outcome == "crashed"
    assert found["open"].entry.model == opened("open").model
    (gap,) = reader.gaps()
    assert (gap.writer, gap.seq, gap.lost, gap.reason) == (1, 2, 5, "The disk is full.")


def test_what_was_carried_over_is_chained_signed_and_said_to_be_carried(first_revision: Store) -> None:
    with LedgerWriter(first_revision) as writer:
        writer.settled(entry("new"))
    keys = [ensure_signing_key(key_file(first_revision.path)).public]
    report = verify(first_revision, keys)
    assert report.intact, report.faults
    assert report.carried == [1, 2]
    assert report.unsigned == 0
    with closing(sqlite3.connect(first_revision.path)) as connection, connection:
        connection.execute("DROP TRIGGER records_refuse_update")
        connection.execute(
            "UPDATE records SET document = replace(document, '\"cost\":\"0.0', '\"cost\":\"9.0') WHERE request = 'b'"
        )
    (fault,) = verify(first_revision, keys).faults
    assert (fault.kind, fault.writer, fault.first, fault.field) == ("altered", 1, 3, "cost")


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_keys_made_before_keys_could_be_held_to_workloads_stay_in_force_and_unheld(store: Store, revision: str) -> None:
    make_at(store, revision)
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(
            "INSERT INTO keys (tenant, name, hash, team, user_name, workload, labels, created, expires, revoked)"
            " VALUES ('default', 'desk', ?, 'support', 'anna', 'triage', '[\"phi\"]', ?, NULL, NULL)",
            (bytes(32), BEGAN),
        )
    with pytest.raises(LedgerError, match="older version"):
        KeyStore(store).list()
    lab, _ = KeyStore(store).add("lab", workloads=["triage"])
    desk = Key(
        name="desk",
        hash=bytes(32),
        principal=Principal(team="support", user="anna", key="desk"),
        workload="triage",
        workloads=None,
        labels=frozenset({label("phi")}),
        created=entry("x").began,
    )
    assert KeyStore(store).load() == {bytes(32): desk, lab.hash: lab}


def test_a_reader_waits_for_the_store_to_be_brought_up_to_date(first_revision: Store) -> None:
    with pytest.raises(LedgerError, match="older version"):
        LedgerReader(first_revision)
