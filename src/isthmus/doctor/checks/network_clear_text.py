"""What goes over a network unencrypted: requests to offers, requests to isthmus, keys to engines."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from isthmus.doctor.check import Check, Finding
from isthmus.doctor.exposure import survey
from isthmus.doctor.scene import Scene
from isthmus.settings.values import is_loopback


def _in_clear(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    for offer in scene.settings.offers.values():
        address = urlsplit(offer.base_url)
        host = address.hostname or ""
        if address.scheme == "http" and not is_loopback(host):
            what = "Requests, answers and the key" if offer.key is not None else "Requests and answers"
            yield Finding(
                subject=f"offer {offer.name}",
                found=f"{what} go to {host} unencrypted.",
                severity="warn" if _is_private(host) else None,
            )
    server = scene.settings.server
    if not server.is_loopback:
        yield Finding(
            subject="[server] bind",
            found=f"isthmus listens on {server.host}:{server.port} and does not encrypt: keys, requests and answers of "
            "clients elsewhere can be read on the way.",
            remedy="Let a proxy end TLS on this machine, and let isthmus listen on 127.0.0.1 behind it.",
        )


def _keys_in_clear(scene: Scene) -> Iterator[Finding]:
    for answer in survey(scene):
        if answer.target.network and answer.is_open is False and answer.engine != "isthmus":
            yield Finding(
                subject=f"{answer.title} at {answer.place}",
                found="It asks for a key, over HTTP without encryption: the key can be read on the way.",
            )


def _look(scene: Scene) -> Iterator[Finding]:
    yield from _in_clear(scene)
    yield from _keys_in_clear(scene)


def _is_private(host: str) -> bool:
    """Whether it is an address of a network of one's own, which may be encrypted below (WireGuard, IPsec)."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


CHECKS = (
    Check(
        id="NET-3",
        family="network",
        title="Unencrypted beyond this machine",
        severity="high",
        why="Whoever is on the way reads content and keys, and may change both. To a private address it is a warning: "
        "such a network may be encrypted itself.",
        remedy="Use an https:// address, or a tunnel.",
        look=_look,
        asks_network=True,
    ),
)
