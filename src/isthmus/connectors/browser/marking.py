"""The mark of a page: who could have written it, and who may read it.

- A page is written by its host; a frame in it by the frame's host.
- Where every host that it was made of answered as it would anybody, everyone may read it. Where one of them knows
  something of the user's (something was typed there, there were cookies from before), it is for the user and the host.
- A page that was found by an address that not everybody may know is for those who may know the address: whoever has
  the address has the page.
- What was typed into a host comes back in its pages: they bear its labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from isthmus.agent.marks import EVERYONE, ISTHMUS, OWN_WORDS, Mark, Readers
from isthmus.connectors.web.addresses import party_of, written_by
from isthmus.domain.label import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMarks:
    """What the marks of one page are made from."""

    labels: frozenset[Label]
    """Of the account, and of what its hosts were told."""
    hosts: frozenset[str]
    """Of the page and its companions: they come to see what is done in it."""
    public: bool
    """Whether it is what everybody would have been shown."""
    address: Mark = field(default=OWN_WORDS)
    """Of the address it was opened by."""

    def written(self, hosts: Iterable[str]) -> Mark:
        """Of text that these hosts could have written."""
        return Mark(
            labels=self.labels | self.address.labels,
            readers=self._readers,
            origins=frozenset(map(written_by, hosts)),
        )

    @property
    def asserted(self) -> Mark:
        """Of what isthmus itself says of the page."""
        return Mark(labels=self.labels | self.address.labels, readers=self._readers, origins=frozenset({ISTHMUS}))

    @property
    def _readers(self) -> Readers:
        own = EVERYONE if self.public else Readers(frozenset(map(party_of, self.hosts)))
        return own.both(self.address.readers)
