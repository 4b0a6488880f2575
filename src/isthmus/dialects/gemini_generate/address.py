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


def resource(model: str) -> tuple[str, str]:
    """Where a model is, and its name there: `models`, or `tunedModels` where its name says so."""
    kind, _, name = model.partition("/")
    return (kind, name) if kind in _KINDS and name else ("models", model)


def resource_name(model: str) -> str:
    """A model as bodies name it."""
    return "/".join(resource(model))


def path_of(model: str, verb: str) -> str:
    """The path of an operation on a model."""
    kind, name = resource(model)
    return f"/v1beta/{kind}/{quote(name, safe='')}:{verb}"


def request_path(model: str, *, stream: bool) -> str:
    return path_of(model, "streamGenerateContent?alt=sse" if stream else "generateContent")


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
