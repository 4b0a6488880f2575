"""Whole answers, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.fields import Fields, left_over, merged
from isthmus.dialects.openai_responses import proof
from isthmus.dialects.openai_responses.content import decode_content, encode_text
from isthmus.dialects.openai_responses.faults import refusal
from isthmus.dialects.openai_responses.identity import Kind, item_id, response_id
from isthmus.dialects.openai_responses.items import PHASE, decode_call, decode_thought
from isthmus.dialects.openai_responses.logprobs import decode_logprobs, encode_logprobs
from isthmus.dialects.openai_responses.name import NAME
from isthmus.dialects.openai_responses.request import PROVES
from isthmus.dialects.openai_responses.response import Told, carried, completed, finish_of, status_of, unknown_finish
from isthmus.dialects.openai_responses.tools import Shape, as_input, shapes_for
from isthmus.dialects.openai_responses.usage import WireUsage, from_domain
from isthmus.dialects.untold import UNKNOWN, untold_medium
from isthmus.domain.errors import RequestError, Unsupported, UpstreamMalformed
from isthmus.domain.message import (
    Audio,
    Choice,
    Completion,
    CompletionRequest,
    Document,
    Extra,
    Image,
    Json,
    Part,
    Reasoning,
    Refusal,
    Text,
    TokenLogprob,
    ToolCall,
)
from isthmus.domain.usage import Usage

# --------------------------------------------------------------------------------------------------- decoding

_ECHOED = frozenset(
    {
        "background",
        "completed_at",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "object",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "store",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
"""What an answer says of its request, or of itself as every answer does."""

_OFTEN_NULL = frozenset(
    {"billing", "conversation", "error", "incomplete_details", "moderation", "service_tier", "usage"}
)


def decode(body: bytes) -> Completion:
    """Decode a whole answer.

    Raises:
        UpstreamMalformed: not an answer of this dialect.
        UpstreamRefused: an error, told with a status that says otherwise.
    """
    try:
        content: Json = msgspec.json.decode(body)
        fields = Fields(content, "the answer")
        if fields.rest.get("error") or fields.rest.get("status") == "failed":
            raise refusal(content)
        return _decode(fields)
    except UNREADABLE as exc:
        raise UpstreamMalformed("The upstream's answer is not valid JSON.") from exc
    except RequestError as exc:  # the fields are taken apart by the code that reads requests
        raise UpstreamMalformed(f"The upstream's answer is no response: {exc.message}") from exc


def _decode(fields: Fields) -> Completion:
    items = fields.items("output")
    if items is None:
        raise fields.wrong("output", "is missing")
    status = fields.text("status") or "completed"
    if status not in ("completed", "incomplete"):
        raise fields.wrong("status", "says that the answer is not there")
    details = fields.inner("incomplete_details")
    reason = None if details is None else details.text("reason")
    parts, logprobs = decode_output(items)
    calls = any(isinstance(part, ToolCall) for part in parts)
    untold = unknown_finish(status, reason)
    choice = Choice(
        parts=tuple(parts),
        finish=finish_of(status, reason, calls=calls),
        logprobs=tuple(logprobs) or None,
        extra=Extra(NAME, untold) if untold else None,
    )
    created = fields.number("created_at")
    usage = _decode_usage(fields)
    identity, model = fields.text("id") or "", fields.text("model") or ""
    rest = {
        name: value
        for name, value in fields.rest.items()
        if name not in _ECHOED and not (value is None and name in _OFTEN_NULL)
    }
    return Completion(
        id=identity,
        model=model,
        choices=(choice,),
        created=None if created is None else int(created),
        usage=usage,
        extra=Extra(NAME, rest) if rest else None,
    )


def decode_output(items: Sequence[Json]) -> tuple[list[Part], list[TokenLogprob]]:
    """The parts of an answer. Items of tools that the provider runs are passed over: they tell how, not what."""
    parts: list[Part] = []
    logprobs: list[TokenLogprob] = []
    for at, item in enumerate(items):
        fields = Fields(item, f"output[{at}]")
        kind = fields.required_text("type")
        match kind:
            case "message":
                content = fields.rest.get("content")
                for part in content if isinstance(content, list) else ():
                    logprobs += decode_logprobs(part)
                parts += _said(decode_content(fields, "content"), fields.text(PHASE))
            case "reasoning":
                parts.append(_thought(fields))
            case "function_call" | "custom_tool_call":
                for unwanted in ("id", "status"):
                    fields.rest.pop(unwanted, None)
                parts.append(replace(decode_call(fields, custom=kind == "custom_tool_call"), extra=None))
            case _:
                pass
    return parts, logprobs


def _said(parts: Sequence[Part], phase: str | None) -> Iterator[Part]:
    for part in parts:
        match part:
            case Text():
                more = {} if part.extra is None else dict(part.extra.fields)
                more |= {} if phase is None else {PHASE: phase}
                yield replace(part, extra=Extra(NAME, more) if more else None)
            case Refusal():
                yield part
            case _:
                raise UpstreamMalformed("The upstream's answer holds a part that an answer cannot have.")


def _thought(fields: Fields) -> Reasoning:
    encrypted = fields.text("encrypted_content")
    return replace(
        decode_thought(fields), encrypted=encrypted, minted_by=None if encrypted is None else NAME, extra=None
    )


def _decode_usage(fields: Fields) -> Usage | None:
    """Usage; details that are not the domain's stay among the extra fields."""
    inner = fields.inner("usage")
    if inner is None:
        return None
    usage = msgspec.convert(inner.rest, WireUsage).to_domain()
    if rest := left_over(inner.rest, msgspec.to_builtins(from_domain(usage))):
        fields.rest["usage"] = rest
    return usage


