"""Invitations, answers and cancellations as mails (iMIP, RFC 6047), and invitations that came by mail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal

from icalendar import Calendar, Event, vCalAddress

from isthmus.connectors.calendar.appointment import Person
from isthmus.connectors.calendar.composing import without_ours
from isthmus.connectors.calendar.ics import events, parsed, written
from isthmus.connectors.mail.addresses import domain_of

Method = Literal["REQUEST", "REPLY", "CANCEL"]

_SUBJECT = {"REQUEST": "Invitation", "REPLY": "Answer", "CANCEL": "Cancelled"}


class NoInvitation(Exception):
    """It is none; says why."""


def invitation(text: str) -> Calendar:
    """The invitation that is in a text, as the attachment of a mail.

    Raises:
        NoInvitation: it is none.
        Unreadable: nor any calendar data.
    """
    start, end = text.find("BEGIN:VCALENDAR"), text.rfind("END:VCALENDAR")
    if start >= 0 > end:
        raise NoInvitation("its end is missing; read the rest of the attachment")
    calendar = parsed(text[start : end + len("END:VCALENDAR")] if 0 <= start < end else text)
    method = str(calendar.get("METHOD", "REQUEST")).upper()
    if method != "REQUEST":
        raise NoInvitation(
            "the organiser has called it off" if method == "CANCEL" else "it invites to nothing, it tells of something"
        )
    if len({str(one.get("UID", "")) for one in events(calendar)}) != 1:
        raise NoInvitation("more than one event is in it")
    calendar.pop("METHOD", None)
    return calendar


def request(calendar: Calendar, parts: Sequence[Event], method: Method) -> Calendar:
    """What is told of (some parts of) an event."""
    told = without_ours(_of(calendar, parts))
    told.add("method", method)
    return told


def reply(calendar: Calendar, event: Event, me: vCalAddress, *, comment: str, now: datetime) -> Calendar:
    """What the organiser is told: who answers, and what (RFC 5546, section 3.2.3)."""
    said = Event()
    for name in ("UID", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "SUMMARY", "SEQUENCE", "ORGANIZER"):
        if name in event:
            said.add(name, event[name], encode=False)
    said.add("dtstamp", now.astimezone(UTC))
    said.add("attendee", me, encode=False)
    if comment:
        said.add("comment", comment)
    told = without_ours(_of(calendar, [said]))
    told.add("method", "REPLY")
    return told


def letter(
    told: Calendar,
    method: Method,
    *,
    sender: Person,
    recipients: Sequence[str],
    title: str,
    text: str,
    call: str,
    now: datetime,
) -> bytes:
    """The mail, with line ends as on the wire.

    Args:
        told: what the recipients' calendars are told.
        method: likewise.
        sender: the user.
        recipients: addresses in normal form.
        title: of the event.
        text: for people.
        call: what makes the Message-ID.
        now: its date.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(display_name=_plain(sender.name), addr_spec=sender.address)
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = _plain(f"{_SUBJECT[method]}: {title}")
    mail["Date"] = now.astimezone(UTC)
    unique = hashlib.sha256(f"{call}\n{method}".encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<isthmus.{unique}@{domain_of(sender.address)}>"
    mail.set_content(text or title, cte="base64")
    mail.add_alternative(
        written(told).encode(),
        maintype="text",
        subtype="calendar",
        cte="base64",
        params={"method": method, "charset": "utf-8"},
    )
    return mail.as_bytes()


def _of(calendar: Calendar, parts: Sequence[Event]) -> Calendar:
    made = Calendar()
    made.add("prodid", "-//isthmus//calendar//EN")
    made.add("version", "2.0")
    for zone in calendar.subcomponents:
        if zone.name == "VTIMEZONE":
            made.add_component(zone)
    for one in parts:
        made.add_component(one)
    return made


def _plain(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:200]
