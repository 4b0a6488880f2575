"""Speaks to a homeserver: rooms, their messages, and what comes.

A message is sent under a transaction id that is derived from the call: a homeserver does nothing when it is given one a
second time. It also bears the marker in its content, for after homeservers have forgotten.

The library's own idea of what is in which room is not used: it is asked for each time.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import aiohttp
import nio  # type: ignore[import-untyped]  # it brings no types
from typing_extensions import override

from isthmus.connectors.matrix.events import MARKER, PREFIX, message_of
from isthmus.connectors.messages.service import Address, Channel, Heard, Message, Service, Welcome
from isthmus.domain.errors import ToolError, ToolUncertain

_ROOM = re.compile(r"![^\s:/?#]{1,200}(?::[A-Za-z0-9.:\[\]-]{1,230})?\Z")
_USER = re.compile(r"@[a-z0-9._=/+-]{1,200}:[A-Za-z0-9.:\[\]-]{1,230}\Z")

SECONDS = 20.0
WAIT_MILLISECONDS = 30_000
"""How long the homeserver waits for something to tell."""
_MOST_ROOMS = 100
_MOST_SEARCHED = 500
_MOST_PAGES = 50


class Rooms(Service):
    """One account at a homeserver."""

    prefix = PREFIX
    assigns_people = False
    assigns_channels = True
    keeps_history = True
    longest = 16_000

    def __init__(self, homeserver: str, user: str, token: str, *, seconds: float = SECONDS) -> None:
        """Nothing is connected yet.

        Args:
            homeserver: its address.
            user: the account's id.
            token: access token.
            seconds: for the homeserver to answer.
        """
        self._homeserver = homeserver.rstrip("/")
        self._user = user
        self._token = token
        self._seconds = seconds
        self._client: nio.AsyncClient | None = None

    @override
    def address(self, text: str) -> Address:
        name = text.removeprefix(PREFIX)
        if _ROOM.match(name) or _USER.match(name):
            return Address(PREFIX + name)
        raise ToolError(
            "That is no Matrix address.", hint="Rooms look like matrix:!id:server, people like matrix:@name:server."
        )

    @override
    async def me(self) -> Address:
        found = await self._ask(self._connected().whoami())
        if found.user_id != self._user:
            raise ToolError(f"The token belongs to another account than {self._user}.")
        return Address(PREFIX + self._user)

    @override
    async def channels(self) -> Sequence[Channel]:
        joined = await self._ask(self._connected().joined_rooms())
        return [await self.channel(Address(PREFIX + room)) for room in joined.rooms[:_MOST_ROOMS]]

    @override
    async def channel(self, address: Address) -> Channel:
        room = _id(address)
        if not room.startswith("!"):
            found = await self._direct(room)
            if found is None:
                raise ToolError("There is no conversation with this person yet.", hint="msg_send begins one.")
            room = found
        members = await self._members(room)
        name = await self._state(room, "m.room.name")
        text = name.get("name") if name else None
        return Channel(
            address=Address(PREFIX + room),
            name=text if isinstance(text, str) else "",
            members=frozenset(Address(PREFIX + member) for member in members - {self._user}),
            direct=len(members) <= 2,  # the account and one other
        )

    @override
    async def history(self, channel: Address, most: int) -> Sequence[Message]:
        found = await self.channel(channel)
        room = _id(found.address)
        messages, _ = await self._last(room, most, direct=found.direct)
        return messages

    @override
    async def send(self, to: Address, text: str, marker: str) -> Message:
        room = _id(to)
        if room.startswith("@"):
            room = await self._direct(room) or await self._begun(room)
        if await self._state(room, "m.room.encryption") is not None:
            raise ToolError("The room is encrypted end to end, and isthmus does not speak that.")
        content = {"msgtype": "m.text", "body": text, "m.mentions": {}, MARKER: marker}
        try:
            answer = await self._connected().room_send(room, "m.room.message", content, tx_id=marker)
        except (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError) as error:
            raise self._unreachable() from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ToolUncertain(
                "The homeserver did not answer; whether the message was sent cannot be told."
            ) from error
        if isinstance(answer, nio.ErrorResponse):
            raise self._refused(answer)
        return Message(
            id=answer.event_id,
            channel=Address(PREFIX + room),
            sender=Address(PREFIX + self._user),
            text=text,
            at=None,
            own=True,
            marker=marker,
        )

    @override
    async def find(self, to: Address, marker: str) -> Message | None:
        room: str | None = _id(to)
        if room is not None and room.startswith("@"):
            room = await self._direct(room)
        if room is None:
            return None
        found, all_of_it = await self._last(room, _MOST_SEARCHED, direct=False)
        for message in found:
            if message.own and message.marker == marker:
                return message
        if not all_of_it:
            raise ToolUncertain(f"It is not among the last {_MOST_SEARCHED} events of the room, and it may be older.")
        return None

    @override
    async def hear(self, after: str | None, welcome: Welcome) -> AsyncGenerator[Heard, None]:
        since = after
        if since is None:
            since = (await self._sync(None, _filter(timeline=1), wait=0)).next_batch
            yield Heard((), since)
        directs: dict[str, bool] = {}
        while True:
            synced = await self._sync(since, _filter(timeline=100), wait=WAIT_MILLISECONDS)
            messages: list[Message] = []
            for room, told in synced.rooms.join.items():
                if told.state or any(_source(event).get("type") == "m.room.member" for event in told.timeline.events):
                    directs.pop(room, None)
                events = [_source(event) for event in told.timeline.events]
                if told.timeline.limited:
                    events = await self._between(room, since, told.timeline.prev_batch) + events
                for event in events:
                    if event.get("type") != "m.room.message":
                        continue
                    if room not in directs:
                        directs[room] = len(await self._members(room)) <= 2
                    if (message := message_of(event, room, self._user, direct=directs[room])) is not None:
                        messages.append(message)
            for room, invited in synced.rooms.invite.items():
                await self._enter(room, invited.invite_state, welcome)
            since = synced.next_batch
            yield Heard(tuple(messages), since)

    @override
    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    # -- asking the homeserver ----------------------------------------------------------------------------------

    def _connected(self) -> nio.AsyncClient:
        if self._client is None:
            self._client = nio.AsyncClient(
                self._homeserver,
                self._user,
                config=nio.AsyncClientConfig(
                    max_limit_exceeded=2, max_timeouts=0, request_timeout=self._seconds, encryption_enabled=False
                ),
            )
            self._client.access_token = self._token
            self._client.user_id = self._user
        return self._client

    async def _ask(self, asking: Any) -> Any:
        """The homeserver's answer.

        Raises:
            ToolError: there is none, or it refuses.
        """
        answer = await self._tried(asking)
        if isinstance(answer, nio.ErrorResponse):
            raise self._refused(answer)
        return answer

    async def _tried(self, asking: Any) -> Any:
        """The homeserver's answer, which may be a refusal.

        Raises:
            ToolError: there is none.
        """
        try:
            return await asking
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable() from error

    def _unreachable(self) -> ToolError:
        return ToolError(f"The homeserver {self._homeserver} cannot be reached.", hint="Try again later.")

    def _refused(self, answer: nio.ErrorResponse) -> ToolError:
        """What a refusal means, in our words: a homeserver's may hold anything."""
        match answer.status_code:
            case "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN":
                return ToolError(
                    f"The homeserver does not take the token of {self._user}.", hint="The user has to make a new one."
                )
            case "M_FORBIDDEN":
                return ToolError("The account is not in that room, or may not do that there.")
            case "M_NOT_FOUND" | "M_UNKNOWN":
                return ToolError("There is no such room or person.", hint="msg_channels lists the rooms.")
            case "M_LIMIT_EXCEEDED":
                return ToolError("The homeserver wants fewer requests.", hint="Try again in a minute.")
            case _:
                return ToolError("The homeserver refused.", hint="Try again later.")

    async def _sync(self, since: str | None, wanted: Mapping[str, Any], *, wait: int) -> Any:
        client = self._connected()
        # The library goes on where its last sync ended unless told otherwise, and there are several kinds of sync here.
        client.next_batch = ""
        return await self._ask(client.sync(timeout=wait, since=since, sync_filter=dict(wanted), set_presence="offline"))

    async def _last(self, room: str, most: int, *, direct: bool) -> tuple[list[Message], bool]:
        """The last messages of a room, oldest first, and whether there are no others."""
        events: list[Mapping[str, Any]] = []
        start: str | None = None
        for _ in range(_MOST_PAGES):
            answer = await self._tried(
                self._connected().room_messages(
                    room,
                    start=start,
                    direction=nio.MessageDirection.back,
                    limit=min(100, most - len(events)),
                    message_filter={"types": ["m.room.message"]},
                )
            )
            if isinstance(answer, nio.ErrorResponse):
                break
            events += [_source(event) for event in answer.chunk]
            # There may be more although it told fewer than it was asked for; where there are none, it names no end.
            ended = not answer.end or answer.end == start
            if ended or len(events) >= most:
                read = (message_of(event, room, self._user, direct=direct) for event in reversed(events))
                return [message for message in read if message is not None], ended
            start = answer.end
        else:
            raise ToolError("The homeserver does not come to an end with the history of the room.")
        if answer.status_code != "M_UNRECOGNIZED":
            raise self._refused(answer)
        # A server that has no histories: then what a sync of the room tells that begins nowhere. It is not the first
        # way, because servers keep the answer to such a sync for minutes.
        told = (await self._sync(None, _filter(timeline=most, room=room), wait=0)).rooms.join.get(room)
        if told is None:
            raise ToolError("The account is not in that room.", hint="msg_channels lists the rooms.")
        found = (message_of(_source(event), room, self._user, direct=direct) for event in told.timeline.events)
        return [message for message in found if message is not None], not told.timeline.limited

    async def _between(self, room: str, start: str, end: str) -> list[Mapping[str, Any]]:
        """Events that a sync left out because they were too many."""
        events: list[Mapping[str, Any]] = []
        while True:
            found = await self._ask(
                self._connected().room_messages(
                    room, start=end, end=start, direction=nio.MessageDirection.back, limit=100
                )
            )
            events += [_source(event) for event in found.chunk]
            if not found.chunk or not found.end or found.end == end:
                return events[::-1]
            end = found.end

    async def _members(self, room: str) -> frozenset[str]:
        found = await self._ask(self._connected().joined_members(room))
        return frozenset(member.user_id for member in found.members)

    async def _state(self, room: str, kind: str, key: str = "") -> Mapping[str, Any] | None:
        """The content of a state event; None: there is none."""
        answer = await self._tried(self._connected().room_get_state_event(room, kind, key))
        if isinstance(answer, nio.ErrorResponse):
            if answer.status_code == "M_NOT_FOUND":
                return None
            raise self._refused(answer)
        content = answer.content
        return content if isinstance(content, Mapping) else None

    async def _direct(self, user: str) -> str | None:
        """The room of the account and one other, who is in it or invited."""
        joined = await self._ask(self._connected().joined_rooms())
        alone = []
        for room in joined.rooms:
            members = await self._members(room)
            if members == {self._user, user}:
                return str(room)
            if members == {self._user}:
                alone.append(room)
        for room in alone:
            membership = await self._state(room, "m.room.member", user)
            if membership is not None and membership.get("membership") == "invite":
                return str(room)
        return None

    async def _begun(self, user: str) -> str:
        """A new room for the account and one other."""
        made = await self._ask(
            self._connected().room_create(
                is_direct=True, invite=[user], preset=nio.RoomPreset.private_chat, visibility=nio.RoomVisibility.private
            )
        )
        return str(made.room_id)

    async def _enter(self, room: str, state: Sequence[Any], welcome: Welcome) -> None:
        """Accept an invitation: to a conversation of two from anybody, to others from those who may."""
        for event in state:
            # The library takes the content out of what the homeserver told.
            if isinstance(event, nio.InviteMemberEvent) and event.state_key == self._user:
                if event.content.get("is_direct") is True or welcome(Address(PREFIX + event.sender)):
                    with contextlib.suppress(ToolError):  # it was withdrawn meanwhile
                        await self._ask(self._connected().join(room))
                return


def _filter(*, timeline: int, room: str | None = None) -> dict[str, Any]:
    """What a sync shall tell."""
    nothing: dict[str, Any] = {"types": []}
    rooms: dict[str, Any] = {
        "timeline": {"limit": timeline, "types": ["m.room.message", "m.room.member"]},
        "state": {"types": ["m.room.member"], "lazy_load_members": True},
        "ephemeral": nothing,
        "account_data": nothing,
    }
    if room is not None:
        rooms["rooms"] = [room]
        rooms["timeline"]["types"] = ["m.room.message"]
    return {"room": rooms, "presence": nothing, "account_data": nothing}


def _source(event: Any) -> Mapping[str, Any]:
    found = getattr(event, "source", None)
    return found if isinstance(found, Mapping) else {}


def _id(address: Address) -> str:
    return address.removeprefix(PREFIX)
