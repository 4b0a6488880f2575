"""What was said, kept where a workload asks for it: sealed, labelled, and deleted when its time is over.

Content lies beside the chain and never in it, so that it can be deleted; the chain keeps a digest of what was sealed.
It is sealed with AES-256-GCM under a key that is not in the store. Request, labels and expiry are bound to the seal:
none of them can be changed, or exchanged with those of another request, without breaking it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, func, insert, select

from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.domain.kept import Kept
from isthmus.domain.label import Label
from isthmus.domain.request import RequestId
from isthmus.ledger.faults import brief
from isthmus.ledger.journal import ContentNote
from isthmus.ledger.schema import contents, to_microseconds
from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter

log = logging.getLogger(__name__)

KEY_BYTES = 32
_NONCE_BYTES = 12
_SWEEP_SECONDS = 60.0
_BATCH = 64
"""Contents kept in one transaction at most."""

_SWEEP_MOST = 500
"""Contents deleted in one transaction, so that others can write in between."""


def read_key(text: str | bytes) -> bytes:
    """The 32 bytes of a key, written in hex or in base64.

    Raises:
        InvalidRequest: it is not 32 bytes so written. The message does not repeat it.
    """
    raw = text.encode() if isinstance(text, str) else text
    for decode in (binascii.unhexlify, lambda value: base64.b64decode(value, validate=True)):
        try:
            key: bytes = decode(raw.strip())
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    raise InvalidRequest(
        "The key of kept content is not 32 bytes in hex or base64.", hint="Make one with `openssl rand -hex 32`."
    )


class Capture:
    """Keeps content from a thread of its own. `keep` is called by the event loop and returns at once."""

    def __init__(self, store: Store, key: bytes, writer: LedgerWriter, *, max_bytes: int = 64 * 2**20) -> None:
        """Make a capture; `start` starts its thread.

        Args:
            store: where the content is kept.
            key: 32 bytes.
            writer: told of what was kept, for the chain.
            max_bytes: held in memory at most; content that comes when it is full is not kept, and counted.
        """
        self._store = store
        self._seal = AESGCM(key)
        self._writer = writer
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Kept | None] = queue.SimpleQueue()
        self._waiting: dict[RequestId, Kept] = {}
        """What is not in the store yet and may be asked for already."""
        self._forgotten: set[RequestId] = set()
        """What is to be forgotten and may not be in the store yet."""
        self._thread = threading.Thread(target=self._run, name="isthmus-capture", daemon=True)
        self.dropped = 0
        """Contents not kept, because too much waited or the store failed."""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Keep what waits, and stop. Blocks. Close it before the writer."""
        if self._thread.ident is None:
            return
        self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def keep(self, kept: Kept) -> bool:
        """Keep what was said until a time.

        Returns:
            Whether there was room for it.
        """
        size = _size(kept)
        with self._lock:
            if self._bytes + size > self._max_bytes:
                self.dropped += 1
                return False
            self._bytes += size
            self._waiting[kept.request] = kept
        self._queue.put(kept)
        return True

    async def recall(self, request: RequestId, tenant: str) -> Kept | None:
        """What was said in a request of a tenant; None: it was not kept, or not for it, or its time is over.

        Raises:
            LedgerError: it cannot be opened with this key, or the store cannot be read.
        """
        with self._lock:
            kept = self._waiting.get(request)
            forgotten = request in self._forgotten
        if forgotten:
            return None
        if kept is None:
            kept = await asyncio.to_thread(self.read, request)
        return kept if kept is not None and kept.tenant == tenant and kept.expires > datetime.now(UTC) else None

    async def forget(self, request: RequestId, tenant: str) -> bool:
        """Delete what was said in a request of a tenant, and overwrite where it lay. Returns whether it was there.

        Raises:
            LedgerError: as `recall`, or the store cannot be written.
        """
        if await self.recall(request, tenant) is None:
            return False
        with self._lock:
            if self._waiting.pop(request, None) is not None:
                self._forgotten.add(request)
        await asyncio.to_thread(self._forget, request)
        return True

    def read(self, request: str) -> Kept | None:
        """What was said in a request; None: it was not kept, or its time is over. Blocks.

        Raises:
            LedgerError: it cannot be opened with this key, or the store cannot be read.
        """
        return _read(self._store, self._seal, request, datetime.now(UTC))

    def sweep(self, now: datetime) -> int:
        """Delete what has expired, and overwrite where it lay. Blocks.

        Returns:
            How many were deleted.

        Raises:
            LedgerError: the store cannot be written.
        """
        return sweep(self._store, now)

    def _forget(self, request: RequestId) -> None:
        with self._store.transaction(writing=True) as connection:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            connection.execute(delete(contents).where(contents.c.request == request))
        self._store.fold_log()

    def _run(self) -> None:
        sweep_at = time.monotonic()
        ended = False
        while not ended:
            batch, ended = self._take(max(0.0, sweep_at - time.monotonic()))
            if batch:
                self._keep([kept for kept in batch if kept.expires > datetime.now(UTC)])
                self._put_away(batch)
            if ended or time.monotonic() >= sweep_at:
                self._try_sweep()
                sweep_at = time.monotonic() + _SWEEP_SECONDS

    def _put_away(self, batch: Sequence[Kept]) -> None:
        """What has been kept need not be held any more; what was forgotten meanwhile is deleted after all."""
        with self._lock:
            self._bytes -= sum(map(_size, batch))
            forgotten = [kept.request for kept in batch if kept.request in self._forgotten]
            for kept in batch:
                self._waiting.pop(kept.request, None)
                self._forgotten.discard(kept.request)
        for request in forgotten:
            try:
                self._forget(request)
            except LedgerError as error:
                log.error("capture: what is to be forgotten is not deleted: %s", error.sentence)

    def _take(self, seconds: float) -> tuple[list[Kept], bool]:
        """What has come, waiting for it so long; and whether it is the last."""
        batch: list[Kept] = []
        try:
            content = self._queue.get(timeout=seconds)
            while content is not None:
                batch.append(content)
                if len(batch) == _BATCH:
                    return batch, False
                content = self._queue.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _keep(self, batch: Sequence[Kept]) -> None:
        now = datetime.now(UTC)
        try:
            sealed = [_sealed(self._seal, content) for content in batch]
            rows = [
                {"request": content.request, "expires": content.expires, "sealed": one}
                for content, one in zip(batch, sealed, strict=True)
            ]
            if rows:
                with self._store.transaction(writing=True) as connection:
                    connection.execute(insert(contents), rows)
        except Exception as error:  # content is not what must be complete: say so, and live
            self.dropped += len(batch)
            log.error("capture: content of %d requests is not kept: %s", len(batch), brief(error))
            return
        for content, one in zip(batch, sealed, strict=True):
            self._writer.kept(ContentNote(content.request, hashlib.sha256(one).hexdigest(), now, content.expires))

    def _try_sweep(self) -> None:
        try:
            self.sweep(datetime.now(UTC))
        except LedgerError as error:
            log.error("capture: what has expired is not deleted yet: %s", error.sentence)


