"""HTTP in: from a request on a connection to a call on the road, and from its answer to bytes.

A thin ASGI application without a framework: it is on the path of every request. What an endpoint does is read who asks,
read the body, hand a `Call` to the road, and send what the road answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from isthmus.dialects.dialect import Dialect
from isthmus.dialects.registry import dialect_of
from isthmus.domain.errors import (
    InvalidRequest,
    IsthmusError,
    MethodNotAllowed,
    Overloaded,
    PolicyError,
    ProviderError,
    RequestError,
    TooLarge,
    UnknownModel,
    UnknownPath,
)
from isthmus.domain.label import Label, Labelled
from isthmus.domain.principal import Key
from isthmus.gateway.asgi import EVENT_STREAM, JSON, Header, Receive, Scope, Send, reply
from isthmus.gateway.connection import EXTENSION, Connection
from isthmus.gateway.headers import RequestHead, answer_headers, read_head
from isthmus.gateway.keyring import KeyRing
from isthmus.routing.answer import Answer, Call
from isthmus.routing.explain import explanation
from isthmus.routing.road import Road

log = logging.getLogger("isthmus.gateway")

OPENAI_CHAT = dialect_of("openai-chat")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Bounds on what clients may ask."""

    body_bytes: int = 32 * 1024 * 1024
    in_flight: int = 4096
    """Requests worked on at once; more are refused with 503."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be served, and if not, what is waited for."""

    ready: bool
    waiting_for: Sequence[str] = ()


class ClientGone(Exception):
    """The client left before its request was complete."""


