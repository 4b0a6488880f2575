"""What an endpoint is, and which one a request means.

Every module in `isthmus.gateway.endpoints` declares the endpoints of one resource in `ENDPOINTS` and is found by
discovery: nothing else learns its name. Vendors use the same paths for different things (`/v1/models`, `/v1/files`), so
a path alone does not say which is meant. A drop-in prefix does (`/anthropic/v1/models`), else the headers that
Anthropic's and Google's clients always send, else it is OpenAI's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote

import httptools

from isthmus.domain.errors import InvalidRequest
from isthmus.domain.principal import Key
from isthmus.gateway.headers import RequestHead

if TYPE_CHECKING:
    from isthmus.gateway.connection import Work
    from isthmus.gateway.gateway import Gateway

Vendor = Literal["openai", "anthropic", "gemini", "isthmus"]
"""Whose API a path belongs to: it decides how errors are told."""

Params: TypeAlias = Mapping[str, str]
"""What stands in a path in place of its `{names}`."""

NO_PARAMS: Params = MappingProxyType({})

DROP_IN: tuple[Vendor, ...] = ("openai", "anthropic", "gemini")
"""Vendors whose whole API is also served below `/NAME`, for clients that insist on their own paths."""

_NAMED = re.compile(r"\\{(\w+)\\}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path that clients may ask for."""

    method: str
    path: str
    """`{name}` stands for one segment of the path, up to a slash; `{model}` for a name that may have slashes in it."""
    vendor: Vendor
    work: Callable[[Gateway, RequestHead, Key, Params], Work]
    """What to do, once it is known who asks."""
    public: bool = False
    """Whether no key is needed: for what tells nothing."""
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pattern = _NAMED.sub(_group, re.escape(self.path))
        object.__setattr__(self, "pattern", re.compile(pattern + r"\Z"))


def _group(named: re.Match[str]) -> str:
    return f"(?P<{named[1]}>{'.+' if named[1] == 'model' else '[^/]+'})"


class Asked(NamedTuple):
    """What a target means."""

    vendor: Vendor
    endpoints: Mapping[str, tuple[Endpoint, Params]]
    """By method. Empty: there is nothing at this path."""


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """Every endpoint there is, from all modules of `isthmus.gateway.endpoints`."""
    package = import_module("isthmus.gateway.endpoints")
    found: list[Endpoint] = []
    for module in sorted(iter_modules(package.__path__), key=lambda one: one.name):
        found += import_module(f"{package.__name__}.{module.name}").ENDPOINTS
    return tuple(found)


def asked(head: RequestHead) -> Asked:
    """Which endpoints the target of a request means.

    Raises:
        InvalidRequest: the target is no address.
    """
    client = _client(head)
    known = _usual().get((head.method, head.target, client))
    return known if known is not None else _asked(_path(head.target), client, method_of(head))


def method_of(head: RequestHead) -> str:
    """The method by which endpoints are found: what is asked for with HEAD is what GET would get."""
    return "GET" if head.method == b"HEAD" else head.method.decode("ascii")


def vendor_of(head: RequestHead) -> Vendor:
    """In whose shape to tell about a request whose path may be none at all."""
    try:
        return asked(head).vendor
    except InvalidRequest:
        return _client(head)


def _client(head: RequestHead) -> Vendor:
    """Whose client asks, as far as its headers say."""
    if head.speaks_anthropic:
        return "anthropic"
    return "gemini" if head.speaks_gemini else "openai"


def query_of(target: bytes) -> Mapping[str, str]:
    """The query of a target; of names that are there more than once, the first."""
    _, _, query = target.partition(b"?")
    found: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=100):
        found.setdefault(name, value)
    return found


@cache
def _usual() -> Mapping[tuple[bytes, bytes, Vendor], Asked]:
    """Methods and targets without parameters, which need no reading."""
    return {
        (endpoint.method.encode("ascii"), endpoint.path.encode("ascii"), client): _asked(
            endpoint.path, client, endpoint.method
        )
        for endpoint in endpoints()
        if "{" not in endpoint.path
        for client in DROP_IN
    }


def _asked(path: str, client: Vendor, method: str) -> Asked:
    for vendor in DROP_IN:
        if path.startswith(f"/{vendor}/"):
            below = path.removeprefix(f"/{vendor}")
            found = _at(below, vendor)
            # Clients whose base address ends in the version, as OpenAI's does, are given one without it as often.
            return Asked(vendor, found or _at(f"/v1{below}", vendor))
    likely: tuple[Vendor, ...] = (client, *(vendor for vendor in DROP_IN if vendor != client), "isthmus")
    first: Asked | None = None
    for vendor in likely:
        if found := _at(path, vendor):
            # A model's name may have a colon in it: what Google's clients POST to matches `GET /v1/models/{model}`.
            if method in found:
                return Asked(vendor, found)
            first = first or Asked(vendor, found)
    return first or Asked("gemini" if path.startswith("/v1beta") else client, {})


def _at(path: str, vendor: Vendor) -> dict[str, tuple[Endpoint, Params]]:
    found: dict[str, tuple[Endpoint, Params]] = {}
    for endpoint in endpoints():
        if endpoint.vendor == vendor and (match := endpoint.pattern.match(path)) is not None:
            found.setdefault(endpoint.method, (endpoint, match.groupdict()))
    return found


def _path(target: bytes) -> str:
    """The path of a request's target, as our endpoints are spelt: without query, host or a slash at its end.

    Raises:
        InvalidRequest: the target is no address.
    """
    try:
        path: str = unquote(httptools.parse_url(target).path or b"/")
    except httptools.HttpParserInvalidURLError:
        raise InvalidRequest("The address of the request is none.") from None
    return path.rstrip("/") or "/"
