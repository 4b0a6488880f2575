"""What the stanzas of a server mean: which are messages, who sent them, and whether they call upon the account.

Source: RFC 6120, RFC 6121; XEP-0045 (rooms), XEP-0203 (delayed delivery), XEP-0313 (archive), XEP-0359 (unique ids).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime

from slixmpp import JID
from slixmpp.stanza import Message as Stanza

from isthmus.connectors.messages.service import Address, Message

PREFIX = "xmpp:"

_SID = "{urn:xmpp:sid:0}stanza-id"
_ORIGIN = "{urn:xmpp:sid:0}origin-id"
_DELAY = "{urn:xmpp:delay}delay"
_CORRECTS = "{urn:xmpp:message-correct:0}replace"

RealJid = Callable[[JID], JID | None]
"""Who somebody in a room is. None: the room does not tell."""


def message_of(
    stanza: Stanza, me: JID, *, rooms: frozenset[str], nick: str, real: RealJid, archived: str | None = None
) -> Message | None:
    """The message that a stanza is.

    Args:
        stanza: as the server hands it over.
        me: the account's own address.
        rooms: that it is in.
        nick: what it is called there.
        real: who somebody in a room is.
        archived: id in the server's archive, where it came from there.

    Returns:
        None: it is none, or it changes an earlier one: what was said counts as it was said.
    """
    text, sender = stanza["body"], stanza["from"]
    if stanza["type"] == "error" or not text.strip() or stanza.xml.find(_CORRECTS) is not None:
        return None
    # A server leaves out who sent it where it was the account itself.
    sender = sender if sender.bare else me
    in_room = stanza["type"] == "groupchat" or sender.bare in rooms
    known_as = archived or _stanza_id(stanza, sender.bare if in_room else me.bare) or _derived(stanza)
    common = {"id": known_as, "text": text, "at": _time(stanza), "marker": _marker(stanza)}
    if in_room:
        if not sender.resource:
            return None  # the room itself speaks
        known = real(sender)
        # In a room that does not tell who is who, a nick is all there is, and anybody can take it.
        return Message(
            **common,
            channel=Address(PREFIX + sender.bare),
            sender=Address(PREFIX + (known.bare if known is not None else str(sender))),
            name=sender.resource,
            own=sender.resource == nick,
            mentions_me=re.search(rf"(?<!\w){re.escape(nick)}(?!\w)", text, re.IGNORECASE) is not None,
        )
    own = sender.bare == me.bare
    other = stanza["to"].bare if own else sender.bare
    return Message(
        **common,
        channel=Address(PREFIX + other),
        sender=Address(PREFIX + sender.bare),
        own=own,
        direct=True,
    )


def _stanza_id(stanza: Stanza, by: str) -> str | None:
    """The id that an archive gave. Only that of one's own server or room counts: the sender may have written others."""
    for found in stanza.xml.findall(_SID):
        if found.get("by") == by and found.get("id"):
            return str(found.get("id"))
    return None


def _derived(stanza: Stanza) -> str:
    """An id where there is no archive: the sender's own, which is unique only among the sender's."""
    told = f"{stanza['from']}\n{stanza['id']}\n{'' if stanza['id'] else stanza['body']}"
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _marker(stanza: Stanza) -> str | None:
    origin = stanza.xml.find(_ORIGIN)
    found = origin.get("id") if origin is not None else None
    return found or stanza["id"] or None


def _time(stanza: Stanza) -> datetime | None:
    """When it was sent; without a delay, that is now. A delay may have been written by the sender."""
    if stanza.xml.find(_DELAY) is not None:
        return None
    return datetime.now(UTC)
