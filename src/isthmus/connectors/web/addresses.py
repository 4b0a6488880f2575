"""Which addresses on the web may be asked at all, in normal form.

Only `http` and `https`, only hosts that are spelled in one way, no user and password. An address that two readers could
read in two ways is refused rather than repaired: what was checked has to be what is opened. So the normal form is made
here, and everybody is handed that.

Source: the URL standard (url.spec.whatwg.org), whose quirks (backslashes, `0x7f.1`, tabs within) are what is refused;
the address blocks of the IANA registries, as `ipaddress` knows them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote, urljoin

from typing_extensions import override

from isthmus.agent.marks import Origin, Party
from isthmus.domain.errors import ToolError

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_ADDRESS = 4_000
"""Characters. Browsers take more, people do not."""

_PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^/?#:@\[\]\\]+)(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?#].*)?\Z",
    re.IGNORECASE,
)
_BARE = re.compile(r"[^/?#:@\s]+\.[^/?#:@\s]+(?:[/?#].*)?\Z")
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\\]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_DEVIATING = frozenset("ßẞς\u200c\u200d")
"""Letters for which there are two rules how they are written in ASCII (UTS #46): another host each."""
_UNSAFE_IN_REST = "!#$%&'()*+,/:;=?@[]~|^"
_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64 (RFC 6052): the last four bytes are the address
    ipaddress.ip_network("::/96"),  # IPv4-compatible (RFC 4291), given up, and still understood by some
)


@dataclass(frozen=True, slots=True)
class Address:
    """The address of something on the web, in normal form."""

    scheme: Literal["http", "https"]
    host: str
    """In ASCII and small letters; an IP address as its registry writes it, IPv6 without brackets."""
    port: int
    rest: str
    """Path and query, beginning with a slash. Never a fragment: nobody is told it."""

    @override
    def __str__(self) -> str:
        return f"{self.origin}{self.rest}"

    @property
    def origin(self) -> str:
        """`https://example.org`, with the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def place(self) -> tuple[str, int]:
        """Host and port: what is connected to."""
        return self.host, self.port

    @property
    def party(self) -> Party:
        """Who learns what is asked there."""
        return party_of(self.host)


def party_of(host: str) -> Party:
    """Who learns what a host is asked: the host, whatever its ports and schemes."""
    return Party(f"https://{host}")


def written_by(host: str) -> Origin:
    """Who could have written what a host answers."""
    return Origin(f"web:{host}")


def address(text: str, *, base: Address | None = None) -> Address:
    """The address that a text spells.

    Args:
        text: an address; without a scheme, `https` is meant.
        base: what it may be relative to.

    Raises:
        ToolError: it is none, is of another kind, or could be read in two ways.
    """
    text = text.strip(" \t\r\n")
    if base is not None:
        try:
            text = urljoin(str(base), text)
        except ValueError as error:
            raise ToolError("That is no address of a page.") from error
    elif _BARE.match(text):
        text = f"https://{text}"
    if len(text) > MAX_ADDRESS or _UNSEEN.search(text):
        raise ToolError("That is no address of a page: it is too long, or has characters that none has.")
    if (match := _ADDRESS.match(text)) is None:
        raise ToolError(
            "That address is not one that can be opened.", hint="Only http:// and https://, without user and password."
        )
    scheme: Literal["http", "https"] = "https" if match["scheme"].lower() == "https" else "http"
    port = int(match["port"]) if match["port"] else _PORTS[scheme]
    if not 0 < port <= 65_535:
        raise ToolError("That address names a port that there is not.")
    rest = quote((match["rest"] or "").partition("#")[0], safe=_UNSAFE_IN_REST)
    return Address(scheme, host_in_normal_form(match["host"]), port, rest if rest.startswith("/") else f"/{rest}")


def host_in_normal_form(text: str) -> str:
    """A host's name in ASCII and small letters, or its IP address.

    Raises:
        ToolError: it is none, or could be read in two ways.
    """
    refused = ToolError("That address names no host that can be told for sure.")
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise refused from None
    try:
        if not text.isascii():
            if _DEVIATING & set(text):
                raise refused
            text = text.encode("idna").decode("ascii")
    except UnicodeError:
        raise refused from None
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.match, labels)):
        raise refused
    if _NUMBER.match(labels[-1]):
        # Whoever reads `0177.1` or `2130706433` as an address and whoever does not see different hosts.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise refused from None
    return name


def is_public(ip: Ip) -> bool:
    """Whether an IP address is one of the open internet, whatever it is wrapped in."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    if ip.scope_id is not None or ip.is_multicast or (not ip.is_global and ip.ipv4_mapped is None):
        return False
    return all(map(is_public, _within(ip)))


def _within(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to, where there are such."""
    found = [inner for inner in (ip.ipv4_mapped, ip.sixtofour) if inner is not None]
    if ip.teredo is not None:
        found += ip.teredo
    found += [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) for network in _TRANSLATED if ip in network]
    return found
