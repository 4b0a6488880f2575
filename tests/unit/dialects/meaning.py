"""What requests and answers mean, apart from how a dialect says it: what a translation must bring over whole.

A meaning is a set of facets, each compared by itself. A note that an encoder takes names what it says otherwise, and
with that the facets that may differ (`FORGIVEN`); nothing else may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.dialect import Dialect
from isthmus.dialects.gemini_generate import GeminiGenerate
from isthmus.domain.message import (
    Audio,
    CacheMark,
    Choice,
    Citation,
    Completion,
    CompletionRequest,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
)

Facets = dict[str, Any]

_MADE_UP = ("format.name", "titles", "usage", "usage.details", "usage.audio")
"""What dialects that need it say where nothing was said: it means nothing."""

_EMPTY_SCHEMA = {"type": "object", "properties": {}}

FORGIVEN: Mapping[str, frozenset[str]] = {
    "cache": frozenset({"cache"}),
    "role": frozenset({"developer", "said"}),
    "name": frozenset({"names"}),
    "signature": frozenset({"signatures"}),
    "call.signature": frozenset(),
    "reasoning": frozenset({"thoughts", "signatures"}),
    "citations": frozenset({"citations"}),
    "refusal": frozenset({"refusals"}),
    "text": frozenset(),
    "image.detail": frozenset({"details"}),
    "document.title": frozenset({"titles"}),
    "document.context": frozenset({"said", "contexts"}),
    "document.text": frozenset({"said", "titles", "contexts", "cited"}),
    "result": frozenset({"said", "cache", "details"}),
    "result.is_error": frozenset({"said", "failures"}),
    "call.id": frozenset({"said"}),
    "tools.strict": frozenset({"tools.strict"}),
    "tool_choice": frozenset({"tool_choice"}),
    "parallel_tool_calls": frozenset({"parallel"}),
    "response_format": frozenset({"format", "format.schema", "format.name", "format.strict"}),
    "response_format.name": frozenset({"format.name"}),
    "response_format.description": frozenset({"format.description", "format.schema"}),
    "response_format.strict": frozenset({"format.strict"}),
    "reasoning.effort": frozenset({"effort", "budget"}),
    "reasoning.budget": frozenset({"effort", "budget"}),
    "reasoning.show": frozenset({"show"}),
    "max_output_tokens": frozenset({"max_output_tokens"}),
    "service_tier": frozenset({"service_tier"}),
    "user": frozenset({"user"}),
    "metadata": frozenset({"metadata"}),
}
"""Facets that may differ once a field, of a message or the request, is noted.

