"""The items of a conversation, both ways.

Here a conversation is a flat list: what the model thought, said and called are items of their own. The domain has one
message for a turn of the model, so items of the model that follow each other are parts of one.

Ids and states of items are left out of what is sent: with `store: false` the provider knows none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple, cast

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.openai_responses import proof
from isthmus.dialects.openai_responses.content import decode_content, encode_answer, encode_content, note_cache
from isthmus.dialects.openai_responses.name import NAME
from isthmus.dialects.openai_responses.tools import (
    CUSTOM,
    NAMESPACE,
    as_arguments,
    as_input,
    decode_tools,
    in_namespace,
)
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import (
    Audio,
    Document,
    Extra,
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

ERROR_MARK = "Error: "
"""Put before the result of a tool that failed: the dialect has no other way to say that it did."""

PHASE = "phase"
"""Extra field of what the model said: whether it was a commentary or the final answer. Newer models want it back."""

_CONTENT = "content"
_SHOWN_IN = "shown_in"
"""Extra field of reasoning that was shown in `content`, as servers of open models do; else it was in `summary`."""

BREAK = "\n\n"
"""Between the parts of a summary, which are paragraphs with a headline each."""


# --------------------------------------------------------------------------------------------------- decoding


class _Conversation:
    """The messages so far."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.turn: list[Part] = []
        """What the model did last, until somebody else says something."""
        self.called: dict[str, str] = {}
        """Names of the tools called so far, by id of the call."""
        self.proof: proof.Proof | None = None
        """Of the call that comes next."""
        self.tools: list[Tool] = []
        """Told on the way."""

    def model(self, parts: Sequence[Part]) -> None:
        self.turn += parts
        self.called |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}

    def other(self, message: Message) -> None:
        self.end_turn()
        self.messages.append(message)

    def end_turn(self) -> None:
        if self.turn:
            self.messages.append(Message(role="assistant", parts=tuple(self.turn)))
            self.turn = []


class Input(NamedTuple):
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    """Those that the input itself tells."""


def decode_input(fields: Fields) -> Input:
    """`instructions` and `input`.

    Raises:
        InvalidRequest: not what a request of this dialect has.
        Unsupported: an item the domain cannot carry.
    """
    conversation = _Conversation()
    if instructions := fields.text("instructions"):
        conversation.other(Message(role="system", parts=(Text(text=instructions),)))
    items = fields.rest.pop("input", None)
    if isinstance(items, str):
        conversation.other(Message(role="user", parts=(Text(text=items),)))
    elif isinstance(items, list):
        for at, item in enumerate(items):
            _decode_item(Fields(item, f"input[{at}]"), conversation)
        conversation.end_turn()
    elif items is not None:
        raise fields.wrong("input", "must be a string or a list of items")
    if not items:
        raise fields.wrong("input", "must be a string or a list with at least one item")
    return Input(tuple(conversation.messages), tuple(conversation.tools))


def _decode_item(fields: Fields, conversation: _Conversation) -> None:
    kind = fields.text("type")
    for known_to_nobody in ("id", "status"):
        fields.rest.pop(known_to_nobody, None)
    match kind:
        case None | "message":
            _decode_message(fields, conversation)
        case "reasoning":
            _decode_reasoning(fields, conversation)
        case "function_call" | "custom_tool_call":
            call = decode_call(fields, custom=kind == "custom_tool_call")
            if (found := conversation.proof) is not None:
                call = replace(call, signature=found.text, minted_by=found.minted_by)
                conversation.proof = None
            conversation.model([call])
        case "function_call_output" | "custom_tool_call_output":
            result = _decode_result(fields, conversation, custom=kind == "custom_tool_call_output")
            conversation.other(Message(role="tool", parts=(result,)))
        case "additional_tools":
            conversation.tools += decode_tools(fields)
        case "item_reference":
            raise Unsupported(
                f"{fields.path} is a reference to an item that is not kept here.",
                hint="Send the item itself; with `store: false` clients do.",
                param=fields.path,
            )
        case _:
            raise Unsupported(
                f"{fields.at('type')}: an item of type {kind[:40]} can only be passed through to an offer that speaks "
                f"{NAME} itself.",
                param=fields.at("type"),
            )


