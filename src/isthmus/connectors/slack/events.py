"""What Slack's messages mean: which of them people wrote, and whether they call upon the app.

Source: Slack API reference, "message event" and "Formatting text for app surfaces" (escapes, mentions), November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from isthmus.connectors.messages.service import Address, Message

EVENT = "isthmus_call"
"""Type of the metadata of what isthmus sends, by which it is known again."""

_SAID = frozenset({None, "me_message", "bot_message", "file_share", "thread_broadcast"})
"""Subtypes of messages that somebody wrote; the others tell that somebody came, went, edited."""
_REFERENCE = re.compile(r"<([@#!]?)([^>|]*)(?:\|([^>]*))?>")


def message_of(told: Mapping[str, Any], team: str, channel: str, me: str) -> Message | None:
    """The message that Slack tells of.

    Args:
        told: a message of a history, or a message event.
        team: id of the workspace.
        channel: id.
        me: the app's own user id.

    Returns:
        None: it is none, or it changes an earlier one.
    """
    stamp, text, subtype = told.get("ts"), told.get("text"), told.get("subtype")
    if not isinstance(stamp, str) or not isinstance(text, str) or subtype not in _SAID:
        return None
    user = told.get("user")
    sender = user if isinstance(user, str) else told.get("bot_id")
    if not isinstance(sender, str):
        return None
    own = sender == me
    return Message(
        id=stamp,
        channel=Address(f"slack:{team}/{channel}"),
        sender=Address(f"slack:{team}/{sender}"),
        text=plain(text),
        at=_time(stamp),
        own=own,
        marker=_marker(told),
        mentions_me=f"<@{me}>" in text or f"<@{me}|" in text,
        direct=channel.startswith("D"),
        automatic="bot_id" in told or subtype == "bot_message",
    )


def plain(text: str) -> str:
    """A text as people read it, without Slack's escapes; of a link, where it leads stands beside what it is called."""

    def read(found: re.Match[str]) -> str:
        sign, target, called = found[1], found[2], found[3]
        if sign == "!":
            return f"@{called or target.partition('^')[0]}"
        if sign:
            return f"{sign}{called or target}"
        return target if called is None or called == target else f"{called} ({target})"

    shown = _REFERENCE.sub(read, text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escaped(text: str) -> str:
    """A text in which nothing is a mention or a link to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _marker(told: Mapping[str, Any]) -> str | None:
    metadata = told.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("event_type") != EVENT:
        return None
    payload = metadata.get("event_payload")
    found = payload.get("call") if isinstance(payload, Mapping) else None
    return found if isinstance(found, str) else None


def _time(stamp: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(stamp), UTC)
    except (OverflowError, ValueError, OSError):
        return None
