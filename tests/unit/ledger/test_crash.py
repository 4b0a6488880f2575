"""A process is killed; what the ledger then holds."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from math import isnan
from pathlib import Path

from sqlalchemy import text
from tests.unit.ledger.conftest import Query
from tests.unit.ledger.samples import entry, opened

from isthmus.ledger.process import Process, is_gone, this_process
from isthmus.ledger.reader import LedgerReader
from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter

WINDOW = 1.0
"""Seconds that the kill may cost here: 0.05 of gathering, and the time of a write on a busy machine."""


def test_a_kill_under_load_costs_the_last_group_at_most(store: Store, query: Query, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    killed_at = load_and_kill(store, notes)

    with LedgerWriter(store) as writer:
        recovered = writer.recovered

    opened_at, settled_at = _read(notes)
    outcomes: dict[str, str] = dict(query("SELECT id, outcome FROM entries"))
    due = {request for request, when in settled_at.items() if when < killed_at - WINDOW}
    assert len(due) > 500
    assert [request for request in due if outcomes.get(request) != "completed"] == []

    in_hand = {request for request, when in opened_at.items() if when < killed_at - WINDOW} - settled_at.keys()
    assert len(in_hand) > 5
    assert [request for request in in_hand if outcomes.get(request) != "crashed"] == []

    assert outcomes.keys() <= opened_at.keys(), "nothing is made up"
    crashed = {request for request, outcome in outcomes.items() if outcome == "crashed"}
    assert len(crashed) == recovered
    for settled in crashed & settled_at.keys():  # settled within the window: its entry died with the process
        assert settled_at[settled] >= killed_at - WINDOW

    for writer_id in (1, 2):
        numbers = [seq for (seq,) in query(f"SELECT seq FROM entries WHERE writer = {writer_id} ORDER BY seq")]
        assert numbers == list(range(1, len(numbers) + 1))
    assert query("SELECT * FROM in_flight") == []
    assert query("SELECT id, crashed, ended IS NOT NULL FROM writers ORDER BY id") == [(1, 1, 1), (2, 0, 1)]


def test_two_that_start_at_once_settle_a_crash_once(store: Store, query: Query, tmp_path: Path) -> None:
    load_and_kill(store, tmp_path / "notes", seconds=0.5)
    ((left,),) = query("SELECT count(*) FROM in_flight")
    assert left > 0
    writers = [LedgerWriter(store) for _ in range(4)]
    with ThreadPoolExecutor(len(writers)) as threads:
        list(threads.map(LedgerWriter.start, writers))
    for writer in writers:
        writer.close()
    assert sorted(writer.recovered for writer in writers) == [0, 0, 0, left]
    assert query("SELECT count(*) FROM entries WHERE outcome = 'crashed'") == [(left,)]


def test_what_a_crashed_request_was_is_kept_and_what_is_not_known_is_not_made_up(store: Store) -> None:
    with LedgerWriter(store) as writer:
        writer.opened(opened("cut"))  # never settled: as if cut off, though the process ends well
    with LedgerWriter(store) as writer:
        assert writer.recovered == 1
    record = LedgerReader(store).get("cut")
    assert record is not None
    before, found = opened("cut"), record.entry
    assert (found.outcome, found.began, found.principal) == ("crashed", before.began, before.principal)
    assert (found.workload, found.model, found.labels) == (before.workload, before.model, before.labels)
    assert isnan(found.total)
    assert (found.usage, found.cost, found.offer, found.first_token) == (None, None, None, None)
    assert (record.writer, record.seq, record.crashed_writer) == (2, 1, 1)


def test_a_writer_that_lives_or_is_on_another_host_is_left_alone(store: Store, query: Query) -> None:
    with LedgerWriter(store) as living:
        living.opened(opened("mine"))
        assert living.flush(5)
        with store.transaction(writing=True) as connection:
            connection.execute(
                text(
                    "INSERT INTO writers (id, host, pid, process_started, started, crashed, sealed)"
                    " VALUES (9, 'elsewhere', 1, 'x', 0, 0, 0)"
                )
            )
            connection.exec_driver_sql(
                "INSERT INTO in_flight (id, writer, document) VALUES ('theirs', 9, ?)",
                ('{"began":0,"dialect":"openai-chat","id":"theirs","model":"m"}',),
            )
        with LedgerWriter(store) as other:
            assert other.recovered == 0
        assert query("SELECT id FROM in_flight ORDER BY id") == [("mine",), ("theirs",)]
        living.settled(entry("mine"))
    assert query("SELECT id, outcome FROM entries") == [("mine", "completed")]


def test_a_pid_that_was_given_again_is_not_taken_for_its_old_owner() -> None:
    me = this_process()
    assert not is_gone(me)
    assert is_gone(Process(me.host, me.pid, "another-boot/1"))
    assert not is_gone(Process("elsewhere", me.pid, "another-boot/1"))


def test_a_process_that_has_ended_is_gone_even_before_its_parent_looks() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        stat = Path(f"/proc/{child.pid}/stat")
        me = this_process()
        assert me.started is not None
        boot = me.started.split("/")[0]
        started = f"{boot}/{stat.read_text().rpartition(') ')[2].split()[19]}"
        assert not is_gone(Process(me.host, child.pid, started))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(Process(me.host, child.pid, started))
    assert is_gone(Process(me.host, child.pid, started))


def load_and_kill(store: Store, notes: Path, *, seconds: float = 3.0) -> float:
    """Record in a child for some seconds after its first note, then kill it; the time of the kill."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.ledger.load_and_die", str(store.path), str(notes)],
        cwd=Path(__file__).parents[3],
    )
    try:
        deadline = time.monotonic() + 20
        while not (notes.exists() and notes.stat().st_size):
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.01)
        time.sleep(seconds)
    finally:
        child.send_signal(signal.SIGKILL)
        killed_at = time.monotonic()
        child.wait()
    return killed_at


def _read(notes: Path) -> tuple[dict[str, float], dict[str, float]]:
    at: dict[str, dict[str, float]] = {"opened": {}, "settled": {}}
    for line in notes.read_text().splitlines():
        event, request, when = line.split()
        at[event][request] = float(when)
    return at["opened"], at["settled"]
