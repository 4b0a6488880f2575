"""The agent's log and the marks of what it made, in the store: sealed, and durable when a call returns.

Names of conversations, of accounts and of things are people's business too: they stand here as keyed hashes, and what
is said is sealed with AES-256-GCM under a key derived from that of the installation. Where and when an event belongs is
bound to the seal, so that none can be moved into another conversation.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from typing_extensions import override

from isthmus.agent.marks import Mark
from isthmus.agent.ports import EventKind, EventLog, LoggedEvent, MarkStore
from isthmus.agent.recorded import read, written
from isthmus.agent.tool import Made
from isthmus.domain.errors import LedgerError
from isthmus.domain.principal import DEFAULT_TENANT
from isthmus.ledger.fingerprints import derive
from isthmus.ledger.process import Process, is_gone, this_process
from isthmus.ledger.schema import agent_events, agent_marks, agent_open, to_instant, to_microseconds
from isthmus.ledger.store import Store

_NONCE_BYTES = 12
_AT_ONCE = 500
"""Names in one query."""

_ENDS = frozenset({"effect_done", "effect_failed", "effect_uncertain", "effect_recalled"})
"""Kinds of events after which a call is held no more."""


_process = msgspec.json.Decoder(Process).decode


class _Sealed:
    """The keys of one tenant's agent, and what is done with them."""

    def __init__(self, key: bytes, tenant: str) -> None:
        self._seal = AESGCM(derive(key, f"agent seals {tenant}"))
        self._names = derive(key, f"agent names {tenant}")

    def named(self, *parts: str) -> bytes:
        """The keyed hash of a name."""
        text = msgspec.json.encode(parts)
        return hmac.digest(self._names, text, hashlib.sha256)

    def sealed(self, content: object, *place: str | int | bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, msgspec.json.encode(content), _bound(place))

    def opened(self, sealed: bytes, *place: str | int | bytes) -> Any:
        """What was sealed in this place.

        Raises:
            LedgerError: it was not, or by another key.
        """
        try:
            text = self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(place))
        except InvalidTag as error:
            raise LedgerError(
                "A record of the agent cannot be opened.",
                hint="The key of this installation is another one than it was sealed with, or it was altered.",
            ) from error
        return msgspec.json.decode(text)


def _bound(place: Sequence[str | int | bytes]) -> bytes:
    return msgspec.json.encode([one.hex() if isinstance(one, bytes) else one for one in place])


