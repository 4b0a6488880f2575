"""Whole requests, both ways. Source: <https://ai.google.dev/api/generate-content>.

Model and streaming are not in the body but in the path (`address`): a decoded request has an empty model and does not
stream, until the edge that knows the path says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

import msgspec

from isthmus.dialects.complaint import invalid
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.gemini_generate.conversation import decode_contents, encode_contents
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.once import fields_once
from isthmus.dialects.silence import means_nothing
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import CompletionRequest, Json, ReasoningOptions, ResponseFormat, Tool, ToolChoice

_SAME = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_output_tokens": "maxOutputTokens",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
"""Options by their names in `generationConfig`."""

Level = Literal["minimal", "low", "medium", "high", "xhigh"]
_LEVELS = ("minimal", "low", "medium", "high", "xhigh")
_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}
_TIERS_BACK = {theirs: ours for ours, theirs in _TIERS.items()}
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {"AUTO": "auto", "NONE": "none", "ANY": "required"}


# --------------------------------------------------------------------------------------------------- decoding


def decode(body: bytes) -> CompletionRequest:
    """Decode all of a request's body.

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
    messages = decode_contents(fields)
    choice, strict = _decode_tool_config(fields)
    tools = _decode_tools(fields, strict=strict)
    tier = (fields.text("serviceTier") or "").lower()
    config = fields.inner("generationConfig") or Fields({}, "generationConfig")
    stop = config.items("stopSequences") or []
    if not all(isinstance(text, str) for text in stop):
        raise config.wrong("stopSequences", "must be a list of strings")
    response_format = _decode_format(config)
    reasoning = _decode_thinking(config)
    request = CompletionRequest(
        model="",
        messages=messages,
        tools=tools,
        tool_choice=choice,
        response_format=response_format,
        max_output_tokens=config.integer("maxOutputTokens"),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=config.integer("topK"),
        stop=tuple(stop),
        seed=config.integer("seed"),
        presence_penalty=config.number("presencePenalty"),
        frequency_penalty=config.number("frequencyPenalty"),
        n=config.integer("candidateCount"),
        logprobs=config.boolean("responseLogprobs"),
        top_logprobs=config.integer("logprobs"),
        reasoning=reasoning,
        service_tier=_TIERS_BACK.get(tier, tier) or None,
    )
    fields.put_back("generationConfig", config)
    return replace(request, extra=fields.unknown(NAME))


def _decode_tools(fields: Fields, *, strict: bool) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for at, item in enumerate(fields.items("tools") or ()):
        tool = Fields(item, f"tools[{at}]")
        declared = tool.items("functionDeclarations") or []
        if tool.rest:
            raise Unsupported(
                f"{tool.path}: the provider's own tools can only be passed through to an offer that speaks {NAME} "
                "itself.",
                param=tool.path,
            )
        tools += [
            _decode_declaration(Fields(one, f"{tool.at('functionDeclarations')}[{number}]"), strict=strict)
            for number, one in enumerate(declared)
        ]
    return tuple(tools)


def _decode_declaration(fields: Fields, *, strict: bool) -> Tool:
    name, description = fields.required_text("name"), fields.text("description")
    schema = fields.inner("parametersJsonSchema")
    parameters = None if schema is None else schema.rest
    if parameters is None and (older := fields.inner("parameters")) is not None:
        parameters = json_schema(older.rest)
    return Tool(
        name=name,
        description=description,
        parameters=parameters,
        strict=True if strict else None,
        extra=fields.unknown(NAME),
    )


def json_schema(schema: Json) -> Json:
    """JSON Schema of the older form, a part of OpenAPI 3.0: types in capitals, `nullable` beside them."""
    if isinstance(schema, list):
        return [json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Json] = {}
    for name, value in schema.items():
        if name == "type" and isinstance(value, str):
            found["type"] = value.lower()
        elif name == "properties" and isinstance(value, dict):
            found["properties"] = {key: json_schema(inner) for key, inner in value.items()}
        elif name in ("items", "anyOf"):
            found[name] = json_schema(value)
        elif name in ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"):
            found[name] = int(value) if isinstance(value, str) and value.isdecimal() else value  # int64 in proto JSON
        elif name not in ("nullable", "propertyOrdering"):
            found[name] = value
    if schema.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


def _decode_tool_config(fields: Fields) -> tuple[ToolChoice | None, bool]:
    """The choice, and whether calls are held to the tools' schemas."""
    outer = fields.inner("toolConfig")
    inner = None if outer is None else outer.inner("functionCallingConfig")
    if outer is None or inner is None:
        if outer is not None:
            fields.put_back("toolConfig", outer)
        return None, False
    mode, allowed = (inner.text("mode") or "AUTO").upper(), inner.items("allowedFunctionNames")
    match mode, allowed:
        case "ANY", [str(name)]:
            choice = ToolChoice(mode="named", name=name)
        case (("AUTO" | "NONE" | "ANY"), (None | [])):
            choice = ToolChoice(mode=_MODES[mode])
        case "VALIDATED", (None | []):
            choice = ToolChoice(mode="auto")
        case _, [_, *_]:
            raise Unsupported(
                f"{inner.at('allowedFunctionNames')} can only be sent to an offer that speaks {NAME} itself.",
                param=inner.at("allowedFunctionNames"),
            )
        case _:
            raise inner.wrong("mode", "must be one of AUTO, ANY, NONE, VALIDATED")
    outer.put_back("functionCallingConfig", inner)
    fields.put_back("toolConfig", outer)
    return choice, mode == "VALIDATED"


