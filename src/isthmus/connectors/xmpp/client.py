"""Speaks to an XMPP server: one connection for all that is sent, asked and heard, made when it is needed.

Nothing is heard before somebody hears (`hear`): only then does the account say that it is there, because a server hands
each message over once. Where the server keeps an archive, what was missed is read from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout, XMPPError
from slixmpp.stanza import Message as Stanza
from typing_extensions import override

from isthmus.connectors.messages.service import Address, Channel, Heard, Message, Service, Welcome
from isthmus.connectors.xmpp.stanzas import PREFIX, message_of
from isthmus.domain.errors import ToolError, ToolUncertain

SECONDS = 20.0
_PING_SECONDS = 60.0
"""Between two looks whether a silent connection is still there."""
_MOST_SEARCHED = 200
_MARGIN = timedelta(minutes=5)
"""Clocks of servers differ."""
_ARCHIVE = "urn:xmpp:mam:2"
_RESOURCE = "isthmus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where an account is."""

    host: str | None
    port: int
    tls: Literal["starttls", "tls", "none"]
    context: ssl.SSLContext


class _Cursor(NamedTuple):
    """Where to go on in an archive: after a message, or, where the archive has forgotten it, about a time."""

    id: str
    time: datetime

    @override
    def __str__(self) -> str:
        return f"{self.id} {self.time.isoformat()}"

    @staticmethod
    def of(text: str) -> _Cursor:
        message, _, time = text.rpartition(" ")
        return _Cursor(message, datetime.fromisoformat(time))

    @staticmethod
    def at(message: Message) -> _Cursor:
        return _Cursor(message.id, message.at or datetime.now(UTC))


class _Forgotten(Exception):
    """The archive does not know the message after which it was asked to go on."""