class Gateway:
    """The ASGI application."""

    def __init__(
        self,
        road: Road,
        keyring: KeyRing,
        *,
        limits: GatewayLimits | None = None,
        readiness: Callable[[], Readiness] = lambda: Readiness(ready=True),
    ) -> None:
        self.road = road
        self.keyring = keyring
        self.limits = limits or GatewayLimits()
        self.readiness = readiness
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path == "/v1/chat/completions":
            if method == "POST":
                await self._complete(OPENAI_CHAT, scope, receive, send)
            else:
                await self._method_not_allowed(send, b"POST")
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            if method == "GET":
                await self._models(path, scope, send)
            else:
                await self._method_not_allowed(send, b"GET")
        elif path == "/isthmus/v1/explain":
            if method == "POST":
                await self._explain(scope, receive, send)
            else:
                await self._method_not_allowed(send, b"POST")
        elif path == "/healthz":
            await reply(send, 200, [JSON], b'{"status":"ok"}')
        elif path == "/readyz":
            state = self.readiness()
            await reply(send, 200 if state.ready else 503, [JSON], msgspec.json.encode(state))
        else:
            error = UnknownPath(f"There is no {method} {path[:100]} here.")
            await self._refuse(send, OPENAI_CHAT, error)

    # ---------------------------------------------------------------------------------------------------- completions

    async def _complete(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """One completion, from request to last byte."""
        arrived = time.perf_counter()
        connection: Connection = scope["extensions"][EXTENSION]
        self._in_flight += 1
        try:
            call = await self._call(dialect, scope, receive, arrived)
            async with await self.road.serve(call) as answer:
                await _send(answer, connection)
        except IsthmusError as exc:
            await self._refuse(send, dialect, exc)
        except ClientGone:
            pass
        except asyncio.CancelledError:
            if not connection.gone:
                raise
        except Exception as exc:  # the boundary: whatever it is, the client gets an answer in its dialect
            await self._fail(send, dialect, exc)
        finally:
            self._in_flight -= 1

    async def _explain(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What would be decided for the request of `/v1/chat/completions` in the body. Sends and records nothing."""
        try:
            call = await self._call(OPENAI_CHAT, scope, receive, time.perf_counter())
            body = msgspec.json.encode(explanation(self.road.decide(call)))
        except IsthmusError as exc:
            await self._refuse(send, OPENAI_CHAT, exc)
        except ClientGone:
            pass
        else:
            await reply(send, 200, [JSON], body)

    async def _call(self, dialect: Dialect, scope: Scope, receive: Receive, arrived: float) -> Call:
        """Who asks, and what."""
        head = read_head(scope["headers"])
        key = self._identify(head)
        return Call(
            dialect=dialect,
            body=await self._body(head, receive),
            principal=key.principal,
            workload=head.workload,
            key_workload=key.workload,
            labels=_labels(key, head),
            conversation=head.conversation,
            arrived=arrived,
        )

    def _identify(self, head: RequestHead) -> Key:
        if self._in_flight > self.limits.in_flight:
            raise Overloaded(f"More than {self.limits.in_flight} requests are being worked on.", hint="Try again soon.")
        if self.keyring.is_open:
            _refuse_strangers(head)
        return self.keyring.identify(head.authorization)

    async def _body(self, head: RequestHead, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            TooLarge: it is, or says it is, larger than the limit.
            ClientGone: the client left.
        """
        limit = self.limits.body_bytes
        if head.length is not None and head.length > limit:
            raise TooLarge(f"{head.length} bytes of body are more than the {limit} allowed.")
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body") and len(body) <= limit:
            parts = bytearray(body)
            while message.get("more_body") and len(parts) <= limit:
                message = await receive()
                parts += message.get("body", b"")
            body = bytes(parts)
        if message["type"] == "http.disconnect":
            raise ClientGone
        if len(body) > limit:
            raise TooLarge(f"The body is larger than the {limit} bytes allowed.")
        return body

    # --------------------------------------------------------------------------------------------------------- models

    async def _models(self, path: str, scope: Scope, send: Send) -> None:
        """Workloads and offers, in the shape of OpenAI's list of models."""
        try:
            self._identify(read_head(scope["headers"]))
            roster = self.road.roster
            listed = dict.fromkeys(roster.workloads, "workload")
            listed |= {offer.name: f"{offer.provider} ({offer.side})" for offer in roster.offers.values()}
            name = path.removeprefix("/v1/models").lstrip("/")
            if not name:
                body: object = {"object": "list", "data": [_model(*item) for item in listed.items()]}
            elif name in listed:
                body = _model(name, listed[name])
            else:
                raise UnknownModel(f"{name[:100]!r} is neither a workload nor an offer here.", param="model")
        except IsthmusError as exc:
            await self._refuse(send, OPENAI_CHAT, exc)
            return
        await reply(send, 200, [JSON], msgspec.json.encode(body))

    # --------------------------------------------------------------------------------------------------------- errors

    async def _refuse(self, send: Send, dialect: Dialect, error: IsthmusError) -> None:
        request_id = error.request_id or ""
        headers: list[Header] = [JSON]
        if request_id:
            encoded = request_id.encode("ascii")
            headers += [(b"isthmus-request", encoded), (b"x-request-id", encoded)]
        if isinstance(error, ProviderError) and error.retry_after is not None:
            headers.append((b"retry-after", b"%d" % math.ceil(error.retry_after)))
        elif isinstance(error, Overloaded):
            headers.append((b"retry-after", b"1"))
        if isinstance(error, PolicyError | RequestError):
            # The official clients repeat 409 and the like of their own accord; what is refused here would be again.
            headers.append((b"x-should-retry", b"false"))
        if isinstance(error, TooLarge):
            headers.append((b"connection", b"close"))
        await reply(send, error.status, headers, dialect.encode_error(error, request_id))

    async def _fail(self, send: Send, dialect: Dialect, exc: Exception) -> None:
        """A fault of our own: told without detail, logged without the exception's text, which may quote content."""
        frames = "".join(traceback.format_tb(exc.__traceback__))
        log.error("a request failed by a fault of isthmus: %s\n%s", type(exc).__name__, frames)
        error = IsthmusError("isthmus failed by a fault of its own; its log has the details.")
        with contextlib.suppress(RuntimeError):  # uvicorn: the answer has begun already
            await self._refuse(send, dialect, error)

    async def _method_not_allowed(self, send: Send, allowed: bytes) -> None:
        error = MethodNotAllowed(f"This path takes {allowed.decode('ascii')} only.")
        await reply(send, error.status, [JSON, (b"allow", allowed)], OPENAI_CHAT.encode_error(error, ""))


async def _send(answer: Answer, connection: Connection) -> None:
    headers = answer_headers(answer)
    if not answer.streamed:
        headers.append(JSON)
        connection.answer(200, headers, answer.body)
        return
    headers += EVENT_STREAM
    connection.begin_stream(headers, answer.body)
    while piece := await answer.piece():
        await connection.write_piece(piece)
    connection.end_stream()


_OWN_NAME = re.compile(rb"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?\Z")


def _refuse_strangers(head: RequestHead) -> None:
    """Without keys, let only programmes of this machine in, not web pages that a browser here has open.

    A page can make a browser send requests to 127.0.0.1, directly (then they carry its `Origin`) or by a name that
    resolves to it (then the `Host` is that name: DNS rebinding).

    Raises:
        InvalidRequest: the request comes from a web page, or by a name that is not this machine's own.
    """
    origin = head.origin
    if not _OWN_NAME.match(head.host) or (origin is not None and not _OWN_NAME.match(origin.partition(b"://")[2])):
        raise InvalidRequest(
            "Without keys, only programmes on this machine are served.",
            hint="Make a key with `isthmus keys add NAME` and send it.",
        )


def _labels(key: Key, head: RequestHead) -> tuple[Labelled, ...]:
    if not key.labels:
        return _unique(head.labels) if len(head.labels) > 1 else head.labels
    return _unique((*(Labelled(name, "key") for name in sorted(key.labels)), *head.labels))


def _unique(labels: tuple[Labelled, ...]) -> tuple[Labelled, ...]:
    first: dict[Label, Labelled] = {}
    for labelled in labels:
        first.setdefault(labelled.label, labelled)
    return tuple(first.values())


def _model(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
