"""An offer of any dialect: it answers as it is asked, and tells what of its answer was taken."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
from tests.fakes.sender import FakeResponse
from typing_extensions import override

from isthmus.dialects.dialect import Dialect, WholeForm
from isthmus.dialects.registry import dialect_of, offered
from isthmus.domain.crossing import WireRequest
from isthmus.domain.embedding import Embeddings
from isthmus.domain.message import (
    Choice,
    Completion,
    CompletionRequest,
    Event,
    Finished,
    Started,
    Text,
    TextDelta,
    Used,
)
from isthmus.domain.offer import Offer
from isthmus.domain.request import Operation
from isthmus.domain.token_count import TokenCount
from isthmus.domain.usage import Usage

_WHOLE: tuple[Operation, ...] = ("embed", "moderate", "count_tokens")


@dataclass
class Spoken(FakeResponse):
    """A good answer, or the beginning of one."""

    late: float = 0.0
    """Seconds before its first piece."""
    tells: Usage | None = None
    """Its usage."""
    told_in: int | None = None
    """The piece of a stream that tells it; None: the answer is whole, and tells it when it was read to its end."""
    taken: int = 0
    """Pieces that were taken."""

    @override
    async def chunk(self) -> bytes:
        if not self.taken and self.late:
            await anyio.sleep(self.late)
        piece = await super().chunk()
        self.taken += 1 if piece else 0
        return piece

    @property
    def told(self) -> bool:
        """Whether its usage was told to whoever asked."""
        if self.tells is None:
            return False
        return self.read_to_end if self.told_in is None else self.taken > self.told_in


@dataclass(frozen=True, kw_only=True)
class Speech:
    """What an offer is to say."""

    texts: Sequence[str]
    """A piece of a stream each."""
    usage: Usage
    breaks_off: bool = False
    """After the first of the texts, where it streams."""
    late: float = 0.0
    more: Sequence[Event] = field(default=())
    """Events of a stream before the texts."""


def speak(offer: Offer, request: WireRequest, speech: Speech) -> Spoken:
    """An offer's answer to a request."""
    path = request.path.partition("?")[0]
    for name in (offer.dialect, *offer.also):
        for operation in _WHOLE:
            form = offered(operation, name)
            if form is not None and form.request_path(offer.model).partition("?")[0] == path:
                body = _whole(offer, form, request.body, speech.usage)
                return Spoken(pieces=[body], late=speech.late, tells=speech.usage)
    dialect = _dialect(offer, path)
    streams = ":streamGenerateContent" in path or msgspec.json.decode(request.body).get("stream") is True
    if not streams:
        asked = CompletionRequest(model=offer.model, messages=())
        body = dialect.encode_completion(_completion(offer, speech), asked)
        return Spoken(pieces=[body], late=speech.late, tells=speech.usage)
    return _streamed(offer, dialect, speech)


def _dialect(offer: Offer, path: str) -> Dialect:
    for name in (offer.dialect, *offer.also):
        dialect = dialect_of(name)
        for stream in (False, True):
            if dialect.request_path(offer.model, stream=stream).partition("?")[0] == path:
                return dialect
    raise AssertionError(f"{offer.name} has no {path}")


def _completion(offer: Offer, speech: Speech) -> Completion:
    return Completion(
        id="answer-1",
        model=offer.model,
        choices=(Choice(parts=(Text(text="".join(speech.texts)),), finish="stop"),),
        created=1,
        usage=speech.usage,
    )


def _streamed(offer: Offer, dialect: Dialect, speech: Speech) -> Spoken:
    asked = CompletionRequest(model=offer.model, messages=(), stream=True, stream_usage=True)
    encoder = dialect.stream_encoder(asked)
    events: list[Event] = [Started(id="answer-1", model=offer.model, created=1), *speech.more]
    events += [TextDelta(text=text) for text in speech.texts]
    begun = len(events) - len(speech.texts) + 1
    events += [Finished(reason="stop"), Used(usage=speech.usage)]
    pieces = [*map(encoder.encode, events), encoder.close()]
    if speech.breaks_off:
        return Spoken(pieces=[piece for piece in pieces[:begun] if piece], late=speech.late)
    kept = [piece for piece in pieces if piece]
    # Some dialects tell usage with the end alone.
    return Spoken(pieces=kept, late=speech.late, tells=speech.usage, told_in=len(kept) - 1)


def _whole(offer: Offer, form: WholeForm[Any, Any], body: bytes, usage: Usage) -> bytes:
    request = form.decode_request(body)
    match form.operation:
        case "embed":
            vectors = ((0.5, 0.25),) * len(request.inputs)
            return form.encode_answer(Embeddings(model=offer.model, vectors=vectors, usage=usage), request)
        case "count_tokens":
            return form.encode_answer(TokenCount(tokens=usage.input), request)
        case _:
            results = [{"flagged": False, "categories": {}, "category_scores": {}}]
            return form.encode_answer({"id": "m", "model": offer.model, "results": results}, request)
