"""Files and batches in the store: sealed, and deleted so that nothing of them is left.

Content, names, metadata, requests and results are sealed with AES-256-GCM under a key derived from that of the
installation. Whose they are and where they belong is bound to the seal: nothing can be exchanged with what belongs
elsewhere. The request of a line is deleted when its result is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, or_, select, update
from typing_extensions import override

from isthmus.batches.batch import Batch, BatchId, Counts, Kind, Line, Outcome, Result
from isthmus.batches.file import FileId, StoredFile
from isthmus.batches.store import BatchStore, Order
from isthmus.domain.errors import LedgerError
from isthmus.domain.label import Label
from isthmus.domain.usage import Usage
from isthmus.ledger.fingerprints import derive
from isthmus.ledger.process import Process, is_gone, this_process
from isthmus.ledger.schema import batch_lines, batches, file_pieces, files
from isthmus.ledger.store import Store

PIECE_BYTES = 512 * 1024
"""Of a file, sealed together."""

_PIECES_AT_ONCE = 8
"""Written in one transaction, so that the ledger can be written in between."""

_LINES_AT_ONCE = 500
_NONCE_BYTES = 12


class _About(msgspec.Struct):
    """What is sealed of a file beside its content."""

    name: str
    labels: frozenset[Label]


class _Request(msgspec.Struct):
    custom_id: str
    body: bytes


class _Told(msgspec.Struct):
    """What is sealed of a result."""

    custom_id: str
    status: int | None
    request: str | None
    body: bytes


_pack = msgspec.msgpack.Encoder().encode
_about = msgspec.msgpack.Decoder(_About).decode
_request = msgspec.msgpack.Decoder(_Request).decode
_told = msgspec.msgpack.Decoder(_Told).decode
_batch = msgspec.msgpack.Decoder(Batch).decode
_process = msgspec.json.Decoder(Process).decode


class SqlBatchStore(BatchStore):
    """Fulfils `batches.store.BatchStore`. May be used by several threads and processes."""

    def __init__(self, store: Store, key: bytes, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Use a store that exists.

        Args:
            store: where the tables are.
            key: of the installation.
            clock: tells the time.
        """
        self._store = store
        self._seal = AESGCM(derive(key, "batches"))
        self._clock = clock
        self._holder = msgspec.json.encode(this_process()).decode()

    # ----------------------------------------------------------------------------------------------------------- files

    @override
    def write(self, file: StoredFile, pieces: Iterable[bytes]) -> None:
        about = _About(file.name, file.labels)
        with self._writing() as connection:
            _drop_file(connection, file.id)
            connection.execute(
                insert(files).values(
                    id=file.id,
                    tenant=file.tenant,
                    purpose=file.purpose,
                    size=file.size,
                    created=file.created,
                    expires=file.expires,
                    complete=False,
                    sealed=self._sealed(_pack(about), "file", file.tenant, file.id, file.size),
                )
            )
        numbered = enumerate(_even(pieces))
        while some := list(islice(numbered, _PIECES_AT_ONCE)):
            rows = [
                {"file": file.id, "number": number, "sealed": self._sealed(piece, "piece", file.id, number)}
                for number, piece in some
            ]
            with self._writing() as connection:
                connection.execute(insert(file_pieces), rows)

    @override
    def show(self, file: FileId) -> None:
        with self._writing() as connection:
            connection.execute(update(files).where(files.c.id == file).values(complete=True))

    @override
    def file(self, tenant: str, file: str) -> StoredFile | None:
        with self._reading() as connection:
            row = connection.execute(self._shown(tenant).where(files.c.id == file)).first()
        return None if row is None else self._file(row)

    @override
    def files(
        self, tenant: str, *, purpose: str | None, after: str | None, limit: int, order: Order
    ) -> list[StoredFile]:
        query = self._shown(tenant)
        if purpose is not None:
            query = query.where(files.c.purpose == purpose)
        if after is not None:
            query = query.where(files.c.id < after if order == "desc" else files.c.id > after)
        query = query.order_by(files.c.id.desc() if order == "desc" else files.c.id).limit(limit)
        with self._reading() as connection:
            return [self._file(row) for row in connection.execute(query)]

    @override
    def content(self, file: StoredFile) -> Iterator[bytes]:
        left, number = file.size, 0
        while left > 0:
            with self._reading() as connection:
                sealed = connection.execute(
                    select(file_pieces.c.sealed).where(file_pieces.c.file == file.id, file_pieces.c.number == number)
                ).scalar()
            if sealed is None:
                raise LedgerError(f"The file {file.id} is gone, or part of it is.")
            piece = self._opened(sealed, "piece", file.id, number)
            left -= len(piece)
            number += 1
            yield piece

    @override
    def delete_file(self, tenant: str, file: str) -> bool:
        with self._writing() as connection:
            known = connection.execute(self._shown(tenant).where(files.c.id == file)).first()
            if known is not None:
                _drop_file(connection, file)
        if known is not None:
            self._store.fold_log()
        return known is not None

    @override
    def kept(self, tenant: str) -> int:
        with self._reading() as connection:
            query = select(func.coalesce(func.sum(files.c.size), 0)).where(files.c.tenant == tenant)
            return int(connection.execute(query).scalar_one())

    # --------------------------------------------------------------------------------------------------------- batches

    @override
    def add(self, batch: Batch, lines: Sequence[Line]) -> None:
        with self._writing() as connection:
            connection.execute(
                insert(batches).values(
                    id=batch.id,
                    tenant=batch.tenant,
                    kind=batch.kind,
                    open=batch.open,
                    sealed=self._sealed(_pack(batch), "batch", batch.tenant, batch.id),
                )
            )
            if lines:
                connection.execute(insert(batch_lines), [self._line_row(line) for line in lines])

    @override
    def batch(self, tenant: str, batch: str) -> Batch | None:
        with self._reading() as connection:
            row = connection.execute(
                select(batches).where(batches.c.id == batch, batches.c.tenant == tenant, self._kept_still())
            ).first()
            return None if row is None else self._counted(connection, row)

    @override
    def batches(self, tenant: str, kind: Kind, *, after: str | None, before: str | None, limit: int) -> list[Batch]:
        query = select(batches).where(batches.c.tenant == tenant, batches.c.kind == kind, self._kept_still())
        if after is not None:
            query = query.where(batches.c.id < after)
        if before is not None:
            query = query.where(batches.c.id > before)
        backwards = before is not None and after is None
        query = query.order_by(batches.c.id if backwards else batches.c.id.desc()).limit(limit)
        with self._reading() as connection:
            found = [self._counted(connection, row) for row in connection.execute(query).all()]
        return found[::-1] if backwards else found

    @override
    def open_batches(self, tenant: str) -> int:
        with self._reading() as connection:
            query = select(func.count()).where(batches.c.open, batches.c.tenant == tenant)
            return int(connection.execute(query).scalar_one())

    @override
    def change(self, batch: BatchId, change: Callable[[Batch], Batch]) -> Batch:
        with self._writing() as connection:
            return self._change(connection, batch, change)

    @override
    def end(self, batch: BatchId, end: Callable[[Batch], Batch], keep_until: datetime) -> Batch:
        with self._writing() as connection:
            changed = self._change(connection, batch, end)
            connection.execute(
                update(batches).where(batches.c.id == batch).values(open=False, holder=None, keep_until=keep_until)
            )
            shown = [file for file in (changed.output_file, changed.error_file) if file is not None]
            if shown:
                connection.execute(update(files).where(files.c.id.in_(shown)).values(complete=True))
        if changed.kind == "openai":
            self.drop_lines(batch)
        return changed

    @override
    def delete_batch(self, tenant: str, batch: str) -> bool:
        with self._writing() as connection:
            mine = and_(batches.c.id == batch, batches.c.tenant == tenant, ~batches.c.open)
            known = connection.execute(select(batches.c.id).where(mine)).first()
            if known is not None:
                # From now on nobody sees it; its lines take longer.
                connection.execute(update(batches).where(mine).values(keep_until=self._clock()))
        if known is None:
            return False
        self._drop_batch(BatchId(batch))
        self._store.fold_log()
        return True

    def _change(self, connection: Connection, batch: BatchId, change: Callable[[Batch], Batch]) -> Batch:
        row = connection.execute(select(batches).where(batches.c.id == batch)).first()
        if row is None:
            raise LedgerError(f"The batch {batch} is gone.")
        before = self._batch(row)
        changed = change(before)
        if changed != before:
            connection.execute(
                update(batches)
                .where(batches.c.id == batch)
                .values(open=changed.open, sealed=self._sealed(_pack(changed), "batch", row.tenant, batch))
            )
        return changed

    # ----------------------------------------------------------------------------------------------------------- lines

    @override
    def add_lines(self, lines: Sequence[Line]) -> None:
        with self._writing() as connection:
            connection.execute(insert(batch_lines), [self._line_row(line) for line in lines])

    @override
    def drop_lines(self, batch: BatchId) -> None:
        some = (
            select(batch_lines.c.number)
            .where(batch_lines.c.batch == batch)
            .order_by(batch_lines.c.number)
            .limit(_LINES_AT_ONCE)
        )
        dropped = True
        while dropped:
            with self._writing() as connection:
                query = delete(batch_lines).where(batch_lines.c.batch == batch, batch_lines.c.number.in_(some))
                dropped = connection.execute(query).rowcount > 0

    @override
    def waiting(self, batch: BatchId, after: int, limit: int) -> list[Line]:
        query = _from_behind(batch, after, limit).where(batch_lines.c.outcome.is_(None))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        found = []
        for row in rows:
            request = _request(self._opened(row.request, "request", batch, row.number))
            found.append(Line(batch=batch, number=row.number, custom_id=request.custom_id, body=request.body))
        return found

    @override
    def settle(self, results: Sequence[Result]) -> None:
        with self._writing() as connection:
            for result in results:
                told = _Told(result.custom_id, result.status, result.request, result.body)
                usage = result.usage
                connection.execute(
                    update(batch_lines)
                    .where(
                        batch_lines.c.batch == result.batch,
                        batch_lines.c.number == result.number,
                        batch_lines.c.outcome.is_(None),
                    )
                    .values(
                        outcome=result.outcome,
                        request=None,
                        result=self._sealed(_pack(told), "result", result.batch, result.number, result.outcome),
                        input_tokens=usage and usage.input,
                        cached_tokens=usage and usage.cached,
                        output_tokens=usage and usage.output,
                        reasoning_tokens=usage and usage.reasoning,
                    )
                )

    @override
    def settle_rest(self, batch: BatchId, outcome: Outcome) -> None:
        with self._writing() as connection:
            connection.execute(
                update(batch_lines)
                .where(batch_lines.c.batch == batch, batch_lines.c.outcome.is_(None))
                .values(outcome=outcome)
            )

    @override
    def results(self, batch: BatchId, after: int, limit: int) -> list[Result]:
        query = _from_behind(batch, after, limit).where(batch_lines.c.outcome.is_not(None))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [self._result(row) for row in rows]

    @override
    def tally(self, batch: BatchId) -> tuple[Counts, Usage | None]:
        line = batch_lines.c
        query = (
            select(
                line.outcome,
                func.count(),
                func.count(line.input_tokens),
                *(
                    func.coalesce(func.sum(column), 0)
                    for column in (line.input_tokens, line.cached_tokens, line.output_tokens, line.reasoning_tokens)
                ),
            )
            .where(line.batch == batch)
            .group_by(line.outcome)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        counts = Counts(**{row[0] or "waiting": row[1] for row in rows})
        if not any(row[2] for row in rows):
            return counts, None
        total, cached, output, reasoning = (sum(int(row[place]) for row in rows) for place in (3, 4, 5, 6))
        return counts, Usage(input=total, cached=cached, output=output, reasoning=reasoning)

    # ------------------------------------------------------------------------------------------------------- processes

    @override
    def claim(self) -> list[Batch]:
        query = select(batches).where(batches.c.open).order_by(batches.c.id)
        with self._reading() as connection:
            found = connection.execute(query).all()
        if any(self._is_free(row.holder) for row in found):
            with self._writing() as connection:
                found = connection.execute(query).all()
                free = [row.id for row in found if self._is_free(row.holder)]
                if free:
                    connection.execute(update(batches).where(batches.c.id.in_(free)).values(holder=self._holder))
                    found = connection.execute(query).all()
        return [self._batch(row) for row in found if row.holder == self._holder]

    @override
    def release(self) -> None:
        with self._writing() as connection:
            connection.execute(update(batches).where(batches.c.holder == self._holder).values(holder=None))

    def _is_free(self, holder: str | None) -> bool:
        return holder is None or (holder != self._holder and is_gone(_process(holder)))

    @override
    def sweep(self, now: datetime) -> None:
        with self._reading() as connection:
            old_files = connection.execute(select(files.c.id).where(files.c.expires <= now)).scalars().all()
            old_batches = connection.execute(select(batches.c.id).where(batches.c.keep_until <= now)).scalars().all()
            # A crash may have come between the end of a batch and the deletion of its lines.
            told = select(batches.c.id).where(
                ~batches.c.open,
                batches.c.kind == "openai",
                select(batch_lines.c.number).where(batch_lines.c.batch == batches.c.id).exists(),
            )
            left = connection.execute(told).scalars().all()
        for file in old_files:
            with self._writing() as connection:
                _drop_file(connection, file)
        for batch in old_batches:
            self._drop_batch(BatchId(batch))
        for batch in left:
            self.drop_lines(BatchId(batch))
        if old_files or old_batches:
            self._store.fold_log()

    def _drop_batch(self, batch: BatchId) -> None:
        self.drop_lines(batch)
        with self._writing() as connection:
            connection.execute(delete(batches).where(batches.c.id == batch))

    # ------------------------------------------------------------------------------------------------------------ rows

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._store.transaction(writing=True) as connection:
            # Nulls in place of what is deleted, in the file and not only in its list of free pages.
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._store.transaction(writing=False) as connection:
            yield connection

    def _shown(self, tenant: str) -> Select[Any]:
        return select(files).where(files.c.tenant == tenant, files.c.complete, files.c.expires > self._clock())

    def _kept_still(self) -> Any:
        return or_(batches.c.keep_until.is_(None), batches.c.keep_until > self._clock())

    def _file(self, row: Row[Any]) -> StoredFile:
        about = _about(self._opened(row.sealed, "file", row.tenant, row.id, row.size))
        return StoredFile(
            id=FileId(row.id),
            tenant=row.tenant,
            name=about.name,
            purpose=row.purpose,
            size=row.size,
            labels=about.labels,
            created=row.created,
            expires=row.expires,
        )

    def _batch(self, row: Row[Any]) -> Batch:
        return _batch(self._opened(row.sealed, "batch", row.tenant, row.id))

    def _counted(self, connection: Connection, row: Row[Any]) -> Batch:
        batch = self._batch(row)
        if not batch.open:
            return batch
        line = batch_lines.c
        query = select(line.outcome, func.count()).where(line.batch == batch.id).group_by(line.outcome)
        found = {outcome or "waiting": count for outcome, count in connection.execute(query)}
        return replace(batch, counts=Counts(**found))

    def _line_row(self, line: Line) -> dict[str, object]:
        request = _pack(_Request(line.custom_id, line.body))
        return {
            "batch": line.batch,
            "number": line.number,
            "request": self._sealed(request, "request", line.batch, line.number),
        }

    def _result(self, row: Row[Any]) -> Result:
        batch, number, outcome = BatchId(row.batch), row.number, row.outcome
        if row.result is None:
            request = _request(self._opened(row.request, "request", batch, number))
            return Result(batch=batch, number=number, custom_id=request.custom_id, outcome=outcome)
        told = _told(self._opened(row.result, "result", batch, number, outcome))
        return Result(
            batch=batch,
            number=number,
            custom_id=told.custom_id,
            outcome=outcome,
            status=told.status,
            request=told.request,
            body=told.body,
        )

    # ----------------------------------------------------------------------------------------------------------- seals

    def _sealed(self, text: bytes, *place: str | int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, text, _bound(*place))

    def _opened(self, sealed: bytes, *place: str | int) -> bytes:
        try:
            return self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(*place))
        except InvalidTag as error:
            raise LedgerError(
                f"A {place[0]} of the batches cannot be opened: {place[-1]}.",
                hint="The key of this installation is another one than it was sealed with, or it was altered.",
            ) from error


def _bound(*place: str | int) -> bytes:
    """What the seal vouches for beside the content. No part of it has a line break in it."""
    return "\n".join(map(str, place)).encode()


def _even(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces of `PIECE_BYTES`."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= PIECE_BYTES:
            yield bytes(held[:PIECE_BYTES])
            del held[:PIECE_BYTES]
    if held:
        yield bytes(held)


def _from_behind(batch: BatchId, after: int, limit: int) -> Select[Any]:
    line = batch_lines.c
    return select(batch_lines).where(line.batch == batch, line.number > after).order_by(line.number).limit(limit)


def _drop_file(connection: Connection, file: str) -> None:
    connection.execute(delete(file_pieces).where(file_pieces.c.file == file))
    connection.execute(delete(files).where(files.c.id == file))
