"""What choosing needs of a request, but for what its path tells: the model, and whether it streams."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.gemini_generate.spelling import spelled
from isthmus.dialects.once import check_text, fields_once
from isthmus.dialects.own_metadata import read_own, without_own
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.offer import Need
from isthmus.domain.request import RequestFacts

TOKENS_PER_IMAGE = 1_120
"""Of an image at the highest resolution of its own accord: https://ai.google.dev/gemini-api/docs/media-resolution"""
AUDIO_CHARACTERS_PER_TOKEN = 600
"""Of base64: 32 tokens a second (https://ai.google.dev/gemini-api/docs/audio) of 128 kbit."""
DOCUMENT_CHARACTERS_PER_TOKEN = 250
"""Of base64: 258 tokens a page (https://ai.google.dev/gemini-api/docs/document-processing), of about 50 kB."""
TOKENS_PER_FILE = 2_000
"""Of a sound or document given by its address, whose length is not known."""

LABELS = "labels"
"""The field that says what `metadata` says in other dialects."""


class _Thinking(msgspec.Struct, rename="camel"):
    thinking_budget: int | None = None


class _Config(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    candidate_count: int | None = None
    response_logprobs: bool | None = None
    response_mime_type: str | None = None
    response_json_schema: dict[str, msgspec.Raw] | None = None
    response_schema: dict[str, msgspec.Raw] | None = None
    thinking_config: _Thinking | None = None


class _Body(msgspec.Struct, rename="camel"):
    contents: list[msgspec.Raw]
    tools: list[msgspec.Raw] | None = None
    generation_config: _Config | None = None
    labels: msgspec.Raw = msgspec.Raw(b"null")


class _Source(msgspec.Struct, rename="camel"):
    mime_type: str | None = None
    data: str = ""


class _Inner(msgspec.Struct, rename="camel"):
    inline_data: _Source | None = None
    file_data: _Source | None = None


class _Response(msgspec.Struct):
    parts: list[_Inner] | None = None


class _Part(_Inner, rename="camel"):
    function_response: _Response | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Contents(msgspec.Struct):
    contents: list[_Content]


_body = msgspec.json.Decoder(_Body)
_contents = msgspec.json.Decoder(_Contents)
_NEEDS: dict[str, Need] = {"image": "vision", "audio": "audio", "text": "documents", "application": "documents"}


def read_facts(body: bytes) -> RequestFacts:
    """The facts of a request's body; `model` is empty and `stream` false.

    Raises:
        InvalidRequest: not a request of this dialect.
    """
    check_text(body)
    body = spelled(body)
    try:
        fields = _body.decode(body)
        media = list(_media(body)) if b'"inlineData"' in body or b'"fileData"' in body else []
    except UNREADABLE as exc:
        raise invalid(exc) from exc
    if not fields.contents:
        raise InvalidRequest("contents must be a list with at least one content.", param="contents")
    config = fields.generation_config or _Config()
    if b'"labels"' in body:
        fields_once(body)
    own = read_own(fields.labels, within=LABELS)
    return RequestFacts(
        model="",
        stream=False,
        needs=frozenset([*_needs(fields, config), *(need for one in media if (need := _need(one)) is not None)]),
        input_tokens=(len(body) - sum(len(one.data) for one in media)) // BYTES_PER_TOKEN + sum(map(_tokens, media)),
        max_output_tokens=config.max_output_tokens,
        messages=len(fields.contents),
        labels=own.labels,
        workload=own.workload,
        conversation=own.conversation,
    )


def retarget(body: bytes, facts: RequestFacts, *, model: str) -> bytes:  # noqa: ARG001 - the model is in the path
    """The body without what its labels say to us; the very same bytes where there is nothing of it."""
    fields = fields_once(body)
    labels = fields.get(LABELS)
    kept = without_own(labels, within=LABELS)
    if kept is labels:
        return body
    if kept is None:
        del fields[LABELS]
    else:
        fields[LABELS] = kept
    return msgspec.json.encode(fields)


def _needs(fields: _Body, config: _Config) -> Iterator[Need]:
    if fields.tools:
        yield "tools"
    if config.response_mime_type == "application/json":
        has_schema = config.response_json_schema is not None or config.response_schema is not None
        yield "json_schema" if has_schema else "json_object"
    if config.response_logprobs:
        yield "logprobs"
    if config.candidate_count is not None and config.candidate_count > 1:
        yield "choices"
    if config.thinking_config is not None and config.thinking_config.thinking_budget != 0:
        yield "reasoning"


def _media(body: bytes) -> Iterator[_Source]:
    """Images, sounds and documents, also those in results of tools: their base64 is no text to a model."""
    for content in _contents.decode(body).contents:
        for part in content.parts or ():
            results = part.function_response.parts if part.function_response is not None else None
            for one in (part, *(results or ())):
                if (source := one.inline_data or one.file_data) is not None:
                    yield source


def _kind(source: _Source) -> str:
    """The first half of the media type. An address without one is most often that of an image."""
    return (source.mime_type or "image").partition("/")[0]


def _need(source: _Source) -> Need | None:
    return _NEEDS.get(_kind(source))


def _tokens(source: _Source) -> int:
    match _kind(source):
        case "image":
            return TOKENS_PER_IMAGE
        case "text":
            return len(source.data) * 3 // 4 // BYTES_PER_TOKEN
        case _ if not source.data:
            return TOKENS_PER_FILE
        case "audio" | "video":
            return len(source.data) // AUDIO_CHARACTERS_PER_TOKEN
        case _:
            return len(source.data) // DOCUMENT_CHARACTERS_PER_TOKEN
