"""From the client's dialect to the offer's and back, for one try at one offer.

Where both speak the same dialect, nothing has to be emulated and no stand-in has to be put back, the bytes pass
through: only the model's name is put in, and usage is read off what passes. Else the request is decoded, encoded anew,
and the answer likewise.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from typing_extensions import override

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.dialect import Dialect, Form, StreamDecoder, StreamEncoder
from isthmus.dialects.emulation import Emulation, plan
from isthmus.dialects.gather import gather
from isthmus.dialects.proofs import has_marked
from isthmus.dialects.registry import dialect_of
from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import IsthmusError, StreamInterrupted, Unsupported, UpstreamMalformed
from isthmus.domain.message import (
    Completion,
    CompletionRequest,
    Event,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Used,
)
from isthmus.domain.offer import Offer
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage
from isthmus.perimeter.pseudonyms import Pseudonyms
from isthmus.perimeter.restore import StreamRestorer, restored_and_mangled
from isthmus.routing.continuation import Seam, Told, can_be_continued, go_on_from, marked

log = logging.getLogger("isthmus.routing")


class Translation(Protocol):
    """One try: what is sent, and how what comes back becomes what the client is sent."""

    @property
    def dialect(self) -> Form:
        """The form in which the offer is asked."""
        ...

    @property
    def adapted(self) -> str | None:
        """What is said to the offer otherwise than the client meant it, on one line; None: nothing."""
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

    @property
    def said(self) -> Sequence[str]:
        """What the answer has said so far, where that was to be kept."""
        ...

    @property
    def told(self) -> Told | None:
        """What a stream has told so far, for another offer to go on from; None: that is not asked for."""
        ...


class Ear:
    """Keeps what an answer says: its text, thoughts, refusals and the arguments of its tool calls."""

    __slots__ = ("_decoder", "_dialect", "_pieces")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._decoder: StreamDecoder | None = None
        self._pieces: dict[object, list[str]] = {}

    def hear_whole(self, body: bytes) -> None:
        self.hear_completion(self._dialect.decode_completion(body))

    def hear_piece(self, data: bytes) -> None:
        """A piece of a stream that passes through."""
        if self._decoder is None:
            self._decoder = self._dialect.stream_decoder()
        for event in self._decoder.feed(data):
            self.hear_event(event)

    def hear_completion(self, completion: Completion) -> None:
        for number, choice in enumerate(completion.choices):
            for index, part in enumerate(choice.parts):
                match part:
                    case Text() | Reasoning() | Refusal():
                        self._add((number, index), part.text)
                    case ToolCall():
                        self._add((number, index), part.arguments)
                    case _:
                        pass

    def hear_event(self, event: Event) -> None:
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                self._add((type(event), event.choice), event.text)
            case ToolCallDelta():
                self._add((ToolCallDelta, event.choice, event.call), event.arguments)
            case _:
                pass

    @property
    def said(self) -> Sequence[str]:
        return ["".join(pieces) for pieces in self._pieces.values()]

    def _add(self, place: object, text: str) -> None:
        if text:
            self._pieces.setdefault(place, []).append(text)


class TranslationPlan:
    """Makes the translations of one request, one for each offer tried. Decodes the request at most once.

    Args:
        client: the client's dialect.
        body: the request in it, transformed as the perimeter wants it.
        facts: of the request.
        pseudonyms: what stands in it for what, to be put back in the answer; None: nothing.
        listen: whether what the answer says is to be kept for `Translation.said`.
        continues: whether another offer is to go on where one breaks off.
        named: whether our own name may stand in the body; where it does not, no proof in it bears our mark.
    """

    __slots__ = ("_body", "_client", "_continues", "_decoded", "_facts", "_listen", "_named", "_pseudonyms")

    def __init__(
        self,
        client: Dialect,
        body: bytes,
        facts: RequestFacts,
        *,
        pseudonyms: Pseudonyms | None = None,
        listen: bool = False,
        continues: bool = False,
        named: bool = True,
    ) -> None:
        self._client = client
        self._body = body
        self._named = named
        self._facts = facts
        self._pseudonyms = pseudonyms
        self._listen = listen
        self._continues = continues and facts.stream
        self._decoded: CompletionRequest | None = None

    def to(self, offer: Offer) -> Translation:
        """The translation to an offer.

        Raises:
            InvalidRequest: the body is not a request of the client's dialect.
            Unsupported: the offer's dialect cannot say what the request says.
        """
        client, facts = self._client, self._facts
        dialect = self._dialect(offer)
        if (
            dialect is client
            and self._pseudonyms is None
            and not self._emulates(offer)
            and not _gathers(offer, facts.stream)
            and not (self._named and has_marked(self._body))
        ):
            ear = Ear(dialect) if self._listen else None
            told = Told(dialect.stream_decoder()) if self._continues else None
            return _PassThrough(dialect, self._body, facts, offer.model, ear, told)
        ear = Ear(dialect) if self._listen else None
        return _Translated(client, dialect, self._request(), offer, self._pseudonyms, ear, continues=self._continues)

    def go_on(self, offer: Offer, before: Translation) -> Translation | None:
        """The translation to an offer that goes on where another broke off; None: nobody could.

        Raises:
            Unsupported: this offer cannot be asked to.
        """
        told, request = before.told, self._request()
        if told is None or not told.can_go_on or not can_be_continued(request):
            return None
        assert isinstance(before, _PassThrough | _Translated)
        return _Continued(self._client, self._dialect(offer), request, offer, before, told)

    def _dialect(self, offer: Offer) -> Dialect:
        """In which the offer is asked."""
        client = self._client
        spoken = client.name == offer.dialect or (client.name in offer.also and offer.path is None)
        return client if spoken else dialect_of(offer.dialect)

    def _request(self) -> CompletionRequest:
        if self._decoded is None:
            facts = self._facts
            # Where the path says model and stream, the body does not, and the facts alone have them.
            self._decoded = replace(self._client.decode_request(self._body), model=facts.model, stream=facts.stream)
        return self._decoded

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

    __slots__ = ("_ear", "_usage", "_watch", "dialect", "request", "told")

    adapted: str | None = None

    def __init__(
        self, dialect: Dialect, body: bytes, facts: RequestFacts, model: str, ear: Ear | None, told: Told | None
    ) -> None:
        self.dialect = dialect
        self.told = told
        self._ear = ear
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
        if self._ear is not None:
            self._ear.hear_whole(body)
        return body

    @property
    def said(self) -> Sequence[str]:
        return () if self._ear is None else self._ear.said

    def piece(self, data: bytes) -> bytes:
        assert self._watch is not None
        passed = self._watch.feed(data)  # raises where the piece tells of an error
        if self._ear is not None:
            self._ear.hear_piece(data)
        if self.told is not None:
            self.told.feed(data)
        return passed

    def end(self) -> bytes:
        assert self._watch is not None
        rest = self._watch.close()
        if not self._watch.complete:
            raise StreamInterrupted("The stream ended before its end marker.")
        return rest

    def failure(self, error: IsthmusError, request_id: str) -> bytes:
        return self.dialect.stream_error(error, request_id)

    def handed_over(self, request: CompletionRequest) -> _Client:
        """What a continuation needs of the client's side: an encoder that stands where the passing stream broke off."""
        encoder = self.dialect.stream_encoder(request)
        assert self.told is not None
        if self.told.started is not None:
            encoder.encode(self.told.started)  # what it gives has been sent
        encoder.encode(TextDelta(text=self.told.text))
        return _Client(encoder, None, self._ear)


