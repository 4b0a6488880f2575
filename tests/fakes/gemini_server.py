"""A strict stand-in for Gemini's generateContent. The schema is that of the `google-genai` package's own types."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from google.genai import types
from google.genai._common import BaseModel
from pydantic import ValidationError
from tests.fakes.stand_in import Asked, Received, Rejected, StandIn, event, image_size, serving
from typing_extensions import override

KEY = "gemini-test"
_PATH = re.compile(r"/v1beta/models/([^/:?]+):(generateContent|streamGenerateContent\?alt=sse)\Z")
_NAMES = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 529: "UNAVAILABLE"}
_USAGE = {
    "promptTokenCount": 19,
    "cachedContentTokenCount": 5,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 30,
}
_CONTENT = {"text", "inlineData", "fileData", "functionCall", "functionResponse"}


class _Request(BaseModel):
    """The body, put together of the package's types: it has none for the whole. Unknown fields are errors."""

    contents: list[types.Content]
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    safety_settings: list[types.SafetySetting] | None = None
    generation_config: types.GenerationConfig | None = None
    cached_content: str | None = None
    service_tier: types.ServiceTier | None = None


class GeminiServer(StandIn):
    @override
    def check(self, received: Received) -> None:
        body = received.body
        if received.method != "POST" or _PATH.match(received.path) is None:
            raise Rejected("no such method", 404)
        if received.headers.get("x-goog-api-key") != KEY:
            raise Rejected("API key not valid. Please pass a valid API key.", 401)
        try:
            _Request.model_validate_json(msgspec.json.encode(body))
        except ValidationError as exc:
            first = exc.errors()[0]
            raise Rejected(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
        _check_contents(body)
        config = body.get("generationConfig", {})
        if not 0 <= config.get("temperature", 0) <= 2:
            raise Rejected("temperature: must be in the range [0.0, 2.0]")
        if len(config.get("stopSequences", ())) > 5:
            raise Rejected("stopSequences: at most 5")
        if ("responseJsonSchema" in config or "responseSchema" in config) and (
            config.get("responseMimeType") != "application/json"
        ):
            raise Rejected("A response schema needs responseMimeType application/json")
        if "logprobs" in config and not config.get("responseLogprobs"):
            raise Rejected("logprobs: needs responseLogprobs")
        thinking = config.get("thinkingConfig", {})
        if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
            raise Rejected("You can only set one of thinkingBudget and thinkingLevel.")
        calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
        if calling.get("allowedFunctionNames"):
            if calling.get("mode") not in ("ANY", "VALIDATED"):
                raise Rejected("allowedFunctionNames: only with mode ANY or VALIDATED")
            if not set(calling["allowedFunctionNames"]) <= _declared(body).keys():
                raise Rejected("allowedFunctionNames: names a function that is not declared")

    @override
    def streams(self, received: Received) -> bool:
        return "streamGenerateContent" in received.path

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        said = self.say(_asked(received.body))
        parts: list[dict[str, Any]] = []
        if said.thought:
            parts.append({"text": said.thought, "thought": True})
        if said.text:
            parts.append({"text": said.text})
        parts += _calls(said.calls)
        return _answer(received, parts, "STOP", _USAGE)

    @override
    def stream(self, received: Received) -> list[bytes]:
        said = self.say(_asked(received.body))
        parts: list[dict[str, Any]] = []
        if said.thought:
            parts.append({"text": said.thought, "thought": True})
        parts += [{"text": piece} for piece in said.pieces]
        parts += _calls(said.calls)
        partial = {"promptTokenCount": 19, "totalTokenCount": 19}
        chunks = [_answer(received, [part], None, partial) for part in parts[:-1]]
        return [event(one) for one in [*chunks, _answer(received, parts[-1:], "STOP", _USAGE)]]

    @override
    def error(self, status: int, message: str) -> dict[str, Any]:
        error: dict[str, Any] = {
            "code": status,
            "message": message,
            "status": _NAMES.get(status, "INVALID_ARGUMENT"),
        }
        if status == 429:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}]
        return {"error": error}

    @override
    def error_event(self) -> bytes:
        return event(self.error(529, "The model is overloaded."))


def gemini_server() -> AbstractContextManager[GeminiServer]:
    """Serve on a free port of the loopback interface."""
    return serving(GeminiServer())


# ------------------------------------------------------------------------------------------------------ rules


def _check_contents(body: dict[str, Any]) -> None:
    """One kind of content per part, and a response for every call in the content after it, by id and name."""
    owed: dict[str | None, str] = {}
    if not body["contents"]:
        raise Rejected("contents is not specified")
    for at, content in enumerate(body["contents"]):
        role, parts = content.get("role", "user"), content.get("parts") or []
        if role not in ("user", "model"):
            raise Rejected("Please use a valid role: user, model.")
        if not parts:
            raise Rejected(f"contents[{at}].parts must not be empty.")
        for part in parts:
            if len(_CONTENT & part.keys()) != 1:
                raise Rejected(
                    f"contents[{at}].parts.data: required oneof field 'data' must have one initialized field"
                )
            if "inlineData" in part:
                image_size(part["inlineData"]["data"])
        responses = {
            one["functionResponse"].get("id"): one["functionResponse"]["name"]
            for one in parts
            if "functionResponse" in one
        }
        if responses != owed:
            raise Rejected("Please ensure that function response parts match the function call parts before them.")
        owed = {one["functionCall"].get("id"): one["functionCall"]["name"] for one in parts if "functionCall" in one}
        if owed and role != "model":
            raise Rejected("Function calls must come from the model.")


# ----------------------------------------------------------------------------------------------------- answers


def _declared(body: dict[str, Any]) -> dict[str, Any]:
    return {
        one["name"]: one.get("parametersJsonSchema", {})
        for tool in body.get("tools", ())
        for one in tool.get("functionDeclarations", ())
    }


def _asked(body: dict[str, Any]) -> Asked:
    parts = body["contents"][-1]["parts"]
    config = body.get("generationConfig", {})
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    tools = {} if calling.get("mode") == "NONE" else _declared(body)
    if allowed := calling.get("allowedFunctionNames"):
        tools = {name: tools[name] for name in allowed}
    responses = [one["functionResponse"]["response"] for one in parts if "functionResponse" in one]
    thinking = config.get("thinkingConfig", {})
    return Asked(
        text="".join(one["text"] for one in parts if "text" in one and not one.get("thought")),
        images=[
            image_size(one["inlineData"]["data"]) if "inlineData" in one else 0
            for one in parts
            if "inlineData" in one or "fileData" in one
        ],
        results=[str(next(iter(one.values()), "")) for one in responses],
        tools=tools,
        must_call=calling.get("mode") == "ANY",
        schema=config.get("responseJsonSchema"),
        json=config.get("responseMimeType") == "application/json",
        thinks=bool(thinking.get("includeThoughts")),
    )


def _calls(calls: list[tuple[str, str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The first call has the proof that must come back with it, as the models of the third series send it."""
    return [
        {"functionCall": {"id": identity, "name": name, "args": arguments}}
        | ({"thoughtSignature": "c2lnbmVk"} if number == 0 else {})
        for number, (identity, name, arguments) in enumerate(calls)
    ]


def _answer(
    received: Received, parts: list[dict[str, Any]], reason: str | None, usage: dict[str, int]
) -> dict[str, Any]:
    found = _PATH.match(received.path)
    assert found is not None
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": found[1], "responseId": "resp_test"}