What is said in other words or at another place is `said` weakly then: every text must still be there.
"""

# ---------------------------------------------------------------------------------------------------- requests


def of_request(request: CompletionRequest) -> Facets:
    """The facets of a request."""
    parts = [(message, part) for message in request.messages for part in _inner(message.parts)]
    formatted, thinking = request.response_format, request.reasoning
    has_tools = bool(request.tools)
    choice = request.tool_choice or ToolChoice(mode="auto")
    return {
        "said": _said(request.messages),
        "developer": [
            message.role for message in request.messages if message.role in ("system", "developer") and _said([message])
        ],
        "names": [message.name for message in request.messages if message.role != "tool" and message.name],
        "cache": sum(mark is not None for mark in _marks(request)),
        "refusals": [part.text for _, part in parts if isinstance(part, Refusal)],
        "thoughts": [part.text for _, part in parts if isinstance(part, Reasoning) and part.text],
        "signatures": _signatures([part for _, part in parts]),
        "citations": _citations(part for _, part in parts),
        "details": [part.detail for _, part in parts if isinstance(part, Image) and part.detail not in (None, "auto")],
        "titles": [part.title for _, part in parts if isinstance(part, Document) and part.title] or None,
        "contexts": [part.context for _, part in parts if isinstance(part, Document) and part.context],
        "cited": sum(bool(part.citations) for _, part in parts if isinstance(part, Document)),
        "failures": [part.is_error for _, part in parts if isinstance(part, ToolResult)],
        "tools": [(tool.name, tool.description, tool.parameters or _EMPTY_SCHEMA) for tool in request.tools],
        # Forced calls are held to their schemas by some dialects, whatever is said of the tools.
        "tools.strict": [bool(tool.strict) for tool in request.tools] if choice.mode == "auto" else None,
        "tool_choice": (choice.mode, choice.name) if has_tools or choice.mode not in ("auto", "none") else None,
        "parallel": request.parallel_tool_calls is not False or not has_tools or choice.mode == "none",
        "format": "text" if formatted is None else formatted.kind,
        "format.schema": None if formatted is None else formatted.schema,
        "format.name": None if formatted is None else formatted.name,
        "format.description": None if formatted is None else formatted.description,
        "format.strict": None if formatted is None or formatted.schema is None else formatted.strict is not False,
        "max_output_tokens": request.max_output_tokens,
        "sampling": (request.temperature, request.top_p, request.top_k, request.seed),
        "penalties": (request.presence_penalty or 0, request.frequency_penalty or 0, request.logit_bias or {}),
        "stop": request.stop,
        "n": request.n or 1,
        "logprobs": (bool(request.logprobs), (request.top_logprobs or 0) if request.logprobs else 0),
        "effort": _effort(request),
        # Two ways to say one thing: beside an effort, a budget says nothing that must arrive.
        "budget": None if thinking is None or thinking.effort or thinking.budget in (0, -1) else thinking.budget,
        "show": thinking is not None and bool(thinking.show),
        "user": request.user,
        "metadata": request.metadata or {},
        "service_tier": request.service_tier or "auto",
        "stream": request.stream,
    }


def _effort(request: CompletionRequest) -> str | None:
    thinking = request.reasoning
    if thinking is None:
        return None
    return "none" if thinking.budget == 0 else thinking.effort


def _said(messages: Sequence[Message]) -> list[Any]:
    """Who said what, in order. Where one message ends and the next of the same role begins has no meaning."""
    said: list[Any] = []
    for message in messages:
        role = "system" if message.role == "developer" else message.role
        for part in message.parts:
            if (told := _content(part)) is None:
                continue
            if isinstance(told, str) and said and said[-1][0] == role and isinstance(said[-1][1], str):
                said[-1] = (role, said[-1][1] + told)
            elif told != "":
                said.append((role, told))
    return said


def _content(part: Part) -> Any:
    match part:
        case Text() | Refusal():
            return part.text
        case Image() | Audio():
            return (type(part).__name__, part.url, part.data)
        case Document():
            return ("Document", part.url, part.data, part.text, part.file_id)
        case ToolCall():
            return ("ToolCall", part.id, part.name, arguments(part.arguments))
        case ToolResult():
            texts = "".join(one.text for one in part.parts if isinstance(one, Text))
            return (
                "ToolResult",
                part.call_id,
                texts,
                [_content(one) for one in part.parts if not isinstance(one, Text)],
            )
        case Reasoning():
            return None


def arguments(text: str) -> Any:
    """Arguments by their meaning: none, null and an empty object are the same."""
    try:
        return msgspec.json.decode(text or "{}") or {}
    except msgspec.MsgspecError:
        return text


def _inner(parts: Iterable[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        if isinstance(part, ToolResult):
            yield from part.parts


def _marks(request: CompletionRequest) -> Iterator[CacheMark | None]:
    for message in request.messages:
        for part in _inner(message.parts):
            if not isinstance(part, Reasoning | Refusal):
                yield part.cache
    for tool in request.tools:
        yield tool.cache


def _signatures(parts: Iterable[Part]) -> list[Any]:
    """Proofs, with what they prove; who made them may have become known on the way."""
    return [
        (type(part).__name__, part.signature, part.encrypted if isinstance(part, Reasoning) else None)
        for part in parts
        if isinstance(part, Reasoning | ToolCall)  # a text's is asked for by no provider
        and (part.signature is not None or (isinstance(part, Reasoning) and part.encrypted is not None))
    ]


def _citations(parts: Iterable[Part]) -> list[Any]:
    """In no order: dialects list them by where they end, or as they were found."""
    return sorted(map(repr, (_citation(one) for part in parts if isinstance(part, Text) for one in part.citations)))


def _citation(citation: Citation) -> Any:
    return (citation.url, citation.title)


# ----------------------------------------------------------------------------------------------------- answers


def of_completion(completion: Completion) -> Facets:
    """The facets of an answer."""
    return {
        "id": completion.id,
        "model": completion.model,
        "choices": [_choice(choice) for choice in completion.choices],
        "usage": None if completion.usage is None else (completion.usage.input, completion.usage.output),
        "usage.details": None
        if completion.usage is None
        else (completion.usage.cached, completion.usage.cache_written, completion.usage.reasoning),
        "usage.audio": None
        if completion.usage is None
        else (completion.usage.audio_input, completion.usage.audio_output),
        "thoughts": ["".join(_of(choice, Reasoning)) for choice in completion.choices],
        "signatures": [_signatures(choice.parts) for choice in completion.choices],
        "refusals": ["".join(_of(choice, Refusal)) for choice in completion.choices],
        "citations": _citations(part for choice in completion.choices for part in choice.parts),
        "finish": [choice.finish for choice in completion.choices],
        "stop_sequence": [choice.stop_sequence for choice in completion.choices],
        "logprobs": [choice.logprobs for choice in completion.choices],
    }


def _choice(choice: Choice) -> Any:
    text = "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))
    calls = [(part.id, part.name, arguments(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)]
    return choice.index, text, calls


def _of(choice: Choice, kind: type[Reasoning | Refusal]) -> Iterator[str]:
    return (part.text for part in choice.parts if isinstance(part, kind))


# -------------------------------------------------------------------------------------------------- comparison


def notes_of(adapted: Adapted) -> list[str]:
    """The fields that were noted."""
    return [note.partition(": ")[0] for note in adapted.text.split("; ")] if adapted else []


def differences(meant: Facets, arrived: Facets, notes: Iterable[str] = ()) -> dict[str, tuple[Any, Any]]:
    """The facets that did not arrive as they were meant and are not forgiven."""
    forgiven = {facet for note in notes for facet in FORGIVEN.get(note.removeprefix("message."), ())}
    found = {
        name: (value, arrived[name])
        for name, value in meant.items()
        if value != arrived[name] and not (value is None and name in _MADE_UP)
    }
    if "said" in found and "said" in forgiven:
        whole = json.dumps(arrived["said"], ensure_ascii=False, default=str)
        if all(json.dumps(text, ensure_ascii=False)[1:-1] in whole for text in _texts(meant["said"])):
            del found["said"]
    return {name: both for name, both in found.items() if name == "said" or name not in forgiven}


def _texts(said: Any) -> Iterator[str]:
    for _, told in said:
        if isinstance(told, str):
            yield told
        elif told[0] == "ToolResult":
            yield told[2]


def sent(dialect: Dialect, request: CompletionRequest, adapted: Adapted | None = None) -> bytes:
    return dialect.encode_request(request, model=request.model, adapted=adapted)


def received(dialect: Dialect, body: bytes, like: CompletionRequest) -> CompletionRequest:
    """A request as the road has it: model and streaming are in the path in some dialects."""
    request = dialect.decode_request(body)
    if isinstance(dialect, GeminiGenerate):
        return replace(request, model=like.model, stream=like.stream, stream_usage=like.stream)
    return request
