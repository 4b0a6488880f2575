"""Whole requests, both ways. Source: <https://ai.google.dev/api/generate-content>.

Model and streaming are not in the body but in the path (`address`): a decoded request has an empty model and does not
stream, until the edge that knows the path says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

import msgspec

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.complaint import UNREADABLE, invalid
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.gemini_generate.conversation import decode_contents, encode_contents
from isthmus.dialects.gemini_generate.facts import LABELS
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.spelling import spelled
from isthmus.dialects.once import fields_once
from isthmus.dialects.own_metadata import without_own
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
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {
    "AUTO": "auto",
    "VALIDATED": "auto",
    "NONE": "none",
    "ANY": "required",
}

_BY_BUDGET = re.compile(r"(?:models/)?gemini-2\.")
_BUDGETS = {"minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
"""Tokens that efforts stand for. Source: https://ai.google.dev/gemini-api/docs/openai, "Thinking"."""


# --------------------------------------------------------------------------------------------------- decoding


def decode(body: bytes) -> CompletionRequest:
    """Decode all of a request's body.

    Raises:
        InvalidRequest: not a request of this dialect.
        Unsupported: it holds what the domain cannot carry.
    """
    fields_once(body)
    try:
        content: Json = msgspec.json.decode(spelled(body))
    except UNREADABLE as exc:
        raise invalid(exc) from exc
    fields = Fields(content)
    _take_our_labels(fields)
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


def _take_our_labels(fields: Fields) -> None:
    """Leave of the labels what is not said to us."""
    if (labels := fields.rest.get(LABELS)) is not None:
        kept = without_own(msgspec.Raw(msgspec.json.encode(labels)), within=LABELS)
        fields.rest[LABELS] = None if kept is None else msgspec.json.decode(kept)


def _decode_tools(fields: Fields, *, strict: bool) -> tuple[Tool, ...]:
    """The functions that are declared. The provider's own tools stay among the fields, for offers of this dialect."""
    tools: list[Tool] = []
    provided: list[Json] = []
    for at, item in enumerate(fields.items("tools") or ()):
        tool = Fields(item, f"tools[{at}]")
        declared = tool.items("functionDeclarations") or []
        if "codeExecution" in tool.rest:
            raise Unsupported(
                f"{tool.at('codeExecution')}: what it answers with can only be passed through from an offer that "
                f"speaks {NAME} itself.",
                param=tool.at("codeExecution"),
            )
        if tool.rest:
            provided.append(tool.rest)
        tools += [
            _decode_declaration(Fields(one, f"{tool.at('functionDeclarations')}[{number}]"), strict=strict)
            for number, one in enumerate(declared)
        ]
    if provided:
        fields.rest["tools"] = provided
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
            inner = {key: json_schema(one) for key, one in value.items()}
            order = schema.get("propertyOrdering")
            wanted = [key for key in order if key in inner] if isinstance(order, list) else []
            found["properties"] = {key: inner[key] for key in dict.fromkeys([*wanted, *inner])}
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
    """The choice, and whether calls are held to the tools' schemas. A choice among several names stays as it is."""
    outer = fields.inner("toolConfig")
    inner = None if outer is None else outer.inner("functionCallingConfig")
    if outer is None or inner is None:
        if outer is not None:
            fields.put_back("toolConfig", outer)
        return None, False
    mode, allowed = (inner.text("mode") or "AUTO").upper(), inner.items("allowedFunctionNames")
    choice: ToolChoice | None = None
    match mode, allowed:
        case "ANY", [str(name)]:
            choice = ToolChoice(mode="named", name=name)
        case (("ANY" | "VALIDATED" | "AUTO" | "NONE"), _):
            choice = ToolChoice(mode=_MODES[mode])
            if allowed:
                inner.rest["allowedFunctionNames"] = allowed
        case "MODE_UNSPECIFIED", (None | []):
            pass
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
    level = (inner.text("thinkingLevel") or "").lower().replace("thinking_level_unspecified", "")
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


