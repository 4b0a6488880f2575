"""The ledger's writing side: takes entries from the event loop at once, writes them in groups from a thread.

The event loop pays for an append to a queue. The thread sleeps while there is nothing to write; woken, it waits a
moment for more, and writes all of it in one transaction. It shares the interpreter's lock with the event loop, so
what it costs counts too.

When the store fails, the group that failed is tried again, with growing pauses, until it is written. Meanwhile new
entries wait in the queue, up to a bound.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from types import TracebackType
from typing import Literal, Self

from typing_extensions import override

from isthmus.domain.entry import Entry, Opened
from isthmus.domain.errors import LedgerError
from isthmus.domain.ports import Recorder
from isthmus.domain.request import RequestId
from isthmus.ledger.faults import StoreFault, backlog, brief, stopped
from isthmus.ledger.journal import Group, Journal, Loss
from isthmus.ledger.store import Store

log = logging.getLogger(__name__)

OnFailure = Literal["refuse", "serve"]
"""refuse: while entries cannot be written, no request is served.
serve: requests are served and say so; entries beyond the bound are lost, and the loss is recorded.
"""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
"""Seconds between tries while the store fails."""


class LedgerWriter(Recorder):
    """Records requests. `admit`, `opened` and `settled` are called by one thread, that of the event loop."""

    def __init__(
        self,
        store: Store,
        *,
        on_failure: OnFailure = "refuse",
        group_ms: float = 50.0,
        group_max: int = 512,
        max_pending: int = 50_000,
    ) -> None:
        """Make a writer; `start` opens the store.

        Args:
            store: where to write.
            on_failure: what happens to requests while the store fails.
            group_ms: milliseconds that entries are gathered before they are written together. A kill of the process
                loses what was gathered or being written at that moment, nothing older.
            group_max: entries and notes that are written without waiting longer, and at most at once.
            max_pending: entries and notes held in memory at most.
        """
        self._path = store.path
        self._journal = Journal(store)
        self._on_failure = on_failure
        self._group_seconds = group_ms / 1000
        self._group_max = group_max
        self._max_pending = max_pending
        self._queue: deque[Opened | Entry | threading.Event] = deque()
        self._open: set[RequestId] = set()
        """Requests whose `Opened` was queued and whose entry was not yet."""
        self._noted: set[RequestId] = set()
        """Requests in `in_flight`. Only the thread uses it."""
        self._forgotten: deque[RequestId] = deque()
        """Requests whose entry was lost but whose note may be in `in_flight`."""
        self._writing = 0
        """Entries and notes in the group being written."""
        self._fault: StoreFault | None = None
        self._loss: Loss | None = None
        self._loss_lock = threading.Lock()
        self._asleep = False
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
        """Entries and notes not yet written."""
        return len(self._queue) + self._writing

    # ---- the event loop's side

    @override
    def admit(self) -> str | None:
        if self._fault is None and len(self._queue) + self._writing < self._max_pending:
            return None
        fault = self._fault or backlog(self._path, self._max_pending)
        if self._on_failure == "refuse":
            raise fault.as_error()
        return fault.message

    @override
    def opened(self, opened: Opened) -> None:
        # While the store fails no note can be written: should the process die, the queue dies with it.
        if self._fault is None and len(self._queue) + self._writing < self._max_pending:
            self._open.add(opened.id)
            self._put(opened)

    @override
    def settled(self, entry: Entry) -> None:
        if len(self._queue) + self._writing < self._max_pending:
            self._open.discard(entry.id)
            self._put(entry)
        else:
            self._lose(entry)

    def _put(self, item: Opened | Entry | threading.Event) -> None:
        self._queue.append(item)
        if self._asleep or len(self._queue) == self._group_max:
            self._asleep = False
            self._wake.set()

    def _lose(self, entry: Entry) -> None:
        if entry.id in self._open:
            self._open.remove(entry.id)
            self._forgotten.append(entry.id)
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
        try:
            self._journal.close()
        except Exception as error:  # nothing is left to do but to say so
            log.warning("ledger: %s", self._journal.fault(error).sentence)

    def _write_until_closed(self) -> None:
        while True:
            self._rest()
            group, flushed = self._gather()
            if group and not self._written(group):
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
        if not self._queue:
            self._asleep = True
            # Asked again: what came before the flag was up has woken nobody.
            if not self._queue and not self._closing.is_set():
                self._wake.wait()
            self._asleep = False
        self._wake.clear()
        if len(self._queue) < self._group_max and not self._closing.is_set():
            self._wake.wait(self._group_seconds)

    def _gather(self) -> tuple[Group, list[threading.Event]]:
        """Take what has come, at most `group_max`; with it, whoever waits for it to be written."""
        queue, noted = self._queue, self._noted
        opened: dict[RequestId, Opened] = {}
        flushed: list[threading.Event] = []
        group = Group()
        self._writing = count = min(len(queue), self._group_max)
        for _ in range(count):
            item = queue.popleft()
            if isinstance(item, Entry):
                group.entries.append(item)
                if item.id in noted:
                    group.settled.append(item.id)
                else:
                    opened.pop(item.id, None)
            elif isinstance(item, Opened):
                opened[item.id] = item
            else:
                flushed.append(item)
        for _ in range(len(self._forgotten)):
            request = self._forgotten.popleft()
            if request in noted:
                group.settled.append(request)
            elif opened.pop(request, None) is None and queue:
                self._forgotten.append(request)  # its note is still in the queue
        group.opened.extend(opened.values())
        with self._loss_lock:
            group.loss, self._loss = self._loss, None
        return group, flushed

    def _written(self, group: Group) -> bool:
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
                if last:
                    return False
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        if self._fault is not None:
            self._fault = None
            log.warning("ledger: entries are written again to %s", self._path)
        self._noted.difference_update(group.settled)
        self._noted.update(opened.id for opened in group.opened)
        return True