class _Client(NamedTuple):
    """The state of a stream on the client's side."""

    encoder: StreamEncoder
    restorer: StreamRestorer | None
    ear: Ear | None


class _Translated:
    """Client and offer speak different dialects, or something is emulated between them."""

    __slots__ = (
        "_begun",
        "_client",
        "_decoder",
        "_ear",
        "_emulation",
        "_encoder",
        "_filter",
        "_gathered",
        "_original",
        "_pseudonyms",
        "_restorer",
        "adapted",
        "dialect",
        "request",
        "told",
        "usage",
    )

    def __init__(
        self,
        client: Dialect,
        dialect: Dialect,
        original: CompletionRequest,
        offer: Offer,
        pseudonyms: Pseudonyms | None,
        ear: Ear | None,
        *,
        continues: bool = False,
    ) -> None:
        self.dialect = dialect
        self._ear = ear
        self._pseudonyms = pseudonyms
        self._restorer: StreamRestorer | None = None
        self.usage: Usage | None = None
        self._client = client
        self._original = original
        adapted = Adapted()
        self._emulation: Emulation | None = plan(original, offer.capabilities, adapted=adapted)
        request = original if self._emulation is None else self._emulation.request
        if request.reasoning is not None and offer.capabilities.reasoning == "no":
            # Who asks for thoughts it can do without has been let through; who needs them has not.
            request = replace(request, reasoning=None)
            adapted.note("reasoning", "left out, the model does not reason")
        self._gathered = _gathers(offer, original.stream)
        if self._gathered:
            request = replace(request, stream=True)
        self.request = WireRequest(
            dialect.request_path(offer.model, stream=request.stream),
            dialect.encode_request(request, model=offer.model, adapted=adapted),
            dialect.request_headers(),
        )
        self.adapted = adapted.text or None
        self.told: Told | None = Told() if continues and self._emulation is None else None
        if original.stream:
            self._begun = False
            self._decoder = dialect.stream_decoder()
            self._encoder = client.stream_encoder(original)
            self._filter = None if self._emulation is None else self._emulation.stream()
            if pseudonyms is not None:
                self._restorer = StreamRestorer(pseudonyms, json_text=_answers_in_json(original))

    def whole(self, body: bytes) -> bytes:
        if self._gathered:
            decoder = self.dialect.stream_decoder()
            completion = gather([*decoder.feed(body), *decoder.close()])
        else:
            completion = self.dialect.decode_completion(body)
        self.usage = completion.usage
        if self._emulation is not None:
            completion = self._emulation.completion(completion)
        if self._pseudonyms is not None:
            in_json = _answers_in_json(self._original)
            completion, mangled = restored_and_mangled(completion, self._pseudonyms, json_text=in_json)
            _tell(mangled)
        if self._ear is not None:
            self._ear.hear_completion(completion)
        return self._client.encode_completion(completion, self._original)

    def piece(self, data: bytes) -> bytes:
        return self._encoded(self._decoder.feed(data))

    def end(self) -> bytes:
        tail = self._encoded(self._decoder.close())
        if not self._begun:
            raise UpstreamMalformed("The answer ended without having begun.")
        if self._filter is not None:
            tail += self._said(self._filter.close())
        if self._restorer is not None:
            tail += b"".join(map(self._encoder.encode, self._heard(self._restorer.close())))
            _tell(self._restorer.mangled)
        return tail + self._encoder.close()

    def failure(self, error: IsthmusError, request_id: str) -> bytes:
        return self._encoder.fail(error, request_id)

    @property
    def said(self) -> Sequence[str]:
        return () if self._ear is None else self._ear.said

    def handed_over(self, request: CompletionRequest) -> _Client:  # noqa: ARG002
        """What a continuation needs of the client's side."""
        return _Client(self._encoder, self._restorer, self._ear)

    def _encoded(self, events: list[Event]) -> bytes:
        """Events of the offer, as bytes for the client."""
        self._watch(events)
        if self.told is not None:
            self.told.hear(events)
        if self._filter is not None:
            events = [emulated for event in events for emulated in self._filter.feed(event)]
        return self._said(events)

    def _watch(self, events: list[Event]) -> None:
        """Read usage off the events, and see to it that they begin with a beginning.

        Raises:
            UpstreamMalformed: they do not.
        """
        for event in events:
            if type(event) is Used:
                self.usage = event.usage
            elif not self._begun:
                if type(event) is not Started:
                    raise UpstreamMalformed("The answer goes on without having begun.")
                self._begun = True

    def _said(self, events: list[Event]) -> bytes:
        """Events past the emulation: stand-ins put back, kept where they are to be, encoded."""
        if self._restorer is not None:
            events = [restored for event in events for restored in self._restorer.feed(event)]
        return b"".join(map(self._encoder.encode, self._heard(events)))

    def _heard(self, events: list[Event]) -> list[Event]:
        if self._ear is not None:
            for event in events:
                self._ear.hear_event(event)
        return events


