"""What the events of a room mean: which of them are messages, who sent them, and whether they call upon the account.

Source: Matrix client-server API 1.11, modules "Instant messaging", "Event replacements" and "User and room mentions".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from isthmus.connectors.messages.service import Address, Message

PREFIX = "matrix:"
MARKER = "org.isthmus.call"
"""Key in the content of what isthmus sends: by which it is known again."""

_TEXTS = frozenset({"m.text", "m.emote", "m.notice"})


def message_of(event: Mapping[str, Any], room: str, me: str, *, direct: bool) -> Message | None:
    """The message that an event is.

    Args:
        event: as the homeserver tells it; anybody may have made it.
        room: id.
        me: the account's own id.
        direct: whether only one other is in the room.

    Returns:
        None: it is none, or it changes an earlier one: what was said counts as it was said.
    """
    content, sender, event_id = event.get("content"), event.get("sender"), event.get("event_id")
    if event.get("type") != "m.room.message" or not isinstance(content, Mapping):
        return None
    text = content.get("body")
    if not (isinstance(text, str) and isinstance(sender, str) and isinstance(event_id, str)) or not text.strip():
        return None
    relation = content.get("m.relates_to")
    if isinstance(relation, Mapping) and relation.get("rel_type") == "m.replace":
        return None
    if content.get("msgtype") not in _TEXTS:
        text = f"({content.get('msgtype')}: {text})"
    marker = content.get(MARKER)
    return Message(
        id=event_id,
        channel=Address(PREFIX + room),
        sender=Address(PREFIX + sender),
        text=text,
        at=_time(event, sender, me),
        own=sender == me,
        marker=marker if isinstance(marker, str) else None,
        mentions_me=_mentions(content, text, me),
        direct=direct,
        automatic=content.get("msgtype") == "m.notice",
    )


def _time(event: Mapping[str, Any], sender: str, me: str) -> datetime | None:
    """When it was sent, where the account's own homeserver says so: other servers may say anything."""
    stamp = event.get("origin_server_ts")
    if not isinstance(stamp, int) or sender.partition(":")[2] != me.partition(":")[2]:
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _mentions(content: Mapping[str, Any], text: str, me: str) -> bool:
    mentions = content.get("m.mentions")
    if isinstance(mentions, Mapping):
        users = mentions.get("user_ids")
        return isinstance(users, list) and me in users
    return me in text or f"@{me[1:].partition(':')[0]}" in text.split()
