"""Whether every field of a JSON body is found again in the body that was made of what was understood of it.

A field is a value at the end of a path: a text, a number, a list of numbers, an empty list or object, or a whole object
of the caller's own (a JSON Schema, the arguments of a call). A field is found again where the same value stands at the
same path, or at a path of the same shape in the same order: items of a list may have moved up. Before that, both bodies
are written in one way, by the equivalences declared here; what they do not cover is lost.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from isthmus.dialects.gemini_generate.octets import standard
from isthmus.dialects.gemini_generate.request import json_schema
from isthmus.dialects.gemini_generate.spelling import spelled

Json = Any
Path = tuple[str | int, ...]

CALLERS_OWN = frozenset(
    {
        "args",
        "input_schema",
        "labels",
        "logit_bias",
        "metadata",
        "parameters",
        "parametersJsonSchema",
        "responseJsonSchema",
        "schema",
    }
)
"""Objects whose names the caller made up: each is one field. Nothing of what is in them is ever printed."""
_CALLERS_OWN_WITHIN = {("tool_use", "input"), ("functionResponse", "response")}


class Leaf(NamedTuple):
    """One field."""

    path: Path
    shape: str
    """The path without numbers: items of a list are named after their `type` or `role`."""
    value: Json


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the fields of one body."""

    fields: int
    same: int
    """Found at their path, as they were."""
    lost: tuple[str, ...]
    """Shapes of those that were not found."""
    added: tuple[str, ...]
    """Shapes of fields that the original did not have."""
    by: tuple[str, ...]
    """Names of the equivalences that were needed."""


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two ways to say the same: `rewrite` writes both in one."""

    name: str
    """For the reader, in a few words."""
    rewrite: Callable[[str, Json], Json]
    """Given the shape of a path and the value there; gives the value, or `GONE`."""
    forms: frozenset[str] = field(default_factory=frozenset)
    """The bodies it holds for, by form and side; empty: all."""

    def holds_for(self, body: str) -> bool:
        return not self.forms or body in self.forms


GONE: Json = object()
"""Stands for a value that says nothing."""


def account(original: Json, again: Json, body: str) -> Account:
    """Compare.

    Args:
        original: as it was recorded.
        again: what was encoded of it.
        body: the form and the side, as in the equivalences: `openai-chat request`.
    """
    raw, raw_again = list(leaves(original)), {leaf.path: leaf.value for leaf in leaves(again)}
    by: list[str] = []
    for one in EQUIVALENCES:
        if one.holds_for(body):
            before = original
            original, again = _rewritten(original, "", one.rewrite), _rewritten(again, "", one.rewrite)
            if not alike(before, original):
                by.append(one.name)
    lost = _missing(original, again)
    return Account(
        fields=len(raw),
        same=sum(leaf.path in raw_again and alike(leaf.value, raw_again[leaf.path]) for leaf in raw),
        lost=lost,
        added=_missing(again, original),
        by=tuple(by),
    )


def leaves(value: Json, path: Path = (), shape: str = "") -> Iterator[Leaf]:
    """The fields of a body."""
    if isinstance(value, dict) and value and not _is_callers_own(path, shape):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name), f"{shape}.{name}" if shape else name)
    elif isinstance(value, list) and value and not all(isinstance(one, int | float) for one in value):
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at), f"{shape}[{_kind(inner)}]")
    else:
        yield Leaf(path, shape, value)


def alike(one: Json, other: Json) -> bool:
    """Whether two JSON values are the same; 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def _missing(original: Json, again: Json) -> tuple[str, ...]:
    """Shapes of the fields of `original` that `again` has neither at their path nor, in order, at their shape."""
    at_path = {leaf.path: leaf.value for leaf in leaves(again)}
    moved: defaultdict[str, list[Leaf]] = defaultdict(list)
    for leaf in leaves(original):
        if not (leaf.path in at_path and alike(leaf.value, at_path[leaf.path])):
            moved[leaf.shape].append(leaf)
    if not moved:
        return ()
    at_shape: defaultdict[str, list[Json]] = defaultdict(list)
    for leaf in leaves(again):
        at_shape[leaf.shape].append(leaf.value)
    lost: list[str] = []
    for shape, missing in moved.items():
        rest = iter(at_shape[shape])
        for leaf in missing:
            remaining = list(rest)
            found = next((at for at, value in enumerate(remaining) if alike(value, leaf.value)), None)
            if found is None:
                lost.append(shape)
            rest = iter(remaining if found is None else remaining[found + 1 :])
    return tuple(lost)


