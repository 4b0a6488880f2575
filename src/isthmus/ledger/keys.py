"""Keys: made, listed, revoked, and handed to the gateway as a table by hash.

A key is 256 random bits, shown once. What is kept is its SHA-256: there is nothing to guess back, so a slow hash with
salt would only slow every request down.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from sqlalchemy import Connection, Row, Table, insert, select, update

from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.domain.label import Label, label
from isthmus.domain.principal import DEFAULT_TENANT, Key, Principal
from isthmus.ledger import schema
from isthmus.ledger.store import Store

log = logging.getLogger(__name__)

PREFIX = "ik-"
"""Begins every key, so that scanners for leaked secrets can know one."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}\Z")
_WORKLOAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}\Z")
"""What the settings take as the name of a workload or an offer."""
_SUBJECT = "keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A key with what the gateway need not know of it."""

    key: Key
    revoked: datetime | None


def key_hash(plaintext: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(plaintext.encode()).digest()


def new_key() -> str:
    """A key of 256 random bits: `ik-` and 43 characters of A-Z, a-z, 0-9, '-' and '_'."""
    return PREFIX + secrets.token_urlsafe(32)


class KeyStore:
    """The keys kept in the store. Those written in the settings file are not here."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version: int | None = None

    def add(
        self,
        name: str,
        *,
        tenant: str = DEFAULT_TENANT,
        team: str | None = None,
        user: str | None = None,
        workload: str | None = None,
        workloads: Iterable[str] | None = None,
        labels: Iterable[str] = (),
        expires: datetime | None = None,
    ) -> tuple[Key, str]:
        """Make a key. Makes the store, the team and the user where they do not exist.

        `workload` is the one of requests that name none; `workloads` are all that the key may ask for, workloads or
        offers by name, and None means whatever there is.

        Returns:
            The key as it is kept, and the key itself, which is nowhere else.

        Raises:
            InvalidRequest: a name that cannot be used or is taken, an unknown tenant, an expiry in the past, no
                workload at all, or a default one that it may not ask for.
            LedgerError: the store cannot be used.
        """
        now = datetime.now(UTC)
        for what, value in (("key", name), ("team", team), ("user", user)):
            if value is not None:
                _require_name(what, value)
        if expires is not None and expires <= now:
            raise InvalidRequest(
                "The key would expire before it is made.", hint="Give a time to come.", param="expires"
            )
        allowed = _allowed(workload, workloads)
        carried = frozenset(_label(text) for text in labels)
        plaintext = new_key()
        key = Key(
            name=name,
            hash=key_hash(plaintext),
            principal=Principal(tenant=tenant, team=team, user=user, key=name),
            workload=workload,
            workloads=allowed,
            labels=carried,
            created=now,
            expires=expires,
        )
        self._store.prepare()
        with self._store.transaction(writing=True) as connection:
            _require_tenant(connection, tenant)
            _require_free(connection, tenant, name)
            _ensure(connection, schema.teams, tenant, team, now)
            _ensure(connection, schema.users, tenant, user, now)
            connection.execute(
                insert(schema.keys).values(
                    tenant=tenant,
                    name=name,
                    hash=key.hash,
                    team=team,
                    user_name=user,
                    workload=workload,
                    workloads=None if allowed is None else _list_text(allowed),
                    labels=_list_text(carried) if carried else None,
                    created=now,
                    expires=expires,
                )
            )
            _bump(connection)
        return key, plaintext

    def revoke(self, name: str, *, tenant: str = DEFAULT_TENANT) -> Key:
        """Take a key out of force, for good. A running server follows within a second.

        Raises:
            InvalidRequest: there is no such key, or it is revoked already.
            LedgerError: the store cannot be used.
        """
        self._store.require()
        mine = (schema.keys.c.tenant == tenant, schema.keys.c.name == name)
        with self._store.transaction(writing=True) as connection:
            row = connection.execute(select(schema.keys).where(*mine)).first()
            if row is None:
                raise InvalidRequest(
                    f"There is no key called {name!r}.", hint="`isthmus keys list` names them.", param="name"
                )
            if row.revoked is not None:
                raise InvalidRequest(f"The key {name!r} was revoked already, on {row.revoked:%Y-%m-%d}.", param="name")
            connection.execute(update(schema.keys).where(*mine).values(revoked=datetime.now(UTC)))
            _bump(connection)
        return _key(row)

    def list(self) -> list[KeptKey]:
        """All keys, revoked ones included, by tenant and name.

        Raises:
            LedgerError: the store cannot be used.
        """
        self._store.require()
        with self._store.transaction(writing=False) as connection:
            rows = connection.execute(select(schema.keys).order_by(schema.keys.c.tenant, schema.keys.c.name))
            return [KeptKey(key=_key(row), revoked=row.revoked) for row in rows]

    def load(self) -> Mapping[bytes, Key]:
        """The keys not revoked, by hash. Expired ones are among them: they expire while the table is in use.

        Raises:
            LedgerError: the store cannot be used.
        """
        with self._store.transaction(writing=False) as connection:
            version = _version(connection)
            rows = connection.execute(select(schema.keys).where(schema.keys.c.revoked.is_(None)))
            table = {row.hash: _key(row) for row in rows}
        self._version = version
        return table

    def changed(self) -> bool:
        """Whether keys were made or revoked since the last `load`. Reads one row.

        Raises:
            LedgerError: the store cannot be used.
        """
        with self._store.transaction(writing=False) as connection:
            return _version(connection) != self._version

    async def watch(self, on_change: Callable[[Mapping[bytes, Key]], None], *, every: float = 1.0) -> None:
        """Hand over a new table whenever keys changed since the last `load`. Ends only by being cancelled.

        While the store fails, the keys last read stay in force.

        Args:
            on_change: called on the event loop.
            every: seconds between looks.
        """
        failing = False
        while True:
            await anyio.sleep(every)
            try:
                table = await anyio.to_thread.run_sync(self._changes)
            except LedgerError as error:
                if not failing:
                    log.warning("keys: changes cannot be read, the known keys stay in force: %s", error.sentence)
                failing = True
                continue
            failing = False
            if table is not None:
                on_change(table)

    def _changes(self) -> Mapping[bytes, Key] | None:
        return self.load() if self.changed() else None


def _require_name(what: str, name: str) -> None:
    if not _NAME.match(name):
        raise InvalidRequest(
            f"{name!r} is no name for a {what}.",
            hint="Use 1 to 63 of A-Z, a-z, 0-9, '.', '_', '@', '+', '-', beginning with a letter or a digit.",
            param=what,
        )


def _label(text: str) -> Label:
    try:
        return label(text)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", param="label") from error


def _allowed(workload: str | None, workloads: Iterable[str] | None) -> frozenset[str] | None:
    """All that a key may ask for, which its default must be among. None: whatever there is."""
    allowed = None if workloads is None else frozenset(workloads)
    for name in sorted({*(allowed or ()), *(() if workload is None else (workload,))}):
        if not _WORKLOAD.match(name):
            raise InvalidRequest(
                f"{name!r} is no name for a workload.",
                hint="Give it as the settings name it, such as `support`.",
                param="workloads" if allowed is not None and name in allowed else "workload",
            )
    if allowed is None:
        return None
    if not allowed:
        raise InvalidRequest(
            "A key that may ask for no workload is of no use.", hint="Name at least one.", param="workloads"
        )
    if workload is not None and workload not in allowed:
        raise InvalidRequest(
            f"The default workload {workload!r} is not among those the key may ask for: {', '.join(sorted(allowed))}.",
            hint="Add it to `--workloads`, or choose one of them.",
            param="workload",
        )
    return allowed


def _list_text(names: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(names)).decode()


def _require_tenant(connection: Connection, tenant: str) -> None:
    known = connection.execute(select(schema.tenants.c.name)).scalars().all()
    if tenant not in known:
        raise InvalidRequest(
            f"There is no tenant called {tenant!r}.", hint=f"Known: {', '.join(sorted(known))}.", param="tenant"
        )


def _require_free(connection: Connection, tenant: str, name: str) -> None:
    row = connection.execute(
        select(schema.keys).where(schema.keys.c.tenant == tenant, schema.keys.c.name == name)
    ).first()
    if row is None:
        return
    since = f"made on {row.created:%Y-%m-%d}"
    if row.revoked is not None:
        since += f", revoked on {row.revoked:%Y-%m-%d}"
    raise InvalidRequest(
        f"There is a key called {name!r} already ({since}).",
        hint="Choose another name: names are never used twice, so that an entry of the ledger always means one key.",
        param="name",
    )


def _ensure(connection: Connection, table: Table, tenant: str, name: str | None, now: datetime) -> None:
    if name is None:
        return
    known = connection.execute(select(table.c.name).where(table.c.tenant == tenant, table.c.name == name)).first()
    if known is None:
        connection.execute(insert(table).values(tenant=tenant, name=name, created=now))


def _bump(connection: Connection) -> None:
    connection.execute(
        update(schema.versions).where(schema.versions.c.subject == _SUBJECT).values(number=schema.versions.c.number + 1)
    )


def _version(connection: Connection) -> int:
    number: int = connection.execute(
        select(schema.versions.c.number).where(schema.versions.c.subject == _SUBJECT)
    ).scalar_one()
    return number


def _key(row: Row[Any]) -> Key:
    return Key(
        name=row.name,
        hash=row.hash,
        principal=Principal(tenant=row.tenant, team=row.team, user=row.user_name, key=row.name),
        workload=row.workload,
        # An empty list would allow nothing: only NULL is no limit.
        workloads=None if row.workloads is None else msgspec.json.decode(row.workloads, type=frozenset[str]),
        labels=frozenset(msgspec.json.decode(row.labels, type=list[str])) if row.labels else frozenset(),
        created=row.created,
        expires=row.expires,
    )
