"""Files and batches, as their owners handle them. Everything belongs to a tenant; others are told it is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from anyio.to_thread import run_sync

from isthmus.batches.batch import MESSAGES, Batch, Counts, Kind, Line, cancelled, new_batch_id
from isthmus.batches.endpoints import OPENAI_ENDPOINTS
from isthmus.batches.file import Purpose, StoredFile, new_file_id
from isthmus.batches.jsonl import anthropic_line
from isthmus.batches.limits import BatchLimits
from isthmus.batches.room import Idle, always_idle
from isthmus.batches.runner import PAGE, KeyOf, Road, Runner
from isthmus.batches.store import BatchStore, Order
from isthmus.domain.errors import InvalidRequest, NotFound, TooLarge, TooMany
from isthmus.domain.label import Labelled
from isthmus.domain.principal import Key

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
"""Source: Anthropic, "Create a Message Batch", `requests.custom_id`."""


class Batches:
    """What clients may do with files and batches. `run` works on them meanwhile."""

    def __init__(
        self,
        store: BatchStore,
        road: Road,
        key_of: KeyOf,
        *,
        limits: BatchLimits | None = None,
        idle: Idle = always_idle,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Make them; nothing is worked on before `run`.

        Args:
            store: keeps them.
            road: takes every line.
            key_of: tells whether a key is still in force, by its hash.
            limits: on what may be handed over, and on the work at once.
            idle: whether nobody but batches uses an offer.
            clock: tells the time.
        """
        self.limits = limits or BatchLimits()
        self._store = store
        self._clock = clock
        self._runner = Runner(store, road, key_of, limits=self.limits, idle=idle, clock=clock)

    async def run(self) -> None:
        """Work on batches until cancelled."""
        await self._runner.run()

    # ----------------------------------------------------------------------------------------------------------- files

    async def upload(
        self,
        key: Key,
        name: str,
        content: bytes,
        *,
        purpose: Purpose = "batch",
        labels: Iterable[Labelled] = (),
        keep: timedelta | None = None,
    ) -> StoredFile:
        """Take in a file.

        Args:
            key: whose it is.
            name: what its owner calls it.
            content: of a batch: lines of JSON.
            purpose: what it is for.
            labels: declared for it, beside those of the key.
            keep: until it is deleted; None: as long as the limits say.

        Raises:
            TooLarge: it is, or all files of the tenant together are.
        """
        tenant = key.principal.tenant
        if len(content) > self.limits.file_bytes:
            raise TooLarge(f"A file has at most {self.limits.file_bytes} bytes.", param="file")
        if await run_sync(self._store.kept, tenant) + len(content) > self.limits.tenant_bytes:
            raise TooLarge(
                f"All files of a tenant have at most {self.limits.tenant_bytes} bytes together.",
                hint="Delete some that are no longer needed.",
                param="file",
            )
        now = self._clock()
        file = StoredFile(
            id=new_file_id(),
            tenant=tenant,
            name=name,
            purpose=purpose,
            size=len(content),
            labels=key.labels | {labelled.label for labelled in labels},
            created=now,
            expires=now + (keep or self.limits.keep),
        )
        await run_sync(self._store.write, file, (content,))
        await run_sync(self._store.show, file.id)
        return file

    async def file(self, key: Key, file: str) -> StoredFile:
        """A file.

        Raises:
            NotFound: the tenant has none of that id.
        """
        found = await run_sync(self._store.file, key.principal.tenant, file)
        if found is None:
            raise NotFound(f"There is no file {file[:100]!r}.", param="file_id")
        return found

    async def files(
        self, key: Key, *, purpose: str | None, after: str | None, limit: int, order: Order
    ) -> list[StoredFile]:
        """Files of the tenant, by time."""
        return await run_sync(
            lambda: self._store.files(key.principal.tenant, purpose=purpose, after=after, limit=limit, order=order)
        )

    async def content(self, key: Key, file: str) -> bytes:
        """All that is in a file.

        Raises:
            NotFound: the tenant has none of that id.
        """
        found = await self.file(key, file)
        return await run_sync(lambda: b"".join(self._store.content(found)))

    async def delete_file(self, key: Key, file: str) -> None:
        """Delete a file so that nothing of it is left. A batch that has read it goes on.

        Raises:
            NotFound: the tenant has none of that id.
        """
        if not await run_sync(self._store.delete_file, key.principal.tenant, file):
            raise NotFound(f"There is no file {file[:100]!r}.", param="file_id")

    # --------------------------------------------------------------------------------------------------------- batches

    async def create(
        self,
        key: Key,
        *,
        endpoint: str,
        input_file: str,
        labels: Sequence[Labelled] = (),
        workload: str | None = None,
        conversation: str | None = None,
        metadata: Mapping[str, str] | None = None,
        keep_seconds: int | None = None,
    ) -> Batch:
        """Make a batch of the requests in a file. Whether they are any, is found out later.

        Raises:
            InvalidRequest: no such endpoint for batches, or not a file of requests.
            NotFound: the tenant has no such file.
            TooMany: too many batches of the tenant are open.
        """
        if endpoint not in OPENAI_ENDPOINTS:
            raise InvalidRequest(
                f"There are no batches for {endpoint[:100]!r}.",
                hint=f"Use one of: {', '.join(OPENAI_ENDPOINTS)}.",
                param="endpoint",
            )
        try:
            file = await self.file(key, input_file)
        except NotFound as exc:
            exc.param = "input_file_id"
            raise
        if file.purpose != "batch":
            raise InvalidRequest("The file was not handed over for a batch.", param="input_file_id")
        of_file = [Labelled(name, "part", "input_file_id") for name in sorted(file.labels)]
        batch = replace(
            self._new(key, "openai", endpoint),
            state="validating",
            labels=_joined(key, (*labels, *of_file)),
            workload=workload,
            conversation=conversation,
            metadata=metadata,
            input_file=file.id,
            keep_seconds=keep_seconds,
        )
        return await self._add(batch, ())

    async def create_messages(
        self,
        key: Key,
        requests: Sequence[tuple[str, bytes]],
        *,
        labels: Sequence[Labelled] = (),
        workload: str | None = None,
        conversation: str | None = None,
    ) -> Batch:
        """Make a batch of messages.

        Args:
            key: whose it is.
            requests: custom id and body of each.
            labels: declared for all of it, beside those of the key.
            workload: declared for all of it.
            conversation: declared for all of it.

        Raises:
            InvalidRequest: there are none, or a custom id is none or is there twice.
            TooLarge: more requests than a batch may have.
            TooMany: too many batches of the tenant are open.
        """
        if not requests:
            raise InvalidRequest("A batch has at least one request.", param="requests")
        if len(requests) > self.limits.lines:
            raise TooLarge(f"A batch has at most {self.limits.lines} requests.", param="requests")
        seen: set[str] = set()
        for number, (custom_id, _) in enumerate(requests):
            where = f"requests.{number}.custom_id"
            if not _CUSTOM_ID.match(custom_id):
                raise InvalidRequest(f"{where} takes 1 to 64 of A-Z, a-z, 0-9, '-' and '_'.", param=where)
            if custom_id in seen:
                raise InvalidRequest(f"{where} is that of a request before.", param=where)
            seen.add(custom_id)
        now = self._clock()
        batch = replace(
            self._new(key, "anthropic", MESSAGES),
            state="in_progress",
            began=now,
            labels=_joined(key, labels),
            workload=workload,
            conversation=conversation,
        )
        lines = [
            Line(batch=batch.id, number=number, custom_id=custom_id, body=body)
            for number, (custom_id, body) in enumerate(requests, start=1)
        ]
        return await self._add(batch, lines)

    async def batch(self, key: Key, kind: Kind, batch: str) -> Batch:
        """A batch.

        Raises:
            NotFound: the tenant has none of that id and kind.
        """
        found = await run_sync(self._store.batch, key.principal.tenant, batch)
        if found is None or found.kind != kind:
            raise NotFound(f"There is no batch {batch[:100]!r}.", param="batch_id")
        return found

    async def batches(
        self, key: Key, kind: Kind, *, after: str | None = None, before: str | None = None, limit: int
    ) -> list[Batch]:
        """Batches of the tenant, newest first."""
        return await run_sync(
            lambda: self._store.batches(key.principal.tenant, kind, after=after, before=before, limit=limit)
        )

    async def cancel(self, key: Key, kind: Kind, batch: str) -> Batch:
        """Begin no more of its lines. Those under way end, and what was answered is kept.

        Raises:
            NotFound: the tenant has none of that id and kind.
            InvalidRequest: it has ended.
        """
        found = await self.batch(key, kind, batch)
        changed = await run_sync(self._store.change, found.id, lambda kept: cancelled(kept, self._clock()))
        if changed.ended is not None:
            raise InvalidRequest(f"The batch has ended: it is {changed.state}.")
        self._runner.cancel(found.id)
        return replace(changed, counts=found.counts)

    async def delete(self, key: Key, kind: Kind, batch: str) -> None:
        """Delete a batch that has ended, with its results.

        Raises:
            NotFound: the tenant has none of that id and kind.
            InvalidRequest: it has not ended.
        """
        found = await self.batch(key, kind, batch)
        if found.open:
            raise InvalidRequest("The batch has not ended.", hint="Cancel it first.")
        await run_sync(self._store.delete_batch, found.tenant, found.id)

    async def results(self, key: Key, batch: str) -> bytes:
        """The results of a batch of messages, a line of JSON for each.

        Raises:
            NotFound: the tenant has none of that id.
            InvalidRequest: it has not ended.
        """
        found = await self.batch(key, "anthropic", batch)
        if found.open:
            raise InvalidRequest("The batch has no results yet: it has not ended.")
        return await run_sync(self._results, found)

    # ---------------------------------------------------------------------------------------------------------- inside

    def _results(self, batch: Batch) -> bytes:
        lines: list[bytes] = []
        after = 0
        while page := self._store.results(batch.id, after, PAGE):
            lines += map(anthropic_line, page)
            after = page[-1].number
        return b"".join(lines)

    def _new(self, key: Key, kind: Kind, endpoint: str) -> Batch:
        now = self._clock()
        return Batch(
            id=new_batch_id(kind),
            tenant=key.principal.tenant,
            kind=kind,
            endpoint=endpoint,
            state="validating",
            created=now,
            expires=now + self.limits.window,
            key=key.hash,
        )

    async def _add(self, batch: Batch, lines: Sequence[Line]) -> Batch:
        if await run_sync(self._store.open_batches, batch.tenant) >= self.limits.open:
            raise TooMany(
                f"{self.limits.open} batches are open, as many as may.", hint="Wait until one has ended, or cancel one."
            )
        await run_sync(self._store.add, batch, lines)
        self._runner.wake()
        return replace(batch, counts=Counts(waiting=len(lines)))


def _joined(key: Key, labels: Iterable[Labelled]) -> tuple[Labelled, ...]:
    """The labels of the key and others; each with the first source that named it."""
    seen = {name: Labelled(name, "key") for name in sorted(key.labels)}
    for labelled in labels:
        seen.setdefault(labelled.label, labelled)
    return tuple(seen.values())
