"""Contents and the system instruction, both ways. Results of tools are parts of a user's content here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.parts import decode_part, encode_parts
from isthmus.dialects.silence import is_silent, saying
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import Image, Json, Message, Part, Reasoning, Text, ToolCall, ToolResult

# --------------------------------------------------------------------------------------------------- decoding


def decode_contents(fields: Fields) -> tuple[Message, ...]:
    messages: list[Message] = []
    if (system := fields.inner("systemInstruction")) is not None:
        system.rest.pop("role", None)
        parts = _decode_parts(system, 0)
        if not all(isinstance(part, Text) for part in parts):
            raise InvalidRequest("systemInstruction may hold text only.", param="systemInstruction")
        fields.put_back("systemInstruction", system)
        if parts:
            messages.append(Message(role="system", parts=tuple(parts)))
    items = fields.items("contents")
    if not items:
        raise InvalidRequest("contents must be a list with at least one content.", param="contents")
    for at, item in enumerate(items):
        messages += _decode_content(Fields(item, f"contents[{at}]"), at)
    return tuple(messages)


def _decode_content(fields: Fields, at: int) -> list[Message]:
    role = fields.text("role") or "user"
    parts = _decode_parts(fields, at)
    more = fields.unknown(NAME)
    match role:
        case "model":
            if not all(isinstance(part, Text | Image | Reasoning | ToolCall) for part in parts):
                raise fields.wrong("parts", "holds a part that a model's content cannot have")
            return [Message(role="assistant", parts=tuple(parts), extra=more)]
        case "user" | "function":
            if not all(isinstance(part, Text | Image | ToolResult) for part in parts):
                raise fields.wrong("parts", "holds a part that a user's content cannot have")
        case _:
            raise fields.wrong("role", "must be user or model")
    runs = groupby(parts, key=lambda part: isinstance(part, ToolResult))
    return [Message(role="tool" if of_tools else "user", parts=tuple(run), extra=more) for of_tools, run in runs]


def _decode_parts(fields: Fields, at: int) -> list[Part]:
    return [
        decode_part(Fields(item, f"{fields.at('parts')}[{number}]"), call_id=f"call_{at}_{number}")
        for number, item in enumerate(fields.items("parts") or ())
    ]


# --------------------------------------------------------------------------------------------------- encoding


def encode_contents(messages: Sequence[Message]) -> dict[str, Json]:
    """The fields `systemInstruction` and `contents`.

    Raises:
        Unsupported: a system message after the head of the conversation, a name, or a part that cannot be said.
    """
    said: dict[str, Json] = {}
    system: list[dict[str, Json]] = []
    contents: list[dict[str, Json]] = []
    names: dict[str, str] = {}
    after_results = False
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        # On a tool's message the name is the tool's, which the call has told already.
        if message.name is not None and message.role != "tool":
            raise Unsupported(f"{where}.name cannot be said in {NAME}.", hint="Leave it out.", param=f"{where}.name")
        own = own_fields(message.extra, dialect=NAME, where=where)
        names |= {part.id: part.name for part in message.parts if isinstance(part, ToolCall)}
        if is_silent(message):
            continue
        parts = encode_parts(saying(message.parts) or message.parts, f"{where}.content", names)
        if message.role in ("system", "developer"):
            if contents:
                raise Unsupported(
                    f"{where}: in {NAME}, the dialect of this offer, system messages come before all others.",
                    param=f"{where}.role",
                )
            system += parts
        elif after_results and message.role in ("tool", "user"):
            contents[-1]["parts"] += parts
            contents[-1] = merged(contents[-1], own)
        else:
            role = "model" if message.role == "assistant" else "user"
            contents.append(merged({"role": role, "parts": parts}, own))
        after_results = message.role == "tool"
    if system:
        said["systemInstruction"] = {"parts": system}
    return said | {"contents": contents}
