"""Whole answers, both ways."""

from __future__ import annotations

import msgspec

from isthmus.dialects.fields import Fields, left_over, merged
from isthmus.dialects.gemini_generate.answers import (
    Logprobs,
    carried,
    decode_finish,
    encode_finish,
    encode_logprobs,
    untold,
)
from isthmus.dialects.gemini_generate.faults import refusal
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.parts import decode_part, encode_parts
from isthmus.dialects.gemini_generate.usage import WireUsage, from_domain
from isthmus.domain.errors import RequestError, UpstreamMalformed
from isthmus.domain.message import Choice, Completion, Json, Part, ToolCall, ToolResult
from isthmus.domain.usage import Usage


def decode(body: bytes) -> Completion:
    """Decode a whole answer.

    Raises:
        UpstreamMalformed: not an answer of this dialect.
        UpstreamRefused: an error, told with a status that says otherwise.
    """
    try:
        content: Json = msgspec.json.decode(body)
        fields = Fields(content, "the answer")
        if fields.rest.get("error") and not fields.rest.get("candidates"):
            raise refusal(content)
        return _decode(fields)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamMalformed("The upstream's answer is not valid JSON, or not of its dialect.") from exc
    except RequestError as exc:  # the fields are taken apart by the code that reads requests
        raise UpstreamMalformed(f"The upstream's answer is not of its dialect: {exc.message}") from exc


def _decode(fields: Fields) -> Completion:
    identity = fields.text("responseId") or ""
    items = fields.items("candidates") or []
    choices = tuple(_decode_candidate(Fields(item, f"candidates[{at}]"), identity, at) for at, item in enumerate(items))
    if not choices:
        match fields.rest.get("promptFeedback"):
            case {"blockReason": str()}:  # the prompt itself was refused; why stays among the extra fields
                choices = (Choice(finish="content_filter"),)
            case _:
                raise fields.wrong("candidates", "is missing")
    model = fields.text("modelVersion") or ""
    usage = _decode_usage(fields)
    return Completion(id=identity, model=model, choices=choices, usage=usage, extra=fields.unknown(NAME))


def _decode_candidate(fields: Fields, identity: str, at: int) -> Choice:
    index = fields.integer("index") or at
    content = fields.inner("content")
    parts: list[Part] = []
    if content is not None:
        content.rest.pop("role", None)
        for number, item in enumerate(content.items("parts") or ()):
            part = decode_part(
                Fields(item, f"{content.at('parts')}[{number}]"), call_id=f"call_{identity}_{index}_{number}"
            )
            if isinstance(part, ToolResult):
                raise content.wrong("parts", "holds a result of a tool")
            parts.append(part)
        fields.put_back("content", content)
    logprobs = fields.inner("logprobsResult")
    reason = fields.text("finishReason")
    if reason is not None:
        fields.rest |= untold(reason)
    return Choice(
        index=index,
        parts=tuple(parts),
        finish=None
        if reason is None
        else decode_finish(reason, has_calls=any(isinstance(part, ToolCall) for part in parts)),
        logprobs=None if logprobs is None else msgspec.convert(logprobs.rest, Logprobs).to_domain(),
        extra=fields.unknown(NAME),
    )


def _decode_usage(fields: Fields) -> Usage | None:
    """Usage; details that are not the domain's stay among the extra fields."""
    inner = fields.inner("usageMetadata")
    if inner is None:
        return None
    usage = msgspec.convert(inner.rest, WireUsage).to_domain()
    if rest := left_over(inner.rest, msgspec.to_builtins(from_domain(usage))):
        fields.rest["usageMetadata"] = rest
    return usage


def encode(completion: Completion) -> bytes:
    """The body for a client of this dialect."""
    said: dict[str, Json] = {
        "candidates": [_encode_choice(choice) for choice in completion.choices],
        "modelVersion": completion.model,
        "responseId": completion.id,
    }
    if completion.usage is not None:
        said["usageMetadata"] = msgspec.to_builtins(from_domain(completion.usage))
    return msgspec.json.encode(merged(said, carried(completion.extra)))


def _encode_choice(choice: Choice) -> dict[str, Json]:
    said: dict[str, Json] = {
        "content": {"role": "model", "parts": encode_parts(choice.parts, "candidates", {})},
        "index": choice.index,
    }
    if choice.finish is not None:
        said["finishReason"] = encode_finish(choice.finish, choice.extra)
    if choice.logprobs is not None:
        said["logprobsResult"] = encode_logprobs(choice.logprobs)
    return merged(said, carried(choice.extra))
