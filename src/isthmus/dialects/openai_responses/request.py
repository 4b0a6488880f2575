"""Whole requests, both ways. Source: <https://platform.openai.com/docs/api-reference/responses/create>."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast, get_args

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.once import fields_once
from isthmus.dialects.openai_responses.items import decode_input, encode_input
from isthmus.dialects.openai_responses.name import NAME
from isthmus.dialects.openai_responses.tools import (
    SEARCHES,
    decode_choice,
    decode_tools,
    encode_choice,
    encode_tools,
)
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    CompletionRequest,
    Extra,
    Json,
    Message,
    Reasoning,
    ReasoningOptions,
    ResponseFormat,
    Text,
)
from isthmus.domain.request import ANY_MODEL

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_EFFORTS = get_args(Effort)

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

SUMMARY = "reasoning_summary"
"""Extra field: how thorough a summary of the thoughts is wanted, where that is said."""

PROVES = "encrypted_reasoning"
"""Extra field: the client asked for encrypted thoughts, so that it can return them."""

_CONTEXT = "reasoning_context"
"""Extra field: which earlier thoughts the provider is to read."""

ELSEWHERE: Mapping[str, str] = {
    "conversation": "a conversation that the provider keeps",
    "prompt": "a prompt that the provider keeps",
}
"""What would be added to the request at the provider, where nobody here can look at it."""

_DEFAULTS: Mapping[str, Json] = {
    "top_k": None,
    "stop": (),
    "seed": None,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "n": 1,
}
"""What cannot be said here, with the value that says the same as nothing."""

_SHARED_WITH_CHAT = frozenset(
    {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"}
)
"""Extra fields of `openai-chat` that mean the same here."""

OWN_PREFIX = "isthmus-"
"""Of the keys in `metadata` that are for isthmus and no one else."""


# --------------------------------------------------------------------------------------------------- decoding


def decode(body: bytes) -> CompletionRequest:
    """Decode all of a request.

    Raises:
        InvalidRequest: not a request of this dialect.
        Unsupported: it holds what the domain cannot carry, or goes on from an answer that is not here.
    """
    try:
        content: Json = msgspec.json.decode(body)
    except UNREADABLE as exc:
        raise invalid(exc) from exc
    fields_once(body)
    fields = Fields(content)
    _refuse_what_is_elsewhere(fields)
    model = fields.text("model") or ANY_MODEL
    messages, told = decode_input(fields)
    choice, tools = decode_choice(fields, (*decode_tools(fields), *told))
    logprobs, top_logprobs = _decode_logprobs(fields)
    stream = fields.boolean("stream") or False
    return CompletionRequest(
        model=model,
        messages=messages,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=fields.boolean("parallel_tool_calls"),
        response_format=_decode_format(fields),
        max_output_tokens=fields.integer("max_output_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        reasoning=_decode_reasoning(fields),
        user=fields.text("user"),
        metadata=_decode_metadata(fields),
        service_tier=fields.text("service_tier"),
        stream=stream,
        stream_usage=stream,
        extra=fields.unknown(NAME),
    )


def _refuse_what_is_elsewhere(fields: Fields) -> None:
    for name, what in ELSEWHERE.items():
        if fields.rest.pop(name, None) is not None:
            raise Unsupported(f"{name}: {what} is not supported.", hint="Send what it holds.", param=name)
    if fields.boolean("background"):
        raise Unsupported("background: answers are given while the caller waits.", param="background")
    if fields.text("previous_response_id") is not None:
        raise Unsupported(
            "previous_response_id: the earlier answer is not kept here.",
            hint="Send the whole conversation as input, or have the workload keep what is said.",
            param="previous_response_id",
        )


def _decode_logprobs(fields: Fields) -> tuple[bool | None, int | None]:
    """Log probabilities are asked for in `include`; how many alternatives are, beside it."""
    include = fields.items("include") or []
    if not all(isinstance(name, str) for name in include):
        raise fields.wrong("include", "must be a list of strings")
    if ENCRYPTED in include:
        fields.rest[PROVES] = True
    if rest := [name for name in include if name not in (LOGPROBS, ENCRYPTED)]:
        fields.rest["include"] = rest
    top = fields.integer("top_logprobs")
    return (True if LOGPROBS in include or top else None), top


def _decode_format(fields: Fields) -> ResponseFormat | None:
    text = fields.inner("text")
    if text is None:
        return None
    inner = text.inner("format")
    if (verbosity := text.text("verbosity")) is not None:
        fields.rest["verbosity"] = verbosity
    if inner is None:
        fields.put_back("text", text)
        return None
    kind = inner.required_text("type")
    found: ResponseFormat
    match kind:
        case "text":
            found = ResponseFormat(kind="text")
        case "json_object":
            found = ResponseFormat(kind="json_object")
        case "json_schema":
            found = ResponseFormat(
                kind="json_schema",
                name=inner.text("name"),
                description=inner.text("description"),
                schema=inner.required_inner("schema").rest,
                strict=inner.boolean("strict"),
            )
            inner.rest.pop("schema", None)
        case _:
            raise inner.wrong("type", "must be text, json_object or json_schema")
    text.put_back("format", inner)
    fields.put_back("text", text)
    return found


def _decode_reasoning(fields: Fields) -> ReasoningOptions | None:
    inner = fields.inner("reasoning")
    if inner is None:
        return None
    effort = inner.rest.get("effort")
    if effort in _EFFORTS or effort is None:  # a word we do not know goes on as it is
        inner.rest.pop("effort", None)
    else:
        effort = None
    older = inner.text("generate_summary")
    summary = inner.text("summary") or older
    if summary is not None and summary != "auto":
        fields.rest[SUMMARY] = summary
    if (context := inner.text("context")) is not None:
        fields.rest[_CONTEXT] = context
    fields.put_back("reasoning", inner)
    if effort is None and summary is None:
        return None
    return ReasoningOptions(effort=cast("Effort | None", effort), show=None if summary is None else True)


def _decode_metadata(fields: Fields) -> Mapping[str, str] | None:
    """What is for the provider: our own keys are facts of the request, and read elsewhere."""
    inner = fields.inner("metadata")
    if inner is None:
        return None
    if not all(isinstance(value, str) for value in inner.rest.values()):
        raise fields.wrong("metadata", "must map names to strings")
    kept = {name: value for name, value in inner.rest.items() if not name.startswith(OWN_PREFIX)}
    return kept if kept or not inner.rest else None


# --------------------------------------------------------------------------------------------------- encoding


def encode(request: CompletionRequest, *, model: str, adapted: Adapted) -> bytes:
    """The body for an offer of this dialect. The provider is never asked to keep it.

    Raises:
        InvalidRequest: it is nested too deeply to be written.
        Unsupported: the request says something that cannot be said here.
    """
    for name, default in _DEFAULTS.items():
        if (value := getattr(request, name)) is not None and value != default:
            raise Unsupported(f"{name} cannot be said in {NAME}, the dialect of this offer.", param=name)
    own = _own(request.extra, adapted)
    instructions, messages = _instructions(request.messages)
    said: dict[str, Json] = {"model": model, "input": encode_input(messages, adapted), "store": False}
    if instructions is not None:
        said["instructions"] = instructions
    searches = [search for name in SEARCHES.values() for search in own.pop(name, ())]
    if tools := [*encode_tools(request.tools, adapted), *searches]:
        said["tools"] = tools
    if request.tool_choice is not None:
        said["tool_choice"] = encode_choice(request.tool_choice, request.tools)
    if text := encode_text(request.response_format, own.pop("verbosity", None), adapted):
        said["text"] = text
    if reasoning := encode_reasoning(request.reasoning, own.pop(SUMMARY, None), adapted):
        said["reasoning"] = reasoning
    if (context := own.pop(_CONTEXT, None)) is not None:
        said["reasoning"] = said.get("reasoning", {}) | {"context": context}
    if include := _include(request, own.pop("include", None) or [], asked=own.pop(PROVES, False)):
        said["include"] = include
    if request.top_logprobs is not None:
        said["top_logprobs"] = request.top_logprobs
    if request.stream:
        said["stream"] = True
    for name in _SAME_NAME:
        if (value := getattr(request, name)) is not None:
            said[name] = value
    try:
        return msgspec.json.encode(merged(said, own))
    except RecursionError as exc:
        raise InvalidRequest("The request is nested too deeply.") from exc


_SAME_NAME = (
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "user",
    "metadata",
    "service_tier",
)


def _own(extra: Extra | None, adapted: Adapted) -> dict[str, Json]:
    """Fields of this dialect's own, and those of its older sister that are the same here."""
    if extra is None or extra.dialect != "openai-chat":
        return dict(own_fields(extra, dialect=NAME, adapted=adapted))
    rest = {name: value for name, value in extra.fields.items() if name not in _SHARED_WITH_CHAT | {"verbosity"}}
    own_fields(Extra(extra.dialect, rest), dialect=NAME, adapted=adapted)
    return {name: value for name, value in extra.fields.items() if name not in rest}


