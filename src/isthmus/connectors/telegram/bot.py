"""Speaks to Telegram for a bot.

A bot is told each message once, in order, and cannot ask for older ones: only what came since isthmus listens is known.
What it sent bears nothing by which it could be found again, so after a crash in the midst of sending nobody can tell.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence

import telegram
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest
from typing_extensions import override

from isthmus.connectors.messages.service import Address, Channel, Heard, Message, Service, Welcome
from isthmus.connectors.telegram.updates import PREFIX, message_of
from isthmus.domain.errors import ToolError, ToolUncertain

_CHAT = re.compile(r"-?[1-9][0-9]{0,19}\Z")

SECONDS = 20.0
WAIT_SECONDS = 30
"""How long Telegram waits for something to tell."""
_MOST_CHATS = 500


class Bot(Service):
    """One bot."""

    prefix = PREFIX
    assigns_people = True
    assigns_channels = True
    keeps_history = False
    longest = 4_000
    """4,096 units of UTF-16 are allowed; letters outside the basic plane take two."""

    def __init__(self, server: str, token: str, *, seconds: float = SECONDS) -> None:
        """Nothing is connected yet.

        Args:
            server: address of the Bot API.
            token: of the bot.
            seconds: for Telegram to answer.
        """
        self._server = server.rstrip("/")
        self._bot = telegram.Bot(
            token,
            base_url=f"{self._server}/bot",
            base_file_url=f"{self._server}/file/bot",
            request=_requests(seconds),
            get_updates_request=_requests(seconds),
        )
        self._me: telegram.User | None = None
        self._chats: dict[Address, Channel] = {}
        """Those that something came from."""

    @override
    def address(self, text: str) -> Address:
        chat = text.removeprefix(PREFIX)
        if _CHAT.match(chat) is None:
            raise ToolError("That is no Telegram chat.", hint="Chats look like telegram:12345; a bot cannot use names.")
        return Address(PREFIX + chat)

    @override
    async def me(self) -> Address:
        return Address(f"{PREFIX}{(await self._myself()).id}")

    @override
    async def channels(self) -> Sequence[Channel]:
        return list(self._chats.values())

    @override
    async def channel(self, address: Address) -> Channel:
        known = self._chats.get(address)
        return known or Channel(address=address, direct=not _id(address).startswith("-"))

    @override
    async def history(self, channel: Address, most: int) -> Sequence[Message]:
        return ()

    @override
    async def send(self, to: Address, text: str, marker: str) -> Message:
        me = await self._myself()
        if len(text.encode("utf-16-le")) > 2 * telegram.constants.MessageLimit.MAX_TEXT_LENGTH:
            raise ToolError("The text is too long for one message.", hint="Send it in several messages.")
        try:
            sent = await self._bot.send_message(
                chat_id=int(_id(to)),
                text=text,
                link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
            )
        except (BadRequest, Forbidden, InvalidToken, RetryAfter) as error:
            raise self._told(error) from error
        except (NetworkError, TimedOut) as error:
            raise ToolUncertain(
                "Telegram did not answer, and cannot be asked; whether the message was sent, the user has to look."
            ) from error
        except TelegramError as error:
            raise self._told(error) from error
        return message_of(sent, me)

    @override
    async def find(self, to: Address, marker: str) -> Message | None:
        raise ToolUncertain("Telegram cannot be asked what was sent; the user has to look into the chat.")

    @override
    async def hear(self, after: str | None, welcome: Welcome) -> AsyncGenerator[Heard, None]:
        me = await self._myself()
        offset = None if after is None else int(after)
        while True:
            try:
                # Asking from an offset on confirms all before it: Telegram forgets them.
                updates = await self._bot.get_updates(
                    offset=offset, timeout=WAIT_SECONDS, allowed_updates=[telegram.constants.UpdateType.MESSAGE]
                )
            except TimedOut:
                continue
            except TelegramError as error:
                raise self._told(error) from error
            if not updates:
                continue
            messages = [message_of(update.message, me) for update in updates if update.message is not None]
            for update in updates:
                if update.message is not None:
                    self._meet(update.message.chat)
            offset = updates[-1].update_id + 1
            yield Heard(tuple(message for message in messages if message.text), str(offset))

    @override
    async def aclose(self) -> None:
        self._me = None
        await self._bot.shutdown()

    def _meet(self, chat: telegram.Chat) -> None:
        address = Address(f"{PREFIX}{chat.id}")
        direct = chat.type == telegram.constants.ChatType.PRIVATE
        if len(self._chats) < _MOST_CHATS or address in self._chats:
            self._chats[address] = Channel(
                address=address,
                name=chat.effective_name or "",
                # Of a conversation of two, the other is known; who is in a group, a bot is not told.
                members=frozenset({address}) if direct else None,
                direct=direct,
            )

    async def _myself(self) -> telegram.User:
        if self._me is None:
            try:
                await self._bot.initialize()
            except TelegramError as error:
                raise self._told(error) from error
            self._me = self._bot.bot
        return self._me

    def _told(self, error: TelegramError) -> ToolError:
        """What went wrong, in our words."""
        match error:
            case InvalidToken():
                return ToolError("Telegram does not take the bot's token.", hint="The user has to ask @BotFather.")
            case Forbidden():
                return ToolError("The bot may not write there.", hint="Whoever it is has to write to the bot first.")
            case Conflict():
                return ToolError("Another programme listens for the same bot.", hint="The user has to end one of them.")
            case RetryAfter():
                return ToolError("Telegram wants fewer messages.", hint="Try again in a minute.")
            case BadRequest():
                return ToolError("Telegram knows no such chat, or does not take the message.")
            case _:
                return ToolError(f"{self._server} cannot be reached.", hint="Try again later.")


def _requests(seconds: float) -> HTTPXRequest:
    return HTTPXRequest(connect_timeout=seconds, read_timeout=seconds, write_timeout=seconds)


def _id(address: Address) -> str:
    return address.removeprefix(PREFIX)
