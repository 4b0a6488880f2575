"""Finding a user's servers: on this machine, and, when the user said so, at the domain of the user's own address.

Nothing is sent but greetings: no password, and no name but that of the domain. What is found is a proposal; whether it
is right shows when the account is tested.

Source: Mozilla's autoconfiguration (`config-v1.1.xml`) at the domain itself, never at anybody else's directory; RFC
6764 for `.well-known/caldav`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Service = Literal["imap", "smtp", "caldav"]
Tls = Literal["tls", "starttls", "none"]

LOCAL: tuple[tuple[Service, int], ...] = (
    ("imap", 143),
    ("imap", 1143),  # Proton's bridge
    ("smtp", 25),
    ("smtp", 587),
    ("smtp", 1025),
    ("caldav", 5232),  # Radicale
)
"""Ports of this machine on which servers usually listen without TLS."""

_SECONDS = 4.0
_MOST_XML = 64 * 1024
_GREETING = {"imap": b"* OK", "smtp": b"220"}
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A server that greets."""

    service: Service
    host: str
    port: int
    tls: Tls


async def local(ports: Sequence[tuple[Service, int]] = LOCAL) -> list[Found]:
    """Servers on this machine."""
    return await _greeting([Found(service, "127.0.0.1", port, "none") for service, port in ports])


async def at_domain(domain: str) -> list[Found]:
    """Servers of a domain: as it says itself, else by the names that are usual.

    Raises:
        ValueError: it is no domain.
    """
    if not _DOMAIN.match(domain):
        raise ValueError(f"{domain!r} is no domain")
    said = await asyncio.to_thread(_autoconfig, domain)
    usual = [
        Found("imap", f"imap.{domain}", 993, "tls"),
        Found("imap", f"mail.{domain}", 993, "tls"),
        Found("smtp", f"smtp.{domain}", 465, "tls"),
        Found("smtp", f"mail.{domain}", 465, "tls"),
        Found("caldav", domain, 443, "tls"),
    ]
    known = {one.service for one in said}
    return await _greeting([*said, *(one for one in usual if one.service not in known)])


def from_xml(text: str) -> list[Found]:
    """The servers that a file of autoconfiguration names; of one that declares entities, none."""
    if "<!" in text.replace("<!--", ""):
        return []
    found: list[Found] = []
    kinds = {"imap": "incomingServer", "smtp": "outgoingServer"}
    for service, tag in kinds.items():
        for block in re.findall(rf'<{tag} type="{service}">(.*?)</{tag}>', text, re.DOTALL):
            values = {
                name: value.strip() for name, value in re.findall(r"<(hostname|port|socketType)>([^<]*)</\1>", block)
            }
            tls = {"SSL": "tls", "STARTTLS": "starttls"}.get(values.get("socketType", ""))
            host, port = values.get("hostname", ""), values.get("port", "")
            if tls is not None and _DOMAIN.match(host) and port.isdigit() and int(port) < 65536:
                found.append(Found(service, host, int(port), tls))  # type: ignore[arg-type]  # of the two tables
    return found


async def _greeting(candidates: Sequence[Found]) -> list[Found]:
    greeted = await asyncio.gather(*map(_greets, candidates))
    return [one for one, answers in zip(candidates, greeted, strict=True) if answers]


async def _greets(one: Found) -> bool:
    if one.service == "caldav":
        return await asyncio.to_thread(_speaks_caldav, one)
    context = ssl.create_default_context() if one.tls == "tls" else None
    try:
        async with asyncio.timeout(_SECONDS):
            reading, writing = await asyncio.open_connection(one.host, one.port, ssl=context)
            try:
                return (await reading.readline()).startswith(_GREETING[one.service])
            finally:
                writing.close()
                with contextlib.suppress(OSError, ssl.SSLError):
                    await writing.wait_closed()
    except (OSError, ssl.SSLError, TimeoutError, ValueError):
        return False


def _speaks_caldav(one: Found) -> bool:
    path = "/.well-known/caldav"
    status = _get(one.host, one.port, path, tls=one.tls == "tls")[0]
    return status in {301, 302, 303, 307, 308, 401, 207}


def _autoconfig(domain: str) -> list[Found]:
    for host, path in (
        (f"autoconfig.{domain}", "/mail/config-v1.1.xml"),
        (domain, "/.well-known/autoconfig/mail/config-v1.1.xml"),
    ):
        status, body = _get(host, 443, path, tls=True)
        if status == 200 and (found := from_xml(body.decode("utf-8", "replace"))):
            return found
    return []


def _get(host: str, port: int, path: str, *, tls: bool) -> tuple[int, bytes]:
    """Status and body of a GET; 0: nobody answers. Redirections are not followed."""
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_XML)
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
