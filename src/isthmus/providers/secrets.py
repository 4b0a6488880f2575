"""Secrets, resolved at the moment of use and not kept longer than needed to be quick."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import SecretRef

KEEP_SECONDS = 30.0
"""How long a secret is remembered: a rotated one is picked up without a restart."""

_SERVICE = "isthmus"


class Secrets:
    """Resolves references to secrets.

    Args:
        environ: where `env:` looks.
        clock: seconds, never going back.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._environ = environ
        self._clock = clock
        self._known: dict[SecretRef, tuple[bytes, float]] = {}

    def known(self, ref: SecretRef) -> bytes | None:
        """The secret, if it was resolved lately."""
        found = self._known.get(ref)
        return found[0] if found is not None and found[1] > self._clock() else None

    async def resolve(self, ref: SecretRef) -> bytes:
        """The secret.

        Raises:
            ConfigError: there is none where the reference points, or it cannot be sent in a header. The message names
                the reference, never the secret.
        """
        value = self._environ.get(ref.name) if ref.scheme == "env" else await asyncio.to_thread(_read, ref)
        if not value or not value.strip():
            raise ConfigError(f"The secret {ref} is not there.", hint=_FIX[ref.scheme].format(ref.name))
        value = value.strip()
        if not value.isascii() or not value.isprintable():
            raise ConfigError(
                f"The secret {ref} holds characters that no key has.", hint=_FIX[ref.scheme].format(ref.name)
            )
        secret = value.encode("ascii")
        self._known[ref] = (secret, self._clock() + KEEP_SECONDS)
        return secret


_FIX = {
    "env": "Set the environment variable {} for the process of isthmus.",
    "file": "Write the key into the file {}, readable for isthmus.",
    "keyring": "Store it with `keyring set isthmus {}`.",
}


def _read(ref: SecretRef) -> str | None:
    """A secret from a file or from the system's keyring. Blocks."""
    if ref.scheme == "file":
        try:
            return Path(ref.name).expanduser().read_text(encoding="utf-8")
        except OSError as exc:
            raise ConfigError(f"The secret {ref} cannot be read.", hint=_FIX["file"].format(ref.name)) from exc
        except UnicodeDecodeError:  # holds what it could not decode: nothing to chain to an error
            raise ConfigError(f"The secret {ref} is not text.", hint=_FIX["file"].format(ref.name)) from None
    try:
        import keyring  # noqa: PLC0415  # an extra: only who refers to a keyring needs it
    except ImportError as exc:
        raise ConfigError(
            f"The secret {ref} needs the package keyring.", hint="Install it: pip install 'isthmus[keyring]'."
        ) from exc
    try:
        found: str | None = keyring.get_password(_SERVICE, ref.name)
    except keyring.errors.KeyringError as exc:
        raise ConfigError(f"The keyring did not give the secret {ref}: {type(exc).__name__}.") from exc
    return found
