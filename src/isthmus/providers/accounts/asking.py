"""One GET at a provider's management interface, with a key: https alone, no redirects, small, in time.

The key goes to the address that was asked for and nowhere else. Only on this machine's own addresses is http allowed.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from ipaddress import ip_address
from urllib.parse import urlsplit

from isthmus.domain.errors import ConfigError, UpstreamMalformed, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from isthmus.providers.accounts.probe import Answer, Question

SECONDS = 20.0
"""For all of a question, from the connection to the last byte of the answer."""

LIMIT = 8 * 1024 * 1024
"""Bytes of an answer. The longest known, OpenRouter's list of endpoints, has about one million."""


def ask(question: Question, secret: str, *, ca_file: str | None = None, seconds: float = SECONDS) -> Answer:
    """Ask one question. Blocks; for a thread.

    Args:
        question: what to ask.
        secret: the key, sent as a bearer token.
        ca_file: certificate authorities to trust instead of the system's.
        seconds: after which the answer is not waited for any longer.

    Raises:
        ConfigError: the address is not https, the key was refused, or there is no such thing.
        UpstreamUnreachable, UpstreamTimeout, UpstreamRefused, UpstreamMalformed: no answer, or none that counts.
    """
    parts = urlsplit(question.url)
    host = parts.hostname or ""
    connection = _connection(parts.scheme, host, parts.port, ca_file, seconds)
    late = threading.Event()
    timer = threading.Timer(seconds, _hang_up, (connection, late))
    timer.daemon = True
    timer.start()
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = {"authorization": f"Bearer {secret}", "accept": "application/json", "user-agent": "isthmus"}
    try:
        connection.request("GET", target, headers=headers)
        reply = connection.getresponse()
        status, body = reply.status, reply.read(LIMIT + 1)
    except (OSError, http.client.HTTPException) as exc:
        if late.is_set() or isinstance(exc, TimeoutError):
            raise UpstreamTimeout(f"{host} did not answer within {seconds:g} seconds.", phase="total") from exc
        raise UpstreamUnreachable(f"{host} could not be asked: {type(exc).__name__}.") from exc
    finally:
        timer.cancel()
        connection.close()
    if late.is_set():
        raise UpstreamTimeout(f"{host} did not answer within {seconds:g} seconds.", phase="total")
    return _answer(question, host, status, body)


def _answer(question: Question, host: str, status: int, body: bytes) -> Answer:
    if status == 200 or (status == 404 and question.may_be_missing):
        if len(body) > LIMIT:
            raise UpstreamMalformed(f"{host} answered with more than {LIMIT:,} bytes.")
        return Answer(status=status, body=body)
    if status in {401, 403}:
        raise ConfigError(
            f"{host} does not let this key read the setting ({status}).",
            hint="It takes a key that may read settings of the account, which the key for requests usually may not.",
        )
    if 300 <= status < 400:
        raise UpstreamMalformed(
            f"{host} redirects elsewhere ({status}); not followed, for the key is meant for it alone."
        )
    if status == 404:
        raise ConfigError(f"{host} knows nothing at {urlsplit(question.url).path} (404).", hint="Check what was named.")
    raise UpstreamRefused(f"{host} answered with {status}.", status=status)


def _connection(
    scheme: str, host: str, port: int | None, ca_file: str | None, seconds: float
) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca_file)
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    if scheme == "http" and _is_here(host):
        return http.client.HTTPConnection(host, port, timeout=seconds)
    raise ConfigError(
        f"A key is sent over https alone, and {host or 'the address'} was named with {scheme or 'nothing'}."
    )


def _is_here(host: str) -> bool:
    """Whether an address is this machine's own. Names are not looked up: `localhost` alone is one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hang_up(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End a connection whose time is over: a socket's own timeout begins anew with every byte."""
    late.set()
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
