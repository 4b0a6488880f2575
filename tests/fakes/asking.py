"""Requests in every form, made by hand from what is to be said, without the code that they are to test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import msgspec

Json = dict[str, Any]
Who = Literal["system", "user", "assistant", "call", "result"]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What somebody says, in one text or several; a call's arguments, or a tool's result."""

    who: Who
    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked, in no form yet."""

    turns: tuple[Turn, ...]
    labels: frozenset[str] = frozenset()
    """Declared for the last thing that is said."""
    metadata: Mapping[str, str] | None = None
    more: Mapping[str, Any] | None = None
    """Fields that the form does not know."""
    previous: str | None = None
    """Id of the answer that it goes on from, where the form has such a thing."""

    @classmethod
    def of(cls, *turns: tuple[Who, str | Sequence[str]], **fields: Any) -> Self:
        made = tuple(Turn(who=who, texts=(said,) if isinstance(said, str) else tuple(said)) for who, said in turns)
        return cls(turns=made, **fields)

    def labelled(self, labels: frozenset[str]) -> Self:
        return replace(self, labels=labels)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request as it is sent, and what its path says of it."""

    body: bytes
    model: str | None = None
    stream: bool | None = None


def ask(form: str, asked: Asked, model: str, *, stream: bool = False) -> Ask:
    """A request of a form. Only those that complete can stream."""
    body = _FORMS[form](asked)
    if asked.metadata is not None:
        body["labels" if form.startswith("gemini") else "metadata"] = dict(asked.metadata)
    body |= asked.more or {}
    if form.startswith("gemini"):
        streams = stream if form == "gemini-generate" else None
        return Ask(body=msgspec.json.encode(body), model=model, stream=streams)
    body["model"] = model
    if stream and form in STREAMED:
        body["stream"] = True
    return Ask(body=msgspec.json.encode(body))


STREAMED = frozenset({"openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"})
"""Forms that can be asked to stream."""


def shaped(text: str, shape: str) -> Asked:
    """What brings a text along in some way."""
    half = len(text) // 2
    match shape:
        case "quoted":
            return Asked.of(("user", "> " + "\n> ".join(text[at : at + 20] for at in range(0, len(text), 20))))
        case "upper":
            return Asked.of(("user", f"**{text.upper()}**"))
        case "json":
            return Asked.of(("user", msgspec.json.encode({"a": [text]}).decode()))
        case "split":
            return Asked.of(("user", (text[:half], text[half:])))
        case "tool":
            return Asked.of(("user", "go"), ("call", text), ("result", text), ("user", "well?"))
        case "history":
            return Asked.of(("user", "hello"), ("assistant", f"It says {text}"), ("user", "go on"))
        case "unknown":
            return Asked.of(("user", "hello"), more={"unheard_of": {"deep": [text]}})
        case "system":
            return Asked.of(("system", text), ("user", "hello"))
        case "base":
            return Asked.of(("user", text.replace("", "-")))
        case _:
            return Asked.of(("user", f"About {text} then."))


# ---------------------------------------------------------------------------------------------------------- the forms


def _marked(part: Json, asked: Asked) -> Json:
    """A part that a label is declared for."""
    return part | {"isthmus_labels": sorted(asked.labels)} if asked.labels else part


def _parts(turn: Turn, asked: Asked, kind: str) -> list[Json]:
    parts: list[Json] = [{"type": kind, "text": text} for text in turn.texts]
    if turn is asked.turns[-1]:
        parts[-1] = _marked(parts[-1], asked)
    return parts


def _chat(asked: Asked) -> Json:
    messages: list[Json] = []
    for turn in asked.turns:
        match turn.who:
            case "call":
                arguments = msgspec.json.encode({"x": turn.texts[0]}).decode()
                call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case "result":
                messages.append({"role": "tool", "tool_call_id": "call_1", "content": turn.texts[0]})
            case who:
                messages.append({"role": who, "content": _parts(turn, asked, "text")})
    return {"messages": messages, "max_tokens": 40}


