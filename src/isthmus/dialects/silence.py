"""Messages and parts that say nothing. Clients write them; Anthropic and Gemini refuse them."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.domain.message import Message, Part, Text, ToolChoice


def saying(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts without empty texts that carry neither mark nor proof."""
    return tuple(part for part in parts if not (isinstance(part, Text) and part == Text(text="")))


def is_silent(message: Message) -> bool:
    """Whether leaving it out loses nothing: a turn of the model, or an instruction, without any content."""
    return message.role in ("assistant", "system", "developer") and not saying(message.parts)


def means_nothing(choice: ToolChoice | None) -> bool:
    """Whether a choice says nothing where there is no tool."""
    return choice is None or choice.mode in ("auto", "none")
