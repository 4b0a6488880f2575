"""Whom Chromium may be connected to at this moment.

Three rules, and no others:

- Where no page is open, nobody.
- A page that knows something of the user's (something was typed into it, or somebody is logged in there) is sealed: it
  reaches its own host and those that the user named as its companions. What it knows cannot go elsewhere, by whatever
  means: an image, a form, a beacon, a redirect, a web socket, a worker.
- Any other page reaches the open internet, but no host that knows something of the user's: nobody but the agent makes
  requests there with the user's cookies.

What a host does with what it was sent is its own affair and beyond this border.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from isthmus.connectors.web.addresses import Address

Place: TypeAlias = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """One state of it."""

    own: frozenset[Place] = frozenset()
    """The places of the page itself. Empty: no page is open."""
    sealed: bool = False
    companions: frozenset[str] = frozenset()
    """Hosts that a sealed page reaches besides."""
    knowing: frozenset[str] = frozenset()
    """Hosts that know something of the user's."""

    def lets(self, host: str, port: int) -> bool:
        """Whether there may be a connection to this place."""
        if (host, port) in self.own:
            return True
        if self.sealed:
            return host in self.companions
        return bool(self.own) and host not in self.knowing


CLOSED = Border()


def around(pages: Iterable[Address], *, knowing: frozenset[str], companions: Mapping[str, tuple[str, ...]]) -> Border:
    """The border around a page.

    Args:
        pages: its address, and those of the frames around the one that is acted in.
        knowing: hosts that know something of the user's.
        companions: by host, those whom its pages need.
    """
    pages = tuple(pages)
    own = {page.place for page in pages}
    # A site that is asked over http may send its visitors to https, never the other way round.
    own |= {(page.host, 443) for page in pages if page.scheme == "http"}
    return Border(
        own=frozenset(own),
        sealed=any(page.host in knowing for page in pages),
        companions=frozenset(host for page in pages for host in companions.get(page.host, ())),
        knowing=knowing,
    )
