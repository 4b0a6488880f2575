"""Whole answers, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.counts import count
from isthmus.dialects.fields import Fields, left_over, merged
from isthmus.dialects.gemini_generate.answers import (
    Logprobs,
    carried,
    decode_finish,
    encode_finish,
    encode_logprobs,
    untold,
)
from isthmus.dialects.gemini_generate.citations import OWN, cited, decode_citations, encode_citations
from isthmus.dialects.gemini_generate.faults import refusal
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.parts import answer_part, decode_part
from isthmus.dialects.gemini_generate.usage import WireUsage, from_domain
from isthmus.domain.errors import RequestError, UpstreamMalformed
from isthmus.domain.message import Choice, Completion, Extra, Json, Part, Text, ToolCall, ToolResult
from isthmus.domain.usage import Usage


def decode(body: bytes, *, piece: bool = False) -> Completion:
    """Decode a whole answer.

    Args:
        body: the answer.
        piece: whether it is one of those that make up a stream. Its citations are places in the whole then, and stay
            among the extra fields.

    Raises:
        UpstreamMalformed: not an answer of this dialect.
        UpstreamRefused: an error, told with a status that says otherwise.
    """
    try:
        content: Json = msgspec.json.decode(body)
        fields = Fields(content, "the answer")
        if fields.rest.get("error") and not fields.rest.get("candidates"):
            raise refusal(content)
        return _decode(fields, piece=piece)
    except UNREADABLE as exc:
        raise UpstreamMalformed("The upstream's answer is not valid JSON, or not of its dialect.") from exc
    except RequestError as exc:  # the fields are taken apart by the code that reads requests
        raise UpstreamMalformed(f"The upstream's answer is not of its dialect: {exc.message}") from exc


def _decode(fields: Fields, *, piece: bool) -> Completion:
    identity = fields.text("responseId") or ""
    items = fields.items("candidates") or []
    choices = tuple(
        _decode_candidate(Fields(item, f"candidates[{at}]"), identity, at, piece=piece) for at, item in enumerate(items)
    )
    if not choices:
        match fields.rest.get("promptFeedback"):
            case {"blockReason": str()}:  # the prompt itself was refused; why stays among the extra fields
                choices = (Choice(finish="content_filter"),)
            case _:
                raise fields.wrong("candidates", "is missing")
    if len({choice.index for choice in choices}) != len(choices):
        raise fields.wrong("candidates", "has two of one index")
    model = fields.text("modelVersion") or ""
    usage = _decode_usage(fields)
    return Completion(id=identity, model=model, choices=choices, usage=usage, extra=fields.unknown(NAME))


def _decode_candidate(fields: Fields, identity: str, at: int, *, piece: bool) -> Choice:
    index = fields.integer("index")
    if index is None:
        index = at
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
        parts=tuple(parts) if piece else _decode_citations(fields, parts),
        finish=None
        if reason is None
        else decode_finish(reason, has_calls=any(isinstance(part, ToolCall) for part in parts)),
        logprobs=None if logprobs is None else msgspec.convert(logprobs.rest, Logprobs).to_domain(),
        extra=fields.unknown(NAME),
    )


def _decode_citations(fields: Fields, parts: list[Part]) -> tuple[Part, ...]:
    """The parts with what they cite. The metadata stay among the extra fields unless the citations tell all."""
    texts = texts_of(parts)
    citations = decode_citations(fields.rest, texts)
    if any(texts) and citations and own_metadata(fields.rest) == encode_citations(citations, texts):
        del fields.rest["groundingMetadata"]
    return cited(parts, citations)


def own_metadata(told: Mapping[str, Json]) -> dict[str, Json]:
    return {name: told[name] for name in OWN if name in told}


def _decode_usage(fields: Fields) -> Usage | None:
    """Usage; details that are not the domain's stay among the extra fields."""
    inner = fields.inner("usageMetadata")
    if inner is None:
        return None
    usage = msgspec.convert(inner.rest, WireUsage).to_domain()
    said = msgspec.to_builtins(from_domain(usage))
    details = {name: told for name, told in inner.rest.items() if isinstance(told, list) and told != said.get(name)}
    if rest := left_over(inner.rest, said) | details:
        fields.rest["usageMetadata"] = rest
    return usage


def encode(completion: Completion) -> bytes:
    """The body for a client of this dialect."""
    said: dict[str, Json] = {
        "candidates": [_encode_choice(choice) for choice in completion.choices],
        "modelVersion": completion.model,
        "responseId": completion.id,
    }
    more = carried(completion.extra)
    if completion.usage is not None:
        said["usageMetadata"] = msgspec.to_builtins(from_domain(completion.usage))
        if isinstance(told := more.get("usageMetadata"), dict):  # the provider's own lists say more than ours
            said["usageMetadata"] |= {name: value for name, value in told.items() if isinstance(value, list)}
            # What the provider's tools read is told beside the prompt, and counts as input here.
            said["usageMetadata"]["promptTokenCount"] -= count(told.get("toolUsePromptTokenCount"))
    return msgspec.json.encode(merged(said, more))


def _encode_choice(choice: Choice) -> dict[str, Json]:
    parts = [answer_part(part) for part in choice.parts]
    said: dict[str, Json] = {
        "content": {"role": "model", "parts": [part for part in parts if part is not None]},
        "index": choice.index,
    }
    if choice.finish is not None:
        broken = any(
            isinstance(part, ToolCall) and handed is None for part, handed in zip(choice.parts, parts, strict=True)
        )
        said["finishReason"] = encode_finish(choice.finish, choice.extra, broken_call=broken)
    if choice.logprobs is not None:
        said["logprobsResult"] = encode_logprobs(choice.logprobs)
    if not tells_citations(choice.extra):
        citations = [one for part in choice.parts if isinstance(part, Text) for one in part.citations]
        said |= encode_citations(citations, texts_of(choice.parts))
    return merged(said, carried(choice.extra))


def texts_of(parts: Sequence[Part]) -> list[str]:
    """The text of each part, empty where it is no text of the answer."""
    return [part.text if isinstance(part, Text) else "" for part in parts]


def tells_citations(more: Extra | None) -> bool:
    """Whether the citations are among the fields that go back unchanged."""
    return more is not None and more.dialect == NAME and any(name in more.fields for name in OWN)