# --------------------------------------------------------------------------------------------------- encoding


def encode(completion: Completion, request: CompletionRequest) -> bytes:
    """The body for a client of this dialect.

    Raises:
        Unsupported: the answer has several choices: no request of this dialect asks for them.
    """
    if len(completion.choices) != 1:
        raise Unsupported(f"An answer has exactly one choice in {NAME}.", param="n")
    choice = completion.choices[0]
    told = Told(response_id(completion.id), completion.model, completion.created, request)
    status = status_of(choice.finish)
    parts, untold = _without_untold(choice.parts)
    said = told.response(
        status,
        encode_output(replace(choice, parts=parts), told.id, request, whole=status == "completed"),
        finish=choice.finish,
        usage=completion.usage or Usage(),
    )
    extra = merged(carried(choice.extra), carried(completion.extra))
    for dialect, fields in untold.items():
        extra = merged(extra, {"extra_content": {dialect: {"parts": fields}}})
    return msgspec.json.encode(completed(said, extra))


def _without_untold(parts: Sequence[Part]) -> tuple[tuple[Part, ...], dict[str, list[Json]]]:
    """The parts that an answer of this dialect can hold; the others, by dialect, each with the number of its part."""
    kept: list[Part] = []
    untold: dict[str, list[Json]] = {}
    for at, part in enumerate(parts):
        if isinstance(part, Image | Audio | Document):
            untold.setdefault(UNKNOWN, []).append({"part": at} | untold_medium(part))
            continue
        if not isinstance(part, Refusal) and part.extra is not None and part.extra.dialect != NAME:
            untold.setdefault(part.extra.dialect, []).append({"part": at} | dict(part.extra.fields))
        kept.append(part)
    return tuple(kept), untold


def encode_output(choice: Choice, identity: str, request: CompletionRequest, *, whole: bool) -> list[Json]:
    """The items of an answer; the last of one that is cut is told as such."""
    output = Output(identity, shapes_for(request), proves_text=wants_proofs(request))
    logprobs = choice.logprobs
    for kind, group in groupby(choice.parts, key=_kind):
        for parts in [list(group)] if kind == "message" else [[part] for part in group]:
            match parts[0]:
                case Reasoning() as reasoning:
                    output.think(reasoning)
                case ToolCall() as call:
                    output.call(call)
                case Text() | Refusal():
                    texts = [part for part in parts if isinstance(part, Text | Refusal)]
                    output.say(texts, logprobs)
                    logprobs = None
                case other:  # the road has no answers with results of tools in them
                    raise AssertionError(other)
    if not whole and output.items and "status" in output.items[-1]:
        output.items[-1]["status"] = "incomplete"
    return list(output.items)