class Client(Service):
    """One account at a server."""

    prefix = PREFIX
    assigns_people = False
    assigns_channels = False
    longest = 8_000

    def __init__(
        self, address: str, password: str, server: Server, *, rooms: Sequence[str], nick: str, seconds: float = SECONDS
    ) -> None:
        """Nothing is connected yet.

        Args:
            address: of the account.
            password: its password.
            server: where it is.
            rooms: to be in.
            nick: what it is called there.
            seconds: for the server to answer.

        Raises:
            ToolError: a room is no address.
        """
        self._me = slixmpp.JID(self.address(address).removeprefix(PREFIX))
        self._password = password
        self._server = server
        self._rooms = frozenset(self.address(room).removeprefix(PREFIX) for room in rooms)
        self._nick = nick
        self._seconds = seconds
        self._stream: slixmpp.ClientXMPP | None = None
        self._connecting = asyncio.Lock()
        self._lost = asyncio.Event()
        self._came: asyncio.Queue[Message] = asyncio.Queue()
        self._bounced: dict[str, str] = {}
        """Conditions of errors that came back, by the id of what was sent."""
        self._met: set[Address] = set()
        self._archive: bool | None = None

    @property
    @override
    def keeps_history(self) -> bool:
        # Until the server was asked, it is taken to keep an archive: asking it tells.
        return self._archive is not False

    @override
    def address(self, text: str) -> Address:
        try:
            jid = slixmpp.JID(text.removeprefix(PREFIX))
        except slixmpp.InvalidJID:
            jid = slixmpp.JID("")
        if not jid.user or not jid.domain or jid.resource:
            raise ToolError("That is no XMPP address.", hint="They look like xmpp:name@server.")
        return Address(PREFIX + jid.bare)

    @override
    async def me(self) -> Address:
        await self._connected()
        return Address(PREFIX + self._me.bare)

    @override
    async def channels(self) -> Sequence[Channel]:
        stream = await self._connected()
        try:
            roster = await stream.get_roster(timeout=int(self._seconds))
        except (IqError, IqTimeout) as error:
            raise _silent() from error
        if roster is None:
            raise _silent()
        people = {Address(PREFIX + slixmpp.JID(jid).bare) for jid in roster["roster"]["items"]}
        rooms = [await self.channel(Address(PREFIX + room)) for room in sorted(self._rooms)]
        return [*rooms, *[await self.channel(one) for one in sorted(people | self._met)]]

    @override
    async def channel(self, address: Address) -> Channel:
        jid = _id(address)
        if jid not in self._rooms:
            return Channel(address=address, members=frozenset({address}), direct=True)
        return Channel(address=address, members=self._in_room(jid))

    @override
    async def history(self, channel: Address, most: int) -> Sequence[Message]:
        return await self._archived(channel, most)

    @override
    async def send(self, to: Address, text: str, marker: str) -> Message:
        stream = await self._connected()
        jid = _id(to)
        if jid in self._rooms and not self._is_in(jid):
            await self._enter(stream, jid)
        stanza = stream.make_message(mto=jid, mbody=text, mtype="groupchat" if jid in self._rooms else "chat")
        stanza["id"] = marker
        stanza["origin_id"]["id"] = marker
        try:
            stanza.send()
            # The server answers in order: when it answers this, it has taken the message, or sent it back.
            await self._pinged(stream)
        except (XMPPError, TimeoutError, OSError) as error:
            raise ToolUncertain("The server did not answer; whether the message was sent cannot be told.") from error
        if (condition := self._bounced.pop(marker, None)) is not None:
            raise ToolError(f"The server sent it back ({condition}).", hint="The user has to check the address.")
        return Message(
            id=marker,
            channel=to,
            sender=Address(PREFIX + self._me.bare),
            text=text,
            at=datetime.now(UTC),
            own=True,
            marker=marker,
            direct=jid not in self._rooms,
        )

    @override
    async def find(self, to: Address, marker: str) -> Message | None:
        found = await self._archived(to, _MOST_SEARCHED)
        if self._archive is False:
            raise ToolUncertain("The server keeps no archive, so what was sent cannot be told.")
        for message in found:
            if message.own and message.marker == marker:
                return message
        if len(found) >= _MOST_SEARCHED:
            raise ToolUncertain(f"It is not among the last {_MOST_SEARCHED} messages, and it may be older.")
        return None

    @override
    async def hear(self, after: str | None, welcome: Welcome) -> AsyncGenerator[Heard, None]:
        stream = await self._connected()
        cursor = after or ""
        for room in sorted(self._rooms):
            await self._enter(stream, room)
        # First the account is there, then the archive is asked: what comes in between is told by both, and not by none.
        stream.send_presence()
        missed = await self._missed(_Cursor.of(cursor)) if cursor else []
        if missed:
            cursor = str(_Cursor.at(missed[-1]))
            yield Heard(tuple(missed), cursor)
        told = {(message.sender, message.marker, message.text) for message in missed if message.marker}
        while True:
            message = await self._next(stream)
            if message is None or (message.sender, message.marker, message.text) in told:
                continue
            self._met.add(message.channel)
            # Only ids of the account's own archive tell where to go on; a room's are another archive's.
            if self._archive and _id(message.channel) not in self._rooms:
                cursor = str(_Cursor.at(message))
            yield Heard((message,), cursor)

    @override
    async def aclose(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await _ended(stream)

    # -- the connection -----------------------------------------------------------------------------------------

    async def _connected(self) -> slixmpp.ClientXMPP:
        """The connection.

        Raises:
            ToolError: there is none to be had.
        """
        async with self._connecting:
            if self._stream is not None and not self._lost.is_set():
                return self._stream
            if self._stream is not None:
                await _ended(self._stream)
                self._stream = None
            stream = self._made()
            bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            def came(outcome: str) -> Callable[..., None]:
                def tell(*_: object) -> None:
                    if not bound.done():
                        bound.set_result(outcome)

                return tell

            stream.add_event_handler("session_start", came("bound"))
            stream.add_event_handler("failed_all_auth", came("refused"))
            stream.add_event_handler("connection_failed", came("unreachable"))
            stream.add_event_handler("disconnected", came("unreachable"))
            self._lost = lost = asyncio.Event()
            stream.add_event_handler("disconnected", lambda *_: lost.set())
            attempt = stream.connect(self._host, self._server.port)
            outcome = "unreachable"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    outcome = await bound
            if outcome != "bound":
                attempt.cancel()
                await _ended(stream)
                if outcome == "refused":
                    raise ToolError(
                        f"The server does not take the password of {self._me.bare}.", hint="The user has to check it."
                    )
                raise ToolError(f"The server {self._host} cannot be reached.", hint="Try again later.")
            self._stream = stream
            if self._archive is None:
                self._archive = await self._has_archive(stream)
            return stream

    @property
    def _host(self) -> str:
        return self._server.host or str(self._me.domain)

    def _made(self) -> slixmpp.ClientXMPP:
        plain = self._server.tls == "none"
        stream = slixmpp.ClientXMPP(
            f"{self._me.bare}/{_RESOURCE}",
            self._password,
            plugin_config={"feature_mechanisms": {"unencrypted_plain": plain, "unencrypted_scram": plain}},
            ssl_context=self._server.context,
        )
        stream.enable_direct_tls = self._server.tls == "tls"
        stream.enable_starttls = self._server.tls == "starttls"
        stream.enable_plaintext = plain
        for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0203", "xep_0313", "xep_0359"):
            stream.register_plugin(plugin)
        stream.add_event_handler("message", self._take)
        stream.add_event_handler("message_error", self._bounce)
        return stream

    async def _has_archive(self, stream: slixmpp.ClientXMPP) -> bool:
        try:
            told = await stream.plugin["xep_0030"].get_info(jid=slixmpp.JID(self._me.bare), timeout=int(self._seconds))
        except (IqError, IqTimeout):
            return False
        return _ARCHIVE in told["disco_info"]["features"]

    def _take(self, stanza: Stanza) -> None:
        if (message := self._read(stanza)) is not None:
            self._came.put_nowait(message)

    def _bounce(self, stanza: Stanza) -> None:
        if len(self._bounced) < 1000:  # nobody waits for so many
            self._bounced[stanza["id"]] = str(stanza["error"]["condition"])

    def _read(self, stanza: Stanza, archived: str | None = None) -> Message | None:
        return message_of(stanza, self._me, rooms=self._rooms, nick=self._nick, real=self._real, archived=archived)

    async def _next(self, stream: slixmpp.ClientXMPP) -> Message | None:
        """What comes next; None: nothing did for a while, and the connection is still there.

        Raises:
            ToolError: the connection is lost.
        """
        coming = asyncio.ensure_future(self._came.get())
        losing = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((coming, losing), timeout=_PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
            if losing.done():
                raise ToolError(f"The connection to {self._host} is lost.", hint="It is made again by itself.")
        finally:
            coming.cancel()
            losing.cancel()
        try:
            await self._pinged(stream)
        except (XMPPError, TimeoutError) as error:
            self._lost.set()
            raise _silent() from error
        return None

    async def _pinged(self, stream: slixmpp.ClientXMPP) -> None:
        """Wait until the server has answered a ping.

        Raises:
            XMPPError, TimeoutError: it does not, or the connection is lost.
        """
        ping = stream.plugin["xep_0199"].send_ping(slixmpp.JID(self._me.domain), timeout=int(self._seconds))
        losing = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((ping, losing), return_when=asyncio.FIRST_COMPLETED)
            if not ping.done():
                raise TimeoutError
            with contextlib.suppress(IqError):  # an answer, if an unwilling one
                ping.result()
        finally:
            ping.cancel()
            losing.cancel()

    # -- rooms --------------------------------------------------------------------------------------------------

    async def _enter(self, stream: slixmpp.ClientXMPP, room: str) -> None:
        try:
            await stream.plugin["xep_0045"].join_muc_wait(
                slixmpp.JID(room), self._nick, maxstanzas=0, timeout=self._seconds
            )
        except (XMPPError, TimeoutError) as error:
            raise ToolError(f"The room {room} cannot be entered.") from error

    def _is_in(self, room: str) -> bool:
        return self._stream is not None and room in self._stream.plugin["xep_0045"].get_joined_rooms()

    def _in_room(self, room: str) -> frozenset[Address] | None:
        """Who is in a room. None: not known of all."""
        if self._stream is None or not self._is_in(room):
            return None
        found: set[Address] = set()
        for nick in self._stream.plugin["xep_0045"].get_roster(slixmpp.JID(room)):
            if nick == self._nick:
                continue
            known = self._real(slixmpp.JID(f"{room}/{nick}"))
            if known is None:
                return None
            found.add(Address(PREFIX + known.bare))
        return frozenset(found)

    def _real(self, occupant: slixmpp.JID) -> slixmpp.JID | None:
        if self._stream is None:
            return None
        found = self._stream.plugin["xep_0045"].get_jid_property(slixmpp.JID(occupant.bare), occupant.resource, "jid")
        return slixmpp.JID(found) if found else None

    # -- the archive --------------------------------------------------------------------------------------------

    async def _archived(self, channel: Address, most: int) -> list[Message]:
        """The last messages of a channel in the archive, oldest first."""
        stream = await self._connected()
        jid = _id(channel)
        if not self._archive:
            return []
        where = {"jid": slixmpp.JID(jid)} if jid in self._rooms else {"with_jid": slixmpp.JID(jid)}
        found = await self._asked(stream, reverse=True, total=most, rsm={"max": min(most, 50)}, **where)
        return [message for _, message in reversed(found)]

    async def _missed(self, cursor: _Cursor) -> list[Message]:
        """What came into the account's archive after a message, oldest first."""
        stream = await self._connected()
        if not self._archive:
            return []
        try:
            found = await self._asked(stream, rsm={"max": 50, "after": cursor.id})
        except _Forgotten:
            # Then by time. What was told before is told again, and whoever keeps it knows it by its id.
            found = await self._asked(stream, start=cursor.time - _MARGIN, rsm={"max": 50})
        return [message for _, message in found if not message.own]

    async def _asked(self, stream: slixmpp.ClientXMPP, **wanted: Any) -> list[tuple[datetime, Message]]:
        """Messages in an archive, with the time that the archive gives them, in its order."""
        found: list[tuple[datetime, Message]] = []
        try:
            # The library goes on waiting where the connection is lost meanwhile.
            async with asyncio.timeout(3 * self._seconds):
                async for told in stream.plugin["xep_0313"].iterate(**wanted):
                    result = told["mam_result"]
                    stamp = result["forwarded"]["delay"]["stamp"]
                    message = self._read(result["forwarded"]["stanza"], archived=str(result["id"]))
                    if message is not None and isinstance(stamp, datetime):
                        found.append((stamp, replace(message, at=stamp)))
        except IqError as error:
            if error.condition == "item-not-found":
                raise _Forgotten from error
            raise ToolError("The server does not show its archive.") from error
        except (XMPPError, TimeoutError) as error:
            raise _silent() from error
        return found


async def _ended(stream: slixmpp.ClientXMPP) -> None:
    stream.cancel_connection_attempt()
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        await asyncio.wait_for(asyncio.shield(stream.disconnect(wait=1.0)), 2.0)
    stream.abort()
    # The library ends its task that sends only when it is itself collected, which is too late for a loop that ends.
    sending = stream._run_out_filters
    if sending is not None:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


def _silent() -> ToolError:
    return ToolError("The server does not answer.", hint="Try again later.")


def _id(address: Address) -> str:
    return address.removeprefix(PREFIX)
