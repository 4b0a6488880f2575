"""What a tool found, as the text that a model is shown.

Each thing stands under its handle, each field under its name, so that a model can pass `@mail_1.from` on without
copying. Text that others could have written stands in lines that begin with `| `, all of it: no line of it can pass for
one of ours. It is inert (`inert`), and its length is bounded; what is left out is told, with the way to get at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from isthmus.agent.inert import inert, one_line
from isthmus.agent.marks import Origin
from isthmus.agent.monitor.shelf import Shown
from isthmus.agent.tool import Field, ToolResult, Value

OUTSIDE = "| "
"""How lines begin that somebody else may have written."""

SHORT = 160
"""Characters of a value that stands in one line with its name."""

_LINE = 400
"""Characters of one line; longer ones are broken, so that a model's eyes, and a person's, find the bar again."""


def rendered(result: ToolResult, shown: Sequence[Shown], *, most: int) -> str:
    """A result as text.

    Args:
        result: of a tool.
        shown: its things, as they lie on the shelf now.
        most: characters, about.
    """
    lines = [result.note] if result.note else []
    budget = max(most - len(result.note), most // 4)
    share = max(budget // max(len(shown), 1), 2 * SHORT)
    left = budget
    for at, one in enumerate(shown):
        text = _thing(one, min(left, max(share, left // max(len(shown) - at, 1))))
        if left < len(text) and at:
            rest = ", ".join(other.handle for other in shown[at:])
            lines.append(f"({len(shown) - at} more not shown for their length: {rest}. Refer to them or read them.)")
            break
        lines.append(text)
        left -= len(text)
    if result.image is not None:
        lines.append("(A picture comes with it.)")
    return "\n".join(lines) or "Nothing was found."


def put_aside(handles: Sequence[str]) -> str:
    """What stands in the place of a result that a model has seen and that is too long to be said again."""
    return f"(Shown before: {', '.join(handles)}. They can still be referred to.)" if handles else "(Shown before.)"


def _thing(shown: Shown, most: int) -> str:
    if shown.closed:
        return f"{shown.handle}: (not shown; open it to see it)"
    lines = [f"{shown.handle}:"]
    texts = [name for name, field in shown.item.fields.items() if _is_long(field)]
    room = max((most - 80 * len(shown.item.fields)) // max(len(texts), 1), SHORT)
    for name, field in shown.item.fields.items():
        if field.value is None or field.value == "":
            continue
        if name in texts:
            lines += _text(shown.handle, name, field, room)
        else:
            bar = "" if field.mark.trusted else OUTSIDE
            lines.append(f" {name}: {bar}{one_line(spelled(field.value), SHORT)}")
    return "\n".join(lines)


def _text(handle: str, name: str, field: Field, room: int) -> list[str]:
    whole = inert(str(field.value)).strip("\n")
    told, rest = whole[:room], len(whole) - room
    whose = "" if field.mark.trusted else f" ({_writers(field.mark.origins)} wrote this)"
    bar = "  " if field.mark.trusted else f" {OUTSIDE}"
    lines = [f" {name}{whose}:"]
    for line in told.split("\n"):
        lines += [f"{bar}{line[at : at + _LINE]}" for at in range(0, max(len(line), 1), _LINE)]
    if rest > 0:
        lines.append(f" ({rest} more characters in {handle}.{name})")
    return lines


def _is_long(field: Field) -> bool:
    return isinstance(field.value, str) and (len(field.value) > SHORT or "\n" in field.value)


def _writers(origins: frozenset[Origin]) -> str:
    names = sorted(one_line(origin, 60) for origin in origins)
    return ", ".join(names[:2]) + (f" and {len(names) - 2} others" if len(names) > 2 else "")


def spelled(value: Value) -> str:
    """A value as a person writes it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.strftime("%a %Y-%m-%d %H:%M %Z").strip()
        case date():
            return value.strftime("%a %Y-%m-%d")
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)
