"""The ledger's writing side: takes entries from the event loop at once, writes them in groups from a thread.

The event loop pays for an append to a queue. The thread sleeps while there is nothing to write; woken, it waits a
moment for more, and writes all of it in one transaction. It shares the interpreter's lock with the event loop, so
what it costs counts too. A request that begins and ends within that moment is one item: its beginning is never written.

A crossing that must be secured does not wait for company: it is written at once, together with whatever is there.

When the store fails, the group that failed is tried again, with growing pauses, until it is written. Meanwhile new
entries wait in memory, up to a bound. Each request under way has its place there reserved from its beginning, so that
no flood of refusals can push its entry out.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias

from typing_extensions import override

from isthmus.domain.entry import CrossingNote, Entry, Opened
from isthmus.domain.errors import LedgerError
from isthmus.domain.ports import Recorder
from isthmus.domain.request import RequestId
from isthmus.ledger.faults import StoreFault, backlog, brief, closed, late, not_reserved, stopped
from isthmus.ledger.journal import ContentNote, Group, Journal, Loss
from isthmus.ledger.store import Store

log = logging.getLogger(__name__)

OnFailure = Literal["refuse", "serve"]
"""refuse: while entries cannot be written, no request is served.
serve: requests are served and say so; entries beyond the bound are lost, and the loss is recorded.
"""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
"""Seconds between tries while the store fails."""


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A crossing, and who waits for it to be secured."""

    crossing: CrossingNote
    done: asyncio.Future[None]


_Item: TypeAlias = Entry | _Awaited | ContentNote | threading.Event


