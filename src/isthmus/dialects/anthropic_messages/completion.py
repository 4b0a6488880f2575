"""Whole answers, both ways, and what they share with streamed ones: the reasons to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import msgspec

from isthmus.dialects.anthropic_messages.blocks import decode_blocks, encode_blocks
from isthmus.dialects.anthropic_messages.citations import encode_citation
from isthmus.dialects.anthropic_messages.faults import refusal
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.anthropic_messages.usage import WireUsage, from_domain
from isthmus.dialects.fields import Fields, left_over, merged
from isthmus.dialects.untold import UNKNOWN, untold_citation, untold_medium
from isthmus.domain.errors import RequestError, Unsupported, UpstreamMalformed
from isthmus.domain.message import (
    Audio,
    Choice,
    Completion,
    Document,
    Extra,
    FinishReason,
    Image,
    Json,
    Part,
    Refusal,
    Text,
    ToolResult,
)
from isthmus.domain.usage import Usage

_DECODED: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_ENCODED: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "other": "end_turn",
}


def decode_stop(reason: str) -> FinishReason:
    return _DECODED.get(reason, "other")


def untold(reason: str) -> dict[str, Json]:
    """The reason itself, to be kept among the extra fields where ours does not say it all."""
    return {} if _ENCODED[decode_stop(reason)] == reason else {"stop_reason": reason}


def encode_stop(reason: FinishReason, more: Extra | None) -> str:
    if more is not None and more.dialect == NAME and isinstance(told := more.fields.get("stop_reason"), str):
        return told
    return _ENCODED[reason]


def new_id() -> str:
    """An id for an answer that came without: clients take two answers of one id for parts of the same."""
    return f"msg_{uuid4().hex}"


def carried(more: Extra | None) -> Mapping[str, Json]:
    """Fields of an answer beyond the domain's; another dialect's under its name, which clients ignore."""
    if more is None or not more.fields:
        return {}
    return more.fields if more.dialect == NAME else {"extra_content": {more.dialect: dict(more.fields)}}


def decode(body: bytes) -> Completion:
    """Decode a whole answer.

    Raises:
        UpstreamMalformed: not an answer of this dialect.
        UpstreamRefused: an error, told with a status that says otherwise.
    """
    try:
        content: Json = msgspec.json.decode(body)
        fields = Fields(content, "the answer")
        if fields.rest.get("type") == "error":
            raise refusal(content)
        return _decode(fields)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamMalformed("The upstream's answer is not valid JSON, or not of its dialect.") from exc
    except RequestError as exc:  # the fields are taken apart by the code that reads requests
        raise UpstreamMalformed(f"The upstream's answer is no message: {exc.message}") from exc


def _decode(fields: Fields) -> Completion:
    if fields.required_text("type") != "message":
        raise fields.wrong("type", "must be message")
    fields.rest.pop("role", None)
    parts = decode_blocks(fields, "content", {}, from_offer=True)
    if any(isinstance(part, ToolResult | Document) for part in parts):
        raise fields.wrong("content", "holds a block that an answer cannot have")
    reason = fields.text("stop_reason")
    stop_sequence = fields.text("stop_sequence")
    if reason is not None:
        fields.rest |= untold(reason)
    at_choice = {
        name: value for name in ("stop_reason", "stop_details") if (value := fields.rest.pop(name, None)) is not None
    }
    for absent in ("container", "diagnostics"):
        if fields.rest.get(absent) is None:
            fields.rest.pop(absent, None)
    identity, model = fields.text("id") or "", fields.text("model") or ""
    usage = _decode_usage(fields)
    choice = Choice(
        parts=tuple(parts),
        finish=None if reason is None else decode_stop(reason),
        stop_sequence=stop_sequence,
        extra=Extra(NAME, at_choice) if at_choice else None,
    )
    return Completion(id=identity, model=model, choices=(choice,), usage=usage, extra=fields.unknown(NAME))


def _decode_usage(fields: Fields) -> Usage | None:
    inner = fields.inner("usage")
    if inner is None:
        return None
    usage = msgspec.convert(inner.rest, WireUsage).to_domain()
    rest = left_over(inner.rest, msgspec.to_builtins(from_domain(usage)))
    rest = {name: value for name, value in rest.items() if value is not None}
    if rest.pop("output_tokens_details", None) not in (None, {"thinking_tokens": 0}):
        raise inner.wrong("output_tokens_details", "contradicts output_tokens")
    if rest:
        fields.rest["usage"] = rest
    return usage


def encode(completion: Completion) -> bytes:
    """The body for a client of this dialect.

    Raises:
        Unsupported: the answer has several choices: no request of this dialect asks for them.
    """
    if len(completion.choices) != 1:
        raise Unsupported(f"An answer has exactly one choice in {NAME}.", param="n")
    choice = completion.choices[0]
    parts, untold = _sayable(choice.parts)
    said: dict[str, Json] = {
        "id": completion.id or new_id(),
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": encode_blocks(parts, "content", None),
        "stop_reason": None if choice.finish is None else encode_stop(choice.finish, choice.extra),
        "stop_sequence": choice.stop_sequence,
        "usage": msgspec.to_builtins(from_domain(completion.usage or Usage())),
    }
    for more in (carried(choice.extra), carried(completion.extra), untold):
        said = merged(said, more)
    return msgspec.json.encode(said)


def _sayable(parts: Sequence[Part]) -> tuple[list[Part], dict[str, Json]]:
    """The parts that clients of this dialect can read, and the fields that hold the rest."""
    kept: list[Part] = []
    untold: dict[str, list[Json]] = {}

    def leave_out(at: int, dialect: str, fields: Mapping[str, Json]) -> None:
        untold.setdefault(dialect, []).append({"part": at} | dict(fields))

    for at, part in enumerate(parts):
        if isinstance(part, Image | Audio | Document):
            leave_out(at, UNKNOWN, untold_medium(part))
            continue
        if isinstance(part, Refusal | ToolResult):
            kept.append(part)
            continue
        if part.extra is not None and part.extra.dialect != NAME:
            leave_out(at, part.extra.dialect, part.extra.fields)
            part = replace(part, extra=None)  # noqa: PLW2901
        if isinstance(part, Text):
            for citation in part.citations:
                if encode_citation(citation) is None:
                    dialect, fields = untold_citation(citation)
                    leave_out(at, dialect, {"citation": fields})
        kept.append(part)
    return kept, {
        "extra_content": {dialect: {"parts": list(told)} for dialect, told in untold.items()}
    } if untold else {}