def _decode_message(fields: Fields, conversation: _Conversation) -> None:
    role = fields.required_text("role")
    phase = fields.text(PHASE)
    parts = decode_content(fields, "content")
    if role == "assistant":
        said = _only(parts, fields, Text | Refusal)
        conversation.model([_in_phase(part, phase) for part in said])
        return
    if role not in ("user", "system", "developer"):
        raise fields.wrong("role", "must be one of user, assistant, system, developer")
    kinds = Text | Image | Audio | Document if role == "user" else Text
    if not parts:
        raise fields.wrong("content", "is missing")
    extra = fields.unknown(NAME)
    said = _only(parts, fields, kinds)
    conversation.other(Message(role=cast("Role", role), parts=tuple(said), extra=extra))


def _only(parts: Sequence[Part], fields: Fields, kinds: object) -> Sequence[Part]:
    for at, part in enumerate(parts):
        if not isinstance(part, kinds):  # type: ignore[arg-type]
            param = f"{fields.at('content')}[{at}]"
            raise InvalidRequest(f"{param} is of a type that a message of its role cannot have.", param=param)
    return parts


def _in_phase(part: Part, phase: str | None) -> Part:
    if phase is None or not isinstance(part, Text):
        return part
    return replace(part, extra=Extra(NAME, dict(part.extra.fields if part.extra else {}) | {PHASE: phase}))


def _decode_reasoning(fields: Fields, conversation: _Conversation) -> None:
    """Reasoning, or a proof of what follows or went before that had no other place."""
    content = fields.text("encrypted_content")
    found = None
    if content is not None and (found := proof.read(content)) is None:
        raise fields.wrong("encrypted_content", "has a mark of isthmus that it did not write")
    if found is not None and found.belongs == "call":
        conversation.proof = found
        return
    if found is not None and found.belongs == "text":
        match conversation.turn:
            case [*_, Text() as last]:
                conversation.turn[-1] = replace(last, signature=found.text, minted_by=found.minted_by)
            case _:  # the client has left out what it belongs to
                pass
        return
    reasoning = decode_thought(fields)
    if found is not None and found.belongs == "signature":
        reasoning = replace(reasoning, signature=found.text, minted_by=found.minted_by)
    elif found is not None:
        reasoning = replace(reasoning, encrypted=found.text, minted_by=found.minted_by)
    if reasoning != Reasoning():  # an item that only its provider could read, and only where it had kept it
        conversation.model([reasoning])


def decode_thought(fields: Fields) -> Reasoning:
    """The text of a reasoning item. What a model thought is rather taken than a summary of it."""
    thought = "".join(_texts(fields, _CONTENT))
    if thought:
        return Reasoning(text=thought, extra=Extra(NAME, {_SHOWN_IN: _CONTENT}))
    return Reasoning(text=BREAK.join(_texts(fields, "summary")))


def _texts(fields: Fields, name: str) -> list[str]:
    items = fields.items(name) or ()
    return [Fields(item, f"{fields.at(name)}[{at}]").required_text("text") for at, item in enumerate(items)]


def decode_call(fields: Fields, *, custom: bool) -> ToolCall:
    """A call of a function, or of a custom tool as the function that stands for it."""
    identity, name = fields.required_text("call_id"), fields.required_text("name")
    arguments = fields.text("input" if custom else "arguments") or ""
    if isinstance(namespace := fields.rest.get(NAMESPACE), str):
        name = in_namespace(namespace, name)
    if custom:
        fields.rest[CUSTOM] = True
        arguments = as_arguments(arguments)
    for unsaid in [name for name, value in fields.rest.items() if value is None]:
        del fields.rest[unsaid]
    return ToolCall(id=identity, name=name, arguments=arguments, extra=fields.unknown(NAME))


def _decode_result(fields: Fields, conversation: _Conversation, *, custom: bool) -> ToolResult:
    identity = fields.required_text("call_id")
    parts = decode_content(fields, "output")
    name = conversation.called.get(identity)
    for unsaid in [name for name, value in fields.rest.items() if value is None]:
        del fields.rest[unsaid]
    if custom:
        fields.rest[CUSTOM] = True
    for at, part in enumerate(parts):
        if not isinstance(part, Text | Image | Audio | Document):
            param = f"{fields.at('output')}[{at}]"
            raise InvalidRequest(f"{param} is of a type that a result cannot have.", param=param)
    return ToolResult(
        call_id=identity,
        name=name,
        parts=() if parts == [Text(text="")] else tuple(cast("list[Text | Image | Audio | Document]", parts)),
        extra=fields.unknown(NAME),
    )


# --------------------------------------------------------------------------------------------------- encoding


def encode_input(messages: Sequence[Message], adapted: Adapted) -> list[Json]:
    """The items for an offer.

    Raises:
        Unsupported: this dialect cannot say them.
    """
    return [item for at, message in enumerate(messages) for item in _encode_message(message, f"input[{at}]", adapted)]