def _instructions(messages: tuple[Message, ...]) -> tuple[str | None, tuple[Message, ...]]:
    """What the system says first, and the rest; there is always a rest."""
    match messages:
        case (
            Message(role="system", parts=(Text(text=text, cache=None, extra=None),), name=None, extra=None),
            *rest,
        ) if rest and text:
            return text, tuple(rest)
        case _:
            return None, messages


def encode_text(wanted: ResponseFormat | None, verbosity: str | None, adapted: Adapted) -> dict[str, Json]:
    said: dict[str, Json] = {} if verbosity is None else {"verbosity": verbosity}
    if wanted is None:
        return said
    kind = wanted.kind
    if kind == "json_object" and wanted.schema is not None:  # which only llama.cpp takes
        adapted.note("response_format", "said as json_schema")
        kind = "json_schema"
    format_: dict[str, Json] = {"type": kind}
    if kind == "json_schema":
        format_ |= {"name": wanted.name or "answer", "schema": wanted.schema or {}}  # both are demanded
        for name in ("description", "strict"):
            if (value := getattr(wanted, name)) is not None:
                format_[name] = value
    return said | {"format": format_}


def encode_reasoning(options: ReasoningOptions | None, summary: str | None, adapted: Adapted) -> dict[str, Json]:
    """How much to think, and whether to show a summary of it; thoughts themselves are never shown."""
    if options is None:
        return {}
    said: dict[str, Json] = {}
    if (effort := _effort(options, adapted)) is not None:
        said["effort"] = effort
    if options.show:
        said["summary"] = summary or "auto"
    return said


