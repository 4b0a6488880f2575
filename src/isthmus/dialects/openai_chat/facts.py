"""What choosing needs of a request, and the little of a body that changes on its way to an offer of this dialect.

This is the hot path of passed-through requests: one typed, partial decode, in which messages are counted and left.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.once import check_text, fields_once
from isthmus.dialects.own_metadata import NOTHING, read_own, readdressed, without_own
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.offer import Need
from isthmus.domain.request import RequestFacts

TOKENS_PER_IMAGE = 765
"""Of a square image of 1024 pixels at high detail: https://platform.openai.com/docs/guides/images-vision"""

TOKENS_PER_DOCUMENT = 1_000
"""Of one page, its text and its image; how many there are is not known: https://platform.openai.com/docs/guides/pdf-files"""

_NULL = msgspec.Raw(b"null")


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ResponseFormat(msgspec.Struct):
    type: str


class _Message(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw()
    """Left as it is: to make a `str` of it costs three times as much where it is not ASCII."""


class _Body(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    response_format: _ResponseFormat | None = None
    logprobs: bool | None = None
    n: int | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    metadata: msgspec.Raw = _NULL


class _Part(msgspec.Struct):
    type: str | None = None
    input_audio: msgspec.Raw = msgspec.Raw()


_body = msgspec.json.Decoder(_Body)
_parts = msgspec.json.Decoder(list[_Part])
_encode = msgspec.json.encode
_LIST = ord("[")
_FORMAT_NEEDS: dict[str, Need] = {"json_object": "json_object", "json_schema": "json_schema"}
_MEDIA_NEEDS: dict[str, Need] = {
    "image_url": "vision",
    "input_audio": "audio",
    "audio_url": "audio",
    "file": "documents",
    "input_file": "documents",
}
_TOKENS: dict[Need, int] = {"vision": TOKENS_PER_IMAGE, "audio": 0, "documents": TOKENS_PER_DOCUMENT}
_NO_NEEDS: frozenset[Need] = frozenset()


def read_facts(body: bytes) -> RequestFacts:
    """The facts of a request.

    Raises:
        InvalidRequest: not a request of this dialect.
    """
    try:
        fields = _body.decode(body)
    except UNREADABLE as exc:
        raise invalid(exc) from exc
    if not fields.model:
        raise InvalidRequest("model must name a workload or an offer.", param="model")
    if not fields.messages:
        raise InvalidRequest("messages must be a list with at least one message.", param="messages")
    text_bytes, media_tokens = len(body), 0
    check_text(body)
    needs: set[Need] = set()
    if media := _media(fields.messages):
        needs |= media.needs
        text_bytes -= _inline_bytes(body) + media.sound_bytes
        media_tokens = media.tokens
    if fields.tools or fields.functions:
        needs.add("tools")
    if fields.response_format is not None and (need := _FORMAT_NEEDS.get(fields.response_format.type)) is not None:
        needs.add(need)
    if fields.logprobs:
        needs.add("logprobs")
    if fields.n is not None and fields.n != 1:
        if fields.n < 1:
            raise InvalidRequest("n must be at least 1.", param="n")
        needs.add("choices")
    if fields.reasoning_effort is not None and fields.reasoning_effort != "none":
        needs.add("reasoning")
    own = NOTHING
    if fields.metadata != _NULL:
        fields_once(body)
        own = read_own(fields.metadata)
    stream = bool(fields.stream)
    return RequestFacts(
        model=fields.model,
        stream=stream,
        stream_usage=stream and fields.stream_options is not None and bool(fields.stream_options.include_usage),
        needs=frozenset(needs) if needs else _NO_NEEDS,
        input_tokens=text_bytes // BYTES_PER_TOKEN + media_tokens,
        max_output_tokens=fields.max_tokens if fields.max_completion_tokens is None else fields.max_completion_tokens,
        messages=len(fields.messages),
        labels=own.labels,
        workload=own.workload,
        conversation=own.conversation,
    )


def retarget(body: bytes, facts: RequestFacts, *, model: str) -> bytes:
    """The body for an offer of this dialect: `model` in it, usage asked for where it streams, our own keys taken out.

    The very same bytes where nothing has to change. Nothing is searched for as text: tool schemas may well contain
    `"model"`.

    Raises:
        InvalidRequest: it says a field twice.
    """
    asks_usage = facts.stream and not facts.stream_usage
    fields = fields_once(body)
    told = fields.get("metadata")
    if facts.model == model and not asks_usage and without_own(told) is told:
        return body
    if asks_usage:
        options = _fields_of(fields.get("stream_options"))
        options["include_usage"] = msgspec.Raw(b"true")
        fields["stream_options"] = msgspec.Raw(_encode(options))
    return readdressed(fields, model)


def _fields_of(raw: msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    return {} if raw is None else (msgspec.json.decode(raw, type=dict[str, msgspec.Raw] | None) or {})


class _Media(NamedTuple):
    """What of the messages is no text."""

    needs: set[Need]
    tokens: int
    sound_bytes: int
    """Length of the base64 that is in no `data:` URL."""


def _media(messages: list[_Message]) -> _Media | None:
    """The media; None where all is text. To search the body for `"image_url"` would cost more than to decode it."""
    needs: set[Need] = set()
    tokens = sound_bytes = 0
    for at, message in enumerate(messages):
        content = memoryview(message.content)
        if not content or content[0] != _LIST:
            continue
        try:
            parts = _parts.decode(content)
        except UNREADABLE as exc:
            raise invalid(exc, within=f"messages[{at}].content") from exc
        for part in parts:
            if (need := _MEDIA_NEEDS.get(part.type or "")) is not None:
                needs.add(need)
                tokens += _TOKENS[need]
                sound_bytes += len(memoryview(part.input_audio))
    return _Media(needs, tokens, sound_bytes) if needs else None


def _inline_bytes(body: bytes) -> int:
    """Length of the base64 in `data:` URLs, which is no text to a model."""
    total, at = 0, 0
    while (start := body.find(b";base64,", at)) >= 0:
        end = body.find(b'"', start)
        at = len(body) if end < 0 else end
        total += at - start
    return total
