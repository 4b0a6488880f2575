"""Secrets of accounts in files: sealed, and readable for their owner alone.

Where there is a keyring, secrets belong there. Where there is none, as on most servers, each is kept in a file that is
sealed with AES-256-GCM. The key is taken from the environment (`ISTHMUS_SECRETS_KEY`, 64 hexadecimal digits, which a
service manager can hand over) or, without it, from a file `key` beside them. The latter keeps secrets out of backups
and copies of single files; against somebody who reads the whole folder it does nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.domain.errors import ConfigError

VARIABLE = "ISTHMUS_SECRETS_KEY"
SUFFIX = ".sealed"

_BEGINS = b"isthmus sealed 1\n"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_OWNER_ONLY = 0o600


def keep(path: Path, secret: str, environ: Mapping[str, str] = os.environ) -> None:
    """Seal a secret into a file, in the place of what was there.

    Raises:
        ConfigError: there is no key, or it is none.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(_key(path.parent, environ, make=True)).encrypt(nonce, secret.encode(), path.name.encode())
    new = path.with_suffix(".new")
    _write(new, _BEGINS + nonce + sealed)
    new.replace(path)


def is_sealed(data: bytes) -> bool:
    """Whether that is what `keep` writes."""
    return data.startswith(_BEGINS)


def opened(path: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The secret in a file.

    Raises:
        ConfigError: it was sealed with another key, for another name, or was altered.
        OSError: the file cannot be read.
    """
    data = path.read_bytes().removeprefix(_BEGINS)
    try:
        secret = AESGCM(_key(path.parent, environ, make=False)).decrypt(
            data[:_NONCE_BYTES], data[_NONCE_BYTES:], path.name.encode()
        )
    except (InvalidTag, ValueError) as exc:
        raise ConfigError(
            f"The sealed secret {path} cannot be opened.",
            hint=f"It was sealed with another key. Set {VARIABLE} as it was, or run `isthmus agent setup` again.",
        ) from exc
    return secret.decode()


def _key(folder: Path, environ: Mapping[str, str], *, make: bool) -> bytes:
    if told := environ.get(VARIABLE):
        return _read_key(told, VARIABLE)
    path = folder / "key"
    if make:
        with contextlib.suppress(FileExistsError):
            _write(path, secrets.token_hex(_KEY_BYTES).encode(), new=True)
    try:
        return _read_key(path.read_text(encoding="ascii"), str(path))
    except OSError as exc:
        raise ConfigError(f"The key of sealed secrets, {path}, cannot be read.", hint=f"Or set {VARIABLE}.") from exc


def _read_key(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"{where} is no key for sealed secrets.", hint="It is 64 hexadecimal digits.")
    return key


def _write(path: Path, data: bytes, *, new: bool = False) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if new else os.O_TRUNC)
    with open(os.open(path, flags, _OWNER_ONLY), "wb") as file:
        file.write(data)