def _kind(item: Json) -> str:
    if not isinstance(item, dict):
        return ""
    kind = item.get("role") or item.get("type") or ""
    return kind if isinstance(kind, str) else ""


def _is_callers_own(path: Path, shape: str) -> bool:
    if not path:
        return False
    if path[-1] in CALLERS_OWN:
        return True
    within = shape.rpartition(".")[0]
    return any(path[-1] == name and re.search(rf"\b{kind}\]?\Z", within) for kind, name in _CALLERS_OWN_WITHIN)


def _rewritten(value: Json, shape: str, rewrite: Callable[[str, Json], Json]) -> Json:
    """The value with every part of it rewritten, the innermost first."""
    if isinstance(value, dict):
        found = {
            name: _rewritten(inner, f"{shape}.{name}" if shape else name, rewrite) for name, inner in value.items()
        }
        value = {name: inner for name, inner in found.items() if inner is not GONE}
    elif isinstance(value, list) and not all(isinstance(one, int | float) for one in value):
        items = [_rewritten(inner, f"{shape}[{_kind(inner)}]", rewrite) for inner in value]
        value = [inner for inner in items if inner is not GONE]
    return rewrite(shape, value)


# -------------------------------------------------------------------------------------------------------- equivalences


def _without(pattern: str, *values: Json) -> Callable[[str, Json], Json]:
    """Fields of some shape say nothing: with these values, or with any where none is given."""
    matches = re.compile(pattern).search

    def rewrite(shape: str, value: Json) -> Json:
        gone = matches(shape) is not None and (not values or any(alike(value, one) for one in values))
        return GONE if gone else value

    return rewrite


def _one_text(shape: str, value: Json) -> Json:
    """A list of one text is that text."""
    if not re.search(r"(?:content|system|output|input)\Z", shape):
        return value
    match value:
        case [{"type": "text" | "input_text" | "output_text", "text": str(text), **others}] if not others:
            return text
        case _:
            return value


def _listed(shape: str, value: Json) -> Json:
    return [value] if shape == "stop" and isinstance(value, str) else value


def _sorted(shape: str, value: Json) -> Json:
    return sorted(value) if shape == "include" and isinstance(value, list) else value


def _of(form: str, *sides: str) -> frozenset[str]:
    return frozenset(f"{form} {side}" for side in sides)


# ---- OpenAI, chat


def _thoughts(shape: str, value: Json) -> Json:
    """Thoughts under one name, and apart from what was said."""
    if not re.search(r"(?:messages\[assistant\]|choices\[\]\.message)\Z", shape):
        return value
    said = {("reasoning_content" if name == "reasoning" else name): inner for name, inner in value.items()}
    match said.get("content"):
        case [*parts] if any(part.get("type") == "thinking" for part in parts):
            thoughts = [part for part in parts if part.get("type") == "thinking"]
            said["reasoning_content"] = "".join(one.get("text", "") for part in thoughts for one in part["thinking"])
            rest = [part for part in parts if part.get("type") != "thinking"]
            said["content"] = _one_text("content", rest)
    return {name: inner for name, inner in said.items() if inner not in ("", [])}


def _address(shape: str, value: Json) -> Json:
    return (
        {"url": value} if shape.endswith(".image_url") and isinstance(value, str) and "[image_url]" in shape else value
    )


def _detail(shape: str, value: Json) -> Json:
    return GONE if value == "auto" and shape.endswith("[input_image].detail") else value


def _eos(shape: str, value: Json) -> Json:
    return "stop" if value == "eos" and shape == "choices[].finish_reason" else value


def _inputs(shape: str, value: Json) -> Json:
    if shape != "input":
        return value
    numbers = isinstance(value, list) and all(isinstance(one, int) for one in value)
    return [value] if isinstance(value, str) or numbers else value


def _any(shape: str, value: Json) -> Json:
    return "required" if shape == "tool_choice" and value == "any" else value


def _hollow(shape: str, value: Json) -> Json:
    """An object with nothing in any of its fields."""
    hollow = isinstance(value, dict) and not any(value.values()) and shape.endswith((".audio", ".function_call"))
    return GONE if hollow else value


