"""Whole requests, both ways. Source: <https://docs.anthropic.com/en/api/messages>."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages.cache import cache_control, decode_cache
from isthmus.dialects.anthropic_messages.conversation import decode_messages, encode_messages
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.complaint import invalid
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.once import fields_once
from isthmus.dialects.silence import means_nothing
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import CompletionRequest, Json, ReasoningOptions, ResponseFormat, Tool, ToolChoice

MAX_OUTPUT_TOKENS = 4096
"""Said where the caller sets no limit, for the dialect demands one. Every model served at this API can write as much;
with a budget for thinking, which counts towards the limit, it comes on top of that."""

BUDGET_MIN = 1024
"""Tokens: the least that `thinking.budget_tokens` may be."""

Effort = Literal["low", "medium", "high", "xhigh", "max"]
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_TIERS = {"auto": "auto", "default": "standard_only"}
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "any": "required"}
_CHOICES = {mode: kind for kind, mode in _MODES.items()}
_DEFAULTS: Mapping[str, Json] = {
    "seed": None,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
}
"""What cannot be said here, with the value that says the same as nothing."""


# --------------------------------------------------------------------------------------------------- decoding


def decode(body: bytes) -> CompletionRequest:
    """Decode all of a request.

    Raises:
        InvalidRequest: not a request of this dialect.
        Unsupported: it holds what the domain cannot carry.
    """
    try:
        content: Json = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise invalid(exc) from exc
    fields_once(body)
    fields = Fields(content)
    stream = fields.boolean("stream") or False
    config = fields.inner("output_config")
    choice, parallel = _decode_tool_choice(fields)
    request = CompletionRequest(
        model=fields.required_text("model"),
        messages=decode_messages(fields),
        tools=tuple(_decode_tool(Fields(item, f"tools[{at}]")) for at, item in enumerate(fields.items("tools") or ())),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=None if config is None else _decode_format(config),
        max_output_tokens=fields.integer("max_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.integer("top_k"),
        stop=_decode_stop(fields),
        reasoning=_decode_reasoning(fields, config),
        user=_decode_user(fields),
        service_tier=_decode_tier(fields),
        stream=stream,
        stream_usage=stream,
    )
    if config is not None:
        fields.put_back("output_config", config)
    return replace(request, extra=fields.unknown(NAME))


def _decode_tool(fields: Fields) -> Tool:
    if fields.text("type") not in (None, "custom"):
        raise Unsupported(
            f"{fields.at('type')} must be custom: the provider's own tools can only be passed through to an offer that "
            f"speaks {NAME} itself.",
            param=fields.at("type"),
        )
    return Tool(
        name=fields.required_text("name"),
        description=fields.text("description"),
        parameters=fields.required_inner("input_schema").rest,
        strict=fields.boolean("strict"),
        cache=decode_cache(fields),
        extra=fields.unknown(NAME),
    )


def _decode_tool_choice(fields: Fields) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether calls may be parallel."""
    inner = fields.inner("tool_choice")
    if inner is None:
        return None, None
    kind = inner.required_text("type")
    serial = inner.boolean("disable_parallel_tool_use")
    if kind == "tool":
        choice = ToolChoice(mode="named", name=inner.required_text("name"))
    elif kind in _MODES:
        choice = ToolChoice(mode=_MODES[kind])
    else:
        raise inner.wrong("type", "must be one of auto, any, tool, none")
    fields.put_back("tool_choice", inner)
    return choice, None if serial is None else not serial


def _decode_format(config: Fields) -> ResponseFormat | None:
    wanted = config.inner("format")
    if wanted is None:
        return None
    if wanted.required_text("type") != "json_schema":
        raise wanted.wrong("type", "must be json_schema")
    found = ResponseFormat(kind="json_schema", schema=wanted.required_inner("schema").rest)
    config.put_back("format", wanted)
    return found