def wants_proofs(request: CompletionRequest) -> bool:
    """Whether the client asked for what it has to return unread."""
    extra = request.extra
    return extra is not None and extra.dialect == NAME and PROVES in extra.fields


def _kind(part: Part) -> str:
    return "message" if isinstance(part, Text | Refusal) else "other"


class Output:
    """The items of an answer to a client, one after the other."""

    def __init__(self, identity: str, shapes: Mapping[str, Shape], *, proves_text: bool) -> None:
        self.items: list[dict[str, Json]] = []
        self._identity = identity
        self._shapes = shapes
        self._proves_text = proves_text

    def think(self, part: Reasoning) -> None:
        content = None
        if part.encrypted is not None:
            content = proof.told("encrypted", part.encrypted, part.minted_by)
        elif part.signature is not None and proof.is_anothers(part.minted_by):
            content = proof.told("signature", part.signature, part.minted_by)
        self.items.append(reasoning_item(self._next("rs"), part.text, content))

    def say(self, parts: Sequence[Text | Refusal], logprobs: Sequence[TokenLogprob] | None) -> None:
        content: list[Json] = []
        phase = None
        for part in parts:
            if isinstance(part, Refusal):
                content.append({"type": "refusal", "refusal": part.text})
                continue
            if part.extra is not None and part.extra.dialect == NAME:
                phase = part.extra.fields.get(PHASE, phase)
            content.append(encode_text(part) | {"logprobs": encode_logprobs(logprobs)})
            logprobs = None
        self.items.append(message_item(self._next("msg"), content, phase))
        for part in parts:
            if isinstance(part, Text) and part.signature is not None and self._proves_text:
                self._prove("text", part.signature, part.minted_by)

    def call(self, part: ToolCall) -> None:
        if part.signature is not None:
            self._prove("call", part.signature, part.minted_by)
        shape = self._shapes.get(part.name)
        kind: Kind = "ctc" if shape is not None and shape.custom else "fc"
        self.items.append(call_item(self._next(kind), part.id, part.name, part.arguments, shape))

    def _prove(self, belongs: proof.Belongs, text: str, minted_by: str | None) -> None:
        if proof.is_anothers(minted_by):
            self.items.append(reasoning_item(self._next("rs"), "", proof.told(belongs, text, minted_by)))

    def _next(self, kind: Kind) -> str:
        return item_id(kind, self._identity, len(self.items))


def message_item(identity: str, content: list[Json], phase: str | None = None) -> dict[str, Json]:
    said: dict[str, Json] = {
        "id": identity,
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": content,
    }
    return said if phase is None else said | {PHASE: phase}


def reasoning_item(identity: str, text: str, encrypted: str | None) -> dict[str, Json]:
    summary = [{"type": "summary_text", "text": text}] if text else []
    said: dict[str, Json] = {"id": identity, "type": "reasoning", "summary": summary}
    return said if encrypted is None else said | {"encrypted_content": encrypted}


def call_item(identity: str, call: str, name: str, arguments: str, shape: Shape | None) -> dict[str, Json]:
    """A call, in the form in which the client said the tool."""
    said: dict[str, Json] = {
        "id": identity,
        "type": "function_call" if shape is None or not shape.custom else "custom_tool_call",
        "call_id": call,
        "name": name if shape is None else shape.name,
        "status": "completed",
    }
    if shape is not None and shape.namespace is not None:
        said["namespace"] = shape.namespace
    return said | ({"input": as_input(arguments)} if said["type"] == "custom_tool_call" else {"arguments": arguments})
