"""The agent's log and marks in the store: durable, sealed, and of one tenant."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from isthmus.agent.marks import EVERYONE, ISTHMUS, Mark, Origin
from isthmus.agent.ports import EventKind
from isthmus.agent.tool import Made
from isthmus.domain.errors import LedgerError
from isthmus.domain.label import Label
from isthmus.ledger.agent import SqlEventLog, SqlMarkStore
from isthmus.ledger.process import Process
from isthmus.ledger.schema import agent_open
from isthmus.ledger.store import Store, open_store

KEY = bytes(range(32))
SECRET = "the merger with Initech"
PHI = Mark(labels=frozenset({Label("phi")}), origins=frozenset({Origin("mail:a@b.c")}))
PII = Mark(labels=frozenset({Label("pii")}), readers=EVERYONE, origins=frozenset({ISTHMUS}))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'isthmus.db'}")
    yield store
    store.dispose()


def test_events_come_back_in_their_order(store: Store) -> None:
    log = SqlEventLog(store, KEY)
    for number in range(3):
        log.append("c", "t", "model_said", {"number": number})
        log.append("other", "t", "model_said", {})
    events = list(log.read("c"))
    assert [event.content["number"] for event in events] == [0, 1, 2]
    assert [event.content["number"] for event in log.read("c", after=events[0].seq)] == [1, 2]
    assert list(log.read("nobody's")) == []


def test_what_append_tells_is_what_is_read(store: Store) -> None:
    log = SqlEventLog(store, KEY)
    told = log.append("c", "t", "turn_begun", {"text": "x"})
    assert list(SqlEventLog(store, KEY).read("c")) == [told]


def test_nothing_that_was_said_or_named_lies_in_the_file(store: Store) -> None:
    SqlEventLog(store, KEY).append(f"c {SECRET}", "t", "turn_begun", {"text": SECRET})
    mark = Mark(origins=frozenset({Origin(f"mail:{SECRET}")}))
    SqlMarkStore(store, KEY).keep("mail", Made("mail", SECRET, SECRET), mark)
    for file in store.path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_the_log_of_one_tenant_is_not_anothers(store: Store) -> None:
    SqlEventLog(store, KEY).append("c", "t", "turn_begun", {})
    other = SqlEventLog(store, KEY, tenant="other")
    assert list(other.read("c")) == []
    assert other.unfinished() == []
    assert other.conversations() == []
    assert list(other.across(frozenset[EventKind](("turn_begun",)), since=datetime(2000, 1, 1, tzinfo=UTC))) == []
    SqlMarkStore(store, KEY).keep("mail", Made("mail", "1"), PHI)
    assert SqlMarkStore(store, KEY, tenant="other").recall("mail", Made("mail", "1")) is None


def test_what_has_not_ended_is_known(store: Store) -> None:
    log = SqlEventLog(store, KEY)
    log.append("c", "t1", "turn_begun", {})
    log.append("d", "t2", "turn_begun", {})
    assert log.unfinished() == ["c", "d"]
    log.append("c", "t1", "effect_held", {"grant": {"call": "t1-1"}})
    log.append("c", "t1", "turn_ended", {})
    assert log.unfinished() == ["d", "c"]
    log.append("c", "t1", "effect_recalled", {"call": "t1-1"})
    log.append("d", "t2", "turn_ended", {})
    assert log.unfinished() == []


def test_events_of_a_day_are_found_across_conversations(store: Store) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    log = SqlEventLog(store, KEY, clock=lambda: now)
    log.append("c", "t", "model_said", {"n": 1})
    now += timedelta(days=1)
    second = log.append("d", "t", "model_said", {"n": 2})
    log.append("d", "t", "judged", {})
    log.append("e", "t", "asked_model", {"n": 3})
    kinds: tuple[EventKind, ...] = ("asked_model", "model_said")
    assert [event.content["n"] for event in log.across(kinds, since=now)] == [2, 3]
    assert [event.content["n"] for event in log.across(kinds, since=now, after=second.seq)] == [3]


def test_an_event_cannot_be_moved_into_another_conversation(store: Store) -> None:
    log = SqlEventLog(store, KEY)
    log.append("c", "t", "turn_begun", {"text": "pay Bob"})
    log.append("d", "t2", "turn_begun", {"text": "pay Eve"})
    with store.transaction(writing=True) as connection:
        connection.exec_driver_sql(
            "UPDATE agent_events SET sealed = (SELECT sealed FROM agent_events WHERE seq = 2) WHERE seq = 1"
        )
    with pytest.raises(LedgerError, match="cannot be opened"):
        list(log.read("c"))


def test_a_conversation_can_be_forgotten(store: Store) -> None:
    log = SqlEventLog(store, KEY)
    log.append("c", "t", "turn_begun", {})
    log.append("d", "t2", "turn_begun", {})
    assert [name for name, _ in log.conversations()] == ["d", "c"]
    assert log.forget("c") == 1
    assert list(log.read("c")) == []
    assert log.unfinished() == ["d"]


def test_marks_only_ever_add_up(store: Store) -> None:
    marks = SqlMarkStore(store, KEY)
    marks.keep("mail", Made("mail", "1"), PHI)
    marks.keep("mail", Made("mail", "1"), PII)
    assert SqlMarkStore(store, KEY).recall("mail", Made("mail", "1")) == PHI.joined(PII)


def test_marks_of_many_things_come_in_their_order(store: Store) -> None:
    marks = SqlMarkStore(store, KEY)
    marks.keep("mail", Made("mail", "7"), PHI)
    marks.keep("mail", Made("mail", "900", "00ff"), PII)
    made = [Made("mail", str(number)) for number in range(1200)]
    found = marks.recall_all("mail", [*made, Made("mail", "7", "00ff")])
    assert {at: mark for at, mark in enumerate(found) if mark is not None} == {7: PHI, 900: PII, 1200: PHI.joined(PII)}
    assert marks.recall_all("mail", []) == []


def test_a_thing_is_known_by_its_content_wherever_it_lies(store: Store) -> None:
    marks = SqlMarkStore(store, KEY)
    marks.keep("files", Made("file", "/a", "00ff"), PHI)
    assert marks.recall("other", Made("attachment", "x", "00ff")) == PHI
    assert marks.recall("files", Made("file", "/a")) == PHI
    assert marks.recall("files", Made("file", "/b")) is None


def test_what_another_process_works_on_is_not_taken(store: Store) -> None:
    log = SqlEventLog(store, KEY)
    assert not log.claim("t"), "there is no such turn"
    log.append("c", "t", "turn_begun", {})
    assert log.claim("t")
    assert log.claim("t"), "by this process it may be taken again"
    alive = Process(host=os.uname().nodename, pid=os.getppid(), started=None)
    gone = Process(host=os.uname().nodename, pid=2**22 + 1, started=None)
    for holder, free in ((alive, False), (gone, True)):
        with store.transaction(writing=True) as connection:
            connection.execute(update(agent_open).values(holder=msgspec.json.encode(holder).decode()))
        assert log.claim("t") is free
    log.release("t")
    log.append("c", "t", "turn_ended", {})
    assert not log.claim("t")