def _decode_reasoning(fields: Fields, config: Fields | None) -> ReasoningOptions | None:
    effort: Effort | None = None
    if config is not None and config.rest.get("effort") in _EFFORTS:
        effort = cast("Effort", config.text("effort"))
    thinking = fields.inner("thinking")
    if thinking is None:
        return None if effort is None else ReasoningOptions(effort=effort)
    kind = thinking.required_text("type")
    display = thinking.rest.get("display")
    show = {"summarized": True, "omitted": False}.get(display) if isinstance(display, str) else None
    if show is not None:
        del thinking.rest["display"]
    match kind:
        case "disabled" if effort is None:
            options = ReasoningOptions(effort="none", show=show)
        case "disabled":
            options = ReasoningOptions(effort=effort, budget=0, show=show)
        case "enabled":
            budget = thinking.integer("budget_tokens")
            if budget is None:
                raise thinking.wrong("budget_tokens", "is missing")
            options = ReasoningOptions(effort=effort, budget=budget, show=show)
        case "adaptive":
            options = ReasoningOptions(effort=effort, budget=-1 if effort is None else None, show=show)
        case _:  # a mode the domain has no word for goes on as it is
            thinking.rest["type"] = kind
            options = ReasoningOptions(effort=effort, show=show)
    fields.put_back("thinking", thinking)
    return None if options == ReasoningOptions() else options


def _decode_stop(fields: Fields) -> tuple[str, ...]:
    items = fields.items("stop_sequences") or []
    if not all(isinstance(text, str) for text in items):
        raise fields.wrong("stop_sequences", "must be a list of strings")
    return tuple(items)


def _decode_user(fields: Fields) -> str | None:
    inner = fields.inner("metadata")
    if inner is None:
        return None
    user = inner.text("user_id")
    # Our own keys are facts of the request, and read elsewhere.
    inner.rest = {name: value for name, value in inner.rest.items() if not name.startswith("isthmus-")}
    fields.put_back("metadata", inner)
    return user


def _decode_tier(fields: Fields) -> str | None:
    told = fields.text("service_tier")
    return "default" if told == "standard_only" else told


# --------------------------------------------------------------------------------------------------- encoding


def encode(request: CompletionRequest, *, model: str, adapted: Adapted | None = None) -> bytes:
    """The body for an offer of this dialect. What is said otherwise than it was meant is noted in `adapted`.

    Raises:
        Unsupported: the request says something that cannot be said here.
    """
    adapted = Adapted() if adapted is None else adapted
    for name, default in _DEFAULTS.items():
        if (value := getattr(request, name)) is not None and value != default:
            raise Unsupported(f"{name} cannot be said in {NAME}, the dialect of this offer.", param=name)
    if request.temperature is not None and not 0 <= request.temperature <= 1:
        raise Unsupported(f"temperature goes from 0 to 1 in {NAME}, the dialect of this offer.", param="temperature")
    own = own_fields(request.extra, dialect=NAME, adapted=adapted)
    said: dict[str, Json] = {"model": model, "max_tokens": _max_tokens(request, adapted)}
    said |= encode_messages(request.messages, adapted)
    if request.tools:
        said["tools"] = [_encode_tool(tool, f"tools[{at}]", adapted) for at, tool in enumerate(request.tools)]
    if (choice := _encode_tool_choice(request, adapted)) is not None:
        said["tool_choice"] = choice
    if request.stop:
        said["stop_sequences"] = list(request.stop)
    for name in ("temperature", "top_p", "top_k"):
        if (value := getattr(request, name)) is not None:
            said[name] = value
    if request.user is not None:
        said["metadata"] = {"user_id": request.user}
    if request.metadata:
        adapted.note("metadata", "left out")
    if request.service_tier is not None:
        if request.service_tier not in _TIERS:
            raise Unsupported(
                f"service_tier must be one of {', '.join(_TIERS)} where the offer speaks {NAME}.", param="service_tier"
            )
        said["service_tier"] = _TIERS[request.service_tier]
        if said["service_tier"] != request.service_tier:
            adapted.note("service_tier", f"said as {said['service_tier']}")
    said |= _encode_reasoning(request.reasoning, own, adapted)
    if (wanted := _encode_format(request.response_format, adapted)) is not None:
        said["output_config"] = said.get("output_config", {}) | {"format": wanted}
    if request.stream:
        said["stream"] = True
    return msgspec.json.encode(merged(said, own))