def _limit(shape: str, value: Json) -> Json:
    if shape or not isinstance(value, dict):
        return value
    return {("max_completion_tokens" if name == "max_tokens" else name): inner for name, inner in value.items()}


# ---- OpenAI, Responses

_ECHOED = (
    "background completed_at instructions max_output_tokens max_tool_calls metadata object parallel_tool_calls "
    "previous_response_id prompt_cache_key prompt_cache_retention reasoning safety_identifier store temperature text "
    "tool_choice tools top_logprobs top_p truncation user"
)


def _conversation(shape: str, value: Json) -> Json:
    """What the system says first, as a message; messages of the model that follow each other, as one."""
    if shape or not isinstance(value, dict):
        return value
    said = dict(value)
    items = said.pop("input", [])
    items = [{"role": "user", "content": items}] if isinstance(items, str) else list(items)
    if instructions := said.pop("instructions", None):
        items.insert(0, {"role": "system", "content": instructions})
    told: list[Json] = []
    for item in items:
        if item.get("type") == "additional_tools":
            said["tools"] = [*said.get("tools", []), *item["tools"]]
        elif told and item.get("role") == "assistant" == told[-1].get("role") and _phase(item) == _phase(told[-1]):
            told[-1] = told[-1] | {"content": [*_parts(told[-1]), *_parts(item)]}
        else:
            told.append(item)
    return said | {"input": told}


def _phase(item: Mapping[str, Json]) -> Json:
    return item.get("phase")


def _answer_id(shape: str, value: Json) -> Json:
    if shape != "id" or not isinstance(value, str):
        return value
    return value if value.startswith("resp_") else f"resp_{value}"


def _parts(message: Mapping[str, Json]) -> list[Json]:
    content = message["content"]
    return [{"type": "output_text", "text": content}] if isinstance(content, str) else content


def _allowed(shape: str, value: Json) -> Json:
    """A choice among some of the tools, as one among all of those that are told."""
    match value:
        case {"tool_choice": {"type": "allowed_tools", "mode": mode, "tools": named}, "tools": tools} if not shape:
            names = {one.get("name") for one in named}
            return {**value, "tool_choice": mode, "tools": [one for one in tools if one.get("name") in names]}
        case _:
            return value


def _summary(_shape: str, value: Json) -> Json:
    """Thoughts as one text, wherever they stand."""
    if not isinstance(value, dict) or value.get("type") != "reasoning":
        return value
    told = [one.get("text", "") for name in ("summary", "content") for one in value.get(name) or ()]
    rest = {name: inner for name, inner in value.items() if name not in ("summary", "content")}
    return rest | {"thoughts": "\n\n".join(told)}


# ---- Google


def _spelling(shape: str, value: Json) -> Json:
    if shape or not isinstance(value, dict):
        return value
    return msgspec.json.decode(spelled(msgspec.json.encode(value)))


def _schema(shape: str, value: Json) -> Json:
    """`parameters` and `responseSchema`, the older form of a schema, as the newer one."""
    if not isinstance(value, dict):
        return value
    for older, newer in (("parameters", "parametersJsonSchema"), ("responseSchema", "responseJsonSchema")):
        if older in value and newer not in value and re.search(r"functionDeclarations\[\]|generationConfig", shape):
            value = {newer if name == older else name: inner for name, inner in value.items()}
            value[newer] = json_schema(value[newer])
    return value


def _octets(shape: str, value: Json) -> Json:
    if not isinstance(value, str) or not re.search(r"inlineData\.data|thoughtSignature\Z", shape):
        return value
    return standard(value)


def _result(shape: str, value: Json) -> Json:
    """What a tool answered, as text."""
    if not shape.endswith("functionResponse") or not isinstance(value, dict):
        return value
    match value.get("response"):
        case {"output": told, **others} | {"result": told, **others} if not others:
            text = told if isinstance(told, str) else msgspec.json.encode(told, order="sorted").decode()
        case told:
            text = msgspec.json.encode(told, order="sorted").decode()
    with suppress(msgspec.DecodeError):  # the text of an object, with its names in one order
        text = msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    return value | {"response": text}


def _capitals(shape: str, value: Json) -> Json:
    return value.upper() if isinstance(value, str) and re.search(r"(?:thinkingLevel|\.mode)\Z", shape) else value


