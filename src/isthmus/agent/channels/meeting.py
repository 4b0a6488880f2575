"""What is done with a message that comes in: a decision, out of who sent it, where, and what it says.

- Only those who may speak to the agent are heard. Who is unknown is given a code, in a conversation of two alone; in a
  room nobody is told anything.
- In a room the agent has to be called upon. What others said there is told as something that others said.
- A command is never a model's, and a model's words never are a command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from isthmus.agent.channels.commands import Command, command
from isthmus.agent.channels.people import People


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message that came in."""

    id: str
    """Unique in all that ever comes in by this account."""
    channel: str
    """Address of where it was said."""
    sender: str
    """Address, as the service vouches for it."""
    name: str
    """What the sender is called, by their own word."""
    text: str
    direct: bool
    """Whether nobody else is there."""
    mentions_me: bool
    own: bool
    automatic: bool
    """Whether a programme sent it, or passed it on."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing is done. In a room, it is something that others said."""


@dataclass(frozen=True, slots=True)
class Greet:
    """Somebody unknown: a code, if they may have one."""


@dataclass(frozen=True, slots=True)
class Obey:
    """A command of somebody who may."""

    command: Command


@dataclass(frozen=True, slots=True)
class Turn:
    """Words for the agent."""

    text: str
    conversation: str


Act: TypeAlias = Ignore | Greet | Obey | Turn


def meet(inbound: Inbound, people: People) -> Act:
    """What is done with a message."""
    if inbound.own or inbound.automatic or not inbound.text.strip():
        return Ignore()
    if not people.know(inbound.sender):
        return Greet() if inbound.direct else Ignore()
    if not (inbound.direct or inbound.mentions_me):
        return Ignore()
    if (found := command(inbound.text)) is not None:
        return Obey(found)
    return Turn(inbound.text, conversation(inbound.channel, inbound.sender))


def conversation(channel: str, user: str) -> str:
    """The conversation of somebody in a channel. Nobody else ever speaks in it."""
    return f"{user} in {channel}"


def place(conversation: str) -> tuple[str, str]:
    """Whose a conversation is, and the channel that it is in."""
    user, _, channel = conversation.partition(" in ")
    return user, channel


def belongs(conversation: str, user: str) -> bool:
    """Whether a conversation is somebody's."""
    return conversation.startswith(f"{user} in ")