def encode(request: CompletionRequest, model: str, adapted: Adapted) -> bytes:
    """The body for an offer of this dialect.

    Raises:
        Unsupported: the request says something that cannot be said here.
    """
    if request.logit_bias:
        raise Unsupported(f"logit_bias cannot be said in {NAME}, the dialect of this offer.", param="logit_bias")
    if request.parallel_tool_calls is False and len(request.tools) == 1:
        adapted.note("parallel_tool_calls", "not said: there is one tool")
    elif request.parallel_tool_calls is False and request.tools:
        raise Unsupported(
            f"Models called in {NAME}, the dialect of this offer, may always call several tools at once.",
            param="parallel_tool_calls",
        )
    own = dict(own_fields(request.extra, dialect=NAME, adapted=adapted))
    said = encode_contents(request.messages, model, adapted)
    if tools := _encode_tools(request, own.pop("tools", []), adapted):
        said["tools"] = tools
    if (calling := _encode_tool_choice(request, adapted)) is not None:
        said["toolConfig"] = {"functionCallingConfig": calling}
    if config := _encode_config(request, model, adapted):
        said["generationConfig"] = config
    if request.service_tier is not None and request.service_tier != "auto":
        if request.service_tier not in _TIERS:
            raise Unsupported(
                f"service_tier must be auto, {', '.join(_TIERS)} where the offer speaks {NAME}.", param="service_tier"
            )
        said["serviceTier"] = _TIERS[request.service_tier]
    for name in ("user", "metadata"):
        if getattr(request, name):
            adapted.note(name, "left out")
    return msgspec.json.encode(merged(said, own))


def _encode_config(request: CompletionRequest, model: str, adapted: Adapted) -> dict[str, Json]:
    config = {wire: value for name, wire in _SAME.items() if (value := getattr(request, name)) is not None}
    if request.stop:
        config["stopSequences"] = list(request.stop)
    config |= _encode_format(request.response_format, adapted)
    if (thinking := _encode_thinking(request.reasoning, model, adapted)) is not None:
        config["thinkingConfig"] = thinking
    return config


def _encode_tools(request: CompletionRequest, provided: list[Json], adapted: Adapted) -> list[Json]:
    declared = [_encode_tool(tool, f"tools[{at}]", adapted) for at, tool in enumerate(request.tools)]
    return [*([{"functionDeclarations": declared}] if declared else []), *provided]


def _encode_tool(tool: Tool, where: str, adapted: Adapted) -> dict[str, Json]:
    said: dict[str, Json] = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    if tool.parameters is not None:
        said["parametersJsonSchema"] = tool.parameters
    if tool.cache is not None:
        adapted.note("cache", "left out, the provider caches of its own accord")
    return merged(said, own_fields(tool.extra, dialect=NAME, where=where, adapted=adapted))


def _encode_tool_choice(request: CompletionRequest, adapted: Adapted) -> dict[str, Json] | None:
    """The choice. Strict tools are said by the mode that holds calls to their schemas, as forced calls always are."""
    choice = request.tool_choice
    if not request.tools and means_nothing(choice):
        return None
    if any(tool.strict for tool in request.tools) and (choice is None or choice.mode == "auto"):
        if not all(tool.strict for tool in request.tools):
            adapted.note("tools.strict", "for all tools")
        return {"mode": "VALIDATED"}
    match choice:
        case None:
            return None
        case ToolChoice(mode="named"):
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        case _:
            return {"mode": {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice.mode]}


def _encode_format(wanted: ResponseFormat | None, adapted: Adapted) -> dict[str, Json]:
    if wanted is None:
        return {}
    if wanted.kind == "text":
        return {"responseMimeType": "text/plain"}
    said: dict[str, Json] = {"responseMimeType": "application/json"}
    if wanted.name is not None:
        adapted.note("response_format.name", "left out")
    if wanted.schema is not None:
        schema = dict(wanted.schema)
        if wanted.description is not None:
            adapted.note("response_format.description", "in the schema")
            schema.setdefault("description", wanted.description)
        if wanted.strict is False:
            adapted.note("response_format.strict", "always")
        said["responseJsonSchema"] = schema
    return said


def _encode_thinking(options: ReasoningOptions | None, model: str, adapted: Adapted) -> dict[str, Json] | None:
    """How much to think. Models before Gemini 3 take a number of tokens, later ones a level; none takes both."""
    if options is None:
        return None
    said: dict[str, Json] = {}
    by_budget = _BY_BUDGET.match(model) is not None
    if options.effort == "none":
        said["thinkingBudget"] = 0
    elif options.effort is not None and (options.budget is None or not by_budget):
        if options.budget is not None:
            adapted.note("reasoning.budget", "left out beside an effort")
        if by_budget:
            said["thinkingBudget"] = _BUDGETS[options.effort]
            adapted.note("reasoning.effort", f"a budget of {said['thinkingBudget']} tokens")
        elif options.effort == "max":
            said["thinkingLevel"] = "XHIGH"
            adapted.note("reasoning.effort", "xhigh, the most there is")
        else:
            said["thinkingLevel"] = options.effort.upper()
    elif options.budget is not None:
        if options.effort is not None:
            adapted.note("reasoning.effort", "left out beside a budget")
        said["thinkingBudget"] = options.budget
    if options.show is not None:
        said["includeThoughts"] = options.show
    return said
