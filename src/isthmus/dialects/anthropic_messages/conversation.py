"""Messages of a request, both ways.

System messages at the head are `system`; later ones are messages of role `system`, which newer models take. Results of
tools are blocks of the user's message after the calls: all of them in one, with what the user says next behind them.
Source: https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import cast

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.anthropic_messages.blocks import decode_blocks, encode_block, encode_blocks
from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.anthropic_messages.thinking import is_ours
from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.foreign import own_fields
from isthmus.dialects.silence import is_silent, saying
from isthmus.domain.errors import InvalidRequest, Unsupported
from isthmus.domain.message import Document, Image, Json, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult

_ALLOWED: dict[str, tuple[type, ...]] = {
    "system": (Text,),
    "user": (Text, Image, Document, ToolResult),
    "assistant": (Text, Reasoning, ToolCall),
}


# --------------------------------------------------------------------------------------------------- decoding


def decode_messages(fields: Fields) -> tuple[Message, ...]:
    messages: list[Message] = []
    if fields.rest.get("system") is not None:
        texts = _only(decode_blocks(fields, "system", {}), "system", "system")
        if texts:
            messages.append(Message(role="system", parts=tuple(texts)))
    items = fields.items("messages")
    if not items:
        raise InvalidRequest("messages must be a list with at least one message.", param="messages")
    called: dict[str, str] = {}
    for at, item in enumerate(items):
        messages += _decode_message(Fields(item, f"messages[{at}]"), called)
    return tuple(messages)


def _decode_message(fields: Fields, called: dict[str, str]) -> list[Message]:
    """One message, or several where a user's message holds results of tools and more.

    `called`: names of the tools called so far, by id of the call; added to.
    """
    role = fields.required_text("role")
    if role not in _ALLOWED:
        raise fields.wrong("role", "must be one of user, assistant, system")
    parts = _only(decode_blocks(fields, "content", called), role, fields.at("content"))
    called |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
    more = fields.unknown(NAME)
    runs = groupby(parts, key=lambda part: isinstance(part, ToolResult))
    found = [
        Message(role="tool" if of_tools else cast("Role", role), parts=tuple(run), extra=more) for of_tools, run in runs
    ]
    return found or [Message(role=cast("Role", role), parts=(), extra=more)]


def _only(parts: list[Part], role: str, where: str) -> list[Part]:
    for at, part in enumerate(parts):
        if not isinstance(part, _ALLOWED[role]):
            raise InvalidRequest(
                f"{where}[{at}] is of a type that a message of role {role} cannot have.", param=f"{where}[{at}]"
            )
    return parts


# --------------------------------------------------------------------------------------------------- encoding


def encode_messages(messages: Sequence[Message], adapted: Adapted) -> dict[str, Json]:
    """The fields `system` and `messages`."""
    head = 0
    while head < len(messages) and messages[head].role in ("system", "developer"):
        head += 1
    said: dict[str, Json] = {}
    system: list[Part] = []
    for at, message in enumerate(messages[:head]):
        _own_fields(message, f"messages[{at}]", adapted)
        system += _parts_said(message, adapted)
    if system:
        said["system"] = encode_blocks(system, "system", adapted)
    wire: list[dict[str, Json]] = []
    after_results = False
    for at, told in enumerate(messages[head:], head):
        where = f"messages[{at}]"
        own = _own_fields(told, where, adapted)
        parts = _parts_said(told, adapted)
        if not parts:
            continue
        if after_results and told.role in ("tool", "user"):  # all of a turn is said in one message
            last = wire[-1]
            last["content"] += [encode_block(part, f"{where}.content[{no}]", adapted) for no, part in enumerate(parts)]
            last.update(merged(last, own))
        else:
            content = encode_blocks(parts, f"{where}.content", adapted)
            wire.append(merged({"role": _role(told), "content": content}, own))
        after_results = told.role == "tool"
    if system and not wire:  # there has to be a message, and nobody else says anything
        adapted.note("message.role", "system said as user, where nobody else says anything")
        wire.append({"role": "user", "content": said.pop("system")})
    return said | {"messages": wire}


def _parts_said(message: Message, adapted: Adapted) -> tuple[Part, ...]:
    """The parts that are sent; none where the message is to be left out.

    Thoughts without the provider's own proof are another vendor's, or edited: this provider takes none of them, and
    drops its own from earlier turns too.
    """
    if message.role == "developer":
        adapted.note("message.role", "developer said as system")
    said = saying(message.parts)
    if not said and not is_silent(message):
        said = message.parts
    kept = tuple(part for part in said if not (isinstance(part, Reasoning) and not is_ours(part)))
    if len(kept) < len(said):
        adapted.note("message.reasoning", "left out, without a proof of this provider")
    elif len(said) < len(message.parts) or not message.parts:
        adapted.note("message.text", "left out where empty")
    return kept


def _role(message: Message) -> str:
    match message.role:
        case "developer":
            return "system"
        case "tool":
            return "user"
        case role:
            return role


def _own_fields(message: Message, where: str, adapted: Adapted) -> Mapping[str, Json]:
    # On a tool's message the name is the tool's, which the call has told already.
    if message.name is not None and message.role != "tool":
        raise Unsupported(f"{where}.name cannot be said in {NAME}.", hint="Leave it out.", param=f"{where}.name")
    return own_fields(message.extra, dialect=NAME, where=where, adapted=adapted)