def _responses(asked: Asked) -> Json:
    body: Json = {"max_output_tokens": 40}
    items: list[Json] = []
    for turn in asked.turns:
        match turn.who:
            case "system":
                body["instructions"] = turn.texts[0]
            case "call":
                arguments = msgspec.json.encode({"x": turn.texts[0]}).decode()
                items.append({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": arguments})
            case "result":
                items.append({"type": "function_call_output", "call_id": "call_1", "output": turn.texts[0]})
            case "assistant":
                items.append({"role": "assistant", "content": _parts(turn, asked, "output_text")})
            case "user":
                items.append({"role": "user", "content": _parts(turn, asked, "input_text")})
    if asked.previous is not None:
        body["previous_response_id"] = asked.previous
    return body | {"input": items}


def _counted_responses(asked: Asked) -> Json:
    return {name: value for name, value in _responses(asked).items() if name != "max_output_tokens"}


def _messages(asked: Asked) -> Json:
    return _counted_messages(asked) | {"max_tokens": 40}


def _counted_messages(asked: Asked) -> Json:
    body: Json = {}
    messages: list[Json] = []
    for turn in asked.turns:
        match turn.who:
            case "system":
                body["system"] = turn.texts[0]
            case "call":
                call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": turn.texts[0]}}
                messages.append({"role": "assistant", "content": [call]})
                body["tools"] = [{"name": "f", "input_schema": {"type": "object"}}]
            case "result":
                result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": turn.texts[0]}
                messages.append({"role": "user", "content": [result]})
            case who:
                messages.append({"role": who, "content": _parts(turn, asked, "text")})
    return body | {"messages": messages}


def _gemini(asked: Asked) -> Json:
    body: Json = {}
    contents: list[Json] = []
    for turn in asked.turns:
        match turn.who:
            case "system":
                body["systemInstruction"] = {"parts": [{"text": turn.texts[0]}]}
            case "call":
                call = {"name": "f", "args": {"x": turn.texts[0]}}
                contents.append({"role": "model", "parts": [{"functionCall": call}]})
            case "result":
                result = {"name": "f", "response": {"said": turn.texts[0]}}
                contents.append({"role": "user", "parts": [{"functionResponse": result}]})
            case who:
                parts: list[Json] = [{"text": text} for text in turn.texts]
                if turn is asked.turns[-1]:
                    parts[-1] = _marked(parts[-1], asked)
                contents.append({"role": "user" if who == "user" else "model", "parts": parts})
    return body | {"contents": contents}


def _said(asked: Asked) -> list[str]:
    return [text for turn in asked.turns for text in turn.texts]


def _embeddings(asked: Asked) -> Json:
    return _marked({"input": _said(asked)}, asked)


def _gemini_embed(asked: Asked) -> Json:
    return {"content": _marked({"parts": [{"text": text} for text in _said(asked)]}, asked)}


def _gemini_batch_embed(asked: Asked) -> Json:
    requests = [{"content": {"parts": [{"text": text}]}} for text in _said(asked)]
    return {"requests": [*requests[:-1], _marked(requests[-1], asked)]}


def _moderations(asked: Asked) -> Json:
    parts: list[Json] = [{"type": "text", "text": text} for text in _said(asked)]
    return {"input": [*parts[:-1], _marked(parts[-1], asked)]}


_FORMS: dict[str, Callable[[Asked], Json]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic-messages": _messages,
    "gemini-generate": _gemini,
    "openai-embeddings": _embeddings,
    "gemini-embed": _gemini_embed,
    "gemini-batch-embed": _gemini_batch_embed,
    "openai-moderations": _moderations,
    "openai-responses-count": _counted_responses,
    "anthropic-count": _counted_messages,
    "gemini-count": _gemini,
}

FORMS = tuple(_FORMS)
