"""HTTP in: from a request on a connection to a call on the road, and from its answer to bytes.

No framework: this is on the path of every request. What an endpoint does is find out who asks, hand a `Call` to the
road when the body is there, and send what the road answers.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httptools
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
    UnknownModel,
    UnknownPath,
)
from isthmus.domain.label import Label, Labelled
from isthmus.domain.principal import Key
from isthmus.gateway.connection import Connection, Work
from isthmus.gateway.headers import EVENT_STREAM, JSON, RequestHead, answer_lines
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


class Gateway:
    """The application that the connections of clients talk to (`connection.Application`)."""

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

    def admit(self, head: RequestHead) -> Work:
        """What to do about a request: whose it is is looked at before its body is taken in."""
        try:
            return self._admit(head)
        except IsthmusError as exc:
            return _refusal(OPENAI_CHAT, exc)
        except Exception as exc:  # the boundary: whatever it is, the client gets an answer
            return _refusal(OPENAI_CHAT, _own_fault(exc))

    def refuse(self, error: IsthmusError) -> Work:
        """What to do about something that is no request."""
        return _refusal(OPENAI_CHAT, error)

    def _admit(self, head: RequestHead) -> Work:
        path, post = _path(head.target), head.method == b"POST"
        if path == "/v1/chat/completions":
            return self._asked(OPENAI_CHAT, head) if post else _takes_only(b"POST")
        if path == "/v1/models" or path.startswith("/v1/models/"):
            return self._models(path, head) if head.method in _READING else _takes_only(b"GET")
        if path == "/isthmus/v1/explain":
            return self._asked_why(head) if post else _takes_only(b"POST")
        if path == "/healthz":
            return _Reply(200, JSON, b'{"status":"ok"}')
        if path == "/readyz":
            state = self.readiness()
            return _Reply(200 if state.ready else 503, JSON, msgspec.json.encode(state))
        raise UnknownPath(f"There is no {head.method.decode('ascii')} {path[:100]} here.")

    def _identify(self, head: RequestHead) -> Key:
        """Who asks.

        Raises:
            IsthmusError: nobody who may.
        """
        if self._in_flight >= self.limits.in_flight:
            raise Overloaded(f"{self.limits.in_flight} requests are being worked on.", hint="Try again soon.")
        if self.keyring.is_open:
            _refuse_strangers(head)
        return self.keyring.identify(head.authorization)

    # ---------------------------------------------------------------------------------------------------- completions

    def _asked(self, dialect: Dialect, head: RequestHead) -> Work:
        completion = _Completion(self, dialect, head, self._identify(head))
        return completion if head.fault is None else completion.refused(head.fault)

    async def complete(self, call: Call, connection: Connection) -> None:
        """One completion, from request to last byte."""
        self._in_flight += 1
        try:
            async with await self.road.serve(call) as answer:
                await _send(answer, connection)
        except IsthmusError as exc:
            _refusal(call.dialect, exc).begin(connection, b"")
        except asyncio.CancelledError:
            if not connection.gone:
                raise
        except Exception as exc:  # the boundary: whatever it is, the client gets an answer in its dialect
            error = _own_fault(exc)
            if connection.begun:
                connection.drop()
            else:
                _refusal(call.dialect, error).begin(connection, b"")
        finally:
            self._in_flight -= 1

    # ----------------------------------------------------------------------------------------------------- decisions

    def _asked_why(self, head: RequestHead) -> Work:
        key = self._identify(head)
        if head.fault is not None:
            raise head.fault
        return _Explanation(self, head, key)

    async def explain(self, call: Call, connection: Connection) -> None:
        """What would be decided for the request of `/v1/chat/completions` in the body. Sends and records nothing."""
        try:
            reply = _Reply(200, JSON, msgspec.json.encode(explanation(await self.road.decide(call))))
        except IsthmusError as exc:
            reply = _refusal(call.dialect, exc)
        except Exception as exc:  # the boundary, as above
            reply = _refusal(call.dialect, _own_fault(exc))
        reply.begin(connection, b"")

    # --------------------------------------------------------------------------------------------------------- models

    def _models(self, path: str, head: RequestHead) -> Work:
        """Workloads and offers, in the shape of OpenAI's list of models."""
        self._identify(head)
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
        return _Reply(200, JSON, msgspec.json.encode(body))


# -------------------------------------------------------------------------------------------------------------- work


class _Reply:
    """An answer that is known before the body is."""

    __slots__ = ("_body", "_lines", "_status", "most_bytes")

    def __init__(self, status: int, lines: bytes, body: bytes) -> None:
        self._status = status
        self._lines = lines
        self._body = body
        self.most_bytes = None

    def begin(self, connection: Connection, body: bytes) -> None:  # noqa: ARG002
        connection.answer(self._status, self._lines, self._body)

    def refused(self, error: IsthmusError) -> Work:
        return _refusal(OPENAI_CHAT, error)