class LedgerWriter(Recorder):
    """Records requests. The methods of `Recorder` are called by one thread, that of the event loop."""

    def __init__(
        self,
        store: Store,
        *,
        on_failure: OnFailure = "refuse",
        group_ms: float = 50.0,
        group_max: int = 512,
        max_pending: int = 50_000,
        secure_seconds: float = 10.0,
        signing_key: Path | None = None,
    ) -> None:
        """Make a writer; `start` opens the store.

        Args:
            store: where to write.
            on_failure: what happens to requests while the store fails.
            group_ms: milliseconds that entries are gathered before they are written together. A kill of the process
                loses what was gathered or being written at that moment, nothing older.
            group_max: entries and notes that are written without waiting longer, and at most at once.
            max_pending: entries held in memory at most, those of requests under way included.
            secure_seconds: how long a crossing waits to be on record before it is given up.
            signing_key: file of the key that signs checkpoints, made where there is none; None: beside the store.
        """
        self._path = store.path
        self._journal = Journal(store, signing_key=signing_key)
        self._on_failure = on_failure
        self._group_seconds = group_ms / 1000
        self._group_max = group_max
        self._max_pending = max_pending
        self._secure_seconds = secure_seconds
        self._queue: deque[_Item] = deque()
        self._open: set[RequestId] = set()
        """Requests under way, each with a place reserved for its entry. Only the event loop uses it."""
        self._fresh: dict[RequestId, Opened] = {}
        """Those of them that no group has noted yet: put in and taken out by the loop, taken out by the thread."""
        self._noted: set[RequestId] = set()
        """Requests in `in_flight`. Only the thread uses it."""
        self._writing = 0
        """Items in the group being written."""
        self._fault: StoreFault | None = None
        self._loss: Loss | None = None
        self._loss_lock = threading.Lock()
        self._asleep = False
        self._urgent = False
        """Somebody waits: no waiting for company."""
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="isthmus-ledger", daemon=True)
        self._unwritten = 0
        """Entries of the group that was given up."""

    # ---- life

    def start(self) -> None:
        """Open the store, settle what crashed processes left, and begin to write. Blocks for some milliseconds.

        Raises:
            LedgerError: the store cannot be used.
        """
        self._journal.open()
        self._thread.start()

    def close(self) -> None:
        """Write everything and stop. Blocks until done; a store that fails is tried once more, not longer.

        Closing what was never started or is closed already does nothing.

        Raises:
            LedgerError: entries could not be written.
        """
        if self._thread.ident is None:
            return
        self._closing.set()
        self._wake.set()
        self._thread.join()
        unwritten = self._unwritten + sum(isinstance(item, Entry) for item in self._queue)
        self._unwritten = 0
        self._queue.clear()
        self._open.clear()
        self._fresh.clear()
        if unwritten:
            fault = self._fault
            raise LedgerError(
                f"{unwritten} entries could not be written to the store {self._path} and are lost.",
                hint=fault.sentence if fault else None,
            )

    def flush(self, timeout: float) -> bool:
        """Wait until all that came before is written. Blocks: not for the event loop.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether it is written.
        """
        flushed = threading.Event()
        self._put(flushed)
        return flushed.wait(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def recovered(self) -> int:
        """Requests that a dead process left in flight and `start` settled as crashed."""
        return self._journal.recovered

    @property
    def pending(self) -> int:
        """Items not yet written: entries, crossings, and whoever waits for them."""
        return len(self._queue) + self._writing

    def kept(self, content: ContentNote) -> None:
        """Note that content was kept beside the chain. May be called by any thread."""
        self._put(content)

    # ---- the event loop's side

    @override
    def admit(self) -> str | None:
        if self._fault is None and self._has_room:
            return None
        fault = self._fault or backlog(self._path, self._max_pending)
        if self._on_failure == "refuse":
            raise fault.as_error()
        return fault.message

    @override
    def opened(self, opened: Opened) -> None:
        if self._has_room:
            self._open.add(opened.id)
            self._fresh[opened.id] = opened
            if self._asleep:
                self._rouse()

    @override
    def settled(self, entry: Entry) -> None:
        request = entry.id
        if request in self._open:
            self._open.remove(request)
            # First this, then the queue: a note written without its entry in sight would stay for good.
            self._fresh.pop(request, None)
            self._put(entry)
        elif self._has_room:
            self._put(entry)
        else:
            self._lose(entry)

    @override
    async def secure(self, crossing: CrossingNote) -> None:
        fault = self._fault
        if self._closing.is_set():
            fault = closed(self._path)
        elif fault is None and crossing.request not in self._open:
            # Without its note in `in_flight` a crash would leave a crossing without an entry.
            fault = not_reserved(self._path, self._max_pending)
        if fault is not None:
            raise fault.as_error()
        awaited = _Awaited(crossing, asyncio.get_running_loop().create_future())
        self._queue.append(awaited)
        self._urgent = True
        self._rouse()
        try:
            async with asyncio.timeout(self._secure_seconds):
                await awaited.done
        except TimeoutError as error:
            raise late(self._path, self._secure_seconds).as_error() from error

    @property
    def _has_room(self) -> bool:
        return len(self._queue) + self._writing + len(self._open) < self._max_pending

    def _put(self, item: _Item) -> None:
        self._queue.append(item)
        if self._asleep or len(self._queue) == self._group_max:
            self._rouse()

    def _rouse(self) -> None:
        self._asleep = False
        self._wake.set()

    def _lose(self, entry: Entry) -> None:
        fault = self._fault or backlog(self._path, self._max_pending)
        with self._loss_lock:
            if self._loss is None:
                self._loss = Loss(1, entry.began, entry.began, fault.message)
            else:
                self._loss.lost += 1
                self._loss.first = min(self._loss.first, entry.began)
                self._loss.last = max(self._loss.last, entry.began)

    # ---- the thread's side

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except Exception as error:  # the end of the thread: a ledger that has stopped must not look like one that works
            self._fault = stopped(self._path)
            log.exception("ledger: %s", self._fault.sentence, exc_info=error)
        _answer([item for item in tuple(self._queue) if isinstance(item, _Awaited)], self._fault or closed(self._path))
        try:
            self._journal.close()
        except Exception as error:  # nothing is left to do but to say so
            log.warning("ledger: %s", self._journal.fault(error).sentence)

    def _write_until_closed(self) -> None:
        while True:
            self._rest()
            group, awaited, flushed = self._gather()
            if (group or self._journal.checkpoint_in == 0) and not self._written(group, awaited):
                self._unwritten = len(group.entries)
                return
            self._writing = 0
            for event in flushed:
                event.set()
            if self._closing.is_set() and not self._queue:
                return

    def _rest(self) -> None:
        """Sleep until there is something to write, then a moment more for company."""
        if self._closing.is_set():
            return
        if not self._has_work():
            self._asleep = True
            # Asked again: what came before the flag was up has woken nobody.
            if not self._has_work() and not self._closing.is_set():
                self._wake.wait(self._journal.checkpoint_in)
            self._asleep = False
        self._wake.clear()
        if self._has_work() and not self._urgent and len(self._queue) < self._group_max and not self._closing.is_set():
            self._wake.wait(self._group_seconds)

    def _has_work(self) -> bool:
        return bool(self._queue or self._fresh or self._loss)

    def _gather(self) -> tuple[Group, list[_Awaited], list[threading.Event]]:
        """Take what has come, at most `group_max`; with it, who waits for it to be secured or written."""
        queue, noted, fresh = self._queue, self._noted, self._fresh
        awaited: list[_Awaited] = []
        flushed: list[threading.Event] = []
        group = Group()
        self._urgent = False
        self._writing = count = min(len(queue), self._group_max)
        for _ in range(count):
            item = queue.popleft()
            if isinstance(item, Entry):
                group.entries.append(item)
                if item.id in noted:
                    group.settled.append(item.id)
            elif isinstance(item, _Awaited):
                awaited.append(item)
                group.crossings.append(item.crossing)
            elif isinstance(item, ContentNote):
                group.contents.append(item)
            else:
                flushed.append(item)
        # After the queue: a request whose entry was taken above is no longer among these.
        for request in tuple(fresh):
            opened = fresh.pop(request, None)
            if opened is not None:
                group.opened.append(opened)
        with self._loss_lock:
            group.loss, self._loss = self._loss, None
        return group, awaited, flushed

    def _written(self, group: Group, awaited: list[_Awaited]) -> bool:
        """Write a group, however long it takes; False: gave up, because the writer is closed and the store fails."""
        journal, pause = self._journal, _FIRST_PAUSE
        done = reopen = False
        while not done:
            last = self._closing.is_set()
            try:
                done = reopen and journal.reopen()
                if not done:
                    journal.write(group)
                    done = True
            except Exception as error:  # whatever it is, the entries are still here and the thread must live
                reopen = True
                fault = journal.fault(error)
                if fault != self._fault:
                    self._fault = fault
                    log.error("ledger: %s (%s)", fault.sentence, brief(error))
                # Nothing is sent unless it is on record in time: what waits is told so, and is no longer to be written.
                _answer(awaited, fault)
                awaited = []
                group.crossings.clear()
                if last:
                    return False
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        if self._fault is not None:
            self._fault = None
            log.warning("ledger: entries are written again to %s", self._path)
        _answer(awaited, None)
        self._noted.difference_update(group.settled)
        self._noted.update([opened.id for opened in group.opened])
        return True


def _answer(awaited: list[_Awaited], fault: StoreFault | None) -> None:
    """Tell on the event loop how it went: secured, or why not."""
    if not awaited:
        return

    def tell() -> None:
        for one in awaited:
            if one.done.done():
                continue  # cancelled, or given up
            if fault is None:
                one.done.set_result(None)
            else:
                one.done.set_exception(fault.as_error())

    try:
        awaited[0].done.get_loop().call_soon_threadsafe(tell)
    except RuntimeError:  # the loop is closed: nobody waits
        log.debug("ledger: nobody waits any more for %d crossings", len(awaited))
