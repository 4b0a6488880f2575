"""Making a mail: headers and content into the bytes that are sent or kept (RFC 5322, RFC 2045)."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from isthmus.connectors.mail.addresses import normal
from isthmus.connectors.mail.headers import Headers
from isthmus.connectors.mail.words import one_line
from isthmus.domain.errors import ToolError

MAX_BYTES = 25 * 1024 * 1024
"""Of a mail as sent: more than this most servers refuse."""
MAX_RECIPIENTS = 100
_MAX_BODY = 500_000
_MAX_REFERENCES = 20
_MAX_ID = 200
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}\Z")
_ANSWER = re.compile(r"\s*(?:re|aw|sv|antw)\s*:", re.IGNORECASE)

_KEPT = frozenset({b"subject", b"in-reply-to", b"references", b"mime-version"})

_LINES = SMTP.clone(max_line_length=998)
"""The longest lines that may be sent: at 78, Python takes ids in References apart into encoded words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file in a mail."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail to be sent or kept as a draft."""

    message_id: str
    sender: str
    """In normal form, as all addresses here."""
    sender_name: str
    at: datetime
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""
    body: str = ""
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    attached: tuple[Attached, ...] = ()
    draft: bytes | None = None
    """Of a draft that is sent as it is: `of_draft`. Then subject, thread, text and attachments are those in it."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """All, each once."""
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.bcc)))

    def kept(self) -> bytes:
        """The bytes that the user keeps: with whom hidden copies went to.

        Raises:
            ToolError: they are too many.
        """
        return self._bytes(with_bcc=True)

    def sent(self) -> bytes:
        """The bytes that others get.

        Raises:
            ToolError: they are too many.
        """
        return self._bytes(with_bcc=False)

    def head(self) -> bytes:
        """The headers that others get."""
        return self._envelope(with_bcc=False).as_bytes(policy=_LINES)

    def answering(self, original: Headers) -> Letter:
        """The letter as an answer to a mail: in its thread (RFC 5322, section 3.6.4)."""
        identity = original.message_id
        if identity is None or len(identity) > _MAX_ID:
            return self
        before = original.message_ids("references") or original.message_ids("in-reply-to")[:1]
        before = tuple(one for one in before if len(one) <= _MAX_ID and one != identity)
        if len(before) >= _MAX_REFERENCES:
            before = (before[0], *before[-(_MAX_REFERENCES - 2) :])
        return replace(self, in_reply_to=identity, references=(*before, identity))

    def _bytes(self, *, with_bcc: bool) -> bytes:
        message = self._envelope(with_bcc=with_bcc)
        if self.draft is None:
            message.set_content(self.body)
            for one in self.attached:
                main, _, sub = _media_type(one).partition("/")
                name = one_line(one.name) or "attachment"
                message.add_attachment(one.data, maintype=main, subtype=sub, filename=name)
            data = message.as_bytes(policy=_LINES)
        else:
            data = message.as_bytes(policy=_LINES).removesuffix(b"\r\n") + self.draft
        if len(data) > MAX_BYTES:
            raise ToolError(f"The mail is larger than {MAX_BYTES // 1024**2} MB.", hint="Attach less.")
        return data

    def _envelope(self, *, with_bcc: bool) -> EmailMessage:
        """The headers that say from whom, to whom and when."""
        message = EmailMessage(policy=SMTP)
        message["From"] = HeaderAddress(display_name=one_line(self.sender_name), addr_spec=self.sender)
        for name, addresses in (("To", self.to), ("Cc", self.cc), ("Bcc", self.bcc if with_bcc else ())):
            if addresses:
                message[name] = [HeaderAddress(addr_spec=address) for address in addresses]
        message["Date"] = format_datetime(self.at)
        message["Message-ID"] = self.message_id
        if self.draft is None:
            message["Subject"] = one_line(self.subject)
            if self.in_reply_to is not None:
                message["In-Reply-To"] = self.in_reply_to
                message["References"] = " ".join(self.references)
        return message


def of_draft(raw: bytes) -> bytes:
    """What is sent of a draft as it is: subject, thread, content. From whom, to whom and when is said anew.

    Returns:
        Some headers, an empty line, and the content, to stand behind other headers.
    """
    head, _, content = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    kept: list[bytes] = []
    keeps = False
    for line in head.split(b"\n"):
        if line[:1] not in {b" ", b"\t"}:
            name = line.partition(b":")[0].strip().lower()
            keeps = name in _KEPT or name.startswith(b"content-")
        if keeps:
            kept.append(line)
    return b"\n".join((*kept, b"", content)).replace(b"\n", b"\r\n")


def addressed(addresses: Sequence[str]) -> tuple[str, ...]:
    """Addresses in normal form, each once.

    Raises:
        ToolError: one is none that mail can be sent to.
    """
    return tuple(dict.fromkeys(sendable(address) for address in addresses))


def sendable(address: str) -> str:
    """An address in normal form that mail can be sent to.

    Raises:
        ToolError: it is none.
    """
    try:
        found = normal(address)
        if not found.isascii():
            raise ValueError("it needs SMTPUTF8, which few servers speak")
        HeaderAddress(addr_spec=found)
    except (ValueError, IndexError) as error:  # the registry's parser raises either for what it cannot read
        raise ToolError("That is no mail address.", hint="Write it as name@example.org, nothing around it.") from error
    return found


def written(body: str) -> str:
    """The text of a mail, as it may be.

    Raises:
        ToolError: it is too long.
    """
    if len(body) > _MAX_BODY:
        raise ToolError(f"The text is longer than {_MAX_BODY:,} characters.", hint="Attach it as a file.")
    return body.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\0", "")


def answer_to(subject: str) -> str:
    """The subject of an answer."""
    return subject if _ANSWER.match(subject) else f"Re: {subject}".strip()


def media_type_of(name: str) -> str:
    """What a file is, by its name."""
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def _media_type(one: Attached) -> str:
    """What is said of an attachment. What would be taken apart on the way is passed on as mere bytes."""
    media_type = one.media_type.lower()
    if not _MEDIA_TYPE.match(media_type) or media_type.startswith(("multipart/", "message/")):
        return "application/octet-stream"
    return media_type