def _max_tokens(request: CompletionRequest, adapted: Adapted) -> int:
    if request.max_output_tokens is not None:
        return request.max_output_tokens
    budget = 0 if request.reasoning is None else request.reasoning.budget or 0
    limit = MAX_OUTPUT_TOKENS + max(budget, 0)
    adapted.note("max_output_tokens", f"{limit}, where none was said")
    return limit


def _encode_tool(tool: Tool, where: str, adapted: Adapted) -> dict[str, Json]:
    said: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    said["input_schema"] = {"type": "object", "properties": {}} if tool.parameters is None else tool.parameters
    if tool.strict is not None:
        said["strict"] = tool.strict
    return merged(said | cache_control(tool.cache), own_fields(tool.extra, dialect=NAME, where=where, adapted=adapted))


def _encode_tool_choice(request: CompletionRequest, adapted: Adapted) -> dict[str, Json] | None:
    """The choice; whether calls may be parallel is a part of it, and means nothing where there is no tool to call."""
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if not request.tools and means_nothing(choice):
        if choice is not None or parallel is not None:
            adapted.note("tool_choice", "left out, there is no tool")
        return None
    if choice is None:
        if parallel is None:
            return None
        choice = ToolChoice(mode="auto")
    if choice.mode == "none":
        return {"type": "none"}
    said: dict[str, Json] = (
        {"type": "tool", "name": choice.name} if choice.mode == "named" else {"type": _CHOICES[choice.mode]}
    )
    if parallel is not None:
        said["disable_parallel_tool_use"] = not parallel
    return said


def _encode_reasoning(options: ReasoningOptions | None, own: Mapping[str, Json], adapted: Adapted) -> dict[str, Json]:
    """`thinking` and `output_config.effort`. An effort alone lets the model decide when to think, up to that effort."""
    if options is None:
        return {}
    if options.budget is not None and 0 < options.budget < BUDGET_MIN:
        raise Unsupported(
            f"A budget for thinking is at least {BUDGET_MIN} tokens in {NAME}, the dialect of this offer.",
            param="reasoning.budget",
        )
    said: dict[str, Json] = {}
    if options.effort is not None and options.effort != "none":
        if options.effort == "minimal":  # OpenAI's; one step less than the least there is here
            adapted.note("reasoning.effort", "minimal said as low")
        said["output_config"] = {"effort": "low" if options.effort == "minimal" else options.effort}
    if "type" in own.get("thinking", {}):
        return said
    thinking: dict[str, Json]
    if options.effort == "none" or options.budget == 0:
        thinking = {"type": "disabled"}
    elif options.budget is not None and options.budget > 0:
        thinking = {"type": "enabled", "budget_tokens": options.budget}
    else:
        thinking = {"type": "adaptive"}
    if options.show is not None and thinking["type"] != "disabled":
        thinking["display"] = "summarized" if options.show else "omitted"
    return said | {"thinking": thinking}


def _encode_format(wanted: ResponseFormat | None, adapted: Adapted) -> dict[str, Json] | None:
    if wanted is None or wanted.kind == "text":
        return None
    if wanted.kind == "json_object" or wanted.schema is None:
        raise Unsupported(
            f"{NAME}, the dialect of this offer, has JSON only by a schema.",
            hint="Use response_format json_schema, with a schema.",
            param="response_format",
        )
    schema = dict(wanted.schema)
    if wanted.name is not None:
        adapted.note("response_format.name", "left out")
    if wanted.description is not None:
        adapted.note("response_format.description", "said in the schema")
        schema.setdefault("description", wanted.description)
    if wanted.strict is False:
        adapted.note("response_format.strict", "always")
    return {"type": "json_schema", "schema": schema}
