"""The OpenAPI of isthmus, made of the endpoints there are.

    python -m isthmus.gateway.openapi > docs/reference/openapi.json

A path that several vendors have is one operation here, as OpenAPI knows no other: its answers are those of either.

Source: OpenAPI 3.1.1.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from isthmus.gateway.endpoint import DROP_IN, Endpoint, Vendor, endpoints
from isthmus.gateway.operations import FORM, JSON, Operation, operation_of
from isthmus.gateway.schemas import CONVERSATION, LABELS, PRINTABLE, SCHEMAS, Schema, ref

_NAMED = re.compile(r"\{(\w+)\}")
_TAGS: Mapping[Vendor, str] = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini", "isthmus": "isthmus"}
_ERRORS: Mapping[Vendor, str] = {
    "openai": "OpenAIError",
    "anthropic": "AnthropicError",
    "gemini": "GeminiError",
    "isthmus": "OpenAIError",
}
_STATUSES: Mapping[int, str] = {
    400: "What was sent is not what it should be, or cannot be done here",
    401: "No key, or one that is not in force",
    403: "Policy says no",
    404: "No such model, or nothing of this id",
    405: "The path takes other methods",
    413: "Too large",
    415: "The upstream takes no such media",
    422: "The upstream cannot make sense of the request",
    429: "Too many: wait, or end something first",
    431: "The head of the request is too large",
    500: "A fault of isthmus",
    502: "The upstream failed",
    503: "Nothing can serve now",
    504: "The upstream took too long",
}
_ALWAYS = (400, 413, 431, 500, 503)
_KNOWN_CALLER = (401, 403, 404, 405, 429)
_CROSSING = (415, 422, 502, 504)

_SECURITY: Mapping[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
}

_ASKING_HEADERS: Mapping[str, tuple[str, Schema]] = {
    "isthmus-labels": (
        "Labels of the request, with commas between; they are added to those of key and workload.",
        LABELS,
    ),
    "isthmus-workload": ("The workload, whatever the model is.", {"type": "string"}),
    "isthmus-conversation": ("Kept in the ledger.", {**CONVERSATION, "pattern": PRINTABLE}),
}
_TEXT: Schema = {"type": "string"}
_MODEL: Schema = {"type": "string", "minLength": 1}
_ID: Schema = {"type": "string", "pattern": "^[^/:]+$"}
_REQUEST_HEADERS: Mapping[str, tuple[str, Schema]] = {
    "isthmus-request": ("Id of the entry in the ledger.", _TEXT),
    "x-request-id": ("The same.", _TEXT),
}
_ANSWER_HEADERS: Mapping[str, tuple[str, Schema]] = {
    **_REQUEST_HEADERS,
    "isthmus-offer": ("Who served.", _TEXT),
    "isthmus-side": ("On which side it is.", {"type": "string", "enum": ["own", "hosted", "closed"]}),
    "isthmus-labels": ("All labels the request carried.", LABELS),
    "isthmus-cost": ("Dollars, exact; not on streams.", {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}),
    "isthmus-adapted": ("What was said to the offer otherwise than the client meant it.", _TEXT),
    "isthmus-cache": ("Whether the answer is one that was kept.", {"type": "string", "enum": ["hit", "miss"]}),
    "isthmus-warning": ("The ledger cannot keep this request.", _TEXT),
}
_REFUSAL_HEADERS: Mapping[str, tuple[str, Schema]] = {
    **_REQUEST_HEADERS,
    "retry-after": ("Seconds to wait.", {"type": "integer", "minimum": 0}),
    "x-should-retry": ("The same would be refused again.", {"type": "string", "const": "false"}),
}


class _Described(NamedTuple):
    endpoint: Endpoint
    operation: Operation


def document(found: Iterable[Endpoint]) -> Mapping[str, Any]:
    """The OpenAPI of some endpoints. Of one that nothing is said of, it says that it is there."""
    described = sorted((_described(endpoint) for endpoint in found), key=_place)
    refusals: dict[str, Schema] = {}
    paths = {path: _path(list(same), refusals) for path, same in groupby(described, key=lambda one: one.endpoint.path)}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "isthmus",
            "version": "1",
            "description": (
                "The APIs of OpenAI, Anthropic and Google towards any model, and isthmus' own. Of bodies that go to a "
                "model or come from one, what isthmus itself demands and reads is said here; the rest is the vendor's. "
                "While there are no keys, programmes on the same machine need none."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in _SECURITY],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "responses": refusals,
            "securitySchemes": _SECURITY,
            "parameters": {
                name: {"name": name, "in": "header", "description": text, "schema": schema}
                for name, (text, schema) in _ASKING_HEADERS.items()
            },
            "headers": {
                name: {"description": text, "schema": schema}
                for name, (text, schema) in {**_ANSWER_HEADERS, **_REFUSAL_HEADERS}.items()
            },
        },
    }


@cache
def encoded() -> bytes:
    """The OpenAPI of all endpoints, as it is kept in the documentation."""
    return (json.dumps(document(endpoints()), indent=1) + "\n").encode("ascii")


def _described(endpoint: Endpoint) -> _Described:
    return _Described(endpoint, operation_of(endpoint) or Operation(summary="", crosses=True))


def _place(one: _Described) -> tuple[str, str, int]:
    vendors: tuple[Vendor, ...] = (*DROP_IN, "isthmus")
    return one.endpoint.path, one.endpoint.method, vendors.index(one.endpoint.vendor)


def _path(here: Sequence[_Described], refusals: dict[str, Schema]) -> dict[str, Any]:
    """What is said of a path. Refusals that it shares with others are added to `refusals`."""
    vendors = dict.fromkeys(one.endpoint.vendor for one in here)
    said: dict[str, Any] = {
        "servers": [{"url": "/"}, *({"url": f"/{vendor}"} for vendor in vendors if vendor in DROP_IN)]
    }
    if names := _NAMED.findall(here[0].endpoint.path):
        said["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": _MODEL if name == "model" else _ID}
            for name in names
        ]
    for method, same in groupby(here, key=lambda one: one.endpoint.method):
        said[method.lower()] = _operation(list(same), refusals)
    return said


def _operation(same: Sequence[_Described], refusals: dict[str, Schema]) -> dict[str, Any]:
    first = same[0].operation
    said: dict[str, Any] = {
        "operationId": _identity(same[0].endpoint),
        "summary": first.summary,
        "tags": [_TAGS[one.endpoint.vendor] for one in same],
    }
    if len(same) > 1:
        said["description"] = (
            "Several vendors have this path. Anthropic's answer is given where the header anthropic-version is there, "
            "Google's where x-goog-api-key is, else OpenAI's."
        )
    if parameters := _parameters(same):
        said["parameters"] = parameters
    if all(one.endpoint.public for one in same):
        said["security"] = []
    if first.takes is not None:
        kind = FORM if first.takes_form else JSON
        said["requestBody"] = {"required": True, "content": {kind: {"schema": ref(first.takes)}}}
    said["responses"] = _responses(same, refusals)
    return said


def _identity(endpoint: Endpoint) -> str:
    return "_".join([endpoint.method.lower(), *re.findall(r"\w+", endpoint.path)])


def _parameters(same: Sequence[_Described]) -> list[dict[str, Any]]:
    first = same[0]
    said: list[dict[str, Any]] = []
    if first.operation.takes is not None:
        said += [{"$ref": f"#/components/parameters/{name}"} for name in _ASKING_HEADERS]
    if any(one.endpoint.vendor == "anthropic" for one in same):
        said.append({"name": "anthropic-version", "in": "header", "schema": _TEXT})
    for name, schema in (first.operation.query or {}).items():
        said.append({"name": name, "in": "query", "schema": schema})
    return said


def _responses(same: Sequence[_Described], refusals: dict[str, Schema]) -> dict[str, Any]:
    crosses = any(one.operation.crosses for one in same)
    statuses = _ALWAYS + (() if same[0].endpoint.public else _KNOWN_CALLER) + (_CROSSING if crosses else ())
    errors = list(dict.fromkeys(_ERRORS[one.endpoint.vendor] for one in same))
    said: dict[str, Any] = {}
    if content := _content(same):
        said["200"] = {"description": "Done", "content": content}
        if crosses:
            said["200"]["headers"] = _headers(_ANSWER_HEADERS)
    for status in sorted(statuses):
        unready = [one.operation.unready for one in same if one.operation.unready and status == 503]
        shapes = [*errors, *unready]
        name = "_".join([str(status), *shapes])
        refusals[name] = {
            "description": _STATUSES[status],
            "headers": _headers(_REFUSAL_HEADERS),
            "content": {JSON: {"schema": _either(shapes)}},
        }
        said[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return said


def _content(same: Sequence[_Described]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if answers := [one.operation.answers for one in same if one.operation.answers is not None]:
        content[JSON] = {"schema": _either(answers)}
    for kind in same[0].operation.also:
        content[kind] = {"schema": {"type": "array"}} if kind == JSON else {}
    return content


def _either(names: Sequence[str]) -> Schema:
    return ref(names[0]) if len(names) == 1 else {"anyOf": [ref(name) for name in names]}


def _headers(named: Mapping[str, object]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in named}


if __name__ == "__main__":
    sys.stdout.buffer.write(encoded())
