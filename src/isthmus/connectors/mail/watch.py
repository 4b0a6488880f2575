"""Waiting for new mail: the server says when there is some (IDLE, RFC 2177), so nothing is asked in vain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import anyio

from isthmus.agent.tool import Item
from isthmus.connectors.mail.identity import MailId
from isthmus.connectors.mail.imap import Imap
from isthmus.connectors.mail.mailbox import Envelope, Mailbox, Wanted
from isthmus.domain.errors import ToolError

INBOX = "INBOX"
IDLE_SECONDS = 540.0
"""Before it is asked anew: routers forget a silent connection after ten minutes or so; servers after thirty."""
POLL_SECONDS = 60.0
"""Where a server cannot say by itself."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""After a lost connection; doubled each time, so that a wrong password locks no account."""

Listed = Callable[[Callable[[Mailbox], list[Envelope]]], Awaitable[list[Item]]]


class _Round(NamedTuple):
    validity: int
    last: int
    """The number of the last mail there is."""
    new: list[int]
    waits: bool
    """Whether the server says by itself what comes."""


async def watch(imap: Imap, listed: Listed, on_new: Callable[[Item], Awaitable[None]], *, after: MailId | None) -> None:
    """Tell of each new mail. Runs until it is cancelled, or `on_new` raises.

    Args:
        imap: a connection of its own: one that waits can do nothing else.
        listed: makes items of mails, over the connection that all use.
        on_new: is told of each.
        after: the last mail that was told.
    """
    told = None if after is None else (after.validity, after.uid)
    pause = FIRST_PAUSE
    try:
        while True:
            try:
                found = await imap.read(partial(_round, told=told))
                if told is None or told[0] != found.validity:
                    told = (found.validity, found.last)
                for uid in found.new:
                    for item in await listed(partial(_mail, uid=uid, validity=found.validity)):
                        await on_new(item)
                    told = (found.validity, uid)
                pause = FIRST_PAUSE
                if not found.new and not found.waits:
                    await anyio.sleep(POLL_SECONDS)
            except ToolError:
                await anyio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
    finally:
        await imap.aclose()


def _round(mailbox: Mailbox, *, told: tuple[int, int] | None) -> _Round:
    """Look for mails after the last one told; where there are none, wait until something happens."""
    validity, uids = mailbox.search(INBOX, Wanted(above=0 if told is None else told[1]))
    last = max(uids, default=0)
    new = uids if told is not None and told[0] == validity else []
    # What came while the server searched, it has said already, and will not say again.
    if not new and told is not None and mailbox.can_idle and not mailbox.heard():
        mailbox.wait(IDLE_SECONDS)
    return _Round(validity, last, new, mailbox.can_idle)


def _mail(mailbox: Mailbox, *, uid: int, validity: int) -> list[Envelope]:
    if mailbox.open(INBOX) != validity:
        return []
    return mailbox.envelopes(INBOX, [uid], validity=validity)
