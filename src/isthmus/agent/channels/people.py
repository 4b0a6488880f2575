"""Who may speak to the agent by messages.

Those whom the settings name, and those who were paired: somebody unknown who writes is given a code, and somebody who
may speak to it already confirms that code, at the terminal or by a message. A code is worth nothing to whoever holds it
alone, so there is nothing to guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

CODE_LENGTH = 8
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without signs that are read as one another."""
LIFETIME = timedelta(hours=1)
MOST_OPEN = 3
"""Codes that wait to be confirmed; who comes after them is not answered until one of them is gone."""

Draw = Callable[[str], str]
"""Draws one sign out of several, as `secrets.choice` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code that waits to be confirmed."""

    code: str
    address: str
    """Of whoever it was given to."""
    name: str
    """What they are called, by their own word."""
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who may speak to the agent, and who wants to."""

    named: frozenset[str] = frozenset()
    """By the settings: `matrix:@me:example.org`."""
    paired: Mapping[str, datetime] = field(default_factory=dict)
    """By a code, and when."""
    codes: tuple[Code, ...] = ()

    def know(self, address: str) -> bool:
        """Whether somebody may speak to it."""
        return address in self.named or address in self.paired

    def asked(self, address: str, name: str, now: datetime, draw: Draw) -> tuple[People, Code | None]:
        """Somebody unknown wrote.

        Returns:
            What is known then, and the code they are to be told. None: they were told one already, or too many wait.
        """
        still = self._open(now)
        if len(still) >= MOST_OPEN or any(code.address == address for code in still):
            return replace(self, codes=still), None
        drawn = "".join(draw(ALPHABET) for _ in range(CODE_LENGTH))
        code = Code(code=drawn, address=address, name=name, expires_at=now + LIFETIME)
        return replace(self, codes=(*still, code)), code

    def confirmed(self, code: str, now: datetime) -> tuple[People, Code | None]:
        """Somebody who may says a code.

        Returns:
            What is known then, and the code whose bearer may speak from now on. None: there is no such code.
        """
        wanted = "".join(code.split()).replace("-", "").upper()
        still = self._open(now)
        found = next((one for one in still if one.code == wanted), None)
        if found is None:
            return replace(self, codes=still), None
        rest = tuple(one for one in still if one is not found)
        return replace(self, paired={**self.paired, found.address: now}, codes=rest), found

    def parted(self, address: str) -> People:
        """Somebody who was paired may speak no longer. Who is named in the settings stays so."""
        return replace(self, paired={known: at for known, at in self.paired.items() if known != address})

    def naming(self, named: Iterable[str]) -> People:
        """The same, with those that the settings name now."""
        return replace(self, named=frozenset(named))

    def _open(self, now: datetime) -> tuple[Code, ...]:
        return tuple(code for code in self.codes if code.expires_at > now)
