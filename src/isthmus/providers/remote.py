"""The agent's way to models by an isthmus that runs elsewhere: by HTTP, each message with the labels it bears.

That isthmus decides who may be asked, by its own rules and those labels; this one only carries the question there. It
goes out by the same sender as everything that is sent to models.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast, get_args

import msgspec
from typing_extensions import override

from isthmus.agent.on_the_road import body_of
from isthmus.agent.ports import Question, Reasoner, Thought
from isthmus.dialects.openai_chat.translator import OPENAI_CHAT
from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import (
    ConfigError,
    InvalidKey,
    IsthmusError,
    LicenceDenied,
    NotCapable,
    PerimeterDenied,
    TooMany,
    UnknownModel,
    UpstreamMalformed,
    UpstreamRefused,
    WorkloadDenied,
)
from isthmus.domain.message import Event, Used
from isthmus.domain.offer import Offer, SecretRef, Side
from isthmus.domain.ports import WireResponse
from isthmus.domain.usage import Usage
from isthmus.perimeter.gate import Gate
from isthmus.providers.secrets import Secrets
from isthmus.providers.sender import HttpSender

NAME = "isthmus"
"""Of the isthmus elsewhere, in messages for people."""

_MOST_ERROR = 64 * 1024
_LONGEST_NAME = 200
"""Characters of a conversation's name that a request may declare."""

_ERRORS: Mapping[str, type[IsthmusError]] = {
    kind.code: kind for kind in (InvalidKey, LicenceDenied, NotCapable, PerimeterDenied, UnknownModel, WorkloadDenied)
}
"""What it can say that the agent acts on, by code."""


@dataclass(slots=True)
class RemoteThought(Thought):
    """An answer that comes from an isthmus elsewhere."""

    response: WireResponse
    offer: str
    side: Side
    request: str
    usage: Usage | None = None
    cost: Decimal | None = None
    """Not told of streams: its ledger has it, under `request`."""

    @override
    async def events(self) -> AsyncIterator[Event]:
        decoder = OPENAI_CHAT.stream_decoder()
        while data := await self.response.chunk():
            for event in decoder.feed(data):
                yield self._seen(event)
        for event in decoder.close():
            yield self._seen(event)

    def _seen(self, event: Event) -> Event:
        if isinstance(event, Used):
            self.usage = event.usage
        return event


class RemoteReasoner(Reasoner):
    """Asks an isthmus that runs elsewhere. Belongs to one event loop."""

    def __init__(
        self, url: str, *, key: SecretRef | None = None, ca_file: str | None = None, secrets: Secrets | None = None
    ) -> None:
        """Nothing is opened yet.

        Args:
            url: where it listens, `http://10.0.0.5:8090`; with or without `/v1`.
            key: for it. None: it is open to this machine.
            ca_file: PEM file of the certificate authorities to trust instead of the system's.
            secrets: resolves the key.

        Raises:
            ConfigError: the address is none.
        """
        base = url.rstrip("/").removesuffix("/v1")
        if not base.startswith(("http://", "https://")):
            raise ConfigError(f"{url!r} is no address of an isthmus.", hint="Write it as http://127.0.0.1:8090.")
        self._offer = Offer(
            name=NAME,
            model=NAME,
            provider=NAME,
            dialect=OPENAI_CHAT.name,
            base_url=f"{base}/v1",
            side="own",
            key=key,
            ca_file=ca_file,
        )
        # Rules of labels are those of the isthmus that is asked: the way to it is within its perimeter.
        self._gate = Gate()
        self._sender = HttpSender(self._gate, secrets)

    async def aclose(self) -> None:
        await self._sender.aclose()

    @override
    async def estimate(self, question: Question) -> Decimal | None:
        """Not known here: the budget of the key holds there, and what was spent is counted here by its tokens."""
        return None

    @override
    @asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[RemoteThought]:
        own = {f"{NAME}-conversation": _name(question.conversation)}
        request = replace(question.request, metadata={**(question.request.metadata or {}), **own})
        body = body_of(request, question.labels)
        wire = WireRequest(OPENAI_CHAT.request_path(request.model, stream=True), body)
        response = await self._sender.send(self._gate.cross(self._offer, wire))
        try:
            if response.status != 200:
                raise _error(response.status, await response.read(_MOST_ERROR))
            told = {name: value.decode("latin-1") for name, value in response.headers}
            side = told.get(b"isthmus-side", "")
            if side not in get_args(Side):
                raise UpstreamMalformed(f"{self._offer.base_url} answers, and is no isthmus.", offer=NAME)
            yield RemoteThought(
                response=response,
                offer=told.get(b"isthmus-offer", ""),
                side=cast("Side", side),
                request=told.get(b"isthmus-request", ""),
            )
        finally:
            response.abort()


def _name(conversation: str) -> str:
    """A name of a conversation as a request may declare it; the same one gives the same."""
    if len(conversation) <= _LONGEST_NAME and conversation.isprintable():
        return conversation
    return hashlib.sha256(conversation.encode("utf-8", "surrogatepass")).hexdigest()


def _error(status: int, body: bytes) -> IsthmusError:
    """What it said, as the error that it was there."""
    try:
        told: Any = msgspec.json.decode(body)["error"]
        message, code = str(told["message"]), str(told.get("code") or told.get("type"))
    except (msgspec.DecodeError, KeyError, TypeError):
        return UpstreamMalformed("The other isthmus' answer is not understood.", offer=NAME)
    if code == TooMany.code:
        return UpstreamRefused(message, status=status, upstream_code=code, offer=NAME)
    kind = _ERRORS.get(code)
    return UpstreamRefused(message, status=status, upstream_code=code, offer=NAME) if kind is None else kind(message)
