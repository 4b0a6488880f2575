"""What choosing needs of a request, and the little of a body that changes on its way to an offer of this dialect."""

from __future__ import annotations

import msgspec

from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.once import check_text, fields_once
from isthmus.dialects.own_metadata import read_own, readdressed, without_own
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.offer import Need
from isthmus.domain.request import RequestFacts

TOKENS_PER_IMAGE = 1_600
"""Of the largest image that is not scaled down: https://docs.anthropic.com/en/docs/build-with-claude/vision"""

TOKENS_PER_DOCUMENT = 1_500
"""Of one page, at least; how many there are is not known:
https://docs.anthropic.com/en/docs/build-with-claude/pdf-support, "Estimate your costs"."""

_NEEDS: dict[str, Need] = {"image": "vision", "document": "documents"}
_TOKENS: dict[Need, int] = {"vision": TOKENS_PER_IMAGE, "documents": TOKENS_PER_DOCUMENT}
_MAY_NOT_THINK = frozenset({"disabled", "adaptive"})
"""Kinds of thinking that a model which cannot reason fulfils: with `adaptive`, whether to think is up to the model."""

_NULL = msgspec.Raw(b"null")


class _Thinking(msgspec.Struct):
    type: str


class _OutputConfig(msgspec.Struct):
    format: dict[str, msgspec.Raw] | None = None


class _Body(msgspec.Struct):
    model: str
    messages: list[msgspec.Raw]
    max_tokens: int | None = None
    stream: bool | None = None
    tools: list[msgspec.Raw] | None = None
    output_config: _OutputConfig | None = None
    thinking: _Thinking | None = None
    metadata: msgspec.Raw = _NULL


class _Source(msgspec.Struct):
    type: str = ""
    data: str = ""


class _Block(msgspec.Struct):
    type: str | None = None
    source: _Source | None = None
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Message(msgspec.Struct):
    content: str | list[_Block]


class _Messages(msgspec.Struct):
    messages: list[_Message]


_body = msgspec.json.Decoder(_Body)
_messages = msgspec.json.Decoder(_Messages)
_blocks = msgspec.json.Decoder(str | list[_Block] | None)


def read_facts(body: bytes) -> RequestFacts:
    """The facts of a request.

    Raises:
        InvalidRequest: not a request of this dialect.
    """
    try:
        fields = _body.decode(body)
        media = _media(body) if b'"image"' in body or b'"document"' in body else []
    except UNREADABLE as exc:
        raise invalid(exc) from exc
    if not fields.model:
        raise InvalidRequest("model must name a workload or an offer.", param="model")
    if not fields.messages:
        raise InvalidRequest("messages must be a list with at least one message.", param="messages")
    needs: set[Need] = set()
    needs |= {need for need, _ in media}
    if fields.tools:
        needs.add("tools")
    if fields.output_config is not None and fields.output_config.format is not None:
        needs.add("json_schema")
    if fields.thinking is not None and fields.thinking.type not in _MAY_NOT_THINK:
        needs.add("reasoning")
    check_text(body)
    if fields.metadata != _NULL:
        fields_once(body)
    own = read_own(fields.metadata)
    stream = bool(fields.stream)
    return RequestFacts(
        model=fields.model,
        stream=stream,
        stream_usage=stream,
        needs=frozenset(needs),
        input_tokens=(len(body) - sum(length for _, length in media)) // BYTES_PER_TOKEN
        + sum(_TOKENS[need] for need, _ in media),
        max_output_tokens=fields.max_tokens,
        messages=len(fields.messages),
        labels=own.labels,
        workload=own.workload,
        conversation=own.conversation,
    )


def _media(body: bytes) -> list[tuple[Need, int]]:
    """For each image and each document that is no text, also in results of tools: the need, and its base64's length."""
    return [
        found
        for message in _messages.decode(body).messages
        if not isinstance(message.content, str)
        for found in _media_among(message.content)
    ]


def _media_among(blocks: list[_Block]) -> list[tuple[Need, int]]:
    found: list[tuple[Need, int]] = []
    for block in blocks:
        if block.type == "tool_result":
            inner = _blocks.decode(block.content)
            if isinstance(inner, list):
                found += _media_among(inner)
        elif (need := _NEEDS.get(block.type or "")) is not None:
            source = block.source or _Source()
            if source.type not in ("text", "content"):  # which every offer can be told as text
                found.append((need, len(source.data)))
    return found


def retarget(body: bytes, facts: RequestFacts, *, model: str) -> bytes:
    """The body with `model` in it and without our own keys; the very same bytes where nothing has to change."""
    fields = fields_once(body)
    told = fields.get("metadata")
    if facts.model == model and without_own(told) is told:
        return body
    return readdressed(fields, model)
