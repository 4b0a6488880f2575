"""The path, which in this dialect names the model and tells whether and how the answer streams."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

_PATH = re.compile(
    r"/v1(?:alpha|beta|beta1)?/(?:projects/[^/]+/locations/[^/]+/publishers/[^/]+/)?"
    r"(?P<kind>models|tunedModels)/(?P<model>[^/:?]+):(?P<verb>generateContent|streamGenerateContent)"
    r"(?:\?(?P<query>.*))?\Z"
)
_KINDS = ("models", "tunedModels")


class Address(NamedTuple):
    """What a path of this dialect tells."""

    model: str
    """Without `models/` in front; tuned models keep their `tunedModels/`."""
    stream: bool
    array: bool
    """Whether a stream is asked for as one JSON array, which is what Google sends where `alt=sse` is not said."""


def request_path(model: str, *, stream: bool) -> str:
    kind, _, name = model.partition("/")
    if kind not in _KINDS or not name:
        kind, name = "models", model
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/{kind}/{quote(name, safe='')}:{verb}"


def read_path(path: str) -> Address | None:
    """What a path asks for; None: no path of this dialect, or one that asks for something else than a completion."""
    found = _PATH.match(path)
    if found is None:
        return None
    name = unquote(found["model"])
    stream = found["verb"] == "streamGenerateContent"
    return Address(
        name if found["kind"] == "models" else f"tunedModels/{name}",
        stream,
        array=stream and not asks_events(found["query"] or ""),
    )


def asks_events(query: str) -> bool:
    """Whether a query asks for a stream as server-sent events; `$alt` is the same, by the API's system parameters."""
    said = parse_qs(query, max_num_fields=100)
    return "sse" in (*said.get("alt", ()), *said.get("$alt", ()))
