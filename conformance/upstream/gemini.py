"""Gemini as a whole: contents, the counting of their tokens, and embeddings."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tests.fakes.gemini_server import KEY, GeminiServer
from tests.fakes.stand_in import Asked, Received, Rejected, Said
from typing_extensions import override

from conformance.upstream import wit

_OTHER = re.compile(r"/v1(?:beta)?/models/[^/:?]+:(countTokens|embedContent|batchEmbedContents)\Z")
_WIDTH = 8
_SNAKE = re.compile(r"_([a-z])")
_THE_CLIENTS = {
    "args", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "responseSchema"
}  # fmt: skip
"""What holds names that are the client's own."""


class GeminiVendor(GeminiServer):
    @override
    def check(self, received: Received) -> None:
        found = _OTHER.match(received.path)
        if found is None:
            super().check(_spelt(received))
            return
        if received.headers.get("x-goog-api-key") != KEY:
            raise Rejected("API key not valid. Please pass a valid API key.", 401)
        wanted = {"countTokens": "contents", "embedContent": "content", "batchEmbedContents": "requests"}[found[1]]
        if not (received.body.get(wanted) or received.body.get("generateContentRequest")):
            raise Rejected(f"{wanted} is not specified")

    @override
    def say(self, asked: Asked) -> Said:
        return wit.answer(asked)

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        found = _OTHER.match(received.path)
        match found and found[1]:
            case "countTokens":
                return {"totalTokens": 19, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 19}]}
            case "embedContent":
                return {"embedding": _vector(received.body)}
            case "batchEmbedContents":
                return {"embeddings": [_vector(one) for one in received.body["requests"]]}
            case _:
                return super().whole(_with_json_schemas(_spelt(received)))

    @override
    def stream(self, received: Received) -> list[bytes]:
        return super().stream(_with_json_schemas(_spelt(received)))


# ---------------------------------------------------------------------------------------- one of many ways to say it


def _spelt(received: Received) -> Received:
    """The request in the spelling of the documentation: Gemini takes `snake_case`, too, and results without ids."""
    body = _camel(received.body)
    named: list[tuple[str, str]] = []
    for content in body.get("contents") or ():
        for part in content.get("parts") or ():
            if "functionCall" in part:
                named.append((part["functionCall"]["name"], part["functionCall"].get("id")))
            elif "functionResponse" in part and "id" not in part["functionResponse"]:
                name = part["functionResponse"]["name"]
                found = next((one for one in named if one[0] == name), None)
                if found is not None and found[1] is not None:
                    part["functionResponse"]["id"] = found[1]
                    named.remove(found)
    return replace(received, body=body)


def _camel(value: Any) -> Any:
    """All of the API's own names in `camelCase`; names of the client's own, such as arguments, as they are."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    spelt = {_SNAKE.sub(lambda found: found[1].upper(), name): inner for name, inner in value.items()}
    return {name: dict(inner) if name in _THE_CLIENTS else _camel(inner) for name, inner in spelt.items()}


def _with_json_schemas(received: Received) -> Received:
    """Schemas are said in one of two ways; the answer looks at the one."""
    body = dict(received.body)
    config = dict(body.get("generationConfig") or {})
    if "responseSchema" in config:
        config["responseJsonSchema"] = config["responseSchema"]
    for tool in body.get("tools") or ():
        for declared in tool.get("functionDeclarations") or ():
            declared.setdefault("parametersJsonSchema", declared.get("parameters") or {})
    return replace(received, body=body | {"generationConfig": config})


def _vector(body: dict[str, Any]) -> dict[str, Any]:
    width = body.get("outputDimensionality") or (body.get("embedContentConfig") or {}).get("outputDimensionality")
    return {"values": [at / 17 for at in range(width or _WIDTH)]}