def _decode_format(config: Fields) -> ResponseFormat | None:
    media_type = config.text("responseMimeType")
    schema = config.inner("responseJsonSchema")
    parameters = None if schema is None else schema.rest
    if parameters is None and (older := config.inner("responseSchema")) is not None:
        parameters = json_schema(older.rest)
    match media_type:
        case "application/json" if parameters is not None:
            return ResponseFormat(kind="json_schema", schema=parameters)
        case "application/json":
            return ResponseFormat(kind="json_object")
        case None | "text/plain" if parameters is None:
            return None if media_type is None else ResponseFormat(kind="text")
        case _:
            raise Unsupported(
                f"{config.at('responseMimeType')} must be application/json or text/plain.",
                param=config.at("responseMimeType"),
            )


def _decode_thinking(config: Fields) -> ReasoningOptions | None:
    inner = config.inner("thinkingConfig")
    if inner is None:
        return None
    level = (inner.text("thinkingLevel") or "").lower()
    if level and level not in _LEVELS:
        raise inner.wrong("thinkingLevel", "is not a level")
    budget = inner.integer("thinkingBudget")
    options = ReasoningOptions(
        effort="none" if budget == 0 and not level else cast("Level", level) if level else None,
        budget=None if budget == 0 and not level else budget,
        show=inner.boolean("includeThoughts"),
    )
    config.put_back("thinkingConfig", inner)
    return None if options == ReasoningOptions() else options


# --------------------------------------------------------------------------------------------------- encoding


def encode(request: CompletionRequest) -> bytes:
    """The body for an offer of this dialect.

    Raises:
        Unsupported: the request says something that cannot be said here.
    """
    if request.logit_bias:
        raise Unsupported(f"logit_bias cannot be said in {NAME}, the dialect of this offer.", param="logit_bias")
    if request.parallel_tool_calls is False and request.tools:
        raise Unsupported(
            f"Models called in {NAME}, the dialect of this offer, may always call several tools at once.",
            param="parallel_tool_calls",
        )
    own = own_fields(request.extra, dialect=NAME)
    said = encode_contents(request.messages)
    if request.tools:
        said["tools"] = [
            {"functionDeclarations": [_encode_tool(tool, f"tools[{at}]") for at, tool in enumerate(request.tools)]}
        ]
    if (calling := _encode_tool_choice(request)) is not None:
        said["toolConfig"] = {"functionCallingConfig": calling}
    config = {wire: value for name, wire in _SAME.items() if (value := getattr(request, name)) is not None}
    if request.stop:
        config["stopSequences"] = list(request.stop)
    config |= _encode_format(request.response_format)
    if (thinking := _encode_thinking(request.reasoning)) is not None:
        config["thinkingConfig"] = thinking
    if config:
        said["generationConfig"] = config
    if request.service_tier is not None and request.service_tier != "auto":
        if request.service_tier not in _TIERS:
            raise Unsupported(
                f"service_tier must be auto, {', '.join(_TIERS)} where the offer speaks {NAME}.", param="service_tier"
            )
        said["serviceTier"] = _TIERS[request.service_tier]
    return msgspec.json.encode(merged(said, own))


def _encode_tool(tool: Tool, where: str) -> dict[str, Json]:
    said: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    if tool.parameters is not None:
        said["parametersJsonSchema"] = tool.parameters
    return merged(said, own_fields(tool.extra, dialect=NAME, where=where))


def _encode_tool_choice(request: CompletionRequest) -> dict[str, Json] | None:
    """The choice. Strict tools are said by the mode that holds calls to their schemas, as forced calls always are."""
    choice = request.tool_choice
    if not request.tools and means_nothing(choice):
        return None
    if any(tool.strict for tool in request.tools) and (choice is None or choice.mode == "auto"):
        return {"mode": "VALIDATED"}
    match choice:
        case None:
            return None
        case ToolChoice(mode="named"):
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        case _:
            return {"mode": {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice.mode]}


def _encode_format(wanted: ResponseFormat | None) -> dict[str, Json]:
    if wanted is None:
        return {}
    if wanted.kind == "text":
        return {"responseMimeType": "text/plain"}
    said: dict[str, Json] = {"responseMimeType": "application/json"}
    if wanted.schema is not None:
        schema = dict(wanted.schema)
        if wanted.description is not None:
            schema.setdefault("description", wanted.description)
        said["responseJsonSchema"] = schema
    return said


def _encode_thinking(options: ReasoningOptions | None) -> dict[str, Json] | None:
    if options is None:
        return None
    said: dict[str, Json] = {}
    if options.effort == "none":
        said["thinkingBudget"] = 0
    elif options.effort is not None and options.budget is not None:
        raise Unsupported(f"Effort and budget cannot both be said in {NAME}.", param="reasoning.budget")
    elif options.effort is not None:
        # The most there is here; `max` is one step more.
        said["thinkingLevel"] = "XHIGH" if options.effort == "max" else options.effort.upper()
    elif options.budget is not None:
        said["thinkingBudget"] = options.budget
    if options.show is not None:
        said["includeThoughts"] = options.show
    return said
