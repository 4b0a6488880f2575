"""Channels and messages as the agent sees them: items whose fields bear marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from isthmus.agent.marks import Mark, Party
from isthmus.agent.tool import Field, Item
from isthmus.connectors.messages.marking import Marking
from isthmus.connectors.messages.service import Address, Channel, Message

MADE = "isthmus."
"""How markers begin that isthmus gave."""

_LONGEST_NAME = 100
_LONGEST = 4_000
"""Characters of one message that are shown; services allow ten times that."""


def channel_item(channel: Channel, marking: Marking, aliases: Mapping[Address, str]) -> Item:
    """A channel.

    Args:
        channel: as the service tells it.
        marking: of its account.
        aliases: what the user calls channels, by their addresses.
    """
    fields = {
        "address": Field(
            value=channel.address, kind="channel", mark=marking.address_of(channel), party=Party(channel.address)
        )
    }
    if (alias := aliases.get(channel.address)) is not None:
        fields["alias"] = Field(value=alias, kind="channel", mark=marking.chosen(channel))
    if channel.name:
        fields["name"] = Field(value=channel.name[:_LONGEST_NAME], kind="text", mark=marking.name_of(channel))
    fields["direct"] = Field(value=channel.direct, kind="flag", mark=marking.listed())
    if channel.members is not None:
        fields["members"] = Field(value=len(channel.members), kind="number", mark=marking.listed())
    return Item(kind="channel", id=channel.address, fields=fields)


def message_item(message: Message, channel: Channel, marking: Marking, aliases: Mapping[Address, str]) -> Item:
    """A message. It is of the kind of mails: what is said there is answered there."""
    written = marking.written(message, channel)
    fields = {
        "from": Field(
            value=message.sender,
            kind="channel",
            mark=marking.sender(message, channel),
            party=Party(message.sender),
        )
    }
    if (alias := aliases.get(message.sender)) is not None:
        fields["from_alias"] = Field(value=alias, kind="person", mark=marking.chosen(channel))
    elif message.name:
        fields["from_name"] = Field(value=message.name[:_LONGEST_NAME], kind="person", mark=written)
    fields["in"] = Field(
        value=channel.address, kind="channel", mark=marking.placed(channel), party=Party(channel.address)
    )
    if message.at is not None:
        fields["at"] = Field(value=message.at, kind="time", mark=marking.asserted(channel))
    if message.own:
        fields["own"] = Field(value=True, kind="flag", mark=marking.asserted(channel))
    text = message.text
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… ({len(text) - _LONGEST} more characters)"
    fields["text"] = Field(value=text, kind="text", mark=written)
    return Item(kind="mail", id=message_id(message), fields=fields)


def with_mark(item: Item, mark: Mark) -> Item:
    """A thing that was made of what bears a mark."""
    return replace(
        item, fields={name: replace(field, mark=field.mark.joined(mark)) for name, field in item.fields.items()}
    )


def message_id(message: Message) -> str:
    """By which a message is known among all accounts.

    What isthmus sent is known by what went along with it: that is the same when it is sent and when it is read again,
    whatever the service calls it.
    """
    known = message.marker if message.own and message.marker and message.marker.startswith(MADE) else message.id
    return f"{message.channel}/{known}"
