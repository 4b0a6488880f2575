"""Mails as the agent sees them: items whose fields bear marks."""

from __future__ import annotations

import re
from dataclasses import replace

from isthmus.agent.marks import ISTHMUS, ONLY_THE_USER, UNKNOWN, Mark
from isthmus.agent.tool import Field, Item, Kind, Value
from isthmus.connectors.mail.addresses import Address
from isthmus.connectors.mail.identity import AttachmentId, fingerprint, made_here
from isthmus.connectors.mail.mailbox import Envelope, Folder
from isthmus.connectors.mail.marking import MailMarks, Marking
from isthmus.connectors.mail.structure import Part
from isthmus.domain.label import Label

SNIPPET = 160
_SHOWN_ADDRESSES = 20
_SHOWN_ATTACHMENTS = 30
_MAX_SUBJECT = 500
_MAX_NAME = 100
_SPACE = re.compile(r"\s+")


def mail_item(envelope: Envelope, marks: MailMarks, marking: Marking) -> Item:
    """A mail without its text."""
    headers = envelope.headers
    fields: dict[str, Field] = {}

    def put(name: str, value: Value, kind: Kind, mark: Mark) -> None:
        fields[name] = Field(value=value, kind=kind, mark=mark)

    def people(name: str, found: tuple[Address, ...]) -> None:
        for number, one in enumerate(found[:_SHOWN_ADDRESSES], start=1):
            fields[name if number == 1 else f"{name}_{number}"] = Field(
                value=one.address, kind="email", mark=marks.written, party=marking.party(one.address)
            )
        if len(found) > _SHOWN_ADDRESSES:
            put(f"{name}_more", len(found) - _SHOWN_ADDRESSES, "number", marks.written)

    senders = headers.addresses("from")
    people("from", senders[:1])
    if senders and senders[0].name:
        put("from_name", senders[0].name[:_MAX_NAME], "person", marks.written)
    put("verified", marks.verified or marks.own, "flag", marks.asserted)
    if (answer_to := headers.addresses("reply-to")) and answer_to[:1] != senders[:1]:
        people("reply_to", answer_to)
    people("to", headers.addresses("to"))
    people("cc", headers.addresses("cc"))
    people("bcc", headers.addresses("bcc"))
    subject = headers.text("subject")[:_MAX_SUBJECT]
    put("subject", subject, "text", marks.text(subject, whole=True))
    if envelope.received is not None:
        put("received", envelope.received, "time", marks.asserted)
    put("unread", r"\Seen" not in envelope.flags, "flag", marks.asserted)
    for name, flag in (("flagged", r"\Flagged"), ("answered", r"\Answered")):
        if flag in envelope.flags:
            put(name, True, "flag", marks.asserted)
    attachments = [part for part in envelope.parts if part.attached]
    return Item(
        kind="mail",
        id=str(envelope.id),
        fields=fields,
        items=tuple(attachment_item(envelope, part, marks) for part in attachments[:_SHOWN_ATTACHMENTS]),
        content_sha256=_known_by(envelope),
    )


def with_snippet(item: Item, text: str, marks: MailMarks, *, whole: bool) -> Item:
    """A mail with the beginning of its text. Where that is not all, what follows may be anybody's."""
    line = _SPACE.sub(" ", text).strip()
    mark = marks.text(text, whole=whole)
    shown = line if len(line) <= SNIPPET else f"{line[:SNIPPET]}…"
    return _with(item, "snippet", Field(value=shown, kind="text", mark=mark))


def with_body(item: Item, text: str, mark: Mark) -> Item:
    """A mail with (a stretch of) its text."""
    return _with(item, "body", Field(value=text, kind="text", mark=mark))


def attachment_item(envelope: Envelope, part: Part, marks: MailMarks) -> Item:
    """A file in a mail."""
    size = part.size * 3 // 4 if part.encoding == "base64" else part.size
    return Item(
        kind="attachment",
        id=str(AttachmentId(envelope.id, part.section)),
        fields={
            "name": Field(value=part.name or f"part {part.section}", kind="text", mark=marks.written),
            "type": Field(value=part.media_type, kind="text", mark=marks.written),
            "size": Field(value=size, kind="number", mark=marks.asserted),
        },
        content_sha256=_known_by(envelope),
    )


def _known_by(envelope: Envelope) -> str | None:
    """What a mail that isthmus made, and whatever is in it, is known by wherever it lies."""
    identity = envelope.headers.message_id
    return fingerprint(identity) if identity is not None and made_here(identity) else None


def with_text(item: Item, text: str, marks: MailMarks) -> Item:
    """A file in a mail, with (a stretch of) its text: which anybody may have written, if the user sent it on."""
    mark = marks.written
    if marks.own:
        mark = mark.joined(Mark(readers=mark.readers, origins=frozenset({UNKNOWN})))
    return _with(item, "text", Field(value=text, kind="text", mark=mark))


def folder_item(folder: Folder, mails: int, unread: int, labels: frozenset[Label]) -> Item:
    """A folder. Its name may have been made by a filter out of what somebody sent."""
    named = Mark(labels=labels, readers=ONLY_THE_USER, origins=frozenset({UNKNOWN}))
    counted = Mark(labels=labels, readers=ONLY_THE_USER, origins=frozenset({ISTHMUS}))
    fields = {
        "name": Field(value=folder.name, kind="mailbox", mark=named),
        "mails": Field(value=mails, kind="number", mark=counted),
        "unread": Field(value=unread, kind="number", mark=counted),
    }
    if folder.use is not None:
        fields["use"] = Field(value=folder.use, kind="choice", mark=counted)
    return Item(kind="mailbox", id=folder.name, fields=fields)


def _with(item: Item, name: str, field: Field) -> Item:
    return replace(item, fields={**item.fields, name: field})
