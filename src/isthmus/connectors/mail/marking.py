"""The mark of a mail: who could have written it, and who can read it already.

- What the server itself says (when it came, how large it is, its flags) is written by isthmus' own kind: nobody can
  put words into it.
- All else was written by the sender: subject, names, addresses, body, attachments, and what they are called. The
  sender is the address in From where the user's own server has proven its domain, else nobody knows who.
- A mail is the user's own only where it lies among the drafts or sent mails, is from an address of the user's, and was
  not delivered there: some servers deliver into any folder that is named in the address (me+Sent@…).
- What quotes others was written by them too, so an answer is never the user's alone.
- Sender and recipients can read it; nobody else.

All fields of one mail bear the same readers, so that the mark of the whole is not narrower than what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from isthmus.agent.marks import ISTHMUS, THE_USER, UNKNOWN, USER, Mark, Origin, Party, Readers
from isthmus.connectors.mail.addresses import Address, count, party
from isthmus.connectors.mail.authenticity import verified
from isthmus.connectors.mail.headers import Headers
from isthmus.connectors.mail.identity import made_here
from isthmus.domain.label import Label

UNVERIFIED = Origin("mail:unverified")

_DELIVERED = ("received", "return-path", "delivered-to", "x-original-to", "authentication-results")
_ANSWERS = ("in-reply-to", "references", "x-forwarded-message-id", "resent-from")
_QUOTE = re.compile(r"^\s*(?:>|-{2,}\s*\S.{0,80}-{2,}\s*$|_{10,}\s*$|(?:From|Von|De|Da|Van):\s)", re.MULTILINE)
"""A line that begins a quotation, in the ways mail programmes begin them."""


@dataclass(frozen=True, slots=True)
class Marking:
    """What the marks of an account's mails are made from."""

    labels: frozenset[Label]
    own: frozenset[str]
    """The user's addresses, in normal form."""
    authserv: str | None
    """The name by which the user's own server signs what it found of a sender."""

    def party(self, address: str) -> Party:
        """Whom an address in normal form stands for: the user where it is one of the user's."""
        return THE_USER if address in self.own else party(address)

    def of(self, headers: Headers, *, in_own_folder: bool) -> MailMarks:
        """The marks of a mail.

        Args:
            headers: all of them that say who is who, and those that servers added.
            in_own_folder: whether it lies where drafts or sent mails do.
        """
        senders = headers.addresses("from")
        sender = senders[0].address if len(senders) == 1 and _one_from(headers) else None
        people = headers.addresses("from", "sender", "to", "cc", "bcc")
        readers = Readers(frozenset(map(self.party, _addresses(people))) - {THE_USER})
        own = in_own_folder and sender in self.own and not headers.has(*_DELIVERED)
        proven = not own and sender is not None and verified(headers, sender, self.authserv)
        if own:
            # Where isthmus made it, the mark that was kept of it says who wrote it; this is for where that is lost.
            origins = frozenset({UNKNOWN if made_here(headers.message_id) else USER})
        else:
            origins = frozenset({Origin(f"mail:{sender}") if proven else UNVERIFIED})
        return MailMarks(
            asserted=Mark(labels=self.labels, readers=readers, origins=frozenset({ISTHMUS})),
            written=Mark(labels=self.labels, readers=readers, origins=origins),
            answers=headers.has(*_ANSWERS),
            verified=proven,
            own=own,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MailMarks:
    """The marks of the fields of one mail."""

    asserted: Mark
    """Of what the server says."""
    written: Mark
    """Of what whoever wrote it says."""
    answers: bool
    """Whether it answers or passes on another mail, and so may quote it."""
    verified: bool
    own: bool

    def text(self, text: str, *, whole: bool) -> Mark:
        """The mark of its subject or body.

        Args:
            text: the text, as far as it was fetched.
            whole: whether the text is all there is; what follows may quote others.
        """
        if self.own and (self.answers or not whole or _QUOTE.search(text)):
            return self.written.joined(Mark(readers=self.written.readers, origins=frozenset({UNKNOWN})))
        return self.written


def _one_from(headers: Headers) -> bool:
    """Whether there is one From with one mailbox in it: all else is made to be read in two ways."""
    fields = headers.all("from")
    return len(fields) == 1 and count(fields[0]) == 1


def _addresses(people: tuple[Address, ...]) -> list[str]:
    return [one.address for one in people]
