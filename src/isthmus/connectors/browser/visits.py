"""What the hosts know already: what was typed there, and where somebody is logged in.

It is kept beside the profile, because cookies and what sites store outlive the browser that was closed. It is written
before anything is typed: a crash leaves a host that counts as knowing more than it does, never less.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label


class _Kept(msgspec.Struct):
    told: dict[str, list[str]]
    """By host: the labels of what was typed there."""


class Visits:
    """What is known of the hosts of one profile."""

    def __init__(self, file: Path, *, logins: Iterable[str] = ()) -> None:
        """Read what was kept.

        Raises:
            ToolError: it cannot be read.
        """
        self._file = file
        self._logins = frozenset(logins)
        self._told: dict[str, frozenset[Label]] = {}
        self._anonymous: set[str] = set()
        try:
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            raise ToolError(
                "What was typed in this browser before cannot be told.",
                hint=f"Remove the folder of the profile, {file.parent}, to begin anew.",
            ) from error
        self._told = {host: frozenset(map(Label, labels)) for host, labels in kept.told.items()}

    @property
    def knowing(self) -> frozenset[str]:
        """Hosts that know something of the user's."""
        return self._logins | self._told.keys()

    def labels(self, hosts: Iterable[str]) -> frozenset[Label]:
        """The labels of what hosts were told."""
        return frozenset(label for host in hosts for label in self._told.get(host, frozenset()))

    def tell(self, hosts: Iterable[str], labels: frozenset[Label]) -> None:
        """Remember that hosts are about to be told something. Durable when it returns.

        Raises:
            ToolError: it cannot be kept; then nothing may be typed.
        """
        told = {**self._told, **{host: self._told.get(host, frozenset()) | labels for host in hosts}}
        # Who was told something may have others know it: no cookie is a stranger's from here on.
        self._anonymous.clear()
        if told == self._told:
            return
        data = msgspec.json.encode(_Kept({host: sorted(known) for host, known in sorted(told.items())}))
        try:
            _write(self._file, data)
        except OSError as error:
            raise ToolError(f"What is typed cannot be kept track of ({error.strerror}), so nothing is.") from error
        self._told = told

    def greet(self, hosts: Iterable[str]) -> None:
        """Remember that hosts were visited as a stranger: the cookies they set in this session say nobody's name."""
        self._anonymous |= set(hosts) - self.knowing

    def is_stranger_to(self, host: str, cookies: Iterable[str]) -> bool:
        """Whether a host answers us as it would anybody.

        Args:
            host: that was asked.
            cookies: the hosts (cookies' domains) of all cookies there were before it was asked.
        """
        if host in self.knowing:
            return False
        return host in self._anonymous or not any(host == domain or host.endswith(f".{domain}") for domain in cookies)


def _write(file: Path, data: bytes) -> None:
    beside = file.with_suffix(".new")
    with open(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb"
    ) as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(beside, file)
