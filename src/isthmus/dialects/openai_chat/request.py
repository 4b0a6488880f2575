"""Whole requests, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast, get_args

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.once import fields_once
from isthmus.dialects.openai_chat.cache import cache_fields, decode_cache
from isthmus.dialects.openai_chat.conversation import decode_messages, encode_messages
from isthmus.dialects.openai_chat.name import NAME
from isthmus.dialects.openai_chat.servers import taken_by
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    CompletionRequest,
    Json,
    ReasoningOptions,
    ResponseFormat,
    Tool,
    ToolChoice,
)

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_EFFORTS = get_args(Effort)

PASS_THROUGH_ONLY = ("audio", "functions", "function_call", "prediction", "web_search_options")
"""Fields that the domain cannot carry: they work where client and offer both speak this dialect."""

SCHEMA_NAME = "answer"
"""Of a schema for the answer that came without a name, which the dialect demands."""

OWN_PREFIX = "isthmus-"
"""Of the keys in `metadata` that are for isthmus and no one else."""


# --------------------------------------------------------------------------------------------------- decoding


def decode(body: bytes) -> CompletionRequest:
    """Decode all of a request.

    Raises:
        InvalidRequest: not a request of this dialect.
        Unsupported: it holds what the domain cannot carry.
    """
    try:
        content: Json = msgspec.json.decode(body)
    except UNREADABLE as exc:
        raise invalid(exc) from exc
    fields_once(body)
    fields = Fields(content)
    _refuse_what_only_passes_through(fields)
    model = fields.required_text("model")
    stream = fields.boolean("stream") or False
    return CompletionRequest(
        model=model,
        messages=decode_messages(fields),
        tools=tuple(_decode_tool(Fields(item, f"tools[{at}]")) for at, item in enumerate(fields.items("tools") or ())),
        tool_choice=_decode_tool_choice(fields),
        parallel_tool_calls=fields.boolean("parallel_tool_calls"),
        response_format=_decode_response_format(fields),
        max_output_tokens=_decode_max_tokens(fields),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.integer("top_k"),
        stop=_decode_stop(fields),
        seed=fields.integer("seed"),
        presence_penalty=fields.number("presence_penalty"),
        frequency_penalty=fields.number("frequency_penalty"),
        logit_bias=_decode_logit_bias(fields),
        n=fields.integer("n"),
        logprobs=fields.boolean("logprobs"),
        top_logprobs=fields.integer("top_logprobs"),
        reasoning=_decode_reasoning(fields),
        user=fields.text("user"),
        metadata=_decode_metadata(fields),
        service_tier=fields.text("service_tier"),
        stream=stream,
        stream_usage=_decode_stream_options(fields, stream=stream),
        extra=fields.unknown(NAME),
    )


def _refuse_what_only_passes_through(fields: Fields) -> None:
    for name in PASS_THROUGH_ONLY:
        if fields.rest.get(name) not in (None, []):
            raise Unsupported(f"{name} can only be sent to an offer that speaks {NAME} itself.", param=name)
        fields.rest.pop(name, None)
    modalities = fields.rest.get("modalities")
    if modalities == ["text"]:
        del fields.rest["modalities"]  # the default
    elif modalities is not None:
        raise Unsupported(f"modalities can only be sent to an offer that speaks {NAME} itself.", param="modalities")


def _decode_tool(fields: Fields) -> Tool:
    if fields.text("type") not in (None, "function"):  # Mistral's own client leaves it out
        raise Unsupported(
            f"{fields.at('type')} must be function: other kinds of tools can only be passed through to an offer that "
            f"speaks {NAME} itself.",
            param=fields.at("type"),
        )
    function = fields.required_inner("function")
    parameters = function.inner("parameters")
    tool_name, description = function.required_text("name"), function.text("description")
    strict, cache = function.boolean("strict"), decode_cache(fields)
    fields.put_back("function", function)
    return Tool(
        name=tool_name,
        description=description,
        parameters=None if parameters is None else parameters.rest,
        strict=strict,
        cache=cache,
        extra=fields.unknown(NAME),
    )


def _decode_tool_choice(fields: Fields) -> ToolChoice | None:
    match fields.rest.pop("tool_choice", None):
        case None:
            return None
        case "auto" | "none" | "required" as mode:
            return ToolChoice(mode=cast("Literal['auto', 'none', 'required']", mode))
        case "any":  # Mistral's word for it
            return ToolChoice(mode="required")
        case {"type": "function", "function": {"name": str(name), **inner}, **outer} if not inner and not outer:
            return ToolChoice(mode="named", name=name)
        case {"type": "allowed_tools" | "custom"}:
            raise Unsupported(
                f"This tool_choice can only be sent to an offer that speaks {NAME} itself.", param="tool_choice"
            )
        case _:
            raise fields.wrong("tool_choice", "must be auto, none, required, or name a function")


def _decode_response_format(fields: Fields) -> ResponseFormat | None:
    inner = fields.inner("response_format")
    if inner is None:
        return None
    kind = inner.required_text("type")
    found: ResponseFormat
    match kind:
        case "text":
            found = ResponseFormat(kind="text")
        case "json_object":  # llama.cpp takes a schema here
            schema = inner.inner("schema")
            found = ResponseFormat(kind="json_object", schema=None if schema is None else schema.rest)
        case "json_schema":
            said = inner.required_inner("json_schema")
            schema = said.inner("schema")
            found = ResponseFormat(
                kind="json_schema",
                name=said.text("name"),
                description=said.text("description"),
                schema=None if schema is None else schema.rest,
                strict=said.boolean("strict"),
            )
            inner.put_back("json_schema", said)
        case _:
            raise Unsupported(
                f"response_format.type must be text, json_object or json_schema: others can only be sent to an offer "
                f"that speaks {NAME} itself.",
                param="response_format.type",
            )
    fields.put_back("response_format", inner)
    return found


def _decode_max_tokens(fields: Fields) -> int | None:
    """Either name; which one it was is kept, for servers know one or the other."""
    older = fields.integer("max_tokens")
    newer = fields.integer("max_completion_tokens")
    if newer is None:
        return older
    fields.rest["max_completion_tokens"] = newer
    if older is not None and older != newer:
        fields.rest["max_tokens"] = older
    return newer


def _decode_stop(fields: Fields) -> tuple[str, ...]:
    stop = fields.rest.pop("stop", None)
    if stop is None:
        return ()
    if isinstance(stop, str):
        return (stop,)
    if not isinstance(stop, list) or not all(isinstance(text, str) for text in stop):
        raise fields.wrong("stop", "must be a string or a list of strings")
    return tuple(stop)


def _decode_logit_bias(fields: Fields) -> Mapping[str, float] | None:
    inner = fields.inner("logit_bias")
    if inner is None:
        return None
    if not all(isinstance(bias, int | float) and not isinstance(bias, bool) for bias in inner.rest.values()):
        raise fields.wrong("logit_bias", "must map tokens to numbers")
    return inner.rest


def _decode_reasoning(fields: Fields) -> ReasoningOptions | None:
    effort = fields.rest.get("reasoning_effort")
    if effort is not None and not isinstance(effort, str):
        raise fields.wrong("reasoning_effort", "must be a string")
    if effort not in _EFFORTS:  # a provider's own word (Groq has `default`) goes on as it is
        return None
    del fields.rest["reasoning_effort"]
    return ReasoningOptions(effort=cast("Effort", effort))


def _decode_metadata(fields: Fields) -> Mapping[str, str] | None:
    """What is for the provider: our own keys are facts of the request, and read elsewhere."""
    inner = fields.inner("metadata")
    if inner is None:
        return None
    if not all(isinstance(value, str) for value in inner.rest.values()):
        raise fields.wrong("metadata", "must map names to strings")
    kept = {name: value for name, value in inner.rest.items() if not name.startswith(OWN_PREFIX)}
    return kept if kept or not inner.rest else None


def _decode_stream_options(fields: Fields, *, stream: bool) -> bool:
    if not stream:
        return False
    options = fields.inner("stream_options")
    if options is None:
        return False
    asked = options.boolean("include_usage") or False
    fields.put_back("stream_options", options)
    return asked


# --------------------------------------------------------------------------------------------------- encoding


def encode(request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
    """The body for an offer of this dialect. What is said otherwise than it was meant is noted in `adapted`.

    Raises:
        InvalidRequest: it is nested too deeply to be written.
        Unsupported: the request says something that cannot be said here.
    """
    adapted = Adapted() if adapted is None else adapted
    request = taken_by(model, request, adapted)
    own = dict(own_fields(request.extra, dialect=NAME, adapted=adapted))
    said: dict[str, Json] = {"model": model, "messages": encode_messages(request.messages, adapted)}
    if request.tools:
        said["tools"] = [_encode_tool(tool, f"tools[{at}]", adapted) for at, tool in enumerate(request.tools)]
    if request.tool_choice is not None:
        said["tool_choice"] = _encode_tool_choice(request.tool_choice)
    if request.response_format is not None:
        said["response_format"] = _encode_response_format(request.response_format, adapted)
    if request.max_output_tokens is not None:
        # `max_tokens` is what every server knows. Reasoning models at OpenAI take only the newer name: where the client
        # used that, or asks for reasoning, so do we.
        newer = "max_completion_tokens" in own or request.reasoning is not None
        said["max_completion_tokens" if newer else "max_tokens"] = request.max_output_tokens
    if request.stop:
        said["stop"] = list(request.stop)
    if request.reasoning is not None and (effort := _effort(request.reasoning, adapted)) is not None:
        said["reasoning_effort"] = effort
    if request.stream:
        said |= {"stream": True, "stream_options": {"include_usage": True}}
    for name in _SAME_NAME:
        if (value := getattr(request, name)) is not None:
            said[name] = value
    try:
        return msgspec.json.encode(merged(said, own))
    except RecursionError as exc:
        raise InvalidRequest("The request is nested too deeply.") from exc


_SAME_NAME = (
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "n",
    "logprobs",
    "top_logprobs",
    "user",
    "metadata",
    "service_tier",
)


def _encode_tool(tool: Tool, where: str, adapted: Adapted) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    said: dict[str, Json] = {"type": "function", "function": function} | cache_fields(tool.cache, tool.extra)
    return merged(said, own_fields(tool.extra, dialect=NAME, where=where, adapted=adapted))


def _encode_tool_choice(choice: ToolChoice) -> Json:
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _encode_response_format(wanted: ResponseFormat, adapted: Adapted) -> dict[str, Json]:
    said: dict[str, Json] = {"type": wanted.kind}
    if wanted.kind == "json_object" and wanted.schema is not None:
        said["schema"] = wanted.schema
    if wanted.kind == "json_schema":
        inner: dict[str, Json] = {"name": wanted.name or SCHEMA_NAME}  # required here
        if not wanted.name:
            adapted.note("response_format.name", f"{SCHEMA_NAME}, where none was said")
        for name in ("description", "schema", "strict"):
            if (value := getattr(wanted, name)) is not None:
                inner[name] = value
        said["json_schema"] = inner
    return said


def _effort(options: ReasoningOptions, adapted: Adapted) -> Effort | None:
    """How much to think, in the only words this dialect has.

    A budget of tokens is said as the effort nearest to it, by the budgets that Google's endpoint of this dialect gives
    to each effort: low 1,024, medium 8,192, high 24,576 (https://ai.google.dev/gemini-api/docs/openai, "Thinking").
    Whether thoughts are shown cannot be said; servers that have them to show do.
    """
    if options.show is not None:
        adapted.note("reasoning.show", "left out")
    if options.budget is None:
        return options.effort
    effort = options.effort or _nearest(options.budget)
    adapted.note("reasoning.budget", "left out" if effort is None else f"said as effort {effort}")
    return effort


def _nearest(budget: int) -> Effort | None:
    if budget < 0:
        return None
    if budget == 0:
        return "none"
    if budget < (1_024 + 8_192) // 2:
        return "low"
    return "medium" if budget < (8_192 + 24_576) // 2 else "high"
