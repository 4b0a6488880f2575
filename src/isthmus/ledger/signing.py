"""The key that signs checkpoints (Ed25519, RFC 8032), and the public keys that check them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from isthmus.domain.errors import InvalidRequest, LedgerError

_SUFFIX = ".signing-key"
_OTHERS = 0o077


class SigningKey:
    """A private key. It never leaves its file and this process."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class PublicKey:
    """What checks signatures."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.name = key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        """The key itself, 32 bytes in hex: how a checkpoint names its signer."""

    @property
    def pem(self) -> str:
        """As other programmes read it (SubjectPublicKeyInfo in PEM)."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the private key of this one signed the message."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def key_file(store: Path) -> Path:
    """Where the key of a store lies unless the settings say otherwise: beside it."""
    return store.with_name(store.name + _SUFFIX)


def ensure_signing_key(path: Path) -> SigningKey:
    """The key in a file, which is made where there is none, for its owner alone.

    Raises:
        LedgerError: the file cannot be read or made, holds something else, or may be read by others.
    """
    with contextlib.suppress(FileNotFoundError):
        return read_signing_key(path)
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    new = ""
    try:
        file, new = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # for its owner alone
        with open(file, "wb") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(file)
        # A link, not a rename: of two that make the key at once, one wins and both then use that one.
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    except OSError as error:
        raise LedgerError(
            f"The signing key {path} cannot be made: {error.strerror}.", hint="Checkpoints of the ledger are signed."
        ) from error
    finally:
        if new:
            os.unlink(new)
    return read_signing_key(path)


def read_signing_key(path: Path) -> SigningKey:
    """The key in a file.

    Raises:
        FileNotFoundError: there is none.
        LedgerError: the file cannot be read, holds something else, or may be read by others.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LedgerError(f"The signing key {path} cannot be read: {error.strerror}.") from error
    if mode & _OTHERS:
        raise LedgerError(
            f"The signing key {path} may be used by other users of this machine.",
            hint=f"Run `chmod 600 {path}`, and ask yourself who read it.",
        )
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return SigningKey(key)


def read_public_key(path: Path) -> PublicKey:
    """The public key in a PEM file.

    Raises:
        InvalidRequest: the file cannot be read or holds something else.
    """
    hint = "`isthmus ledger public-key` prints the one of this store."
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidRequest(f"{path} holds no public key in PEM.", hint=hint) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidRequest(f"{path} holds a public key of another kind than Ed25519.", hint=hint)
    return PublicKey(key)


def _no_key(path: Path) -> LedgerError:
    return LedgerError(
        f"{path} holds no Ed25519 key.",
        hint="Put the key back; or move the file away, and a new key is made, of which verifiers must be told.",
    )
