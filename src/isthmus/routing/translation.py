"""From the client's dialect to the offer's and back, for one try at one offer.

Where both speak the same dialect and nothing has to be emulated, the bytes pass through: only the model's name is put
in, and usage is read off what passes. Else the request is decoded, encoded anew, and the answer likewise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from isthmus.dialects.dialect import Dialect
from isthmus.dialects.emulation import Emulation, plan
from isthmus.dialects.gather import gather
from isthmus.dialects.registry import dialect_of
from isthmus.domain.errors import IsthmusError, StreamInterrupted
from isthmus.domain.message import CompletionRequest, Event, Used
from isthmus.domain.offer import Offer
from isthmus.domain.ports import WireRequest
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage


class Translation(Protocol):
    """One try: what is sent, and how what comes back becomes what the client is sent."""

    @property
    def dialect(self) -> Dialect:
        """The offer's dialect."""
        ...

    @property
    def request(self) -> WireRequest: ...

    @property
    def usage(self) -> Usage | None:
        """As billed, once it has passed."""
        ...

    def whole(self, body: bytes) -> bytes:
        """The client's form of a whole answer.

        Raises:
            UpstreamMalformed: not an answer of the offer's dialect.
        """
        ...

    def piece(self, data: bytes) -> bytes:
        """The client's form of a piece of a stream; may be empty.

        Raises:
            ProviderError: the offer sent an error event, or bytes that are not of its dialect.
        """
        ...

    def end(self) -> bytes:
        """The client's form of the stream's end.

        Raises:
            StreamInterrupted: the stream ended before its dialect's own end.
        """
        ...

    def failure(self, error: IsthmusError, request_id: str) -> bytes:
        """What ends a stream that has begun with an honest error."""
        ...


class TranslationPlan:
    """Makes the crossings of one request, one for each offer tried. Decodes the request at most once."""

    __slots__ = ("_body", "_client", "_decoded", "_facts")

    def __init__(self, client: Dialect, body: bytes, facts: RequestFacts) -> None:
        self._client = client
        self._body = body
        self._facts = facts
        self._decoded: CompletionRequest | None = None

    def to(self, offer: Offer) -> Translation:
        """The translation to an offer.

        Raises:
            InvalidRequest: the body is not a request of the client's dialect.
            Unsupported: the offer's dialect cannot say what the request says.
        """
        dialect = dialect_of(offer.dialect)
        if dialect is self._client and not self._emulates(offer) and not _gathers(offer, self._facts.stream):
            return _PassThrough(dialect, self._body, self._facts, offer.model)
        if self._decoded is None:
            self._decoded = self._client.decode_request(self._body)
        return _Translated(self._client, dialect, self._decoded, offer)

    def _emulates(self, offer: Offer) -> bool:
        can, needs = offer.capabilities, self._facts.needs
        return ("tools" in needs and can.tools == "emulated") or (
            "json_schema" in needs and can.json_schema == "emulated"
        )


def _gathers(offer: Offer, stream: bool) -> bool:
    """Whether a whole answer is asked for as a stream and gathered here.

    llama.cpp works a request that does not stream to its end even when nobody waits for it any more, minutes on a small
    machine; one that streams stops within a token of the connection's end.
    """
    return offer.engine is not None and not stream


class _PassThrough:
    """Client and offer speak the same dialect."""

    __slots__ = ("_begun", "_usage", "_watch", "dialect", "request")

    def __init__(self, dialect: Dialect, body: bytes, facts: RequestFacts, model: str) -> None:
        self.dialect = dialect
        self._begun = False
        self._usage: Usage | None = None
        self._watch = dialect.usage_watch(facts) if facts.stream else None
        self.request = WireRequest(
            dialect.request_path(model, stream=facts.stream),
            dialect.retarget(body, facts, model=model),
            dialect.request_headers(),
        )

    @property
    def usage(self) -> Usage | None:
        return self._usage if self._watch is None else self._watch.usage

    def whole(self, body: bytes) -> bytes:
        self._usage = self.dialect.read_usage(body)
        if self._usage is None:  # what tells no usage may be no answer at all
            self.dialect.decode_completion(body)
        return body

    def piece(self, data: bytes) -> bytes:
        assert self._watch is not None
        if not self._begun:
            self._begun = True
            if b'"error"' in data:  # some services answer 200 and then tell of an error: another offer may still serve
                self.dialect.stream_decoder().feed(data)
        return self._watch.feed(data)

    def end(self) -> bytes:
        assert self._watch is not None
        rest = self._watch.close()
        if not self._watch.complete:
            raise StreamInterrupted("The stream ended before its end marker.")
        return rest

    def failure(self, error: IsthmusError, request_id: str) -> bytes:
        return self.dialect.stream_error(error, request_id)


class _Translated:
    """Client and offer speak different dialects, or something is emulated between them."""

    __slots__ = (
        "_client",
        "_decoder",
        "_emulation",
        "_encoder",
        "_filter",
        "_gathered",
        "_original",
        "dialect",
        "request",
        "usage",
    )

    def __init__(self, client: Dialect, dialect: Dialect, original: CompletionRequest, offer: Offer) -> None:
        self.dialect = dialect
        self.usage: Usage | None = None
        self._client = client
        self._original = original
        self._emulation: Emulation | None = plan(original, offer.capabilities)
        request = original if self._emulation is None else self._emulation.request
        self._gathered = _gathers(offer, original.stream)
        if self._gathered:
            request = replace(request, stream=True)
        self.request = WireRequest(
            dialect.request_path(offer.model, stream=request.stream),
            dialect.encode_request(request, model=offer.model),
            dialect.request_headers(),
        )
        if original.stream:
            self._decoder = dialect.stream_decoder()
            self._encoder = client.stream_encoder(original)
            self._filter = None if self._emulation is None else self._emulation.stream()

    def whole(self, body: bytes) -> bytes:
        if self._gathered:
            decoder = self.dialect.stream_decoder()
            completion = gather([*decoder.feed(body), *decoder.close()])
        else:
            completion = self.dialect.decode_completion(body)
        self.usage = completion.usage
        if self._emulation is not None:
            completion = self._emulation.completion(completion)
        return self._client.encode_completion(completion, self._original)

    def piece(self, data: bytes) -> bytes:
        return self._encoded(self._decoder.feed(data))

    def end(self) -> bytes:
        tail = self._encoded(self._decoder.close())
        if self._filter is not None:
            tail += b"".join(map(self._encoder.encode, self._filter.close()))
        return tail + self._encoder.close()

    def failure(self, error: IsthmusError, request_id: str) -> bytes:
        return self._encoder.fail(error, request_id)

    def _encoded(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if type(event) is Used:
                self.usage = event.usage
            if self._filter is None:
                out.append(self._encoder.encode(event))
            else:
                out += map(self._encoder.encode, self._filter.feed(event))
        return b"".join(out)