class _Continued(_Translated):
    """Another offer goes on where one broke off: its events are joined to what the client was sent before."""

    __slots__ = ("_seam",)

    def __init__(
        self,
        client: Dialect,
        dialect: Dialect,
        original: CompletionRequest,
        offer: Offer,
        before: _PassThrough | _Translated,
        told: Told,
    ) -> None:
        super().__init__(client, dialect, go_on_from(original, told.text), offer, None, None)
        if self._emulation is not None:
            raise Unsupported(f"{offer.name} answers by a schema here, and cannot go on from plain text.")
        self.request = WireRequest(self.request.path, marked(self.request.body, offer), self.request.headers)
        self._encoder, self._restorer, self._ear = before.handed_over(original)
        self.told = told
        self._seam = Seam(told)

    @override
    def _encoded(self, events: list[Event]) -> bytes:
        self._watch(events)
        events = self._seam.joined(events)
        assert self.told is not None
        self.told.hear(events)
        return self._said(events)


def _tell(mangled: int) -> None:
    """A model that changes a stand-in leaves the client with it: its operator should know."""
    if mangled:
        log.warning("a model changed %d stand-ins of its request; they stay in the answer as they are", mangled)


def _answers_in_json(request: CompletionRequest) -> bool:
    wanted = request.response_format
    return wanted is not None and wanted.kind != "text"
