"""The marks of messages and channels: who could have written them, and who can read them already.

- What a message says, and what its sender is called, was written by the sender.
- Addresses that a service gives out as numbers are the service's; those that people or the founders of rooms choose
  were written by them, for a name can be a sentence.
- When a message came, the service says, unless it only passes on what the sender's own server says.
- What a channel is called, anybody may have written who may name it: no service tells who that was.
- What the user wrote into the settings is the user's.
- Whoever is in the channel can read it, and so can the channel, which is what is written to. Where the service does
  not tell who is in it, the channel alone stands for them.
- What the account itself sent was made of things that nobody remembers here: its origin is unknown, and what is kept of
  it elsewhere (`agent.ports.MarkStore`) is joined to that.
"""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.agent.marks import ISTHMUS, ONLY_THE_USER, UNKNOWN, USER, Mark, Origin, Party, Readers
from isthmus.connectors.messages.service import Address, Channel, Message, Service
from isthmus.domain.label import Label


@dataclass(frozen=True, slots=True)
class Marking:
    """What the marks of an account's messages are made from."""

    service: Service
    labels: frozenset[Label]

    def readers(self, channel: Channel) -> Readers:
        """Who can read what is said in a channel."""
        return Readers(frozenset(map(Party, (channel.address, *(channel.members or ())))))

    def listed(self) -> Mark:
        """Of what only the user sees, and nobody else can have written."""
        return Mark(labels=self.labels, readers=ONLY_THE_USER, origins=frozenset({ISTHMUS}))

    def address_of(self, channel: Channel) -> Mark:
        """Of a channel's address."""
        direct_name = channel.direct and not self.service.assigns_people
        chosen = direct_name or not self.service.assigns_channels
        origin = origin_of(channel.address) if chosen else ISTHMUS
        return Mark(labels=self.labels, readers=ONLY_THE_USER, origins=frozenset({origin}))

    def name_of(self, channel: Channel) -> Mark:
        """Of what a channel is called."""
        named = self.labels, self.readers(channel)
        return Mark(labels=named[0], readers=named[1], origins=frozenset({UNKNOWN}))

    def chosen(self, channel: Channel) -> Mark:
        """Of what the user calls a channel in the settings."""
        return Mark(labels=self.labels, readers=self.readers(channel), origins=frozenset({USER}))

    def written(self, message: Message, channel: Channel) -> Mark:
        """Of what a message says."""
        origin = UNKNOWN if message.own else origin_of(message.sender)
        return Mark(labels=self.labels, readers=self.readers(channel), origins=frozenset({origin}))

    def sender(self, message: Message, channel: Channel) -> Mark:
        """Of its sender's address."""
        origin = ISTHMUS if self.service.assigns_people or message.own else origin_of(message.sender)
        return Mark(labels=self.labels, readers=self.readers(channel), origins=frozenset({origin}))

    def asserted(self, channel: Channel) -> Mark:
        """Of what the service says of a message."""
        return Mark(labels=self.labels, readers=self.readers(channel), origins=frozenset({ISTHMUS}))

    def placed(self, channel: Channel) -> Mark:
        """Of the address of the channel that a message is in."""
        return Mark(labels=self.labels, readers=self.readers(channel), origins=self.address_of(channel).origins)


def origin_of(address: Address) -> Origin:
    """Who wrote what comes from an address: `message:matrix:@bob:example.org`."""
    return Origin(f"message:{address}")
