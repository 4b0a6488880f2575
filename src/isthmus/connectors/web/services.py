"""The search services, as data, and what they answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

import msgspec

from isthmus.connectors.mail.html import html_text
from isthmus.connectors.web.account import Search
from isthmus.connectors.web.addresses import Address, address
from isthmus.connectors.web.fetching import Redirect, Request, Ways, ask
from isthmus.domain.errors import ToolError

MOST_QUERY = 400
"""Characters: what the strictest of them takes."""
_MAX_TITLE = 200
_MAX_TEXT = 500


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a service is asked."""

    method: Literal["GET", "POST"]
    """POST: the parameters are a JSON object."""
    path: str
    query: str
    results: tuple[str, ...]
    title: str
    url: str
    text: str
    source: str
    home: str | None = None
    count: str | None = None
    fixed: dict[str, str] = {}
    key: str | None = None
    """The header of the key."""
    scheme: str = ""
    """What stands before the key."""


class Result(NamedTuple):
    """One page that was found."""

    title: str
    address: Address
    text: str


@cache
def services() -> Mapping[str, Service]:
    """All services by name."""
    data = files(__package__).joinpath("services.toml").read_bytes()
    return msgspec.toml.decode(data, type=dict[str, Service])


def place(configured: Search) -> Address:
    """Where a service is asked: whoever is there comes to see the query."""
    service = services()[configured.service]
    home = configured.url or service.home
    assert home is not None  # an account without it is refused
    return address(home.rstrip("/") + service.path)


def search(configured: Search, key: str | None, query: str, limit: int, ways: Ways) -> list[Result]:
    """Ask a service. Waits for the network.

    Raises:
        ToolError: it does not answer, or not as it should.
    """
    service = services()[configured.service]
    given: dict[str, Any] = {**service.fixed, service.query: query}
    if service.count is not None:
        given[service.count] = limit
    headers = {"accept": "application/json"}
    if key is not None and service.key is not None:
        headers[service.key] = service.scheme + key
    to = place(configured)
    if service.method == "POST":
        request = Request(
            address=to,
            method="POST",
            headers={**headers, "content-type": "application/json"},
            body=msgspec.json.encode(given),
        )
    else:
        asked = Address(to.scheme, to.host, to.port, f"{to.rest}?{urlencode(given)}")
        request = Request(address=asked, headers=headers)
    # A redirect would take the query, and the key, to somebody else.
    answer = ask(request, ways, deadline=time.monotonic() + ways.seconds)
    wrong = ToolError("The search service does not answer as it should.")
    if isinstance(answer, Redirect):
        raise wrong
    try:
        found: Any = msgspec.json.decode(answer[2])
    except msgspec.DecodeError as error:
        raise wrong from error
    for step in service.results:
        found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        return []
    if not isinstance(found, list):
        raise wrong
    return [result for one in found[:limit] if (result := _result(one, service)) is not None]


def _result(one: Any, service: Service) -> Result | None:
    if not isinstance(one, dict) or not isinstance(url := one.get(service.url), str):
        return None
    try:
        to = address(url)
    except ToolError:
        return None
    return Result(_plain(one.get(service.title), _MAX_TITLE), to, _plain(one.get(service.text), _MAX_TEXT))


def _plain(given: object, most: int) -> str:
    """Text of a result, in which services mark what fits as HTML."""
    return " ".join(html_text(given[: 8 * most]).split())[:most] if isinstance(given, str) else ""