def _encode_message(message: Message, where: str, adapted: Adapted) -> Iterator[Json]:
    if message.name is not None:
        raise Unsupported(f"{where}.name cannot be said in {NAME}.", param=f"{where}.name")
    own = own_fields(message.extra, dialect=NAME, where=where, adapted=adapted)
    if message.role == "assistant":
        yield from _encode_turn(message.parts, where, adapted)
        return
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield _encode_result(part, where, adapted)
    if rest or message.role != "tool":
        role = "user" if message.role == "tool" else message.role
        content = encode_content(rest, f"{where}.content", adapted)
        yield merged({"type": "message", "role": role, "content": content}, own)


def _encode_turn(parts: Sequence[Part], where: str, adapted: Adapted) -> Iterator[Json]:
    for phase, said in groupby(parts, key=_phase):
        match phase:
            case str():
                texts = cast("list[Text | Refusal]", list(said))
                content = encode_answer(texts, f"{where}.content", adapted)
                message: dict[str, Json] = {"type": "message", "role": "assistant", "content": content}
                yield message | ({PHASE: phase} if phase else {})
            case _:
                for part in said:
                    yield from _encode_act(part, where, adapted)


def _phase(part: Part) -> str | None:
    """What the model said is one item as long as its phase is the same; None: an item of its own."""
    if isinstance(part, Refusal):
        return ""
    if not isinstance(part, Text):
        return None
    return "" if part.extra is None or part.extra.dialect != NAME else part.extra.fields.get(PHASE, "")


def _encode_act(part: Part, where: str, adapted: Adapted) -> Iterator[Json]:
    match part:
        case ToolCall():
            yield _encode_call(part, where, adapted)
        case Reasoning():
            yield from _encode_reasoning(part, where, adapted)
        case _:
            raise Unsupported(f"{where}: the model's turns hold no pictures or sound in {NAME}.", param=where)


def _encode_call(call: ToolCall, where: str, adapted: Adapted) -> Json:
    own = dict(own_fields(call.extra, dialect=NAME, where=where, adapted=adapted))
    if call.cache is not None:
        note_cache(adapted)
    if call.signature is not None:
        adapted.note("message.signature", f"left out, made by {call.minted_by or 'another provider'}")
    name = call.name
    if isinstance(namespace := own.get(NAMESPACE), str):
        name = name.removeprefix(in_namespace(namespace, ""))
    if own.pop(CUSTOM, False):
        said = {"type": "custom_tool_call", "call_id": call.id, "name": name, "input": as_input(call.arguments)}
    else:
        said = {"type": "function_call", "call_id": call.id, "name": name, "arguments": call.arguments}
    return merged(said, own)


def _encode_reasoning(part: Reasoning, where: str, adapted: Adapted) -> Iterator[Json]:
    """Reasoning that the provider can take back: with its own proof, or as servers of open models show it."""
    own = own_fields(part.extra, dialect=NAME, where=where, adapted=adapted)
    in_content = own.get(_SHOWN_IN) == _CONTENT
    proven = part.encrypted is not None and part.minted_by == NAME
    if not proven and not in_content:
        maker = f", made by {part.minted_by}" if part.minted_by not in (None, NAME) else ""
        adapted.note(
            "message.reasoning", f"left out{maker}: only what this provider has encrypted can be returned to it"
        )
        return
    said: dict[str, Json] = {"type": "reasoning", "summary": []}
    if in_content:
        said[_CONTENT] = [{"type": "reasoning_text", "text": part.text}]
    elif part.text:
        said["summary"] = [{"type": "summary_text", "text": part.text}]
    if proven:
        said["encrypted_content"] = part.encrypted
    yield said


def _encode_result(result: ToolResult, where: str, adapted: Adapted) -> Json:
    parts = list(result.parts)
    if result.cache is not None:
        note_cache(adapted)
    if result.is_error:
        adapted.note("message.result.is_error", f"said as {ERROR_MARK.strip()} before the text")
        match parts:
            case [Text() as first, *others]:
                parts = [replace(first, text=ERROR_MARK + first.text), *others]
            case _:
                parts = [Text(text=ERROR_MARK.strip()), *parts]
    own = dict(own_fields(result.extra, dialect=NAME, where=where, adapted=adapted))
    kind = "custom_tool_call_output" if own.pop(CUSTOM, False) else "function_call_output"
    output = encode_content(parts, f"{where}.output", adapted) if parts else ""
    return merged({"type": kind, "call_id": result.call_id, "output": output}, own)
