"""A strict stand-in for Anthropic's Messages API, versions 2023-06-01 and 2026-10-21.

The schema is that of the `anthropic` package's own types. The older version also takes the sampling options, which the
newer one removed. Rules beyond the schema: https://docs.anthropic.com/en/api/errors and the pages of each feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from tests.fakes.stand_in import (
    Asked,
    Received,
    Rejected,
    StandIn,
    complain,
    event,
    image_size,
    published,
    serving,
)
from typing_extensions import override

KEY = "sk-ant-test"
_STREAMING = published(MessageCreateParamsStreaming)
_WHOLE = published(MessageCreateParamsNonStreaming)
_SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": float("inf")}
"""Options of the older version only, with the most they may be."""
_ERRORS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
_USAGE = {"input_tokens": 11, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3, "output_tokens": 7}


class AnthropicServer(StandIn):
    @override
    def check(self, received: Received) -> None:
        headers, body = received.headers, received.body
        if received.method != "POST" or received.path != "/v1/messages":
            raise Rejected("no such endpoint", 404)
        if headers.get("x-api-key") != KEY and headers.get("authorization") != f"Bearer {KEY}":
            raise Rejected("invalid x-api-key", 401)
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Rejected("content-type: must be application/json")
        version = headers.get("anthropic-version")
        if version not in ("2023-06-01", "2026-10-21"):
            raise Rejected("anthropic-version: header is required")
        rest = dict(body)
        if version == "2023-06-01":
            _check_sampling(rest)
        complain(_STREAMING if body.get("stream") else _WHOLE, rest)
        _check_thinking(body)
        _check_turns(body["messages"])
        _check_cache_marks(body)
        choice = body.get("tool_choice")
        if choice is not None and not body.get("tools"):
            raise Rejected("tool_choice: may only be specified while providing tools")
        names = [tool["name"] for tool in body.get("tools", ())]
        if len(set(names)) < len(names):
            raise Rejected("tools: Tool names must be unique.")
        if choice is not None and choice["type"] == "tool" and choice["name"] not in names:
            raise Rejected(f"tool_choice.name: tool {choice['name']!r} not found in provided tools")

    @override
    def whole(self, received: Received) -> dict[str, Any]:
        body = received.body
        said = self.say(_asked(body))
        content: list[dict[str, Any]] = []
        if said.thought:
            content.append({"type": "thinking", "thinking": said.thought, "signature": "c2lnbmVk"})
        if said.text:
            content.append({"type": "text", "text": said.text, "citations": None})
        content += [{"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in said.calls]
        return _message(body, content, "tool_use" if said.calls else "end_turn", _USAGE)

    @override
    def stream(self, received: Received) -> list[bytes]:
        body = received.body
        said = self.say(_asked(body))
        opening = _message(body, [], None, _USAGE | {"output_tokens": 1})
        events: list[dict[str, Any]] = [{"type": "message_start", "message": opening}, {"type": "ping"}]
        index = 0
        if said.thought:
            deltas = [{"type": "thinking_delta", "thinking": word} for word in said.thought.split(" ")]
            signature = {"type": "signature_delta", "signature": "c2lnbmVk"}
            events += _block(index, {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signature])
            index += 1
        if said.text:
            deltas = [{"type": "text_delta", "text": piece} for piece in said.pieces]
            events += _block(index, {"type": "text", "text": ""}, deltas)
            index += 1
        for number, (identity, name, arguments) in enumerate(said.calls, index):
            text = msgspec.json.encode(arguments).decode()
            pieces = ["", text[: len(text) // 2], text[len(text) // 2 :]]
            block = {"type": "tool_use", "id": identity, "name": name, "input": {}}
            events += _block(number, block, [{"type": "input_json_delta", "partial_json": one} for one in pieces])
        reason = "tool_use" if said.calls else "end_turn"
        events += [
            {
                "type": "message_delta",
                "delta": {"stop_reason": reason, "stop_sequence": None},
                "usage": {"output_tokens": _USAGE["output_tokens"]},
            },
            {"type": "message_stop"},
        ]
        return [event(one, one["type"]) for one in events]

    @override
    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = _ERRORS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_test"}

    @override
    def error_event(self) -> bytes:
        return event(self.error(529, "Overloaded"), "error")


def anthropic_server() -> AbstractContextManager[AnthropicServer]:
    """Serve on a free port of the loopback interface."""
    return serving(AnthropicServer())


# ------------------------------------------------------------------------------------------------------ rules


def _check_sampling(body: dict[str, Any]) -> None:
    for name, most in _SAMPLING.items():
        value = body.pop(name, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise Rejected(f"{name}: Input should be a valid number")
        if value is not None and not 0 <= value <= most:
            raise Rejected(f"{name}: range: 0..{most}")


def _check_thinking(body: dict[str, Any]) -> None:
    if body["max_tokens"] < 1:
        raise Rejected("max_tokens: Input should be greater than or equal to 1")
    thinking = body.get("thinking", {})
    if thinking.get("type") == "enabled":
        if thinking["budget_tokens"] < 1024:
            raise Rejected("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if thinking["budget_tokens"] >= body["max_tokens"]:
            raise Rejected("`max_tokens` must be greater than `thinking.budget_tokens`")
    if thinking.get("type") in ("enabled", "adaptive"):
        if body.get("temperature", 1) != 1:
            raise Rejected("`temperature` may only be set to 1 when thinking is enabled")
        if body.get("tool_choice", {}).get("type") in ("any", "tool"):
            raise Rejected("Thinking may not be enabled when tool_choice forces tool use.")


def _check_turns(messages: list[dict[str, Any]]) -> None:
    """Who may say what, and that the message after calls answers each of them, results first."""
    if not messages or messages[0]["role"] != "user":
        raise Rejected("messages: first message must use the user role")
    owed: set[str] = set()
    for at, message in enumerate(messages):
        blocks = _blocks(message)
        results = [one["tool_use_id"] for one in blocks if one["type"] == "tool_result"]
        if set(results) != owed or len(results) > len(owed):
            raise Rejected(
                f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after, or the "
                "other way round"
            )
        if any(one["type"] != "tool_result" for one in blocks[: len(results)]):
            raise Rejected(f"messages.{at}: tool_result blocks must come first")
        if message["role"] == "user" and any(one["type"] in ("tool_use", "thinking") for one in blocks):
            raise Rejected(f"messages.{at}: `tool_use` blocks can only be in `assistant` messages")
        if message["role"] == "assistant" and (results or any(one["type"] == "image" for one in blocks)):
            raise Rejected(f"messages.{at}: `tool_result` blocks can only be in `user` messages")
        if not blocks or any(one["type"] == "text" and not one["text"] for one in blocks):
            raise Rejected(f"messages.{at}: text content blocks must be non-empty")
        for one in blocks:
            if one["type"] == "image" and one["source"]["type"] == "base64":
                image_size(one["source"]["data"])
        owed = {one["id"] for one in blocks if one["type"] == "tool_use"}


def _check_cache_marks(body: dict[str, Any]) -> None:
    if sum(_marks(body)) > 4:
        raise Rejected("A maximum of 4 blocks with cache_control may be provided.")


def _marks(node: Any) -> Iterator[int]:
    if isinstance(node, dict):
        yield "cache_control" in node
        for inner in node.values():
            yield from _marks(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _marks(inner)


# ----------------------------------------------------------------------------------------------------- answers


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _asked(body: dict[str, Any]) -> Asked:
    blocks = _blocks(body["messages"][-1])
    choice = body.get("tool_choice", {"type": "auto"})
    tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools", ()) if choice["type"] != "none"}
    if choice["type"] == "tool":
        tools = {choice["name"]: tools[choice["name"]]}
    wanted = (body.get("output_config") or {}).get("format")
    results = [
        "".join(inner.get("text", "<image>") for inner in _blocks({"content": one.get("content", "")}))
        for one in blocks
        if one["type"] == "tool_result"
    ]
    sources = [one["source"] for one in blocks if one["type"] == "image"]
    return Asked(
        text="".join(one["text"] for one in blocks if one["type"] == "text"),
        images=[image_size(source["data"]) if source["type"] == "base64" else 0 for source in sources],
        results=results,
        tools=tools,
        must_call=choice["type"] in ("any", "tool"),
        parallel=not choice.get("disable_parallel_tool_use", False),
        schema=None if wanted is None else wanted["schema"],
        thinks=body.get("thinking", {}).get("type") in ("enabled", "adaptive"),
    )


def _message(
    body: dict[str, Any], content: list[dict[str, Any]], reason: str | None, usage: dict[str, int]
) -> dict[str, Any]:
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _block(index: int, block: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]
