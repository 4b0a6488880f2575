"""By which names mails and attachments are known.

A mail is named by its folder, its number there (UID) and what makes that number lasting (UIDVALIDITY): the server
gives all three, and never gives them to another mail. What bears such a name never changes, so whoever approved a
draft by its name approved exactly its content. A mail that isthmus made is also known by its Message-ID, which
stays with it wherever it is moved or sent.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from typing_extensions import override

from isthmus.agent.tool import Grant
from isthmus.domain.errors import ToolError

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAIL = re.compile(r"(?P<folder>.{1,500})/(?P<uid>[1-9][0-9]{0,9})\.(?P<validity>[0-9a-z]{1,7})\Z")
_ATTACHMENT = re.compile(r"(?P<mail>.+)#(?P<section>[1-9][0-9]{0,3}(?:\.[1-9][0-9]{0,3}){0,20})\Z")
_MADE = re.compile(r"<isthmus\.[0-9a-f]{32}@[^<>\s@]+>\Z")


class MailId(NamedTuple):
    """One mail in one folder: `INBOX/42.t3k9`."""

    folder: str
    uid: int
    validity: int

    @override
    def __str__(self) -> str:
        return f"{self.folder}/{self.uid}.{_in_36(self.validity)}"

    @staticmethod
    def of(text: str) -> MailId:
        """Read an id.

        Raises:
            ToolError: it is none.
        """
        if (match := _MAIL.match(text)) is None:
            raise ToolError("That is no mail.", hint="Name a mail by its id, as mail_search shows it.")
        return MailId(match["folder"], int(match["uid"]), int(match["validity"], 36))


class AttachmentId(NamedTuple):
    """One part of a mail: `INBOX/42.t3k9#2`."""

    mail: MailId
    section: str

    @override
    def __str__(self) -> str:
        return f"{self.mail}#{self.section}"

    @staticmethod
    def of(text: str) -> AttachmentId:
        """Read an id.

        Raises:
            ToolError: it is none.
        """
        if (match := _ATTACHMENT.match(text)) is None:
            raise ToolError("That is no attachment.", hint="Name an attachment by its id, as mail_read shows it.")
        return AttachmentId(MailId.of(match["mail"]), match["section"])


def message_id(grant: Grant, domain: str) -> str:
    """The Message-ID of the mail that a call makes, the same whenever it is asked for.

    What was made under a grant is found again by it after a crash.
    """
    unique = hashlib.sha256(f"{grant.call}\n{grant.tool}\n{grant.digest}".encode()).hexdigest()[:32]
    return f"<isthmus.{unique}@{domain}>"


def made_here(identity: str | None) -> bool:
    """Whether a Message-ID looks like one that isthmus gave. Anybody can write such a one, and gains nothing by it."""
    return identity is not None and _MADE.match(identity) is not None


def fingerprint(identity: str) -> str:
    """What a mail that isthmus made is known by wherever it lies: `Made.content_sha256`.

    Its bytes would not do: servers add to them on the way.
    """
    return hashlib.sha256(identity.encode()).hexdigest()


def _in_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
