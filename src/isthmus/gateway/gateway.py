"""HTTP in: from a request on a connection to a call on the road, and from its answer to bytes.

No framework: this is on the path of every request. What the gateway does is find out what is asked for and who asks,
hand a `Call` to the road when the body is there, and send what the road answers. Which endpoints there are, it learns
from `isthmus.gateway.endpoint`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from isthmus.batches.batches import Batches
from isthmus.dialects.dialect import Form
from isthmus.domain.errors import InvalidRequest, IsthmusError, MethodNotAllowed, Overloaded, UnknownPath
from isthmus.domain.principal import Key
from isthmus.gateway.agent import Desk
from isthmus.gateway.connection import Connection, Work
from isthmus.gateway.endpoint import asked, method_of, query_of, vendor_of
from isthmus.gateway.headers import JSON, RequestHead, answer_lines
from isthmus.gateway.keyring import ANYONE, KeyRing
from isthmus.gateway.refusal import own_fault, refusal, shape_of
from isthmus.gateway.reply import Reply
from isthmus.gateway.work import Handler, Request
from isthmus.routing.answer import Answer, Call
from isthmus.routing.road import Road


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
        batches: Batches | None = None,
    ) -> None:
        self.road = road
        self.keyring = keyring
        self.limits = limits or GatewayLimits()
        self.readiness = readiness
        self.batches = batches
        """The queue of batches; None: there is none here."""
        self.desk: Desk | None = None
        """Where the agent is asked; None: it is not served here."""
        self._in_flight = 0

    def admit(self, head: RequestHead) -> Work:
        """What to do about a request: whose it is is looked at before its body is taken in."""
        try:
            return self._admit(head)
        except IsthmusError as exc:
            return refusal(shape_of(vendor_of(head)), exc)
        except Exception as exc:  # the boundary: whatever it is, the client gets an answer
            return refusal(shape_of("openai"), own_fault(exc))

    def refuse(self, error: IsthmusError) -> Work:
        """What to do about something that is no request."""
        return refusal(shape_of("openai"), error)

    def _admit(self, head: RequestHead) -> Work:
        found = asked(head)
        method = method_of(head)
        if method not in found.endpoints:
            if found.endpoints:
                return _takes_only(found.endpoints, shape_of(found.vendor))
            path = head.target.partition(b"?")[0][:100].decode("latin-1")
            raise UnknownPath(f"There is no {head.method.decode('ascii')} {path} here.")
        endpoint, params = found.endpoints[method]
        if endpoint.public:
            return endpoint.work(self, head, ANYONE, params)
        if found.vendor == "gemini" and head.authorization is None and (secret := query_of(head.target).get("key")):
            head.authorization = b"Bearer " + secret.encode("latin-1", "replace")
        return endpoint.work(self, head, self._identify(head), params)

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

    async def serve(self, call: Call, connection: Connection, stream_lines: bytes) -> None:
        """One request to a model, from its body to the last byte of its answer.

        Args:
            call: the request.
            connection: of the client.
            stream_lines: header lines of an answer that streams.
        """
        self._in_flight += 1
        try:
            async with await self.road.serve(call) as answer:
                await _send(answer, connection, stream_lines)
        except IsthmusError as exc:
            refusal(call.form, exc).begin(connection, b"")
        except asyncio.CancelledError:
            if not connection.gone:
                raise
        except Exception as exc:  # the boundary: whatever it is, the client gets an answer in its dialect
            error = own_fault(exc)
            if connection.begun:
                connection.drop()
            else:
                refusal(call.form, error).begin(connection, b"")
        finally:
            self._in_flight -= 1

    async def handle(self, handler: Handler, request: Request, shape: Form, connection: Connection) -> None:
        """One request for a resource of isthmus itself."""
        self._in_flight += 1
        try:
            reply = await handler(self, request)
        except IsthmusError as exc:
            reply = refusal(shape, exc)
        except asyncio.CancelledError:
            if not connection.gone:
                raise
            return
        except Exception as exc:  # the boundary, as above
            reply = refusal(shape, own_fault(exc))
        finally:
            self._in_flight -= 1
        reply.begin(connection, b"")


async def _send(answer: Answer, connection: Connection, stream_lines: bytes) -> None:
    lines = answer_lines(answer)
    if not answer.streamed:
        connection.answer(200, lines + JSON, answer.body)
        return
    connection.begin_stream(lines + stream_lines, answer.body)
    await answer.pass_on(connection.write_piece)
    connection.end_stream()


def _takes_only(methods: Iterable[str], shape: Form) -> Reply:
    allowed = ", ".join(sorted(methods))
    error = MethodNotAllowed(f"This path takes {allowed} only.")
    return Reply(error.status, JSON + b"allow: %b\r\n" % allowed.encode("ascii"), shape.encode_error(error, ""))


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
