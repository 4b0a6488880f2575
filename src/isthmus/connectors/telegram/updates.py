"""What the updates of a bot mean: which are messages, and whether they call upon the bot.

Source: Telegram Bot API 9, objects Update, Message and MessageEntity.
"""

from __future__ import annotations

import telegram

from isthmus.connectors.messages.service import Address, Message

PREFIX = "telegram:"


def message_of(message: telegram.Message, me: telegram.User) -> Message:
    """The message that Telegram tells of. What is no text is named."""
    sender = message.from_user
    direct = message.chat.type == telegram.constants.ChatType.PRIVATE
    text = message.text or message.caption or ""
    attached = message.effective_attachment
    if attached is not None and message.text is None:
        one = attached[-1] if isinstance(attached, (list, tuple)) and attached else attached
        text = f"({type(one).__name__.lower()}) {text}".strip()
    # A message in the name of a channel or a group has no person behind it that Telegram vouches for.
    anonymous = sender is None or message.sender_chat is not None
    return Message(
        id=str(message.message_id),
        channel=Address(f"{PREFIX}{message.chat.id}"),
        sender=Address(f"{PREFIX}{message.chat.id if anonymous or sender is None else sender.id}"),
        name="" if sender is None else sender.full_name,
        text=text,
        at=message.date,
        own=sender is not None and sender.id == me.id,
        mentions_me=_mentions(message, me),
        direct=direct,
        automatic=sender is None or sender.is_bot or message.forward_origin is not None,
    )


def _mentions(message: telegram.Message, me: telegram.User) -> bool:
    answered = message.reply_to_message
    if answered is not None and answered.from_user is not None and answered.from_user.id == me.id:
        return True
    named = message.parse_entities([telegram.constants.MessageEntityType.MENTION]).values()
    if me.username is not None and any(name.lower() == f"@{me.username.lower()}" for name in named):
        return True
    if any(entity.user is not None and entity.user.id == me.id for entity in message.entities):
        return True
    commands = message.parse_entities([telegram.constants.MessageEntityType.BOT_COMMAND]).values()
    return me.username is not None and any(one.lower().endswith(f"@{me.username.lower()}") for one in commands)
