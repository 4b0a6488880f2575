"""The mark of an event: who could have written it, and who may read it.

- What an event says was written by whoever organises it: its title, place and notes, and its times, people and rule as
  well, for a time that somebody sets is theirs. The organiser is who the event says it is; nobody proves that, so an
  event's origin is called `event:` and the address, and is never taken for a proven sender of mail.
- An event is the user's own only where it lies in a calendar that the account declares as the user's own, and nobody
  but the user organises it or takes part. Servers that put invitations of their own accord into a calendar put them
  there with an organiser.
- Where isthmus made it, the mark that was kept of it says who wrote it; by itself it is nobody's.
- Organiser and attendees can read it; nobody else.
- What the server itself says (in which calendar an event lies, whether it may be written to) is nobody's words.

All fields of one event bear the same readers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isthmus.agent.marks import ISTHMUS, ONLY_THE_USER, THE_USER, UNKNOWN, USER, Mark, Origin, Party, Readers
from isthmus.connectors.calendar.appointment import Appointment
from isthmus.connectors.calendar.identity import made_here
from isthmus.connectors.mail.addresses import party
from isthmus.domain.label import Label

_MOST_ORIGINS = 20


@dataclass(frozen=True, slots=True)
class Marking:
    """What the marks of an account's events are made from."""

    labels: frozenset[Label]
    own: frozenset[str]
    """The user's addresses, in normal form."""

    def party(self, address: str) -> Party:
        """Whom an address in normal form stands for: the user where it is one of the user's."""
        return THE_USER if address in self.own else party(address)

    def foreign(self, addresses: Iterable[str]) -> frozenset[str]:
        """Those that are not the user's."""
        return frozenset(addresses) - self.own

    def written(self, event: Appointment, *, in_own_calendar: bool) -> Mark:
        """The mark of what an event says."""
        return Mark(
            labels=self.labels,
            readers=self._readers(event),
            origins=frozenset(self._origins(event, in_own_calendar=in_own_calendar)),
        )

    def asserted(self, event: Appointment) -> Mark:
        """The mark of what the server says of it."""
        return Mark(labels=self.labels, readers=self._readers(event), origins=frozenset({ISTHMUS}))

    def private(self, *, origins: frozenset[Origin] = frozenset({ISTHMUS})) -> Mark:
        """The mark of what only the user has."""
        return Mark(labels=self.labels, readers=ONLY_THE_USER, origins=origins)

    def _readers(self, event: Appointment) -> Readers:
        return Readers(frozenset(map(party, self.foreign(event.people))))

    def _origins(self, event: Appointment, *, in_own_calendar: bool) -> set[Origin]:
        organiser = event.organiser.address if event.organiser else None
        foreign = self.foreign(event.people)
        found: set[Origin] = set()
        if not in_own_calendar or event.strangers or len(foreign) > _MOST_ORIGINS:
            found.add(UNKNOWN)
        if organiser in foreign:
            return found | {Origin(f"event:{organiser}")}
        if len(foreign) <= _MOST_ORIGINS:
            found |= {Origin(f"event:{address}") for address in foreign}
        if in_own_calendar:
            found.add(UNKNOWN if made_here(event.uid) else USER)
        return found
