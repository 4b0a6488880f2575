"""Who a client is: keys by hash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from isthmus.domain.errors import InvalidKey
from isthmus.domain.principal import Key, Principal

ANYONE = Key(name="", hash=b"", principal=Principal())
"""Whoever asks on loopback before any key exists."""

_HOW_TO = "Send `Authorization: Bearer <key>`; `isthmus keys add NAME` makes one."


class KeyRing:
    """The keys in force.

    Anybody is let in only where the server listens on loopback alone and no key was ever made: that the only key was
    revoked does not open the door again.
    """

    def __init__(self, keys: Mapping[bytes, Key], *, open_without_keys: bool) -> None:
        self._keys = keys
        self._open = open_without_keys and not keys

    def replace(self, keys: Mapping[bytes, Key]) -> None:
        """Put other keys in force, by SHA-256 of the key."""
        self._keys = keys
        if keys:
            self._open = False

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def is_open(self) -> bool:
        """Whether anybody may come in."""
        return self._open

    def in_force(self, hash: bytes) -> Key | None:  # noqa: A002 - the field's name
        """The key of that hash, if it still lets in; of the empty hash, whoever may come in without one."""
        if self._open:
            return None if hash else ANYONE
        key = self._keys.get(hash)
        return None if key is None or (key.expires is not None and key.expires <= datetime.now(UTC)) else key

    def identify(self, authorization: bytes | None) -> Key:
        """The key a request came with.

        Looking up a hash takes no time that tells anything about the key.

        Raises:
            InvalidKey: none, unknown, revoked or expired.
        """
        if self._open:
            return ANYONE
        if authorization is None:
            raise InvalidKey("This endpoint needs a key.", hint=_HOW_TO)
        scheme, _, secret = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise InvalidKey("The authorization header is not of the scheme Bearer.", hint=_HOW_TO)
        key = self._keys.get(sha256(secret.strip()).digest())
        if key is None:
            raise InvalidKey("The key is not known here, or was revoked.", hint=_HOW_TO)
        if key.expires is not None and key.expires <= datetime.now(UTC):
            raise InvalidKey(f"The key {key.name!r} expired on {key.expires.date().isoformat()}.", hint=_HOW_TO)
        return key