class SqlEventLog(EventLog):
    """Fulfils `agent.ports.EventLog`. May be used by several threads and processes."""

    def __init__(
        self,
        store: Store,
        key: bytes,
        *,
        tenant: str = DEFAULT_TENANT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Use a store that exists.

        Args:
            store: where the tables are.
            key: of the installation.
            tenant: whose conversations these are; those of others are not seen.
            clock: tells the time.
        """
        self._store = store
        self._keys = _Sealed(key, tenant)
        self._tenant = tenant
        self._clock = clock

    @override
    def append(self, conversation: str, turn: str, kind: EventKind, content: Mapping[str, Any]) -> LoggedEvent:
        name = self._keys.named("conversation", conversation)
        at = to_instant(to_microseconds(self._clock()))
        whole = {"conversation": conversation, "content": content}
        sealed = self._keys.sealed(whole, "event", name, turn, kind, to_microseconds(at))
        with self._store.transaction(writing=True) as connection:
            row = {"tenant": self._tenant, "conversation": name, "turn": turn, "kind": kind, "at": at, "sealed": sealed}
            (seq,) = connection.execute(insert(agent_events).values(row)).inserted_primary_key or (0,)
            self._open_or_close(connection, conversation, turn, kind, content)
        return LoggedEvent(seq=int(seq), conversation=conversation, turn=turn, kind=kind, at=at, content=content)

    @override
    def read(self, conversation: str, *, after: int = 0) -> Iterable[LoggedEvent]:
        event = agent_events.c
        mine = event.conversation == self._keys.named("conversation", conversation)
        query = select(agent_events).where(mine, event.seq > after).order_by(event.seq)
        with self._store.transaction(writing=False) as connection:
            rows = connection.execute(query).all()
        return [self._event(row) for row in rows]

    @override
    def across(self, kinds: Collection[EventKind], *, since: datetime, after: int = 0) -> Iterable[LoggedEvent]:
        event = agent_events.c
        query = (
            select(agent_events)
            .where(self._mine(), event.at >= since, event.seq > after, event.kind.in_(sorted(kinds)))
            .order_by(event.seq)
        )
        with self._store.transaction(writing=False) as connection:
            rows = connection.execute(query).all()
        return [self._event(row) for row in rows]

    @override
    def unfinished(self) -> Sequence[str]:
        with self._store.transaction(writing=False) as connection:
            rows = connection.execute(select(agent_open).where(agent_open.c.tenant == self._tenant)).all()
        names = [self._keys.opened(row.sealed, "open", row.subject) for row in rows]
        return list(dict.fromkeys(names))

    @override
    def claim(self, subject: str) -> bool:
        me = msgspec.json.encode(this_process()).decode()
        mine = agent_open.c.subject == subject
        with self._store.transaction(writing=True) as connection:
            row = connection.execute(select(agent_open.c.holder).where(mine)).first()
            if row is None or not (row.holder is None or row.holder == me or is_gone(_process(row.holder))):
                return False
            connection.execute(update(agent_open).where(mine).values(holder=me))
        return True

    @override
    def release(self, subject: str) -> None:
        with self._store.transaction(writing=True) as connection:
            connection.execute(update(agent_open).where(agent_open.c.subject == subject).values(holder=None))

    def conversations(self) -> Sequence[tuple[str, datetime]]:
        """All conversations with the time of their last event, the newest first."""
        event = agent_events.c
        query = select(agent_events).where(self._mine(), event.kind == "turn_begun").order_by(event.seq.desc())
        with self._store.transaction(writing=False) as connection:
            rows = connection.execute(query).all()
        found: dict[str, datetime] = {}
        for row in rows:
            told = self._event(row)
            found.setdefault(told.conversation, told.at)
        return list(found.items())

    def forget(self, conversation: str) -> int:
        """Delete a conversation, and overwrite where it lay. Marks of what was made in it stay.

        Returns:
            How many events there were.
        """
        name = self._keys.named("conversation", conversation)
        with self._store.transaction(writing=True) as connection:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            connection.execute(delete(agent_open).where(agent_open.c.conversation == name))
            count = connection.execute(delete(agent_events).where(agent_events.c.conversation == name)).rowcount
        self._store.fold_log()
        return count

    def _open_or_close(
        self, connection: Connection, conversation: str, turn: str, kind: EventKind, content: Mapping[str, Any]
    ) -> None:
        """Keep track of what has not ended, in the same transaction."""
        if kind == "turn_begun":
            self._open(connection, turn, conversation)
        elif kind == "effect_held":
            self._open(connection, content["grant"]["call"], conversation)
        elif kind == "turn_ended":
            connection.execute(delete(agent_open).where(agent_open.c.subject == turn))
        elif kind in _ENDS:
            connection.execute(delete(agent_open).where(agent_open.c.subject == content["call"]))

    def _open(self, connection: Connection, subject: str, conversation: str) -> None:
        name = self._keys.named("conversation", conversation)
        sealed = self._keys.sealed(conversation, "open", subject)
        row = {"subject": subject, "tenant": self._tenant, "conversation": name, "sealed": sealed}
        connection.execute(insert(agent_open).values(row))

    def _mine(self) -> ColumnElement[bool]:
        return agent_events.c.tenant == self._tenant

    def _event(self, row: Row[Any]) -> LoggedEvent:
        whole = self._keys.opened(row.sealed, "event", row.conversation, row.turn, row.kind, to_microseconds(row.at))
        return LoggedEvent(
            seq=row.seq,
            conversation=whole["conversation"],
            turn=row.turn,
            kind=row.kind,
            at=row.at,
            content=whole["content"],
        )


class SqlMarkStore(MarkStore):
    """Fulfils `agent.ports.MarkStore`. May be used by several threads and processes."""

    def __init__(self, store: Store, key: bytes, *, tenant: str = DEFAULT_TENANT) -> None:
        """Use a store that exists. Arguments as those of `SqlEventLog`."""
        self._store = store
        self._keys = _Sealed(key, tenant)

    @override
    def keep(self, account: str, made: Made, mark: Mark) -> None:
        names = self._names(account, made)
        with self._store.transaction(writing=True) as connection:
            for name in names:
                known = self._mark(connection, name)
                joined = mark if known is None else known.joined(mark)
                if joined == known:
                    continue
                sealed = self._keys.sealed(written(joined), "mark", name)
                row = upsert(agent_marks).values(thing=name, sealed=sealed)
                connection.execute(row.on_conflict_do_update(index_elements=["thing"], set_={"sealed": sealed}))

    @override
    def recall(self, account: str, made: Made) -> Mark | None:
        return self.recall_all(account, [made])[0]

    @override
    def recall_all(self, account: str, made: Sequence[Made]) -> Sequence[Mark | None]:
        names = [self._names(account, one) for one in made]
        wanted = {name for several in names for name in several}
        known: dict[bytes, Mark] = {}
        with self._store.transaction(writing=False) as connection:
            for some in _portions(sorted(wanted)):
                rows = connection.execute(select(agent_marks).where(agent_marks.c.thing.in_(some))).all()
                known |= {row.thing: self._opened(row.thing, row.sealed) for row in rows}
        return [_joined([known[name] for name in several if name in known]) for several in names]

    def _names(self, account: str, made: Made) -> list[bytes]:
        """By its id, where it has one, and by its content, wherever that lies now."""
        names = [self._keys.named("thing", account, made.kind, made.id)] if made.id else []
        if made.content_sha256 is not None:
            names.append(self._keys.named("content", made.content_sha256))
        return names

    def _mark(self, connection: Connection, name: bytes) -> Mark | None:
        sealed = connection.execute(select(agent_marks.c.sealed).where(agent_marks.c.thing == name)).scalar()
        return None if sealed is None else self._opened(name, sealed)

    def _opened(self, name: bytes, sealed: bytes) -> Mark:
        return read(Mark, self._keys.opened(sealed, "mark", name))


def _portions(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """As many at once as a query takes."""
    for at in range(0, len(names), _AT_ONCE):
        yield names[at : at + _AT_ONCE]


def _joined(marks: Sequence[Mark]) -> Mark | None:
    if not marks:
        return None
    result, *others = marks
    for mark in others:
        result = result.joined(mark)
    return result
