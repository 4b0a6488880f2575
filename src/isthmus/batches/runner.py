"""Works through the batches: every line is a call on the road, made when there is room for it.

A line has ended when its result is in the store, and only then. So a crash loses no line and tells no result twice:
what was under way is asked again, and the ledger shows both the entry that crashed and the new one.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol

import anyio
import msgspec
from anyio.to_thread import run_sync

from isthmus.batches.batch import (
    Batch,
    BatchId,
    Complaint,
    Line,
    Outcome,
    Result,
    ended,
    finalizing,
    found_bad,
    found_good,
)
from isthmus.batches.endpoints import FORM_OF
from isthmus.batches.file import FileId, StoredFile
from isthmus.batches.jsonl import InputReader, openai_line, split
from isthmus.batches.limits import BatchLimits
from isthmus.batches.room import Idle, Room, always_idle
from isthmus.batches.store import BatchStore
from isthmus.dialects.dialect import Form
from isthmus.dialects.registry import form_of
from isthmus.domain.errors import (
    InvalidRequest,
    IsthmusError,
    LedgerError,
    NoHealthyOffer,
    ProviderError,
    StreamInterrupted,
)
from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Offer
from isthmus.domain.principal import Key, Principal
from isthmus.routing.answer import Answer, Call
from isthmus.routing.retry import judge
from isthmus.routing.roster import Roster

log = logging.getLogger("isthmus.batches")

PAGE = 64
"""Lines read from the store at once."""

LOOK_SECONDS = 5.0
"""How often batches are looked for that another process made, or left when it died."""

SWEEP_SECONDS = 3600.0
_GLANCE_SECONDS = 0.1
"""How often a line that gives way looks again."""

_FIRST_REST = 1.0
_LONGEST_REST = 60.0
_AFTER_A_FAULT = 30.0
_UNSAVED_SECONDS = 1.0

KeyOf = Callable[[bytes], Key | None]
"""The key in force of that hash; None: there is none any more."""


class Road(Protocol):
    """What is needed of the road."""

    roster: Roster

    async def serve(self, call: Call) -> Answer: ...

    def refused(self, form: Form, principal: Principal, arrived: float, error: IsthmusError) -> None: ...


@dataclass(slots=True)
class _Run:
    """A batch in hand."""

    batch: Batch
    again: deque[Line] = field(default_factory=deque)
    """Lines that are to be asked once more."""
    tries: Counter[int] = field(default_factory=Counter)
    """Of lines that failed, by number."""
    under_way: int = 0
    rest: float = 0.0
    """Seconds of the last rest; 0: what was asked last was answered."""
    rests_until: float = 0.0
    """On the monotonic clock: whoever could have answered is not well."""
    gives_way_since: float | None = None
    cancelled: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)
    """Set when something happened that a waiting line should know."""

    def notify(self) -> None:
        self.changed.set()

    async def wait(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.changed.wait()
        self.changed = anyio.Event()


class Runner:
    """Works on the batches of one process. `run` it once."""

    def __init__(
        self,
        store: BatchStore,
        road: Road,
        key_of: KeyOf,
        *,
        limits: BatchLimits,
        idle: Idle = always_idle,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._road = road
        self._key_of = key_of
        self._limits = limits
        self._room = Room(limits.at_once, idle)
        self._clock = clock
        self._runs: dict[BatchId, _Run] = {}
        self._woken = anyio.Event()
        self._unsaved: dict[tuple[BatchId, int], Result] = {}
        self._saving = anyio.Lock()
        self._swept = -SWEEP_SECONDS

    def wake(self) -> None:
        """There is a new batch."""
        self._woken.set()

    def cancel(self, batch: BatchId) -> None:
        """A batch was cancelled: begin no more of its lines."""
        run = self._runs.get(batch)
        if run is not None:
            run.cancelled = True
            run.notify()

    async def run(self) -> None:
        """Work until cancelled. Lines under way are then given up, and asked again by whoever runs next."""
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    for batch in await self._look():
                        if batch.id not in self._runs:
                            run = self._runs[batch.id] = _Run(batch)
                            tasks.start_soon(self._work_on, run)
                    with anyio.move_on_after(LOOK_SECONDS):
                        await self._woken.wait()
                    self._woken = anyio.Event()
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._release)

    async def _look(self) -> list[Batch]:
        """The batches to work on."""
        try:
            if time.monotonic() - self._swept >= SWEEP_SECONDS:
                await run_sync(self._store.sweep, self._clock())
                self._swept = time.monotonic()
            return await run_sync(self._store.claim)
        except LedgerError as exc:
            log.error("batches cannot be looked for: %s", exc.sentence)
            return []

    def _release(self) -> None:
        try:
            self._store.release()
        except LedgerError as exc:  # another process finds that this one has died
            log.error("batches could not be handed back: %s", exc.sentence)

    # --------------------------------------------------------------------------------------------------------- a batch

    async def _work_on(self, run: _Run) -> None:
        """A batch, from wherever it is to its end."""
        try:
            # What was claimed may have ended since: another run of it may have been at its end.
            kept = await run_sync(self._store.batch, run.batch.tenant, run.batch.id)
            if kept is None or not kept.open:
                return
            run.batch = kept
            if run.batch.state == "validating":
                run.batch = await run_sync(self._validate, run.batch)
            if run.batch.state == "in_progress":
                stopped = await self._ask_all(run)
                run.batch = await run_sync(self._finish, run.batch, stopped)
            elif run.batch.open:
                run.batch = await run_sync(self._finish, run.batch, None)
        except LedgerError as exc:
            log.error("%s has to wait: %s", run.batch.id, exc.sentence)
            await anyio.sleep(_AFTER_A_FAULT)
        except Exception as exc:  # the boundary: one batch must not stop the others
            frames = "".join(traceback.format_tb(exc.__traceback__))
            log.error("%s failed by a fault of isthmus: %s\n%s", run.batch.id, type(exc).__name__, frames)
            await anyio.sleep(_AFTER_A_FAULT)
        finally:
            del self._runs[run.batch.id]

    def _validate(self, batch: Batch) -> Batch:
        """Turn the input file into lines; what is there of them from before a crash is read anew."""
        self._store.drop_lines(batch.id)
        reader = InputReader(batch, most_lines=self._limits.lines)
        file = None if batch.input_file is None else self._store.file(batch.tenant, batch.input_file)
        if file is None:
            reader.complaints.append(Complaint(code="file_not_found", message="The input file is gone."))
        else:
            lines = reader.read(split(self._store.content(file)))
            while page := list(islice(lines, PAGE)):
                self._store.add_lines(page)
        if reader.complaints:
            self._store.drop_lines(batch.id)
            keep_until = self._clock() + self._limits.keep
            complaints = tuple(reader.complaints)
            return self._store.end(batch.id, lambda kept: found_bad(kept, complaints, self._clock()), keep_until)
        return self._store.change(batch.id, lambda kept: found_good(kept, self._clock()))

    async def _ask_all(self, run: _Run) -> Outcome | None:
        """Ask every line that has not ended. Returns how those end that are not asked any more; None: all were."""
        stopped: Outcome | None = None
        after = 0
        page: deque[Line] = deque()
        async with anyio.create_task_group() as lines:
            while True:
                if not page:
                    page.extend(await run_sync(self._store.waiting, run.batch.id, after, PAGE))
                    if page:
                        after = page[-1].number
                        run.cancelled |= await self._is_cancelled(run.batch)
                queue = run.again or page
                if not queue:
                    if not run.under_way:
                        break
                    await run.wait(LOOK_SECONDS)
                    continue
                own = self._own_offers(run.batch, queue[0])
                stopped = await self._turn(run, own)
                if stopped is not None:
                    break
                lines.start_soon(self._line, run, queue.popleft(), own)
        return stopped

    async def _is_cancelled(self, batch: Batch) -> bool:
        """Whether another process has cancelled the batch."""
        kept = await run_sync(self._store.batch, batch.tenant, batch.id)
        return kept is None or kept.state == "cancelling"

    async def _turn(self, run: _Run, own: Sequence[Offer]) -> Outcome | None:
        """Wait until a line may be asked, and take its place. Returns why none may any more, without a place taken."""
        while True:
            if (stopped := self._stopped(run)) is not None:
                return stopped
            now = time.monotonic()
            if now < run.rests_until:
                await run.wait(min(run.rests_until - now, LOOK_SECONDS))
            elif self._must_give_way(run, own, now) or not self._room.has_place(own):
                await run.wait(_GLANCE_SECONDS)
            else:
                run.gives_way_since = None
                run.under_way += 1
                self._room.take(own)
                return None

    def _stopped(self, run: _Run) -> Outcome | None:
        if run.cancelled:
            return "cancelled"
        if self._key_of(run.batch.key) is None:
            return "revoked"
        return "expired" if self._clock() >= run.batch.expires else None

    def _must_give_way(self, run: _Run, own: Sequence[Offer], now: float) -> bool:
        if not self._room.gives_way(own):
            run.gives_way_since = None
            return False
        if run.gives_way_since is None:
            run.gives_way_since = now
        return timedelta(seconds=now - run.gives_way_since) < self._limits.patience

    def _own_offers(self, batch: Batch, line: Line) -> tuple[Offer, ...]:
        """The own offers that might serve a line; none where the road will refuse it anyway."""
        roster, key = self._road.roster, self._key_of(batch.key)
        try:
            facts = form_of(FORM_OF[batch.endpoint]).read_facts(line.body)
            workload = roster.workload_of(
                model=facts.model,
                declared=batch.workload or facts.workload,
                fallback=None if key is None else key.workload,
            )
        except IsthmusError:
            return ()
        return tuple(offer for name in workload.offers if (offer := roster.offers[name]).side == "own")

    # ---------------------------------------------------------------------------------------------------------- a line

    async def _line(self, run: _Run, line: Line, own: Sequence[Offer]) -> None:
        """A line whose place is taken."""
        try:
            result = await self._ask(run, line)
            if result is None:
                run.again.append(line)
            else:
                await self._save(result)
                del run.tries[line.number]
        finally:
            run.under_way -= 1
            self._room.leave(own)
            for other in self._runs.values():
                other.notify()

    async def _ask(self, run: _Run, line: Line) -> Result | None:
        """Ask a line. None: it is to be asked again."""
        key = self._key_of(run.batch.key)
        if key is None:
            return None  # its turn will not come
        form = form_of(FORM_OF[run.batch.endpoint])
        call = _call(run.batch, key, form, line.body)
        if (fault := _streams(line.body)) is not None:
            self._road.refused(form, call.principal, call.arrived, fault)
            return _errored(line, form, fault)
        try:
            async with await self._road.serve(call) as answer:
                body, usage = answer.body, answer.usage
        except IsthmusError as exc:
            if self._is_worth_another(run, line, exc):
                run.rest = min(run.rest * 2 or _FIRST_REST, _LONGEST_REST)
                run.rests_until = time.monotonic() + max(run.rest, getattr(exc, "retry_after", None) or 0.0)
                return None
            return _errored(line, form, exc)
        except Exception as exc:  # the boundary: one line must not stop the others
            frames = "".join(traceback.format_tb(exc.__traceback__))
            log.error("a line failed by a fault of isthmus: %s\n%s", type(exc).__name__, frames)
            return _errored(line, form, IsthmusError("isthmus failed by a fault of its own; its log has the details."))
        run.rest = 0.0
        return replace(_result(line, "succeeded"), status=200, request=answer.id, body=body, usage=usage)

    def _is_worth_another(self, run: _Run, line: Line, error: IsthmusError) -> bool:
        """Whether a failure may pass. That nobody could be asked, or that it came too soon, is no try of the line."""
        # Of an answer that broke off nothing was shown to anybody: here, unlike elsewhere, it may be asked for again.
        passing = error.retryable or isinstance(error, StreamInterrupted)
        if not passing or (isinstance(error, ProviderError) and judge(error).verdict != "again"):
            return False
        if not isinstance(error, ProviderError) or isinstance(error, NoHealthyOffer) or error.status == 429:
            return True
        run.tries[line.number] += 1
        return run.tries[line.number] < self._limits.tries

    async def _save(self, result: Result) -> None:
        """Put a result into the store, with those of others that wait, and return when it is there."""
        place = result.batch, result.number
        self._unsaved[place] = result
        while place in self._unsaved:
            with anyio.CancelScope(shield=True):  # an answer that was paid for is not thrown away at a stop
                async with self._saving:
                    waiting = dict(self._unsaved)
                    try:
                        await run_sync(self._store.settle, list(waiting.values()))
                    except LedgerError as exc:
                        log.error("results of batches wait for the store: %s", exc.sentence)
                    else:
                        for saved in waiting:
                            del self._unsaved[saved]
            if place in self._unsaved:
                await anyio.sleep(_UNSAVED_SECONDS)

    # ----------------------------------------------------------------------------------------------------------- ending

    def _finish(self, batch: Batch, stopped: Outcome | None) -> Batch:
        """Write the results, and let the batch end. Safe to repeat after a crash."""
        batch = self._store.change(batch.id, lambda kept: kept if stopped else finalizing(kept, self._clock()))
        if batch.state == "cancelling":
            stopped = "cancelled"
        if stopped is not None:
            self._store.settle_rest(batch.id, stopped)
        counts, usage = self._store.tally(batch.id)
        now = self._clock()
        keep_until = now + (self._limits.keep if batch.keep_seconds is None else timedelta(seconds=batch.keep_seconds))
        output = error = None
        if batch.kind == "openai":
            output = self._write(batch, "output", counts.succeeded, keep_until, now)
            error = self._write(batch, "error", counts.failed, keep_until, now)
        return self._store.end(
            batch.id,
            lambda kept: ended(kept, counts, usage, output_file=output, error_file=error, now=self._clock()),
            now + self._limits.keep,
        )

    def _write(self, batch: Batch, which: str, lines: int, expires: datetime, now: datetime) -> FileId | None:
        """Write the answers of a batch, or its errors, as a file of its own. None: there are none.

        Its id is made of the batch's, so that after a crash the same file is written again.
        """
        if not lines:
            return None
        size = sum(map(len, self._told(batch.id, which)))
        file = StoredFile(
            id=FileId(f"file-{batch.id.partition('_')[2]}{which[0]}"),
            tenant=batch.tenant,
            name=f"{batch.id}_{which}.jsonl",
            purpose="batch_output",
            size=size,
            labels=frozenset(found.label for found in batch.labels),
            created=now,
            expires=expires,
        )
        self._store.write(file, self._told(batch.id, which))
        return file.id

    def _told(self, batch: BatchId, which: str) -> Iterator[bytes]:
        """The lines of the file of answers, or of that of errors."""
        after = 0
        while page := self._store.results(batch, after, PAGE):
            for result in page:
                if (result.outcome == "succeeded") == (which == "output"):
                    yield openai_line(result)
            after = page[-1].number


class _Streaming(msgspec.Struct):
    stream: bool | None = None


_streaming = msgspec.json.Decoder(_Streaming).decode


def _streams(body: bytes) -> InvalidRequest | None:
    """What is wrong with a request that wants a stream: nobody listens to one here. None: it does not."""
    try:
        asks = _streaming(body).stream
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # the road says what is wrong with it
    if not asks:
        return None
    return InvalidRequest("A request of a batch cannot be streamed.", hint="Leave out `stream`.", param="stream")


def _call(batch: Batch, key: Key, form: Form, body: bytes) -> Call:
    """A line as the road takes it: by the key as it is now, with every label the batch was given."""
    labels: dict[Label, Labelled] = {name: Labelled(name, "key") for name in sorted(key.labels)}
    for labelled in batch.labels:
        labels.setdefault(labelled.label, labelled)
    return Call(
        form=form,
        body=body,
        principal=key.principal,
        workload=batch.workload,
        key_workload=key.workload,
        labels=tuple(labels.values()),
        conversation=batch.conversation,
        arrived=time.perf_counter(),
        workloads=key.workloads,
        priority="batch",
    )


def _result(line: Line, outcome: Outcome) -> Result:
    return Result(batch=line.batch, number=line.number, custom_id=line.custom_id, outcome=outcome)


def _errored(line: Line, form: Form, error: IsthmusError) -> Result:
    told = form.encode_error(error, error.request_id or "")
    return replace(_result(line, "errored"), status=error.status, request=error.request_id, body=told)