def _effort(options: ReasoningOptions, adapted: Adapted) -> Effort | None:
    """How much to think, in the only words this dialect has.

    A budget of tokens is said as the effort nearest to it, by the budgets that Google's endpoint of OpenAI's dialect
    gives to each: low 1,024, medium 8,192, high 24,576 (https://ai.google.dev/gemini-api/docs/openai, "Thinking").
    """
    budget = options.budget
    if options.effort is not None or budget is None:
        return options.effort
    if budget < 0:
        return None
    effort: Effort = "none"
    if budget:
        effort = "low" if budget < (1_024 + 8_192) // 2 else "medium" if budget < (8_192 + 24_576) // 2 else "high"
    adapted.note("reasoning.budget", f"said as effort {effort}")
    return effort


def _include(request: CompletionRequest, told: list[str], *, asked: bool) -> list[str]:
    """What the answer is to hold beside the ordinary.

    Encrypted thoughts are asked for where the request shows that the model thinks: models that do not refuse to be
    asked ("Encrypted content is not supported with this model").
    """
    include = list(told)
    thinks = request.reasoning is not None and request.reasoning.effort != "none" and request.reasoning.budget != 0
    if asked or thinks or _has_thought(request.messages):
        include.append(ENCRYPTED)
    if request.logprobs:
        include.append(LOGPROBS)
    return include


def _has_thought(messages: tuple[Message, ...]) -> bool:
    return any(
        isinstance(part, Reasoning) and part.encrypted is not None and part.minted_by == NAME
        for message in messages
        for part in message.parts
    )
