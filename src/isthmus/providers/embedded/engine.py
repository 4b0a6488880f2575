"""One engine and the watch over it: start, health, restart with growing pauses, end.

The watch is one task that sleeps on the process; a running engine costs the gateway one small request per
`Pace.check_every`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import signal
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.domain.offer import Offer
from isthmus.providers.embedded import endpoint
from isthmus.providers.embedded.launch import Failed, Launch, Ready, Report, environment, launch
from isthmus.providers.embedded.weights import WeightsCache

_log = logging.getLogger(__name__)

CHILD_COMMAND = (sys.executable, "-P", "-m", "isthmus.providers.embedded.child")
"""-P: so that nothing in the current folder is taken for a module."""

State = Literal["starting", "ready", "missing", "failed", "stopped"]
"""starting: also between a death and the restart; missing: the weights are not on this machine; failed: it died
several times at once, and the next try is some time away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between the steps of the watch."""

    start_within: float = 600.0
    """From the start of the process to its report; large weights on a slow disk take minutes."""
    wait_for_start: float = 60.0
    """A request waits that long for an engine that is starting."""
    stable_after: float = 30.0
    """An engine that lived that long is forgiven its earlier deaths."""
    first_pause: float = 0.1
    longest_pause: float = 5.0
    quick_deaths: int = 5
    """That many in a row, each before `stable_after`, and it counts as failed."""
    retry_failed: float = 60.0
    retry_missing: float = 2.0
    check_every: float = 15.0
    check_within: float = 10.0
    checks_missed: int = 3
    """That many in a row, and the engine is ended and started anew."""
    finish_within: float = 600.0
    """An engine that is no longer wanted is ended after that, whatever it still does."""
    look_again: float = 0.5
    """While it finishes."""
    stop_within: float = 3.0

    def pause(self, deaths: int) -> float:
        """Before the restart after that many deaths in a row: none at first, then doubling."""
        if deaths >= self.quick_deaths:
            return self.retry_failed
        return 0.0 if deaths <= 1 else min(self.first_pause * 2.0 ** (deaths - 2), self.longest_pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How an engine is."""

    state: State
    reason: str | None = None
    """A sentence where it is not ready."""
    pid: int | None = None
    port: int | None = None
    restarts: int = 0


