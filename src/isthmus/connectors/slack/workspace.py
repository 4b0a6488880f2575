"""Speaks to Slack for an app in a workspace.

What is sent bears metadata by which it is found again after a crash. What comes is heard over a socket that the app
opens (Socket Mode); what came while it was not open is read from the histories of the channels the app is in.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from typing_extensions import override

from isthmus.connectors.messages.service import Address, Channel, Heard, Message, Service, Welcome
from isthmus.connectors.slack.events import EVENT, escaped, message_of
from isthmus.domain.errors import ToolError, ToolUncertain

_PLACE = re.compile(r"[CDGUW][A-Z0-9]{1,30}\Z")
_TYPES = "public_channel,private_channel,mpim,im"

SECONDS = 20.0
_PING_SECONDS = 30.0
_PAGE = 200
_MOST_LISTED = 400
_MOST_SEARCHED = 1_000

_OUR_FAULT = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
_NOT_THERE = frozenset({"channel_not_found", "not_in_channel", "user_not_found", "is_archived", "unknown_method"})


class Workspace(Service):
    """One app in one workspace."""

    assigns_people = True
    assigns_channels = True
    keeps_history = True
    longest = 4_000
    """More is allowed; Slack's advice is to stay below it, as longer ones are cut where they are shown."""

    def __init__(self, server: str, team: str, token: str, app_token: str | None, *, seconds: float = SECONDS) -> None:
        """Nothing is connected yet.

        Args:
            server: address of the Web API.
            team: id of the workspace.
            token: of the app's bot.
            app_token: by which a socket is opened. None: nothing is heard.
            seconds: for Slack to answer.
        """
        base = server if server.endswith("/") else f"{server}/"
        # Without a context the library makes one of its own for each request.
        secure = ssl.create_default_context() if base.startswith("https:") else None
        self._team = team
        self._app_token = app_token
        self._seconds = int(seconds)
        self._client = AsyncWebClient(token, base_url=base, timeout=self._seconds, ssl=secure)
        self._me: str | None = None
        self._prefix = f"slack:{team}/"

    @property
    @override
    def prefix(self) -> str:
        return self._prefix

    @override
    def address(self, text: str) -> Address:
        place = text.removeprefix(self.prefix)
        if _PLACE.match(place) is None:
            raise ToolError("That is no Slack channel or person.", hint=f"They look like {self.prefix}C0123.")
        return Address(self.prefix + place)

    @override
    async def me(self) -> Address:
        return Address(self.prefix + await self._myself())

    @override
    async def channels(self) -> Sequence[Channel]:
        found: list[Channel] = []
        cursor = ""
        while len(found) < _MOST_LISTED:
            answer = await self._ask(
                "conversations.list", types=_TYPES, limit=_PAGE, cursor=cursor, exclude_archived=True
            )
            found += [
                self._channel(one, None)
                for one in answer.get("channels", ())
                if one.get("is_member", True) is not False or one.get("is_im")
            ]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return found

    @override
    async def channel(self, address: Address) -> Channel:
        place = self._id(address)
        if place[0] in "UW":
            place = await self._opened(place)
        told = (await self._ask("conversations.info", channel=place)).get("channel") or {}
        return self._channel({"id": place, **told}, await self._members(place, told))

    @override
    async def history(self, channel: Address, most: int) -> Sequence[Message]:
        place = self._id((await self.channel(channel)).address)
        answer = await self._ask("conversations.history", channel=place, limit=most, include_all_metadata=True)
        return await self._messages(place, answer)

    @override
    async def send(self, to: Address, text: str, marker: str) -> Message:
        me = await self._myself()
        place = self._id(to)
        if place[0] in "UW":
            place = await self._opened(place)
        try:
            answer = await self._client.api_call(
                "chat.postMessage",
                json={
                    "channel": place,
                    "text": escaped(text),
                    "unfurl_links": False,
                    "unfurl_media": False,
                    "metadata": {"event_type": EVENT, "event_payload": {"call": marker}},
                },
            )
        except SlackApiError as error:
            if (error.response.status_code or 0) >= 500:  # HTTP: what became of it, nobody says
                raise ToolUncertain("Slack failed in the midst of it.") from error
            raise _told(error) from error
        except aiohttp.ClientConnectorError as error:
            raise ToolError("Slack cannot be reached.", hint="Try again later.") from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            raise ToolUncertain("Slack did not answer; whether the message was sent cannot be told.") from error
        told = {"text": escaped(text), **(answer.get("message") or {}), "ts": answer["ts"], "user": me}
        message = message_of(told, self._team, str(answer["channel"]), me)
        assert message is not None
        return message

    @override
    async def find(self, to: Address, marker: str) -> Message | None:
        place = self._id(to)
        if place[0] in "UW":
            place = await self._opened(place)
        cursor, searched = "", 0
        while searched < _MOST_SEARCHED:
            answer = await self._ask(
                "conversations.history", channel=place, limit=_PAGE, cursor=cursor, include_all_metadata=True
            )
            for message in await self._messages(place, answer):
                # Only an app's own messages bear its metadata, but a message's sender is what Slack vouches for.
                if message.own and message.marker == marker:
                    return message
            searched += _PAGE
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None
        raise ToolUncertain(f"It is not among the last {_MOST_SEARCHED} messages, and it may be older.")

    @override
    async def hear(self, after: str | None, welcome: Welcome) -> AsyncGenerator[Heard, None]:
        if self._app_token is None:
            raise ToolError(
                "Slack tells nothing by itself without an app-level token.", hint="The user has to set app_token."
            )
        me = await self._myself()
        latest = after or f"{time.time():.6f}"
        async with contextlib.AsyncExitStack() as stack:
            socket = await self._socket(stack)
            # The socket is open: what comes from now on comes through it, and what came before lies in the histories.
            if after is not None:
                missed = await self._missed(after)
                latest = max([latest, *(message.id for message in missed)])
                yield Heard(tuple(missed), latest)
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                envelope = json.loads(frame.data)
                if envelope.get("type") == "disconnect":
                    break
                event = (envelope.get("payload") or {}).get("event") or {}
                channel = event.get("channel")
                message = None
                if event.get("type") == "message" and isinstance(channel, str):
                    message = message_of(event, self._team, channel, me)
                if message is not None:
                    latest = max(latest, message.id)
                    yield Heard((message,), latest)
                if (told := envelope.get("envelope_id")) is not None:
                    await socket.send_str(json.dumps({"envelope_id": told}))

    @override
    async def aclose(self) -> None:
        """Nothing is held open between requests."""

    # -- asking Slack -------------------------------------------------------------------------------------------

    async def _ask(self, method: str, **given: Any) -> Mapping[str, Any]:
        """Slack's answer.

        Raises:
            ToolError: there is none, or it refuses.
        """
        try:
            answer = await self._client.api_call(method, data={name: _spelled(one) for name, one in given.items()})
        except SlackApiError as error:
            raise _told(error) from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            raise ToolError("Slack cannot be reached.", hint="Try again later.") from error
        return answer.data if isinstance(answer.data, dict) else {}

    async def _myself(self) -> str:
        if self._me is None:
            answer = await self._ask("auth.test")
            if answer.get("team_id") != self._team:
                raise ToolError(f"The token is not of workspace {self._team}.", hint="The user has to check both.")
            self._me = str(answer["user_id"])
        return self._me

    async def _opened(self, user: str) -> str:
        """The conversation with one person."""
        answer = await self._ask("conversations.open", users=user)
        return str((answer.get("channel") or {})["id"])

    async def _messages(self, channel: str, answer: Mapping[str, Any]) -> list[Message]:
        """The messages of a history, oldest first."""
        me = await self._myself()
        found = (message_of(one, self._team, channel, me) for one in reversed(answer.get("messages", ())))
        return [message for message in found if message is not None]

    async def _missed(self, after: str) -> list[Message]:
        """What came in all channels after a moment, oldest first."""
        found: list[Message] = []
        for channel in await self.channels():
            place, cursor = self._id(channel.address), ""
            while True:
                answer = await self._ask(
                    "conversations.history", channel=place, limit=_PAGE, oldest=after, cursor=cursor
                )
                found += await self._messages(place, answer)
                cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
                if not cursor:
                    break
        return sorted(found, key=lambda message: message.id)

    async def _socket(self, stack: contextlib.AsyncExitStack) -> aiohttp.ClientWebSocketResponse:
        """A socket that Slack tells events over."""
        try:
            answer = await self._client.apps_connections_open(app_token=self._app_token or "")
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return await stack.enter_async_context(
                session.ws_connect(str(answer["url"]), heartbeat=_PING_SECONDS, max_msg_size=16 * 1024**2)
            )
        except SlackApiError as error:
            raise _told(error) from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            raise ToolError("Slack cannot be reached.", hint="Try again later.") from error

    async def _members(self, channel: str, told: Mapping[str, Any]) -> frozenset[Address] | None:
        """Who is in a channel, without the app itself. None: Slack does not tell, or they are very many."""
        me = await self._myself()
        if told.get("is_im") and isinstance(told.get("user"), str):
            return frozenset({Address(self.prefix + told["user"])})
        try:
            answer = await self._ask("conversations.members", channel=channel, limit=1000)
        except ToolError:
            return None
        if (answer.get("response_metadata") or {}).get("next_cursor"):
            return None
        return frozenset(Address(self.prefix + str(one)) for one in answer.get("members", ()) if one != me)

    def _channel(self, told: Mapping[str, Any], members: frozenset[Address] | None) -> Channel:
        direct = bool(told.get("is_im"))
        if members is None and direct and isinstance(told.get("user"), str):
            members = frozenset({Address(self.prefix + told["user"])})
        return Channel(
            address=Address(self.prefix + str(told["id"])),
            name=str(told.get("name") or ""),
            members=members,
            direct=direct,
        )

    def _id(self, address: Address) -> str:
        return address.removeprefix(self.prefix)


def _told(error: SlackApiError) -> ToolError:
    """What Slack's refusal means, in our words."""
    code = error.response.get("error")
    if code in _OUR_FAULT:
        return ToolError("Slack does not take the app's token.", hint="The user has to make a new one.")
    if code in _NOT_THERE:
        return ToolError("The app is not in such a channel, or knows no such person.", hint="msg_channels lists them.")
    if code == "ratelimited" or error.response.status_code == 429:  # HTTP: too many requests
        return ToolError("Slack wants fewer requests.", hint="Try again in a minute.")
    if code == "missing_scope":
        return ToolError("The app lacks a scope for that.", hint="The user has to add it and install the app anew.")
    return ToolError("Slack refused.")


def _spelled(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