def read_content(store: Store, key: bytes, request: str, *, now: datetime) -> Kept | None:
    """What was said in a request; None: it was not kept, or its time is over.

    Raises:
        LedgerError: it cannot be opened with this key, or the store cannot be read.
    """
    return _read(store, AESGCM(key), request, now)


def sweep(store: Store, now: datetime) -> int:
    """Delete what has expired, and overwrite where it lay.

    Returns:
        How many were deleted.

    Raises:
        LedgerError: the store cannot be written.
    """
    deleted = 0
    while True:
        expired = select(contents.c.request).where(contents.c.expires <= now).limit(_SWEEP_MOST)
        with store.transaction(writing=False) as connection:
            due = connection.execute(select(func.count()).select_from(expired.subquery())).scalar_one()
        if not due:
            break
        with store.transaction(writing=True) as connection:
            # Nulls in place of what was there, in the file and not only in its list of free pages.
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            deleted += connection.execute(delete(contents).where(contents.c.request.in_(expired))).rowcount
    if deleted:
        store.fold_log()
    return deleted


def _read(store: Store, seal: AESGCM, request: str, now: datetime) -> Kept | None:
    with store.transaction(writing=False) as connection:
        row = connection.execute(
            select(contents).where(contents.c.request == request, contents.c.expires > now)
        ).first()
    if row is None:
        return None
    nonce, ciphertext = row.sealed[:_NONCE_BYTES], row.sealed[_NONCE_BYTES:]
    try:
        text = seal.decrypt(nonce, ciphertext, _bound(request, row.expires))
    except InvalidTag as error:
        raise LedgerError(
            f"The content of request {request} cannot be opened.",
            hint="The key is another one than it was sealed with, or it was altered.",
        ) from error
    said = _decode(text)
    return Kept(
        request=RequestId(request),
        tenant=said.tenant,
        workload=said.workload,
        labels=said.labels,
        firm=said.firm,
        request_text=said.request,
        answer_text=said.answer,
        expires=row.expires,
        goes_on_in=said.goes_on_in,
    )


class _Said(msgspec.Struct):
    """What is sealed."""

    tenant: str
    workload: str | None
    labels: tuple[Label, ...]
    request: str
    answer: str
    firm: tuple[Label, ...] | None = None
    goes_on_in: str | None = None


_decode = msgspec.msgpack.Decoder(_Said).decode


def _sealed(seal: AESGCM, kept: Kept) -> bytes:
    said = _Said(
        kept.tenant,
        kept.workload,
        kept.labels,
        kept.request_text,
        kept.answer_text,
        kept.firm,
        kept.goes_on_in,
    )
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + seal.encrypt(nonce, msgspec.msgpack.encode(said), _bound(kept.request, kept.expires))


def _bound(request: str, expires: datetime) -> bytes:
    """What the seal vouches for beside the content."""
    return f"{request}\n{to_microseconds(expires)}".encode()


def _size(kept: Kept) -> int:
    """Bytes it takes in memory, about."""
    return 1024 + len(kept.request_text) + len(kept.answer_text)
