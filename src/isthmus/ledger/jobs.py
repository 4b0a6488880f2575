"""Jobs in the store: what they say is sealed, and a time that one is due is handed to one process.

Text, marks and evidence are sealed with AES-256-GCM under a key derived from that of the installation. Which job they
belong to is bound to the seal. When a job is due stands open, so that it can be looked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, Row, Select, select, update
from sqlalchemy.dialects.sqlite import insert as insert_new
from typing_extensions import override

from isthmus.agent.schedule.job import Evidence, Job, JobId, Occurrence, Run
from isthmus.agent.schedule.plan import Plan
from isthmus.agent.schedule.ports import JobStore, Listed
from isthmus.domain.errors import LedgerError
from isthmus.ledger.fingerprints import derive
from isthmus.ledger.process import Process, is_gone, this_process
from isthmus.ledger.schema import job_runs, jobs, to_microseconds
from isthmus.ledger.store import Store

_NONCE_BYTES = 12
_MOST_AT_ONCE = 100


class _Told(msgspec.Struct):
    """What is sealed of how it ended."""

    evidence: Evidence
    last: datetime | None
    count: int | None


_pack = msgspec.msgpack.Encoder().encode
_job = msgspec.msgpack.Decoder(Job).decode
_told = msgspec.msgpack.Decoder(_Told).decode
_process = msgspec.json.Decoder(Process).decode


class SqlJobStore(JobStore):
    """Fulfils `agent.schedule.ports.JobStore`. May be used by several threads and processes."""

    def __init__(self, store: Store, key: bytes) -> None:
        """Use a store that exists.

        Args:
            store: where the tables are.
            key: of the installation.
        """
        self._store = store
        self._seal = AESGCM(derive(key, "jobs"))
        self._holder = msgspec.json.encode(this_process()).decode()

    # ------------------------------------------------------------------------------------------------------------ jobs

    @override
    def add(self, job: Job, due: datetime) -> bool:
        statement = (
            insert_new(jobs)
            .values(
                id=job.id,
                tenant=job.tenant,
                next=due,
                repeats=job.repeats is not None,
                cancelled=False,
                sealed=self._sealed(_pack(job), "job", job.tenant, job.id),
            )
            .on_conflict_do_nothing()
        )
        with self._store.transaction(writing=True) as connection:
            return connection.execute(statement).rowcount > 0

    @override
    def find(self, tenant: str, job: str) -> Listed | None:
        with self._store.transaction(writing=False) as connection:
            row = connection.execute(select(jobs).where(_is(tenant, job))).first()
            return None if row is None else self._listed(connection, row)

    @override
    def list(self, tenant: str, *, ended: bool = False, limit: int = 100) -> Sequence[Listed]:
        query = select(jobs).where(jobs.c.tenant == tenant)
        if not ended:
            query = query.where(jobs.c.next.is_not(None))
        query = query.order_by(jobs.c.next.is_(None), jobs.c.next, jobs.c.id).limit(limit)
        with self._store.transaction(writing=False) as connection:
            return [self._listed(connection, row) for row in connection.execute(query).all()]

    @override
    def cancel(self, tenant: str, job: str) -> bool:
        query = update(jobs).where(_is(tenant, job), ~jobs.c.cancelled).values(cancelled=True, next=None)
        with self._store.transaction(writing=True) as connection:
            return connection.execute(query).rowcount > 0

    @override
    def restore(self, tenant: str, job: str, due: datetime) -> bool:
        query = update(jobs).where(_is(tenant, job), jobs.c.cancelled).values(cancelled=False, next=due)
        with self._store.transaction(writing=True) as connection:
            return connection.execute(query).rowcount > 0

    @override
    def runs(self, tenant: str, job: str, *, limit: int = 20) -> Sequence[Run]:
        query = (
            select(job_runs)
            .join(jobs, jobs.c.id == job_runs.c.job)
            .where(_is(tenant, job))
            .order_by(job_runs.c.due.desc())
            .limit(limit)
        )
        with self._store.transaction(writing=False) as connection:
            return [self._run(row) for row in connection.execute(query).all()]

    # ----------------------------------------------------------------------------------------------------- what is due

    @override
    def soonest(self) -> datetime | None:
        with self._store.transaction(writing=False) as connection:
            query = _idle().order_by(jobs.c.next).limit(1)
            row = connection.execute(query.where(jobs.c.next.is_not(None))).first()
            return None if row is None else row.next

    @override
    def due(self, now: datetime) -> Sequence[tuple[Job, datetime]]:
        query = _idle().where(jobs.c.next <= now).order_by(jobs.c.next).limit(_MOST_AT_ONCE)
        with self._store.transaction(writing=False) as connection:
            return [(self._job(row), row.next) for row in connection.execute(query).all()]

    @override
    def claim(self, job: Job, due: datetime, plan: Plan, now: datetime) -> bool:
        with self._store.transaction(writing=True) as connection:
            if connection.execute(_idle().where(jobs.c.id == job.id, jobs.c.next == due)).first() is None:
                return False
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(next=plan.next))
            if plan.missed is not None:
                missed = plan.missed
                says = "Its time passed while nobody was there to do it."
                told = _Told(Evidence(at=now, says=says), missed.last, missed.count)
                sealed = self._sealed(_pack(told), "run", job.id, to_microseconds(missed.first))
                self._insert(connection, job=job.id, due=missed.first, outcome="missed", sealed=sealed)
            if plan.run is None:
                return False
            return self._insert(connection, job=job.id, due=plan.run, holder=self._holder)

    @override
    def left(self) -> Sequence[Occurrence]:
        query = (
            select(job_runs.c.job, job_runs.c.due, job_runs.c.holder, jobs)
            .join(jobs, jobs.c.id == job_runs.c.job)
            .where(job_runs.c.outcome.is_(None))
            .order_by(job_runs.c.due)
        )
        with self._store.transaction(writing=False) as connection:
            found = connection.execute(query).all()
        if not any(self._is_left(row.holder) for row in found):
            return []
        with self._store.transaction(writing=True) as connection:
            mine = [row for row in connection.execute(query).all() if self._is_left(row.holder)]
            for row in mine:
                connection.execute(update(job_runs).where(_at(row.job, row.due)).values(holder=self._holder))
        return [Occurrence(self._job(row), row.due) for row in mine]

    @override
    def settle(self, run: Run) -> None:
        assert run.outcome is not None
        assert run.evidence is not None
        told = _Told(run.evidence, run.last, run.count)
        sealed = self._sealed(_pack(told), "run", run.job, to_microseconds(run.due))
        query = (
            update(job_runs)
            .where(_at(run.job, run.due), job_runs.c.outcome.is_(None))
            .values(outcome=run.outcome, holder=None, sealed=sealed)
        )
        with self._store.transaction(writing=True) as connection:
            connection.execute(query)

    @override
    def release(self, occurrence: Occurrence) -> None:
        mine = (_at(occurrence.job.id, occurrence.due), job_runs.c.holder == self._holder, job_runs.c.outcome.is_(None))
        with self._store.transaction(writing=True) as connection:
            connection.execute(update(job_runs).where(*mine).values(holder=None))

    @override
    def repeated(self) -> Sequence[tuple[Job, datetime]]:
        query = select(jobs).where(jobs.c.repeats, jobs.c.next.is_not(None))
        with self._store.transaction(writing=False) as connection:
            return [(self._job(row), row.next) for row in connection.execute(query).all()]

    @override
    def move(self, job: JobId, due: datetime, to: datetime) -> None:
        with self._store.transaction(writing=True) as connection:
            connection.execute(update(jobs).where(jobs.c.id == job, jobs.c.next == due).values(next=to))

    # ------------------------------------------------------------------------------------------------------------ rows

    def _is_left(self, holder: str | None) -> bool:
        return holder is None or (holder != self._holder and is_gone(_process(holder)))

    @staticmethod
    def _insert(connection: Connection, **values: object) -> bool:
        """Whether nothing was known of that time yet."""
        return connection.execute(insert_new(job_runs).values(**values).on_conflict_do_nothing()).rowcount > 0

    def _listed(self, connection: Connection, row: Row[tuple[object, ...]]) -> Listed:
        query = select(job_runs).where(job_runs.c.job == row.id).order_by(job_runs.c.due.desc()).limit(1)
        last = connection.execute(query).first()
        return Listed(
            job=self._job(row),
            next=row.next,
            cancelled=row.cancelled,
            last=None if last is None else self._run(last),
        )

    def _job(self, row: Row[tuple[object, ...]]) -> Job:
        return _job(self._opened(row.sealed, "job", row.tenant, row.id))

    def _run(self, row: Row[tuple[object, ...]]) -> Run:
        if row.outcome is None:
            return Run(job=JobId(row.job), due=row.due, outcome=None)
        told = _told(self._opened(row.sealed, "run", row.job, to_microseconds(row.due)))
        return Run(
            job=JobId(row.job),
            due=row.due,
            outcome=row.outcome,
            evidence=told.evidence,
            last=told.last,
            count=told.count,
        )

    def _sealed(self, content: bytes, *place: str | int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, content, msgspec.json.encode(place))

    def _opened(self, sealed: bytes, *place: str | int) -> bytes:
        try:
            return self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], msgspec.json.encode(place))
        except InvalidTag as error:
            raise LedgerError(
                "A job cannot be opened.",
                hint="The key of this installation is another one than it was sealed with, or it was altered.",
            ) from error


def _is(tenant: str, job: str) -> ColumnElement[bool]:
    return (jobs.c.tenant == tenant) & (jobs.c.id == job)


def _at(job: str, due: datetime) -> ColumnElement[bool]:
    return (job_runs.c.job == job) & (job_runs.c.due == due)


def _idle() -> Select[tuple[object, ...]]:
    """Jobs that are not being done."""
    running = select(job_runs.c.job).where(job_runs.c.job == jobs.c.id, job_runs.c.outcome.is_(None))
    return select(jobs).where(~jobs.c.cancelled, ~running.exists())
