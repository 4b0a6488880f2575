"""Going on from where an offer broke off: what it had said, how another is asked for the rest, how the two are joined.

Only plain text can be gone on from. Half a tool call, thoughts, an answer by a schema, or one of several answers
cannot: what another model adds would not fit what was begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from isthmus.dialects.dialect import StreamDecoder
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.domain.message import (
    CompletionRequest,
    Event,
    Json,
    Message,
    Started,
    Text,
    TextDelta,
    Used,
)
from isthmus.domain.offer import Offer
from isthmus.domain.usage import Usage, total

_GO_ON: Mapping[str, dict[str, Json]] = {
    # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, chat API, extra parameters
    "vllm": {"continue_final_message": True, "add_generation_prompt": False},
    # https://docs.sglang.ai/basic_usage/openai_api_completions.html
    "sglang": {"continue_final_message": True},
}
"""What providers want to be told in the body. The others go on from a last message of the assistant without a word."""


class Told:
    """What an answer has told so far, in the offer's own words: stand-ins are still in it."""

    __slots__ = ("_decoder", "_is_plain", "_pieces", "started", "usage")

    def __init__(self, decoder: StreamDecoder | None = None) -> None:
        """Begin to listen.

        Args:
            decoder: reads the stream where it is passed on unread; None: events are given.
        """
        self._decoder = decoder
        self._pieces: list[str] = []
        self._is_plain = True
        self.started: Started | None = None
        self.usage: Usage | None = None

    def feed(self, data: bytes) -> None:
        """Hear a piece of a stream that passes.

        Raises:
            ProviderError: it is not of the offer's dialect.
        """
        assert self._decoder is not None
        self.hear(self._decoder.feed(data))

    def hear(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case TextDelta():
                    if event.choice or event.logprobs or event.signature:
                        self._is_plain = False
                    self._pieces.append(event.text)
                case Used():
                    self.usage = event.usage
                case Started():
                    self.started = self.started or event
                case _:
                    self._is_plain = False

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def can_go_on(self) -> bool:
        """Whether another offer could go on from it."""
        return self._is_plain and self.started is not None and any(piece.strip() for piece in self._pieces)


def can_be_continued(request: CompletionRequest) -> bool:
    """Whether the answer to a request could be gone on from at all."""
    wanted = request.response_format
    return request.stream and not request.logprobs and (wanted is None or wanted.kind == "text")


def go_on_from(request: CompletionRequest, said: str) -> CompletionRequest:
    """The request that asks for the rest of an answer.

    Spaces at the end of what was said are left off: some vendors refuse them, and models rather begin a word with a
    space than end one with it. `Seam` makes up for it.
    """
    said = said.rstrip()
    messages = (*request.messages, Message(role="assistant", parts=(Text(text=said),)))
    most = request.max_output_tokens
    if most is not None:
        most = max(1, most - len(said.encode()) // BYTES_PER_TOKEN)
    return replace(request, messages=messages, max_output_tokens=most)


def marked(body: bytes, offer: Offer) -> bytes:
    """The body of such a request, with what the offer's provider wants to be told."""
    wanted = _GO_ON.get(offer.provider) if offer.dialect == "openai-chat" else None
    return body if wanted is None else msgspec.json.encode(msgspec.json.decode(body, type=dict[str, Json]) | wanted)


class Seam:
    """Joins the events of a continuation to what was told before."""

    __slots__ = ("_before", "_is_open", "_space")

    def __init__(self, told: Told) -> None:
        text = told.text
        self._space = text[len(text.rstrip()) :]
        self._before = told.usage
        self._is_open = True

    def joined(self, events: Sequence[Event]) -> list[Event]:
        """Events as the client is to see them: no second beginning, no space twice, usage of both."""
        out: list[Event] = []
        for event in events:
            match event:
                case Started():
                    continue
                case Used():
                    out.append(Used(usage=event.usage if self._before is None else total(self._before, event.usage)))
                case TextDelta() if self._is_open:
                    if (text := self._trimmed(event.text)) or event.signature:
                        out.append(replace(event, text=text))
                case _:
                    out.append(event)
        return out

    def _trimmed(self, text: str) -> str:
        """The text without the space that has been told already."""
        while self._space and text and text[0] == self._space[0]:
            text, self._space = text[1:], self._space[1:]
        if text:
            self._is_open = False
        return text