class SupervisedEngine:
    """An engine of one offer, kept alive.

    Args:
        offer: an embedded offer.
        weights: where its weights are found.
        pace: how fast to restart, how often to check.
        command: starts the process of the engine; what it reads and tells is said in `child`.

    Raises:
        ConfigError: no engine can run with the offer's parameters.
    """

    def __init__(
        self, offer: Offer, weights: WeightsCache, pace: Pace, *, command: Sequence[str] = CHILD_COMMAND
    ) -> None:
        self._offer = offer
        self._weights = weights
        self._pace = pace
        self._command = command
        # The same over restarts, so that who holds an address need not ask anew for the key.
        self._key = secrets.token_urlsafe(32)
        launch(offer, Path(os.sep), api_key=self._key)
        self._status = Status(state="starting")
        self._base_url = ""
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    @property
    def status(self) -> Status:
        return self._status

    def serves(self, offer: Offer) -> bool:
        """Whether this engine is the one `offer` asks for."""
        return (offer.engine, offer.model) == (self._offer.engine, self._offer.model)

    def start(self) -> None:
        """Begin to start the engine and to watch it."""
        self._watch = asyncio.create_task(self._keep_alive(), name=f"isthmus-engine-{self._offer.name}")

    async def address(self) -> tuple[str, str]:
        """Base address and key; waits while the engine is starting.

        Raises:
            UpstreamUnreachable: it is down, its weights are missing, or the wait was too long.
        """
        if self._status.state != "ready":
            await self._wait_for_start()
        return self._base_url, self._key

    async def stop(self) -> None:
        """End the engine at once; what it works on is cut off."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._become(Status(state="stopped", reason="it was stopped", restarts=self._status.restarts))

    async def finish(self) -> None:
        """End the engine when it has answered what it works on."""
        try:
            async with asyncio.timeout(self._pace.finish_within):
                while True:
                    # Look only after a pause: a request may have been given the address and not have sent anything yet.
                    await asyncio.sleep(self._pace.look_again)
                    port = self._status.port
                    if port is None or not await endpoint.requests_under_way(port, api_key=self._key):
                        break
        except TimeoutError:
            _log.warning("engine of offer %s: ended with requests under way", self._offer.name)
        finally:
            await self.stop()

    # ---- waiting for it

    async def _wait_for_start(self) -> None:
        try:
            async with asyncio.timeout(self._pace.wait_for_start):
                while self._status.state == "starting":
                    await self._changed.wait()
        except TimeoutError:
            raise UpstreamUnreachable(
                f"The engine of offer '{self._offer.name}' is still starting.", offer=self._offer.name, retry_after=5.0
            ) from None
        if self._status.state != "ready":
            raise UpstreamUnreachable(
                f"The engine of offer '{self._offer.name}' is down: {self._status.reason}.", offer=self._offer.name
            )

    def _become(self, status: Status) -> None:
        self._status = status
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # ---- keeping it alive

    async def _keep_alive(self) -> None:
        try:
            await self._start_again_and_again()
        except Exception:  # the top of a task: unhandled, the offer would stay in its last state for ever
            _log.exception("engine of offer %s: the watch over it failed", self._offer.name)
            self._become(Status(state="failed", reason="the watch over it failed; isthmus must be restarted"))

    async def _start_again_and_again(self) -> None:
        deaths = restarts = 0
        loop = asyncio.get_running_loop()
        while True:
            path = await self._weights_on_this_machine()
            born = loop.time()
            reason = await self._live_once(path, restarts)
            deaths = 1 if loop.time() - born >= self._pace.stable_after else deaths + 1
            restarts += 1
            _log.warning("engine of offer %s: %s (death %d in a row)", self._offer.name, reason, deaths)
            # Once it counts as failed it stays so until it is ready: requests shall not wait for the next try.
            state: State = "failed" if deaths >= self._pace.quick_deaths else "starting"
            self._become(Status(state=state, reason=reason, restarts=restarts))
            await asyncio.sleep(self._pace.pause(deaths))

    async def _weights_on_this_machine(self) -> Path:
        assert self._offer.engine is not None
        weights = self._offer.engine.weights
        while True:
            try:
                path = await asyncio.to_thread(self._weights.find, weights)
            except ConfigError as error:
                status, pause = Status(state="failed", reason=error.sentence.rstrip(".")), self._pace.retry_failed
            else:
                if path is not None:
                    return path
                reason = f"its weights are not on this machine; `isthmus models pull {weights.ref}` fetches them"
                status, pause = Status(state="missing", reason=reason), self._pace.retry_missing
            if status != self._status:
                _log.warning("engine of offer %s: %s", self._offer.name, status.reason)
                self._become(status)
            await asyncio.sleep(pause)

    async def _live_once(self, path: Path, restarts: int) -> str:
        """Start the process and stay until it is gone; returns why it is."""
        if self._status.state == "missing":
            self._become(Status(state="starting"))
        try:
            process = await _spawn(self._command)
        except OSError as error:
            return f"its process could not be started ({error.strerror or error})"
        said: deque[str] = deque(maxlen=_LINES_KEPT)
        listening = asyncio.create_task(_listen(process, said), name="isthmus-engine-stderr")
        try:
            async with asyncio.timeout(self._pace.start_within):
                report = await _first_report(process, launch(self._offer, path, api_key=self._key))
            if isinstance(report, Ready):
                self._base_url = f"http://127.0.0.1:{report.port}/v1"
                said.clear()
                self._become(Status(state="ready", pid=process.pid, port=report.port, restarts=restarts))
                reason = await self._until_gone(process, report.port)
            elif isinstance(report, Failed):
                reason = report.reason
            else:
                reason = _ending(await process.wait())
        except TimeoutError:
            reason = f"it was not ready within {self._pace.start_within:g} seconds"
        finally:
            if self._status.state == "ready":  # no request shall be sent to one that is being ended
                self._become(Status(state="starting", restarts=restarts))
            await self._end(process)
            await asyncio.wait([listening], timeout=self._pace.stop_within)
            listening.cancel()
        return "; ".join([reason, *said])

    async def _until_gone(self, process: asyncio.subprocess.Process, port: int) -> str:
        missed = 0
        while True:
            try:
                async with asyncio.timeout(self._pace.check_every):
                    return _ending(await process.wait())
            except TimeoutError:
                well = await endpoint.is_well(port, api_key=self._key, deadline=self._pace.check_within)
                missed = 0 if well else missed + 1
            if missed >= self._pace.checks_missed:
                return f"it missed {missed} health checks in a row"

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(self._pace.stop_within):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


_LINES_KEPT = 8
_LINE_LIMIT = 300
_TELLS_OF_THE_END = re.compile(
    r"GGML_(ASSERT|ABORT)|ggml_abort|Fatal Python error|^\w+Error: |std::bad_alloc|terminate called"
)


async def _spawn(command: Sequence[str]) -> asyncio.subprocess.Process:
    # A session of its own: Ctrl-C at the terminal is for the gateway, which has streams of the engine to end well.
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(os.environ),
        start_new_session=True,
    )


async def _first_report(process: asyncio.subprocess.Process, parameters: Launch) -> Report | None:
    """Hand the parameters over and wait for the report; None: the process ended without one."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):
        process.stdin.write(msgspec.json.encode(parameters) + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    try:
        return msgspec.json.decode(line, type=Report) if line else None
    except msgspec.DecodeError:
        return Failed("its report could not be read")


async def _listen(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    """Keep the last of what an engine says that tells of its end, and only that: it never tells what it was asked."""
    assert process.stderr is not None
    while True:
        try:
            line = await process.stderr.readline()
        except ValueError:  # longer than the reader's limit: nothing we wait for
            continue
        if not line:
            return
        text = line.decode("utf-8", "replace").strip()
        if _TELLS_OF_THE_END.search(text):
            said.append(text[:_LINE_LIMIT])


def _ending(code: int) -> str:
    if code >= 0:
        return f"its process ended with status {code}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"
