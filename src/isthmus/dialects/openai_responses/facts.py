"""What choosing needs of a request, and the little of a body that changes on its way to an offer of this dialect.

This is the hot path of passed-through requests: one typed, partial decode, in which items are counted and left.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.estimates import BYTES_PER_TOKEN
from isthmus.dialects.once import check_text, fields_once
from isthmus.dialects.openai_responses.identity import is_ours
from isthmus.dialects.openai_responses.proof import is_foreign
from isthmus.dialects.openai_responses.request import ELSEWHERE, ENCRYPTED, LOGPROBS
from isthmus.dialects.own_metadata import read_own, without_own
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import Json
from isthmus.domain.offer import Need
from isthmus.domain.request import ANY_MODEL, RequestFacts

TOKENS_PER_IMAGE = 765
"""Of a square image of 1024 pixels at high detail: https://platform.openai.com/docs/guides/images-vision"""

TOKENS_PER_DOCUMENT = 3_000
"""Of a PDF of two or three pages, whose text and pictures the model is shown: a guess, for the size tells little."""

_NULL = msgspec.Raw(b"null")


class _Format(msgspec.Struct):
    type: str | None = None


class _Text(msgspec.Struct):
    format: _Format | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None


class _Item(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw()
    """Left as it is: to make a `str` of it costs three times as much where it is not ASCII."""
    output: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    model: str = ANY_MODEL
    input: msgspec.Raw = _NULL
    stream: bool | None = None
    tools: list[msgspec.Raw] | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    include: list[str] | None = None
    top_logprobs: int | None = None
    max_output_tokens: int | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    conversation: msgspec.Raw = _NULL
    prompt: msgspec.Raw = _NULL
    metadata: msgspec.Raw = _NULL


class _Sound(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct):
    type: str | None = None
    image_url: msgspec.Raw = msgspec.Raw()
    file_data: msgspec.Raw = msgspec.Raw()
    input_audio: _Sound | None = None


_body = msgspec.json.Decoder(_Body)
_items = msgspec.json.Decoder(list[_Item])
_parts = msgspec.json.Decoder(list[_Part])
_reasoning = msgspec.json.Decoder(_Reasoning | None)
_names = msgspec.json.Decoder(list[str] | None)
_encode = msgspec.json.encode
_LIST = ord("[")
_TEXT = ord('"')
_FORMAT_NEEDS: dict[str | None, Need] = {"json_object": "json_object", "json_schema": "json_schema"}
_KIND_NEEDS: dict[str | None, Need] = {"input_image": "vision", "input_file": "documents", "input_audio": "audio"}


def read_facts(body: bytes) -> RequestFacts:
    """The facts of a request.

    Raises:
        InvalidRequest: not a request of this dialect.
        Unsupported: what it says is partly at the provider, where nobody here can look at it, or it is to be answered
            when nobody waits.
    """
    try:
        fields = _body.decode(body)
    except UNREADABLE as exc:
        raise invalid(exc) from exc
    if not fields.model:
        raise InvalidRequest("model must name a workload or an offer.", param="model")
    _refuse_what_is_elsewhere(fields)
    items = _read_input(fields)
    check_text(body)
    needs: set[Need] = set()
    tokens = len(body) // BYTES_PER_TOKEN
    if items is not None:
        tokens += _read_parts(items, needs)
    if fields.tools:
        needs.add("tools")
    format_ = None if fields.text is None else fields.text.format
    if format_ is not None and (need := _FORMAT_NEEDS.get(format_.type)) is not None:
        needs.add(need)
    if fields.top_logprobs or LOGPROBS in (fields.include or ()):
        needs.add("logprobs")
    if fields.reasoning is not None and fields.reasoning.effort not in (None, "none"):
        needs.add("reasoning")
    if fields.metadata != _NULL:
        fields_once(body)
    own = read_own(fields.metadata)
    stream = bool(fields.stream)
    return RequestFacts(
        model=fields.model,
        stream=stream,
        stream_usage=stream,
        needs=frozenset(needs),
        input_tokens=max(tokens, 0),
        max_output_tokens=fields.max_output_tokens,
        messages=1 if items is None else len(items),
        labels=own.labels,
        workload=own.workload,
        conversation=own.conversation,
        previous=fields.previous_response_id or None,
    )


def _refuse_what_is_elsewhere(fields: _Body) -> None:
    for name, what in ELSEWHERE.items():
        if getattr(fields, name) != _NULL:
            raise Unsupported(f"{name}: {what} is not supported.", hint="Send what it holds.", param=name)
    if fields.background:
        raise Unsupported("background: answers are given while the caller waits.", param="background")


def _read_input(fields: _Body) -> list[_Item] | None:
    """The items; None where the input is a text.

    None at all need be there: whether a request that says nothing can be answered is the provider's to say.
    """
    if fields.input == _NULL:
        return []
    told = memoryview(fields.input)
    if told[0] == _TEXT and len(told) > 2:
        return None
    if told[0] != _LIST:
        raise InvalidRequest("input must be a string or a list with at least one item.", param="input")
    try:
        items = _items.decode(told)
    except UNREADABLE as exc:
        raise invalid(exc, within="input") from exc
    if not items and fields.previous_response_id is None:
        raise InvalidRequest("input must be a string or a list with at least one item.", param="input")
    return items


def _read_parts(items: list[_Item], needs: set[Need]) -> int:
    """Adds what pictures, sound and documents need; returns tokens to add to the estimate, or to take from it."""
    tokens = inline = 0
    for at, item in enumerate(items):
        for name in ("content", "output"):
            content = memoryview(getattr(item, name))
            if not content or content[0] != _LIST:
                continue
            try:
                parts = _parts.decode(content)
            except UNREADABLE as exc:
                raise invalid(exc, within=f"input[{at}].{name}") from exc
            for part in parts:
                if (need := _KIND_NEEDS.get(part.type)) is None:
                    continue
                needs.add(need)
                inline += len(memoryview(part.image_url)) + len(memoryview(part.file_data))
                inline += 0 if part.input_audio is None else len(memoryview(part.input_audio.data))
                tokens += TOKENS_PER_DOCUMENT if need == "documents" else TOKENS_PER_IMAGE if need == "vision" else 0
    return tokens - inline // BYTES_PER_TOKEN


# ---------------------------------------------------------------------------------------------- passing through


def retarget(body: bytes, facts: RequestFacts, *, model: str) -> bytes:
    """The body for an offer of this dialect: `model` in it, nothing to be kept there, our own keys taken out.

    Because nothing is kept there, thoughts are asked for encrypted, so that they can be returned, and those that were
    returned otherwise are taken out: the provider would look for them in vain, and refuse. So it would ids that isthmus
    gave to thoughts, and proofs of other providers. The very same bytes where nothing has to change.

    Raises:
        InvalidRequest: it says a field twice.
    """
    fields = fields_once(body)
    said = dict(fields)
    if facts.model != model:
        said["model"] = msgspec.Raw(_encode(model))
    if bytes(fields.get("store", b"")) != b"false":
        said["store"] = msgspec.Raw(b"false")
    said.pop("previous_response_id", None)
    metadata = without_own(fields.get("metadata"))
    if metadata is not None:
        said["metadata"] = metadata
    else:
        said.pop("metadata", None)
    if (include := _include(fields)) is not None:
        said["include"] = include
    told = bytes(fields.get("input", _NULL))
    if told[:1] == b"[" and b'"reasoning"' in told:
        said["input"] = _returnable(fields["input"])
    return body if said == fields else _encode(said)


def _include(fields: Mapping[str, msgspec.Raw]) -> msgspec.Raw | None:
    """What the answer is to hold beside the ordinary; None: as it was said.

    Models that do not think refuse to be asked for their thoughts, so that is left to requests that show they do.
    """
    try:
        reasoning = _reasoning.decode(fields.get("reasoning", _NULL))
        include = _names.decode(fields.get("include", _NULL)) or []
    except UNREADABLE:  # the provider will say so
        return None
    thinks = reasoning is not None and reasoning.effort != "none" and (reasoning.effort or reasoning.summary)
    return msgspec.Raw(_encode([*include, ENCRYPTED])) if thinks and ENCRYPTED not in include else None


def _returnable(told: msgspec.Raw) -> msgspec.Raw:
    """The items without thoughts that this provider cannot take back; all others untouched."""
    items = msgspec.json.decode(told, type=list[msgspec.Raw])
    kept = [left for item in items if (left := _returned(item)) is not None]
    return told if kept == items else msgspec.Raw(_encode(kept))


def _returned(item: msgspec.Raw) -> msgspec.Raw | None:
    """The item as it may go; None: not at all."""
    content: Json = msgspec.json.decode(item) if b'"reasoning"' in bytes(item) else None
    if not isinstance(content, dict) or content.get("type") != "reasoning":
        return item
    encrypted = content.get("encrypted_content")
    if is_foreign(encrypted) or not (encrypted or content.get("content")):
        return None
    if not is_ours(content.get("id")):
        return item
    return msgspec.Raw(_encode({name: value for name, value in content.items() if name != "id"}))
