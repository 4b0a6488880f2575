"""Trust: the contexts that connections to https offers are made with. Verification is never off."""

from __future__ import annotations

import ssl
from functools import lru_cache

from isthmus.domain.errors import ConfigError


@lru_cache(maxsize=64)
def client_context(ca_file: str | None) -> ssl.SSLContext:
    """A context that verifies certificate and host name, from TLS 1.2 on. Reads files: not for the event loop.

    Args:
        ca_file: PEM file of the authorities to trust instead of the system's.

    Raises:
        ConfigError: the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"The ca_file {ca_file} cannot be used: {exc.strerror or exc.__class__.__name__}.",
            hint="It must be a PEM file with the certificates of the authorities to trust.",
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