class _Completion:
    """A completion is asked for by somebody who may."""

    __slots__ = ("_dialect", "_gateway", "_head", "_key", "most_bytes")

    def __init__(self, gateway: Gateway, dialect: Dialect, head: RequestHead, key: Key) -> None:
        self.most_bytes = gateway.limits.body_bytes
        self._gateway = gateway
        self._dialect = dialect
        self._head = head
        self._key = key

    def begin(self, connection: Connection, body: bytes) -> Coroutine[Any, Any, None]:
        return self._gateway.complete(_call(self._dialect, self._head, self._key, body), connection)

    def refused(self, error: IsthmusError) -> Work:
        """Whoever is let in leaves an entry, also where the request goes no further."""
        self._gateway.road.refused(self._dialect, self._key.principal, self._head.arrived, error)
        return _refusal(self._dialect, error)


class _Explanation:
    """A decision is asked for by somebody who may."""

    __slots__ = ("_gateway", "_head", "_key", "most_bytes")

    def __init__(self, gateway: Gateway, head: RequestHead, key: Key) -> None:
        self.most_bytes = gateway.limits.body_bytes
        self._gateway = gateway
        self._head = head
        self._key = key

    def begin(self, connection: Connection, body: bytes) -> Coroutine[Any, Any, None]:
        return self._gateway.explain(_call(OPENAI_CHAT, self._head, self._key, body), connection)

    def refused(self, error: IsthmusError) -> Work:
        return _refusal(OPENAI_CHAT, error)


def _call(dialect: Dialect, head: RequestHead, key: Key, body: bytes) -> Call:
    return Call(
        dialect=dialect,
        body=body,
        principal=key.principal,
        workload=head.workload,
        key_workload=key.workload,
        labels=_labels(key, head),
        conversation=head.conversation,
        arrived=head.arrived,
        workloads=key.workloads,
    )


async def _send(answer: Answer, connection: Connection) -> None:
    lines = answer_lines(answer)
    if not answer.streamed:
        connection.answer(200, lines + JSON, answer.body)
        return
    connection.begin_stream(lines + EVENT_STREAM, answer.body)
    await answer.pass_on(connection.write_piece)
    connection.end_stream()


# -------------------------------------------------------------------------------------------------------------- errors


def _refusal(dialect: Dialect, error: IsthmusError) -> _Reply:
    lines = JSON
    if error.request_id:
        lines += b"isthmus-request: %b\r\nx-request-id: %b\r\n" % ((error.request_id.encode("ascii"),) * 2)
    if isinstance(error, ProviderError) and error.retry_after is not None:
        lines += b"retry-after: %d\r\n" % math.ceil(error.retry_after)
    elif isinstance(error, Overloaded):
        lines += b"retry-after: 1\r\n"
    if isinstance(error, PolicyError | RequestError):
        # The official clients repeat 409 and the like of their own accord; what is refused here would be again.
        lines += b"x-should-retry: false\r\n"
    return _Reply(error.status, lines, dialect.encode_error(error, error.request_id or ""))


def _takes_only(allowed: bytes) -> _Reply:
    error = MethodNotAllowed(f"This path takes {allowed.decode('ascii')} only.")
    return _Reply(error.status, JSON + b"allow: %b\r\n" % allowed, OPENAI_CHAT.encode_error(error, ""))


def _own_fault(exc: Exception) -> IsthmusError:
    """A fault of our own: told without detail, logged without the exception's text, which may quote content."""
    frames = "".join(traceback.format_tb(exc.__traceback__))
    log.error("a request failed by a fault of isthmus: %s\n%s", type(exc).__name__, frames)
    return IsthmusError("isthmus failed by a fault of its own; its log has the details.")


# -------------------------------------------------------------------------------------------------------------- heads

_READING = frozenset({b"GET", b"HEAD"})


def _path(target: bytes) -> str:
    """The path of a request's target, as our endpoints are spelt: without query, host or a slash at its end.

    Raises:
        InvalidRequest: the target is no address.
    """
    if target in _ENDPOINTS:
        return _ENDPOINTS[target]
    try:
        path: str = unquote(httptools.parse_url(target).path or b"/")
    except httptools.HttpParserInvalidURLError:
        raise InvalidRequest("The address of the request is none.") from None
    return path.rstrip("/") or "/"


_ENDPOINTS = {path.encode("ascii"): path for path in ("/v1/chat/completions", "/healthz", "/readyz", "/v1/models")}
"""The usual targets, which need no reading."""

_OWN_NAME = re.compile(rb"(localhost\.?|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?\Z", re.IGNORECASE)


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
