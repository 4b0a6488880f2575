"""Strict mode under `kill -9` at random moments: nothing was sent that is not on record.

`ISTHMUS_PROVE_TRIALS` sets the number of kills. A kill shows that the record comes before the sending; that the disk
has it is shown where the transactions are looked at (`tests/unit/ledger/test_secure.py`): no test can cut the power.
"""

import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isthmus.ledger.reader import LedgerReader
from isthmus.ledger.signing import ensure_signing_key, key_file
from isthmus.ledger.store import open_store
from isthmus.ledger.verify import verify
from isthmus.ledger.writer import LedgerWriter

TRIALS = int(os.environ.get("ISTHMUS_PROVE_TRIALS", "6"))
SEED = int(os.environ.get("ISTHMUS_PROVE_SEED", "7"))


@pytest.mark.timeout(120 + 3 * TRIALS)
def test_no_kill_leaves_a_crossing_without_its_record_or_a_request_without_its_entry(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/isthmus.db")
    chance = random.Random(SEED)
    sent: dict[str, str] = {}
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        for trial in range(TRIALS):
            sent |= _send_and_kill(store.path, upstream, f"t{trial}", after=chance.uniform(0, 0.25))
    with LedgerWriter(store):
        pass  # settles what the last kill cut off

    reader = LedgerReader(store)
    with store.transaction(writing=False) as connection:
        on_record: dict[str, str] = {
            row.request: row.digest for row in connection.exec_driver_sql("SELECT request, digest FROM crossings")
        }
        outcomes: dict[str, str] = {
            row.id: row.outcome for row in connection.exec_driver_sql("SELECT id, outcome FROM entries")
        }
    assert len(sent) > 5 * TRIALS
    assert {request: on_record.get(request) for request in sent} == sent
    assert on_record.keys() <= outcomes.keys(), "a crossing belongs to a request that has an entry"
    assert set(outcomes.values()) == {"completed", "crashed"}
    crashed = next(request for request in sent if outcomes[request] == "crashed")
    assert [note.digest for note in reader.crossings(crashed)] == [sent[crashed]]
    assert verify(store, [ensure_signing_key(key_file(store.path)).public]).intact


def _send_and_kill(path: Path, upstream: socket.socket, name: str, *, after: float) -> dict[str, str]:
    """Let a process send, kill it so many seconds after its first line; what arrived, digest by request."""
    upstream.settimeout(30)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.system.strict_sender", str(path), str(upstream.getsockname()[1]), name],
        cwd=Path(__file__).parents[2],
    )
    received = b""
    try:
        connection, _ = upstream.accept()
        with connection:
            connection.settimeout(30)
            received = connection.recv(65536)
            kill_at = time.monotonic() + after
            while (left := kill_at - time.monotonic()) > 0:
                connection.settimeout(left)
                try:
                    received += connection.recv(65536)
                except TimeoutError:
                    break
            child.kill()
            connection.settimeout(30)
            while more := _rest(connection):
                received += more
    finally:
        child.kill()
        child.wait()
    whole = received[: received.rfind(b"\n") + 1].decode().splitlines()
    return dict(line.split(" ", 1) for line in whole)


def _rest(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""
