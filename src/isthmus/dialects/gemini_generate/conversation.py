"""Contents and the system instruction, both ways. Results of tools are parts of a user's content here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.gemini_generate.name import NAME
from isthmus.dialects.gemini_generate.parts import ToOffer, decode_part
from isthmus.dialects.gemini_generate.signatures import SKIPPED
from isthmus.dialects.silence import is_silent, saying
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import Audio, Document, Image, Json, Message, Part, Reasoning, Text, ToolCall, ToolResult

_OLDER = re.compile(r"(?:models/)?gemini-[12](?:\.|-|$)")
"""Models that do not ask for the signatures of calls."""

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
    return _told_apart(messages)


def _told_apart(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A result that leaves out the id of its call answers the first call of its name that nothing answered yet.

    Google's own client leaves it out, also where the call had one.
    """
    unanswered: list[ToolCall] = []
    told: list[Message] = []
    for message in messages:
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                unanswered.append(part)
            elif isinstance(part, ToolResult):
                answered = _answered(part, unanswered)
                if answered is not None:
                    unanswered.remove(answered)
                    part = replace(part, call_id=answered.id)  # noqa: PLW2901
            parts.append(part)
        told.append(replace(message, parts=tuple(parts)))
    return tuple(told)


def _answered(result: ToolResult, calls: Sequence[ToolCall]) -> ToolCall | None:
    by_id = next((call for call in calls if call.id == result.call_id), None)
    return by_id or next((call for call in calls if result.call_id == result.name == call.name), None)


def _decode_content(fields: Fields, at: int) -> list[Message]:
    role = fields.text("role") or "user"
    parts = _decode_parts(fields, at)
    more = fields.unknown(NAME)
    match role:
        case "model":
            if not all(isinstance(part, Text | Image | Audio | Reasoning | ToolCall) for part in parts):
                raise fields.wrong("parts", "holds a part that a model's content cannot have")
            return [Message(role="assistant", parts=tuple(parts), extra=more)]
        case "user" | "function":
            if not all(isinstance(part, Text | Image | Audio | Document | ToolResult) for part in parts):
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


def encode_contents(messages: Sequence[Message], model: str, adapted: Adapted) -> dict[str, Json]:
    """The fields `systemInstruction` and `contents`.

    Raises:
        Unsupported: a name, or a part that cannot be said.
    """
    said: dict[str, Json] = {}
    system: list[dict[str, Json]] = []
    contents: list[dict[str, Json]] = []
    encoding = ToOffer(adapted)
    after_results = False
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        # On a tool's message the name is the tool's, which the call has told already.
        if message.name is not None and message.role != "tool":
            raise Unsupported(f"{where}.name cannot be said in {NAME}.", hint="Leave it out.", param=f"{where}.name")
        own = own_fields(message.extra, dialect=NAME, where=where, adapted=adapted)
        if is_silent(message):
            continue
        parts = encoding.parts(saying(message.parts) or message.parts, f"{where}.content")
        if not parts:  # nothing is left of thoughts that only their maker can read
            continue
        if message.role in ("system", "developer") and not contents:
            if message.role == "developer":
                adapted.note("message.role", "developer said as system")
            system += parts
            continue
        if message.role in ("system", "developer"):
            # Not moved to the head: what was cached of the conversation would be lost with every such message.
            adapted.note("message.role", f"{message.role} said as user, after the head of the conversation")
        if after_results and message.role != "assistant":
            contents[-1]["parts"] += parts
            contents[-1] = merged(contents[-1], own)
        else:
            role = "model" if message.role == "assistant" else "user"
            if role == "model" and _OLDER.match(model) is None:
                _sign(parts, adapted)
            contents.append(merged({"role": role, "parts": parts}, own))
        after_results = message.role == "tool"
    if system and not contents:  # there has to be a content, and nobody else says anything
        adapted.note("message.role", "system said as user, where nobody else says anything")
        contents.append({"role": "user", "parts": system})
    elif system:
        said["systemInstruction"] = {"parts": system}
    return said | {"contents": contents}


def _sign(parts: list[dict[str, Json]], adapted: Adapted) -> None:
    """Say of the first call of a turn without any signature that it has none: another model made it."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None and not any("thoughtSignature" in part for part in parts):
        first["thoughtSignature"] = SKIPPED
        adapted.note("message.call.signature", "the word for calls of another model")