def _unwrapped(shape: str, value: Json) -> Json:
    match value:
        case {"generateContentRequest": dict(inner)} if not shape:
            return {name: told for name, told in inner.items() if name != "model"}
        case _:
            return value


_GOOGLE = _of("gemini-generate", "request") | _of("gemini-count", "request")
_RESPONSES = _of("openai-responses", "request", "answer")
_CHAT = _of("openai-chat", "request", "answer")

EQUIVALENCES: tuple[Equivalence, ...] = (
    Equivalence("null is as not said", _without("", None)),
    Equivalence("a request to count, whole or in parts", _unwrapped, _of("gemini-count", "request")),
    Equivalence("both spellings of Google's names", _spelling, _GOOGLE),
    Equivalence("both forms of a schema at Google", _schema, _GOOGLE),
    Equivalence("both alphabets of base64", _octets, _of("gemini-generate", "request", "answer")),
    Equivalence("a tool's answer as an object or as its text", _result, _GOOGLE),
    Equivalence(
        "the role of the system's instruction is the only one", _without(r"systemInstruction\.role\Z"), _GOOGLE
    ),
    Equivalence("words of Google's in any case", _capitals, _GOOGLE),
    Equivalence("mode AUTO is as no choice", _without(r"functionCallingConfig\.mode\Z", "AUTO"), _GOOGLE),
    Equivalence("`stream` false is as not said", _without(r"\Astream\Z", False)),
    Equivalence("usage in streams is asked for always", _without(r"\Astream_options\.include_usage\Z"), _CHAT),
    Equivalence("thoughts under any of their names", _thoughts, _CHAT),
    Equivalence("calls are numbered by their order", _without(r"tool_calls\[(?:function)?\]\.index\Z"), _CHAT),
    Equivalence("a call is of a function", _without(r"tool_calls\[(?:function)?\]\.type\Z", "function"), _CHAT),
    Equivalence("both names of the limit of output", _limit, _of("openai-chat", "request")),
    Equivalence("`stop` as a text or as a list of one", _listed, _of("openai-chat", "request")),
    Equivalence("an address of an image, with or without its object", _address, _of("openai-chat", "request")),
    Equivalence("Mistral's `any` is `required`", _any, _of("openai-chat", "request")),
    Equivalence("an object with nothing in its fields is as none", _hollow, _of("openai-chat", "answer")),
    Equivalence("Together's `eos` is `stop`", _eos, _of("openai-chat", "answer")),
    Equivalence("one input, or a list of one", _inputs, _of("openai-embeddings", "request")),
    Equivalence(
        "vectors are asked for as floats, and handed as asked",
        _without(r"\Aencoding_format\Z"),
        _of("openai-embeddings", "request"),
    ),
    Equivalence("no error is as not said", _without(r"tool_result\]\.is_error\Z", False)),
    Equivalence("no thinking is as not said", _without(r"output_tokens_details\.thinking_tokens\Z", 0)),
    Equivalence("a message is one", _without(r"(?:input|output)\[\w*\]\.type\Z", "message"), _RESPONSES),
    Equivalence("items have ids and states of isthmus's own", _without(r"put\[\w+\]\.(?:id|status)\Z"), _RESPONSES),
    Equivalence("providers are asked to keep nothing", _without(r"\Astore\Z"), _of("openai-responses", "request")),
    Equivalence("instructions are what the system says first", _conversation, _of("openai-responses", "request")),
    Equivalence("only the allowed tools are told", _allowed, _of("openai-responses", "request")),
    Equivalence("thoughts as one text", _summary, _RESPONSES),
    Equivalence("the id of an answer begins with `resp_`", _answer_id, _of("openai-responses", "answer", "stream")),
    Equivalence("the detail of an image is auto where it is not said", _detail, _of("openai-responses", "request")),
    Equivalence(
        "a tool is a function's", _without(r"\Atools\[\w*\]\.type\Z", "function"), _of("openai-chat", "request")
    ),
    Equivalence("`include` in any order", _sorted, _of("openai-responses", "request")),
    Equivalence(
        "what an answer repeats of its request",
        _without(rf"\A(?:{'|'.join(_ECHOED.split())})\Z"),
        _of("openai-responses", "answer"),
    ),
    Equivalence("an empty list or object is as not said", _without(r"\A.+\Z", [], {})),
    Equivalence("one text in a list is that text", _one_text),
)
"""What says the same. Each is applied to both bodies, in this order."""
