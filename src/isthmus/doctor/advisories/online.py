"""Asking OSV itself, where the operator wants that: names and versions of packages leave this machine, nothing else.

Source:
    https://google.github.io/osv.dev/post-v1-querybatch/
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from isthmus.doctor.advisories.making import advisory_of
from isthmus.doctor.advisories.matching import Component
from isthmus.doctor.advisories.record import Advisory, page_of
from isthmus.domain.errors import UpstreamMalformed, UpstreamUnreachable

ENDPOINT = "https://api.osv.dev"
"""The only host that is asked. Redirects are not followed."""

_SECONDS = 15.0
_ANSWER_MAX = 8 << 20
_QUERIES_MAX = 1000
_DETAILS_MAX = 50
"""Records that are fetched to tell what they say; of further ones only the name is told."""


def ask(components: Sequence[Component], *, endpoint: str = ENDPOINT) -> dict[Component, tuple[str, ...]]:
    """Names of advisories for each component of a registry; those without any are left out.

    Args:
        components: llama.cpp's builds are in no registry, and are not asked about.
        endpoint: stands in for OSV in tests.

    Raises:
        UpstreamUnreachable, UpstreamMalformed: nothing usable was answered.
    """
    asked = [component for component in components if component.ecosystem != "llama.cpp"][:_QUERIES_MAX]
    queries = [{"package": {"name": one.package, "ecosystem": one.ecosystem}, "version": one.version} for one in asked]
    results = _json(endpoint, "POST", "/v1/querybatch", {"queries": queries}).get("results")
    if not isinstance(results, list) or len(results) != len(asked):
        raise UpstreamMalformed("OSV answered what is no answer to a batch of queries.")
    found: dict[Component, tuple[str, ...]] = {}
    for component, result in zip(asked, results, strict=True):
        rows = result.get("vulns") if isinstance(result, dict) else None
        ids = tuple(str(row["id"]) for row in rows or () if isinstance(row, dict) and "id" in row)
        if ids:
            found[component] = ids
    return found


def details(ids: Sequence[str], *, endpoint: str = ENDPOINT) -> tuple[Advisory, ...]:
    """What advisories say; of those that are too many, or not about packages of the extract, only the name.

    Raises:
        UpstreamUnreachable, UpstreamMalformed: nothing usable was answered.
    """
    found: list[Advisory] = []
    for number, name in enumerate(ids):
        advisory = None
        if number < _DETAILS_MAX:
            advisory = advisory_of(_json(endpoint, "GET", f"/v1/vulns/{quote(name, safe='')}", None), "osv")
        found.append(advisory or Advisory(id=name, summary="", affected=(), source="osv", url=page_of(name)))
    return tuple(found)


def _json(endpoint: str, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    address = urlsplit(endpoint)
    host = address.hostname or ""
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, address.port, timeout=_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, address.port, timeout=_SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "isthmus-doctor", "Accept": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        content = answer.read(_ANSWER_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise UpstreamUnreachable(f"{host} could not be asked: {error}.") from error
    finally:
        connection.close()
    if answer.status != 200 or len(content) > _ANSWER_MAX:
        raise UpstreamMalformed(f"{host} answered with status {answer.status} and {len(content):,} bytes.")
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(f"{host} answered what is no JSON.") from error
    if not isinstance(told, dict):
        raise UpstreamMalformed(f"{host} answered what is no JSON object.")
    return told
